"""A small random TowerVision-shaped checkpoint: Gemma2 text, SigLIP vision, AnyRes tiles, built in a second.

It stands in for the trained model wherever the path matters and the answers do not: scores are at chance. The same
seed gives the same bytes. The files follow the export rule that current transformers and vLLM both read: names
`language_model.model.*` and `vision_tower.vision_model.*`, no head, image rows already scaled, a marker that says so.
Knows nothing of tasks and trains nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tvbench.checkpoints.files import SPECIAL_TOKENS, llava_config, train_tokenizer, write_json, write_processors
from tvbench.checkpoints.files import Family as Architecture

if TYPE_CHECKING:
    import torch

HIDDEN = 96
LAYERS = 3
HEAD_DIM = 32
VISION_HIDDEN = 64
IMAGE_SIZE = 56
PATCH_SIZE = 14
PATCHES = (IMAGE_SIZE // PATCH_SIZE) ** 2
CONTEXT = 4096
SLIDING_WINDOW = 128
VOCABULARY = 768
MAX_TILES = 6

_SYLLABLES = (
    "ro da ci li na te mo su ver bla rot gre yel cir squ tri star left right what how many colour",
    "die der und ist was wie viele farbe kreis stern rechts links über unter",
    "le la un une est quel couleur combien étoile cercle à gauche droite",
    "que qué cuál de el los las color cuántos estrella círculo izquierda derecha",
    "что где какой цвет сколько звезда круг слева справа красный синий",
    "什么 颜色 多少 星 圆 左 右 红 蓝 是 的 图 里",
    "क्या रंग कितने तारा वृत्त बाएँ दाएँ लाल नीला है",
    "ما لون كم نجمة دائرة يسار يمين أحمر أزرق هو",
    "何 色 いくつ 星 円 左 右 赤 青 です か",
    "무엇 색 몇 개 별 원 왼쪽 오른쪽 빨간 파란",
)
"""Words in ten languages and seven scripts, from which the tokenizer's training lines are drawn."""


def build_tiny(
    folder: Path,
    *,
    seed: int = 0,
    architecture: Architecture = "llava_onevision",
    vision_scale: Literal["folded", "unfolded"] = "folded",
    dtype: Literal["float32", "bfloat16"] = "float32",
) -> Path:
    """Write a random checkpoint into `folder` (made if missing) and return the folder. About 2 MB in float32.

    `llava_onevision` takes one image, several images and video; `llava_next` images only. With `unfolded` the
    projected image rows lack Gemma2's sqrt(hidden), as in checkpoints of transformers < 5.4 (needed for tests).
    """
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    train_tokenizer(folder, _training_lines(seed), vocabulary=VOCABULARY, context=CONTEXT)
    write_processors(folder, architecture, tile=IMAGE_SIZE, patch=PATCH_SIZE, most_tiles=MAX_TILES)
    config = _config(architecture, vision_scale, dtype)
    write_json(folder / "config.json", config)
    write_json(folder / "generation_config.json", {"bos_token_id": 2, "eos_token_id": [1, 5], "pad_token_id": 0})
    tensors = dict(_weights(config, seed, vision_scale))
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


# ── Configuration ─────────────────────────────────────────────────────────────────────────────────


def _config(architecture: Architecture, vision_scale: Literal["folded", "unfolded"], dtype: str) -> dict[str, Any]:
    return llava_config(
        architecture,
        _text_config(dtype),
        _vision_config(dtype),
        image_token=SPECIAL_TOKENS.index("<image>"),
        video_token=SPECIAL_TOKENS.index("<video>"),
        most_tiles=MAX_TILES,
        dtype=dtype,
        vision_embed_scale=vision_scale,
    )


def _text_config(dtype: str) -> dict[str, Any]:
    return {
        "architectures": ["Gemma2ForCausalLM"],
        "model_type": "gemma2",
        "dtype": dtype,
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "intermediate_size": 2 * HIDDEN,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "head_dim": HEAD_DIM,
        "query_pre_attn_scalar": HEAD_DIM,
        "sliding_window": SLIDING_WINDOW,
        "max_position_embeddings": CONTEXT,
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "hidden_activation": "gelu_pytorch_tanh",
        "tie_word_embeddings": True,
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
    }


def _vision_config(dtype: str) -> dict[str, Any]:
    return {
        "model_type": "siglip_vision_model",
        "dtype": dtype,
        "hidden_size": VISION_HIDDEN,
        "intermediate_size": 2 * VISION_HIDDEN,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "image_size": IMAGE_SIZE,
        "patch_size": PATCH_SIZE,
        "hidden_act": "gelu_pytorch_tanh",
        "vision_use_head": False,
    }


# ── Weights ───────────────────────────────────────────────────────────────────────────────────────


def _weights(config: dict[str, Any], seed: int, vision_scale: str) -> Iterator[tuple[str, torch.Tensor]]:
    """Random tensors under the exported names. The scales make soft-caps and image rows matter in the answers."""
    import torch

    generator = torch.Generator().manual_seed(seed)
    kept = getattr(torch, config["dtype"])
    image_scale = 1.0 if vision_scale == "folded" else 1.0 / math.sqrt(HIDDEN)
    for name, shape, spread in _shapes():
        tensor = torch.randn(shape, generator=generator, dtype=torch.float32) * spread
        if name.startswith("multi_modal_projector.linear_2.") or name == "image_newline":
            tensor *= image_scale
        elif name.endswith("norm1.weight") or name.endswith("norm2.weight") or name.endswith("post_layernorm.weight"):
            tensor += 1.0
        elif name == "language_model.model.norm.weight":
            tensor += 5.0
        yield name, tensor.to(kept).contiguous()


def _shapes() -> Iterator[tuple[str, tuple[int, ...], float]]:
    """Name, shape and standard deviation of every tensor. Gemma2's norm weights are stored as difference from 1."""
    text = "language_model.model"
    yield f"{text}.embed_tokens.weight", (VOCABULARY, HIDDEN), 1 / math.sqrt(HIDDEN)
    for layer in range(LAYERS):
        yield from _text_layer(f"{text}.layers.{layer}")
    yield f"{text}.norm.weight", (HIDDEN,), 0.1
    yield from _vision_shapes("vision_tower.vision_model")
    # The projector's output has about the size of a scaled text row: Gemma2 multiplies those by sqrt(hidden).
    yield from _linear("multi_modal_projector.linear_1", HIDDEN, VISION_HIDDEN, 1.5)
    yield from _linear("multi_modal_projector.linear_2", HIDDEN, HIDDEN, 2.0)
    yield "image_newline", (HIDDEN,), 1.0


def _text_layer(prefix: str) -> Iterator[tuple[str, tuple[int, ...], float]]:
    wide, narrow = 4 * HEAD_DIM, 2 * HEAD_DIM
    fan_in = 1 / math.sqrt(HIDDEN)
    # Three times sharper than usual, so that the attention's soft-cap matters.
    yield f"{prefix}.self_attn.q_proj.weight", (wide, HIDDEN), 1.5 * fan_in * math.sqrt(HEAD_DIM / 4)
    yield f"{prefix}.self_attn.k_proj.weight", (narrow, HIDDEN), 1.5 * fan_in
    yield f"{prefix}.self_attn.v_proj.weight", (narrow, HIDDEN), fan_in
    yield f"{prefix}.self_attn.o_proj.weight", (HIDDEN, wide), 1 / math.sqrt(wide)
    yield f"{prefix}.mlp.gate_proj.weight", (2 * HIDDEN, HIDDEN), fan_in
    yield f"{prefix}.mlp.up_proj.weight", (2 * HIDDEN, HIDDEN), fan_in
    yield f"{prefix}.mlp.down_proj.weight", (HIDDEN, 2 * HIDDEN), 1 / math.sqrt(2 * HIDDEN)
    for norm in ("input", "post_attention", "pre_feedforward", "post_feedforward"):
        yield f"{prefix}.{norm}_layernorm.weight", (HIDDEN,), 0.1


def _vision_shapes(prefix: str) -> Iterator[tuple[str, tuple[int, ...], float]]:
    pixels = 3 * PATCH_SIZE * PATCH_SIZE
    yield f"{prefix}.embeddings.patch_embedding.weight", (VISION_HIDDEN, 3, PATCH_SIZE, PATCH_SIZE), 2 / pixels**0.5
    yield f"{prefix}.embeddings.patch_embedding.bias", (VISION_HIDDEN,), 0.1
    yield f"{prefix}.embeddings.position_embedding.weight", (PATCHES, VISION_HIDDEN), 0.3
    for layer in range(2):
        base = f"{prefix}.encoder.layers.{layer}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _linear(f"{base}.self_attn.{name}", VISION_HIDDEN, VISION_HIDDEN, 1.0)
        yield from _linear(f"{base}.mlp.fc1", 2 * VISION_HIDDEN, VISION_HIDDEN, 1.0)
        yield from _linear(f"{base}.mlp.fc2", VISION_HIDDEN, 2 * VISION_HIDDEN, 1.0)
        for norm in ("layer_norm1", "layer_norm2"):
            yield from _norm(f"{base}.{norm}")
    yield from _norm(f"{prefix}.post_layernorm")


def _linear(prefix: str, out: int, inner: int, gain: float) -> Iterator[tuple[str, tuple[int, ...], float]]:
    yield f"{prefix}.weight", (out, inner), gain / math.sqrt(inner)
    yield f"{prefix}.bias", (out,), 0.1


def _norm(prefix: str) -> Iterator[tuple[str, tuple[int, ...], float]]:
    yield f"{prefix}.weight", (VISION_HIDDEN,), 0.1
    yield f"{prefix}.bias", (VISION_HIDDEN,), 0.1


# ── Tokenizer ─────────────────────────────────────────────────────────────────────────────────────


def _training_lines(seed: int) -> Iterator[str]:
    chance = random.Random(seed)
    for _ in range(1500):
        words = chance.choice(_SYLLABLES).split()
        yield " ".join(chance.choice(words) for _ in range(chance.randint(3, 8))) + chance.choice(("?", ".", "\n"))
