"""Small random checkpoints of the baselines' families, written by transformers' own classes, for the engine tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tvbench.engines.processors import pictures_only
from tvbench.mini.checkpoint import build_tiny

QWEN_TEMPLATE = """\
{%- for message in messages -%}
<|im_start|>{{ message.role }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content -%}
{%- if part.type == 'image' -%}<|vision_start|><|image_pad|><|vision_end|>
{%- elif part.type == 'video' -%}<|vision_start|><|video_pad|><|vision_end|>
{%- else -%}{{ part.text }}{%- endif -%}
{%- endfor %}{% endif %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""

GEMMA_TEMPLATE = """\
{{ bos_token }}{% for message in messages %}<start_of_turn>{{ {'assistant': 'model'}.get(message.role, message.role) }}
{% if message.content is string %}{{ message.content }}{% else %}{% for part in message.content -%}
{%- if part.type == 'image' -%}<start_of_image>{%- else -%}{{ part.text }}{%- endif -%}
{%- endfor %}{% endif %}<end_of_turn>
{% endfor %}{% if add_generation_prompt %}<start_of_turn>model
{% endif %}"""

LLAMA_TEMPLATE = """\
{%- for message in messages -%}<start_of_turn>{{ message.role }}
{{ message.content }}<end_of_turn>
{% endfor %}{% if add_generation_prompt %}<start_of_turn>assistant
{% endif %}"""

TEXT = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
}


def tokenizer(folder: Path, tokens: list[str], template: str, roles: dict[str, str] | None = None, **names: str) -> Any:
    """The small model's byte-level tokenizer with other special tokens; `roles` are those that a processor asks for
    by name (`boi_token`)."""
    from transformers import AutoTokenizer

    loaded = AutoTokenizer.from_pretrained(build_tiny(folder), extra_special_tokens=roles or {})
    loaded.add_special_tokens({"additional_special_tokens": tokens, **names})
    loaded.chat_template = template
    return loaded


def save(folder: Path, model: Any, processor: Any) -> Path:
    """Write both, with the model's weights random from a fixed seed."""
    folder.mkdir(parents=True, exist_ok=True)
    model.eval().save_pretrained(folder)
    processor.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps({"temperature": 0.1, "do_sample": True}))
    return folder


def qwen(folder: Path) -> Path:
    """Qwen2.5-VL: pictures of any size, 28 x 28 pixels a token, and video."""
    import torch
    from transformers import (
        Qwen2_5_VLConfig,
        Qwen2_5_VLForConditionalGeneration,
        Qwen2_5_VLProcessor,
        Qwen2VLImageProcessor,
    )

    names = ["<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>"]
    words = tokenizer(folder / "words", names, QWEN_TEMPLATE, eos_token="<|im_end|>")
    number = dict(zip(names, words.convert_tokens_to_ids(names), strict=True))
    torch.manual_seed(1)
    config = Qwen2_5_VLConfig(
        text_config={
            **TEXT,
            "vocab_size": len(words),
            "rope_scaling": {"type": "mrope", "mrope_section": [4, 6, 6]},
            "bos_token_id": None,
            "eos_token_id": number["<|im_end|>"],
        },
        vision_config={
            "depth": 2,
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_heads": 2,
            "out_hidden_size": 128,
            "fullatt_block_indexes": [1],
            "window_size": 56,
        },
        image_token_id=number["<|image_pad|>"],
        video_token_id=number["<|video_pad|>"],
        vision_start_token_id=number["<|vision_start|>"],
        vision_end_token_id=number["<|vision_end|>"],
    )
    sizes = {"min_pixels": 28 * 28, "max_pixels": 16 * 28 * 28}
    # The part for clips is written, not made: its class needs torchvision, which the core environment does not have.
    processor = pictures_only(Qwen2_5_VLProcessor)(
        Qwen2VLImageProcessor(**sizes), words, None, chat_template=QWEN_TEMPLATE
    )
    saved = save(folder / "model", Qwen2_5_VLForConditionalGeneration(config), processor)
    parts = saved / "processor_config.json"
    clips = {"video_processor_type": "Qwen2VLVideoProcessor", **sizes}
    parts.write_text(json.dumps(json.loads(parts.read_text()) | {"video_processor": clips}))
    return saved


def gemma3(folder: Path) -> Path:
    """Gemma 3: every picture resized to one size and a fixed number of tokens."""
    import torch
    from transformers import Gemma3Config, Gemma3ForConditionalGeneration, Gemma3ImageProcessor, Gemma3Processor

    names = ["<start_of_image>", "<end_of_image>", "<image_soft_token>"]
    words = tokenizer(
        folder / "words",
        names,
        GEMMA_TEMPLATE,
        dict(zip(("boi_token", "eoi_token", "image_token"), names, strict=True)),
    )
    words.add_tokens(["\n", "\n\n", "\n\n\n", "\n\n\n\n"])  # Gemma's vocabulary has them, and vLLM counts on it
    torch.manual_seed(2)
    config = Gemma3Config(
        text_config={**TEXT, "vocab_size": len(words), "head_dim": 32, "sliding_window": 64},
        vision_config={
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "image_size": 56,
            "patch_size": 14,
            "vision_use_head": False,
        },
        mm_tokens_per_image=4,
        boi_token_index=words.boi_token_id,
        eoi_token_index=words.eoi_token_id,
        image_token_index=words.image_token_id,
    )
    processor = Gemma3Processor(
        Gemma3ImageProcessor(size={"height": 56, "width": 56}), words, chat_template=GEMMA_TEMPLATE, image_seq_length=4
    )
    return published_names(save(folder / "model", Gemma3ForConditionalGeneration(config), processor))


def published_names(model: Path) -> Path:
    """The names of the vision tower in checkpoints on the hub: vLLM does not read what transformers 5 writes."""
    from safetensors.torch import load_file, save_file

    file = model / "model.safetensors"
    tensors = {
        name.replace("vision_tower.", "vision_tower.vision_model."): tensor for name, tensor in load_file(file).items()
    }
    save_file(tensors, file, metadata={"format": "pt"})
    return model


def llava_llama(folder: Path) -> Path:
    """LLaVA-NeXT with a CLIP tower and a Llama: the second last layer without its class token."""
    words = tokenizer(folder / "words", [], LLAMA_TEMPLATE)
    grids = [[56, 112], [112, 56], [112, 112], [168, 56], [56, 168]]
    return llava_next(folder, words, LLAMA_TEMPLATE, grids, {"model_type": "llama"}, seed=3)


def llava_next(
    folder: Path, words: Any, template: str, grids: list[list[int]], text: dict[str, Any], *, seed: int
) -> Path:
    """LLaVA-NeXT with a CLIP tower and the text model that `text` names."""
    import torch
    from transformers import (
        LlavaNextConfig,
        LlavaNextForConditionalGeneration,
        LlavaNextImageProcessorPil,
        LlavaNextProcessor,
    )

    torch.manual_seed(seed)
    config = LlavaNextConfig(
        text_config={**TEXT, "vocab_size": len(words), **text},
        vision_config={
            "model_type": "clip_vision_model",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 3,
            "num_attention_heads": 2,
            "image_size": 56,
            "patch_size": 14,
            "projection_dim": 64,
        },
        image_grid_pinpoints=grids,
        image_token_index=words.convert_tokens_to_ids("<image>"),
        vision_feature_layer=-2,
        vision_feature_select_strategy="default",
    )
    processor = LlavaNextProcessor(
        LlavaNextImageProcessorPil(
            size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56}, image_grid_pinpoints=grids
        ),
        words,
        patch_size=14,
        vision_feature_select_strategy="default",
        chat_template=template,
        image_token="<image>",
        num_additional_image_tokens=1,
    )
    return published_names(save(folder / "model", LlavaNextForConditionalGeneration(config), processor))


FAMILIES: dict[str, Callable[[Path], Path]] = {"qwen2.5-vl": qwen, "gemma3": gemma3, "llava-next-llama3": llava_llama}
