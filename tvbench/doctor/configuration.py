"""Checks of a checkpoint's config.json and of its tensors' names: what transformers and vLLM would make of them.

Each check is about one way in which a TowerVision-type checkpoint is read wrongly, mostly without an error. Reads
configuration, names and shapes; no weights but the head.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tvbench.checkpoints.corrections import asks_float16, scale_state, token_id
from tvbench.checkpoints.layout import misfit
from tvbench.checkpoints.small_files import tower_sides
from tvbench.checkpoints.tensors import HEAD, Weights, check_head
from tvbench.doctor.findings import Finding, importing
from tvbench.errors import EngineError
from tvbench.types import ModelCard

LAYERS_OF_SO400M = 27
SOFT_CAPS = (
    ("final_logit_softcapping", 30.0, "log-probabilities, losses and sampling"),
    ("attn_logit_softcapping", 50.0, "every answer"),
)
QUERY_SCALARS = {2304: 256, 3584: 256, 4608: 144}
PUBLISHED = {
    "text_config": {
        2304: {"num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "sliding_window": 4096},
        3584: {"num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 256, "sliding_window": 4096},
        4608: {"num_attention_heads": 32, "num_key_value_heads": 16, "head_dim": 128, "sliding_window": 4096},
    },
    "vision_config": {
        768: {"num_attention_heads": 12},
        1024: {"num_attention_heads": 16},
        1152: {"num_attention_heads": 16},
    },
}
"""Of Gemma2 2B, 9B and 27B, and of SigLIP, by hidden size: what no tensor's shape shows."""
GEMMA2 = {"rms_norm_eps": 1e-6, "hidden_activation": "gelu_pytorch_tanh"}
SIGLIP = {"layer_norm_eps": 1e-6, "hidden_act": "gelu_pytorch_tanh"}
ROPE_THETA = 10000.0
DEFAULTS = {"head_dim": 256, "hidden_size": 2304, "num_attention_heads": 8, "query_pre_attn_scalar": 256}
"""What transformers takes where a Gemma2 configuration is silent."""


def check_configuration(folder: Path, config: dict[str, Any], card: ModelCard) -> Iterator[Finding]:
    """Findings in config.json. `config` is that of a LLaVA-type model around Gemma2."""
    yield from _image_scale(folder, config, card)
    yield from _text_part(folder, config["text_config"])
    yield from check_constants(config)
    yield from _attention(config)
    yield from _vision_part(folder, config)
    yield from _tokens(folder, config)
    if config["model_type"] == "llava_onevision":
        yield from _tiles(config)
    if config["model_type"] == "llava_next_video":
        yield Finding(
            "warning",
            "video-class",
            "llava_next_video pools clips before the projector, training did it after; vLLM's takes no pictures",
            f"{importing(folder)} --as onevision",
        )
    if asks_float16(config):
        yield Finding(
            "error", "float16", "the checkpoint asks for float16, in which Gemma2 overflows", importing(folder)
        )
    yield from _newer(str(config.get("transformers_version", "")))


def _newer(saved_by: str) -> Iterator[Finding]:
    here = version("transformers")
    saved, installed = (re.findall(r"\d+", text)[:2] for text in (saved_by, here))
    if list(map(int, saved)) > list(map(int, installed)):
        yield Finding(
            "warning",
            "newer-transformers",
            f"it was saved by transformers {saved_by}, and {here} is "
            "installed: what is new in its files is not understood",
            f"pip install 'transformers>={saved_by}'",
        )


def check_tensors(folder: Path, config: dict[str, Any]) -> Iterator[Finding]:
    """Findings in the names and shapes of the tensors. Raises EngineError for files that cannot be read."""
    with Weights(folder) as weights:
        yield from _names(folder, weights)
        yield from _dropped(folder, weights)
        yield from _head(folder, config, weights)
    if found := misfit(folder):
        yield Finding(
            "error",
            "tensors",
            f"tensors and configuration do not fit: {found}; transformers fills what is missing with random numbers",
            "copy the checkpoint again, or correct config.json",
        )


# ── The configuration ─────────────────────────────────────────────────────────────────────────────


def _image_scale(folder: Path, config: dict[str, Any], card: ModelCard) -> Iterator[Finding]:
    try:
        state = scale_state(folder, config, card)
    except EngineError as error:
        yield Finding("error", "image-scale-unknown", error.message, error.hint)
        return
    if state == "unfolded":
        yield Finding(
            "error",
            "image-scale",
            "image rows lack the factor sqrt(hidden size) that Gemma2 once gave "
            "them: right for transformers before 5.4, too small for newer ones and vLLM, without an error",
            importing(folder),
        )


def _text_part(folder: Path, text: dict[str, Any]) -> Iterator[Finding]:
    named = text.get("architectures")
    if text.get("model_type") != "gemma2" or named not in (None, ["Gemma2ForCausalLM"]):
        yield Finding(
            "error",
            "text-architecture",
            f"the text model is called {', '.join(named or [])} "
            f"({text.get('model_type')}); vLLM takes that by its word and refuses it",
            importing(folder),
        )


def check_constants(config: dict[str, Any]) -> Iterator[Finding]:
    """Findings in numbers that every Gemma2 and SigLIP shares, or that follow from others: with another one the same
    weights are another model, and nothing fails."""
    text = config["text_config"]
    yield from _soft_caps(text)
    yield from _query_scalar(text)
    yield from _turns(text)
    yield from _published(config)
    theta = (text.get("rope_parameters") or {}).get("rope_theta", text.get("rope_theta", ROPE_THETA))
    if theta != ROPE_THETA:
        yield Finding(
            "error",
            "constant",
            f"rope_theta is {theta}; Gemma2 is trained with {ROPE_THETA:g}: every place in the prompt would be another",
            f"set it to {ROPE_THETA:g} in text_config in config.json",
        )


def _soft_caps(text: dict[str, Any]) -> Iterator[Finding]:
    for name, wanted, moved in SOFT_CAPS:
        if text.get(name, wanted) is None:
            yield Finding(
                "error",
                "soft-cap",
                f"{name} is switched off; Gemma2 is trained with it, and {moved} would be others",
                f"take `{name}` out of text_config in config.json",
            )
        elif text.get(name, wanted) != wanted:
            yield Finding(
                "error",
                "soft-cap",
                f"{name} is {text[name]}; Gemma2 is trained with {wanted:g}, and {moved} would be others",
                f"set it to {wanted:g} in text_config in config.json",
            )


def _published(config: dict[str, Any]) -> Iterator[Finding]:
    for part, constants in (("text_config", GEMMA2), ("vision_config", SIGLIP)):
        given = config.get(part) or {}
        for name, value in {**constants, **PUBLISHED[part].get(given.get("hidden_size", 0), {})}.items():
            if given.get(name, value) != value:
                yield Finding(
                    "error",
                    "constant",
                    f"{name} of {part} is {given[name]}; the model is trained with {value}",
                    f"set it to {value} in config.json",
                )


def _turns(text: dict[str, Any]) -> Iterator[Finding]:
    """Gemma2's layers look at a window and at everything in turn, beginning with the window."""
    kinds = text.get("layer_types") or []
    if kinds != [("sliding_attention", "full_attention")[number % 2] for number in range(len(kinds))]:
        yield Finding(
            "error",
            "constant",
            "layer_types do not alternate as Gemma2's do: some layers would see more, "
            "or less, of a long prompt than they were trained to",
            "take layer_types out of text_config",
        )


def _query_scalar(text: dict[str, Any]) -> Iterator[Finding]:
    known = {name: text.get(name, value) for name, value in DEFAULTS.items()}
    head, hidden, heads = known["head_dim"], known["hidden_size"], known["num_attention_heads"]
    right = [QUERY_SCALARS[hidden]] if hidden in QUERY_SCALARS else sorted({head, hidden // heads})
    if known["query_pre_attn_scalar"] not in right:
        yield Finding(
            "error",
            "query-scalar",
            f"query_pre_attn_scalar is {known['query_pre_attn_scalar']}; for heads "
            f"of {head} and a hidden size of {hidden} Gemma2 has {' or '.join(map(str, right))}: attention "
            "would be sharper or flatter than it was trained",
            f"set it to {right[-1]} in text_config in config.json",
        )


def _attention(config: dict[str, Any]) -> Iterator[Finding]:
    for part in (config, config["text_config"]):
        asked = part.get("_attn_implementation") or part.get("attn_implementation")
        if asked == "sdpa":
            yield Finding(
                "error",
                "attention",
                "the configuration asks for sdpa, which ignores Gemma2's attention soft-cap",
                "set it to eager or flash_attention_2 in config.json, or take it out",
            )
            return


def _vision_part(folder: Path, config: dict[str, Any]) -> Iterator[Finding]:
    vision = config.get("vision_config") or {}
    if vision.get("vision_use_head", True):
        yield Finding(
            "warning",
            "vision-head",
            "the vision tower's pooling head is not switched off; nobody uses it, "
            "and transformers reports its weights as missing",
            importing(folder),
        )
    yield from _vision_layer(config, vision)
    strategy = config.get("vision_feature_select_strategy", "default")
    if strategy != "full":
        yield Finding(
            "error",
            "vision-patches",
            f"vision_feature_select_strategy is '{strategy}', which drops the first patch; SigLIP has no class token",
            "set it to `full` in config.json",
        )


def _vision_layer(config: dict[str, Any], vision: dict[str, Any]) -> Iterator[Finding]:
    layer, count = config.get("vision_feature_layer", -2), vision.get("num_hidden_layers")
    # The training tower has its last layer removed and gives what the layer before it says.
    if layer != (-2 if count == LAYERS_OF_SO400M else -1):
        yield Finding(
            "error",
            "vision-layer",
            f"pictures are taken from layer {layer} of {count}; training took the "
            "last but one of SigLIP, the last of those that TowerVision keeps",
            "set vision_feature_layer to -1 in config.json",
        )


def _tokens(folder: Path, config: dict[str, Any]) -> Iterator[Finding]:
    try:
        image = token_id(folder, "<image>")
    except EngineError as error:
        yield Finding("error", "image-token", error.message, error.hint)
        return
    given = {name: config[name] for name in ("image_token_index", "image_token_id") if name in config}
    if set(given.values()) != {image}:
        said = ", ".join(f"{name} {value}" for name, value in given.items()) or "no image token"
        yield Finding(
            "error",
            "image-token",
            f"the configuration says {said}; the tokenizer's <image> is {image}",
            importing(folder),
        )
    if config["model_type"] == "llava_onevision":
        yield from _video_token(folder, config)


def _video_token(folder: Path, config: dict[str, Any]) -> Iterator[Finding]:
    try:
        video = token_id(folder, "<video>")
    except EngineError as error:
        yield Finding("error", "video-token", error.message, error.hint)
        return
    given = config.get("video_token_index", config.get("video_token_id"))
    if given != video:
        yield Finding(
            "error",
            "video-token",
            f"the configuration says {given}; the tokenizer's <video> is {video}",
            f"set video_token_index to {video} in config.json",
        )


def _tiles(config: dict[str, Any]) -> Iterator[Finding]:
    tile, _ = tower_sides(config)
    most = max((height * width for height, width in config.get("image_grid_pinpoints") or []), default=0) // tile**2
    kept = str(config.get("vision_aspect_ratio", "anyres_max_9")).removeprefix("anyres_max_")
    if not kept.isdigit() or int(kept) < most:
        yield Finding(
            "error",
            "downsampled",
            f"vision_aspect_ratio keeps {kept} tiles' patches of up to {most}: large "
            "pictures are resized after the tower",
            f"set vision_aspect_ratio to anyres_max_{max(9, most)}",
        )


# ── The tensors ───────────────────────────────────────────────────────────────────────────────────


def _names(folder: Path, weights: Weights) -> Iterator[Finding]:
    names = list(weights.original.values())
    if any(name.startswith("vision_tower.") and not name.startswith("vision_tower.vision_model.") for name in names):
        yield Finding(
            "error",
            "tensor-names",
            "the vision tower is named as transformers 5 writes it: vLLM refuses "
            "it, and transformers 4 fills the tower with random numbers",
            importing(folder),
        )
    elif any(name.startswith("model.") for name in names):
        yield Finding(
            "warning",
            "tensor-names",
            "tensors are named as in memory (model.language_model...): transformers before 4.52 does not find them",
            importing(folder),
        )


def _dropped(folder: Path, weights: Weights) -> Iterator[Finding]:
    if weights.dropped:
        yield Finding(
            "warning",
            "pooling-head",
            f"{len(weights.dropped)} tensors of the vision tower's pooling head, which nobody uses",
            importing(folder),
        )


def _head(folder: Path, config: dict[str, Any], weights: Weights) -> Iterator[Finding]:
    if HEAD not in weights.original:
        if not config.get("tie_word_embeddings", False):
            yield Finding(
                "error",
                "untied",
                "there is no output head, and config.json does not tie it to the "
                "embedding at the top: transformers 5 makes up a random one",
                importing(folder),
            )
        return
    try:
        check_head(weights)
    except EngineError as error:
        yield Finding("error", "own-head", error.message, error.hint)
        return
    yield Finding(
        "error",
        "head",
        "the output head is stored although it equals the embedding: vLLM refuses it",
        importing(folder),
    )
