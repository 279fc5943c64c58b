"""Small random checkpoints of newer families among the cards: Qwen3-VL, InternVL, Gemma 4, Pangea, Aya Vision."""

from __future__ import annotations

from pathlib import Path

from tiny_baselines import QWEN_TEMPLATE, TEXT, llava_next, save, tokenizer

INTERN_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content -%}
{%- if part.type == 'image' -%}<IMG_CONTEXT>
{%- else -%}{{ part.text }}{%- endif -%}
{%- endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

GEMMA4_TEMPLATE = """\
{{ bos_token }}{% for message in messages %}<|turn>{{ {'assistant': 'model'}.get(message.role, message.role) }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content -%}
{%- if part.type == 'image' -%}<|image|>{%- else -%}{{ part.text }}{%- endif -%}
{%- endfor %}{% endif %}<turn|>
{% endfor %}{% if add_generation_prompt %}<|turn>model
{% endif %}"""

PANGEA_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{{ message.content }}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

AYA_TEMPLATE = """\
{{ bos_token }}{% for message in messages %}<|{{ message.role }}|>
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content -%}
{%- if part.type == 'image' -%}<image>{%- else -%}{{ part.text }}{%- endif -%}
{%- endfor %}{% endif %}<|end|>
{% endfor %}{% if add_generation_prompt %}<|assistant|>
{% endif %}"""


def qwen3(folder: Path) -> Path:
    """Qwen3-VL: pictures of any size, 32 x 32 pixels a token, video with time stamps, features at three depths."""
    import torch
    from transformers import (
        Qwen2VLImageProcessor,
        Qwen3VLConfig,
        Qwen3VLForConditionalGeneration,
        Qwen3VLProcessor,
        Qwen3VLVideoProcessor,
    )

    names = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    words = tokenizer(folder / "words", names, QWEN_TEMPLATE, eos_token="<|im_end|>")
    number = dict(zip(names, words.convert_tokens_to_ids(names), strict=True))
    torch.manual_seed(4)
    config = Qwen3VLConfig(
        text_config={
            **TEXT,
            "head_dim": 32,
            "vocab_size": len(words),
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 1e6,
                "mrope_section": [6, 5, 5],
                "mrope_interleaved": True,
            },
            "bos_token_id": None,
            "eos_token_id": number["<|im_end|>"],
        },
        vision_config={
            "depth": 3,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 2,
            "out_hidden_size": 128,
            "num_position_embeddings": 256,
            "deepstack_visual_indexes": [0, 1],
        },
        image_token_id=number["<|image_pad|>"],
        video_token_id=number["<|video_pad|>"],
        vision_start_token_id=number["<|vision_start|>"],
        vision_end_token_id=number["<|vision_end|>"],
    )
    size = {"shortest_edge": 32 * 32, "longest_edge": 16 * 32 * 32}
    processor = Qwen3VLProcessor(
        Qwen2VLImageProcessor(patch_size=16, size=size),
        words,
        Qwen3VLVideoProcessor(size={"shortest_edge": 32 * 32, "longest_edge": 64 * 32 * 32}),
        chat_template=QWEN_TEMPLATE,
    )
    return save(folder / "model", Qwen3VLForConditionalGeneration(config), processor)


def internvl(folder: Path) -> Path:
    """InternVL 3: tiles of one size and a thumbnail, four patches a token."""
    import torch
    from transformers import (
        GotOcr2ImageProcessor,
        InternVLConfig,
        InternVLForConditionalGeneration,
        InternVLProcessor,
        InternVLVideoProcessor,
    )

    roles = {
        "start_image_token": "<img>",
        "end_image_token": "</img>",
        "context_image_token": "<IMG_CONTEXT>",
        "video_token": "<video>",
    }
    names = ["<|im_start|>", "<|im_end|>", *roles.values()]
    words = tokenizer(folder / "words", names, INTERN_TEMPLATE, roles, eos_token="<|im_end|>")
    torch.manual_seed(5)
    config = InternVLConfig(
        text_config={
            **TEXT,
            "model_type": "qwen2",
            "initializer_range": 0.2,
            "vocab_size": len(words),
            "bos_token_id": None,
            "eos_token_id": words.eos_token_id,
        },
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": [56, 56],
            "patch_size": [14, 14],
        },
        image_seq_length=4,
        image_token_id=words.convert_tokens_to_ids("<IMG_CONTEXT>"),
    )
    size = {"height": 56, "width": 56}
    processor = InternVLProcessor(
        GotOcr2ImageProcessor(size=size, crop_to_patches=True, min_patches=1, max_patches=4),
        words,
        InternVLVideoProcessor(size=size),
        image_seq_length=4,
        chat_template=INTERN_TEMPLATE,
    )
    return save(folder / "model", InternVLForConditionalGeneration(config), processor)


def pangea(folder: Path) -> Path:
    """Pangea: LLaVA-NeXT with a CLIP tower and a Qwen2."""
    words = tokenizer(folder / "words", ["<|im_start|>", "<|im_end|>"], PANGEA_TEMPLATE, eos_token="<|im_end|>")
    text = {"model_type": "qwen2", "eos_token_id": words.eos_token_id}
    return llava_next(folder, words, PANGEA_TEMPLATE, [[56, 112], [112, 56], [112, 112]], text, seed=6)


def gemma4(folder: Path) -> Path:
    """Gemma 4: pictures of any shape within a number of tokens, embeddings for every layer. Without its ears."""
    import torch
    from transformers import (
        Gemma4AudioFeatureExtractor,
        Gemma4Config,
        Gemma4ForConditionalGeneration,
        Gemma4ImageProcessor,
        Gemma4Processor,
        Gemma4VideoProcessor,
    )

    roles = {
        "image_token": "<|image|>",
        "boi_token": "<|image>",
        "eoi_token": "<image|>",
        "audio_token": "<|audio|>",
        "boa_token": "<|audio>",
        "eoa_token": "<audio|>",
        "video_token": "<|video|>",
    }
    names = ["<|turn>", "<turn|>", *roles.values()]
    words = tokenizer(folder / "words", names, GEMMA4_TEMPLATE, roles)
    torch.manual_seed(7)
    config = Gemma4Config(
        text_config={
            **TEXT,
            "num_hidden_layers": 4,
            "layer_types": ["sliding_attention", "full_attention"] * 2,
            "head_dim": 32,
            "global_head_dim": 32,
            "sliding_window": 64,
            "vocab_size": len(words),
            "vocab_size_per_layer_input": len(words),
            "hidden_size_per_layer_input": 16,
        },
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 32,
            "patch_size": 16,
            "pooling_kernel_size": 3,
            "position_embedding_size": 64,
            "default_output_length": 70,
        },
        audio_config=None,
        image_token_id=words.convert_tokens_to_ids("<|image|>"),
        boi_token_id=words.convert_tokens_to_ids("<|image>"),
        eoi_token_id=words.convert_tokens_to_ids("<image|>"),
        video_token_id=words.convert_tokens_to_ids("<|video|>"),
        audio_token_id=words.convert_tokens_to_ids("<|audio|>"),
        boa_token_id=words.convert_tokens_to_ids("<|audio>"),
        eoa_token_index=words.convert_tokens_to_ids("<audio|>"),
    )
    processor = Gemma4Processor(
        Gemma4AudioFeatureExtractor(),
        Gemma4ImageProcessor(max_soft_tokens=70),
        words,
        Gemma4VideoProcessor(),
        chat_template=GEMMA4_TEMPLATE,
        image_seq_length=70,
    )
    return save(folder / "model", Gemma4ForConditionalGeneration(config), processor)


def aya(folder: Path) -> Path:
    """Aya Vision: tiles of one size and a thumbnail, a Cohere2."""
    import torch
    from transformers import (
        AyaVisionConfig,
        AyaVisionForConditionalGeneration,
        AyaVisionProcessor,
        GotOcr2ImageProcessor,
    )

    names = ["<|START_OF_IMG|>", "<|END_OF_IMG|>", "<|IMG_PATCH|>", "<|IMG_LINE_BREAK|>", "TILE", "TILE_GLOBAL"]
    words = tokenizer(folder / "words", ["<|end|>", *names, *(f"TILE_{n}" for n in range(1, 13))], AYA_TEMPLATE)
    torch.manual_seed(8)
    config = AyaVisionConfig(
        text_config={
            **TEXT,
            "model_type": "cohere2",
            "initializer_range": 0.2,
            "vocab_size": len(words),
            "bos_token_id": words.bos_token_id,
            "eos_token_id": words.convert_tokens_to_ids("<|end|>"),
            "pad_token_id": 0,
            "sliding_window": 64,
        },
        vision_config={
            "model_type": "siglip_vision_model",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 56,
            "patch_size": 14,
            "vision_use_head": False,
        },
        downsample_factor=2,
        image_token_id=words.convert_tokens_to_ids("<|IMG_PATCH|>"),
        adapter_layer_norm_eps=1e-6,
    )
    processor = AyaVisionProcessor(
        GotOcr2ImageProcessor(size={"height": 56, "width": 56}, crop_to_patches=True, min_patches=1, max_patches=4),
        words,
        patch_size=14,
        img_size=56,
        downsample_factor=2,
        chat_template=AYA_TEMPLATE,
    )
    return save(folder / "model", AyaVisionForConditionalGeneration(config), processor)


NEWER = {"qwen3-vl": qwen3, "internvl": internvl, "gemma4": gemma4, "pangea": pangea}
