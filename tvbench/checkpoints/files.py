"""The small files of a LLaVA checkpoint around Gemma2: configuration, chat template, processors, tokenizer.

Shared by the random model of mini/checkpoint.py and by what the trainer assembles and exports. Follows the one layout
that transformers 4.5x, 5.x and vLLM all read. Knows no weights.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from tvbench.data.media.anyres import pinpoints

Family = Literal["llava_next", "llava_onevision"]
CLASSES: dict[Family, str] = {
    "llava_next": "LlavaNextForConditionalGeneration",
    "llava_onevision": "LlavaOnevisionForConditionalGeneration",
}

CHAT_TEMPLATE = """\
{{- bos_token -}}
{%- for message in messages -%}
{%- set role = 'model' if message['role'] == 'assistant' else message['role'] -%}
{%- if message['content'] is string -%}
{%- set content = message['content'] -%}
{%- else -%}
{%- set pieces = namespace(text='') -%}
{%- for part in message['content'] -%}
{%- if part['type'] == 'text' -%}{%- set pieces.text = pieces.text + part['text'] -%}
{%- else -%}{%- set pieces.text = pieces.text + '<' + part['type'] + '>\\n' -%}{%- endif -%}
{%- endfor -%}
{%- set content = pieces.text -%}
{%- endif -%}
{{- '<start_of_turn>' + role + '\\n' + content | trim + '<end_of_turn>\\n' -}}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<start_of_turn>model\\n' -}}{%- endif -%}
"""
"""Gemma's turns; content may be a string or a list of parts, with identical bytes."""

SPECIAL_TOKENS = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<image>", "<video>")
"""Of tokenizers that are trained here: ids are positions; pad 0, eos 1 and bos 2 are Gemma's own."""


def llava_config(
    family: Family,
    text: Mapping[str, Any],
    vision: Mapping[str, Any],
    *,
    image_token: int,
    video_token: int | None,
    most_tiles: int,
    dtype: str,
    vision_embed_scale: Literal["folded", "unfolded"],
) -> dict[str, Any]:
    """config.json. `text` and `vision` are the parts' own configurations; `dtype` is written to all three."""
    tile, side = int(vision["image_size"]), int(vision["image_size"]) // int(vision["patch_size"])
    config: dict[str, Any] = {
        "architectures": [CLASSES[family]],
        "model_type": family,
        "dtype": dtype,
        "tie_word_embeddings": True,
        "image_token_index": image_token,
        "image_grid_pinpoints": pinpoints(most_tiles, tile),
        "projector_hidden_act": "gelu",
        "multimodal_projector_bias": True,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
        "text_config": {**text, "dtype": dtype, "tie_word_embeddings": True},
        "vision_config": {**vision, "dtype": dtype},
        "tvbench": {"vision_embed_scale": vision_embed_scale},
    }
    if family == "llava_onevision":
        config["video_token_index"] = video_token
        # Up to nine tiles' patches are kept as they are: within that, the class is LLaVA-NeXT that takes clips as well.
        config["vision_aspect_ratio"] = f"anyres_max_{max(9, most_tiles)}"
    else:
        config["image_seq_length"] = side**2
    return config


PIXELS: Mapping[str, Any] = {
    "do_convert_rgb": True,
    "do_resize": True,
    "do_rescale": True,
    "do_normalize": True,
    "rescale_factor": 1 / 255,
    "image_mean": [0.5, 0.5, 0.5],
    "image_std": [0.5, 0.5, 0.5],
    "resample": 3,
}


def write_processors(folder: Path, family: Family, *, tile: int, patch: int, most_tiles: int) -> None:
    """Image and video preprocessing: bicubic, 1/255, mean and deviation 0.5; the PIL code path on every machine."""
    square = {"height": tile, "width": tile}
    tiled = {**PIXELS, "do_pad": True, "image_grid_pinpoints": pinpoints(most_tiles, tile)}
    if family == "llava_next":
        image = {
            **tiled,
            "image_processor_type": "LlavaNextImageProcessorPil",
            "size": {"shortest_edge": tile},
            "crop_size": square,
            "do_center_crop": True,
        }
        processor: dict[str, Any] = {
            "processor_class": "LlavaNextProcessor",
            "patch_size": patch,
            "num_additional_image_tokens": 0,
        }
    else:
        image = {**tiled, "image_processor_type": "LlavaOnevisionImageProcessorPil", "size": square}
        video = {**PIXELS, "video_processor_type": "LlavaOnevisionVideoProcessor", "size": square}
        write_json(folder / "video_preprocessor_config.json", video)
        processor = {
            "processor_class": "LlavaOnevisionProcessor",
            "num_image_tokens": (tile // patch) ** 2,
            "vision_aspect_ratio": f"anyres_max_{max(9, most_tiles)}",
            "video_token": "<video>",
        }
    write_json(folder / "preprocessor_config.json", image)
    processor |= {"image_token": "<image>", "vision_feature_select_strategy": "full"}
    write_json(folder / "processor_config.json", processor)


TOKENIZER: Mapping[str, Any] = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "bos_token": "<bos>",
    "eos_token": "<eos>",
    "pad_token": "<pad>",
    "unk_token": "<unk>",
    "additional_special_tokens": ["<start_of_turn>", "<end_of_turn>", "<image>", "<video>"],
    "clean_up_tokenization_spaces": False,
    "padding_side": "left",
}


def train_tokenizer(folder: Path, lines: Iterable[str], *, vocabulary: int, context: int) -> int:
    """Write a byte-level BPE learned from `lines`, and the chat template. Every text in every script survives it.

    Returns the number of its tokens, at most `vocabulary`.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[AddedToken(token, normalized=False, special=True) for token in SPECIAL_TOKENS],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(lines, trainer)
    tokenizer.save(str(folder / "tokenizer.json"))
    write_json(folder / "tokenizer_config.json", {**TOKENIZER, "model_max_length": context})
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE, encoding="utf-8")
    return int(tokenizer.get_vocab_size())


def write_json(path: Path, value: Any) -> None:
    """Indented JSON with a newline at the end."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
