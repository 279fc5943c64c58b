"""Small random parts with a shape of their own: mini's stand-ins for Tower+ and SigLIP2, before they learn anything.

The tokenizer is learned from the mini world's training split. Weights are drawn by fan-in, so that a narrow model
starts with signals of size one. Knows the mini world and Gemma2's and SigLIP's shapes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from tvbench.checkpoints.files import train_tokenizer
from tvbench.errors import UsageError
from tvbench.mini import prompts
from tvbench.mini.grammars import grammar
from tvbench.mini.samples import samples
from tvbench.mini.training.generated import DESCRIBE, probes, told
from tvbench.mini.training.small_sizes import DEFAULTS
from tvbench.train.stages import ModelPlan

Named = Iterator[tuple[str, torch.Tensor]]


GEMMA2 = {
    "hidden_size": "hidden",
    "intermediate_size": "intermediate",
    "num_hidden_layers": "layers",
    "num_attention_heads": "heads",
    "num_key_value_heads": "kv_heads",
    "head_dim": "head_dim",
    "query_pre_attn_scalar": "head_dim",
    "sliding_window": "sliding_window",
    "max_position_embeddings": "context",
}
"""What a configuration of Gemma2 calls the sizes of a recipe."""


def text_part(plan: ModelPlan, folder: Path, seed: int) -> tuple[dict[str, Any], Named]:
    """Configuration and tensors of a random Gemma2; its tokenizer is written into `folder`."""
    sizes = {**DEFAULTS, **plan.sizes}
    _check(sizes, "hidden", "heads")
    _check(sizes, "heads", "kv_heads")
    vocabulary = train_tokenizer(
        folder, tokenizer_lines(sizes, seed), vocabulary=int(sizes["vocabulary"]), context=int(sizes["context"])
    )
    config = {
        "architectures": ["Gemma2ForCausalLM"],
        "model_type": "gemma2",
        "vocab_size": vocabulary,
        **{name: int(sizes[size]) for name, size in GEMMA2.items()},
        "attn_logit_softcapping": 50.0,
        "final_logit_softcapping": 30.0,
        "hidden_activation": "gelu_pytorch_tanh",
        "bos_token_id": 2,
        "eos_token_id": 1,
        "pad_token_id": 0,
    }
    return config, _text_tensors(config, seed)


def tokenizer_lines(sizes: Mapping[str, Any], seed: int) -> Iterator[str]:
    """Prompts and answers of the training split in the model's languages."""
    languages = tuple(sizes["languages"])
    count, level = int(sizes["tokenizer_count"]), int(sizes["tokenizer_level"])
    for task in ("mini-alm", "mini-multi30k", "mini-vimul"):
        for sample in samples(task, split="train", seed=seed, level=level, languages=languages, count=count):
            for protocol in prompts.PROTOCOLS:
                yield f"{prompts.asked(sample, protocol)}\n{prompts.right_answer(sample, protocol)}\n"
            if task == "mini-alm":
                say = grammar(sample.language)
                yield f"{told(sample.scenes, say)}\n{DESCRIBE[sample.language]}\n"
                for scene in sample.scenes:
                    yield from (f"{question}\n{answer}\n" for question, answer in probes(scene, say))


def vision_part(plan: ModelPlan, seed: int) -> tuple[dict[str, Any], Named]:
    """Configuration and tensors of a random SigLIP tower."""
    sizes = {**DEFAULTS, **plan.sizes}
    _check(sizes, "vision_hidden", "vision_heads")
    config = {
        "model_type": "siglip_vision_model",
        "hidden_size": int(sizes["vision_hidden"]),
        "intermediate_size": int(sizes["vision_intermediate"]),
        "num_hidden_layers": int(sizes["vision_layers"]),
        "num_attention_heads": int(sizes["vision_heads"]),
        "image_size": plan.image_size,
        "patch_size": plan.patch_size,
        "hidden_act": "gelu_pytorch_tanh",
        "vision_use_head": False,
    }
    return config, _vision_tensors(config, seed)


def _check(sizes: Mapping[str, Any], whole: str, part: str) -> None:
    if sizes[whole] % sizes[part]:
        raise UsageError(
            f"model.sizes: {whole} ({sizes[whole]}) is no multiple of {part} ({sizes[part]})",
            f"--set model.sizes.{whole}=N",
        )


def _text_tensors(config: Mapping[str, Any], seed: int) -> Named:
    rng = torch.Generator().manual_seed(seed)
    hidden, inner = config["hidden_size"], config["intermediate_size"]
    wide = config["num_attention_heads"] * config["head_dim"]
    narrow = config["num_key_value_heads"] * config["head_dim"]
    base = "language_model.model"
    yield f"{base}.embed_tokens.weight", _drawn(rng, config["vocab_size"], hidden, spread=1 / math.sqrt(hidden))
    for layer in range(config["num_hidden_layers"]):
        prefix = f"{base}.layers.{layer}"
        for name, out, fan_in in (
            ("self_attn.q_proj", wide, hidden),
            ("self_attn.k_proj", narrow, hidden),
            ("self_attn.v_proj", narrow, hidden),
            ("self_attn.o_proj", hidden, wide),
            ("mlp.gate_proj", inner, hidden),
            ("mlp.up_proj", inner, hidden),
            ("mlp.down_proj", hidden, inner),
        ):
            yield f"{prefix}.{name}.weight", _drawn(rng, out, fan_in)
        for norm in ("input", "post_attention", "pre_feedforward", "post_feedforward"):
            yield f"{prefix}.{norm}_layernorm.weight", torch.zeros(hidden)  # Gemma2 stores the difference from 1
    yield f"{base}.norm.weight", torch.zeros(hidden)


def _vision_tensors(config: Mapping[str, Any], seed: int) -> Named:
    rng = torch.Generator().manual_seed(seed + 1)
    hidden, inner, patch = config["hidden_size"], config["intermediate_size"], config["patch_size"]
    patches = (config["image_size"] // patch) ** 2
    base = "vision_tower.vision_model"
    pixels = _drawn(rng, hidden, 3 * patch * patch).view(hidden, 3, patch, patch)
    yield f"{base}.embeddings.patch_embedding.weight", pixels
    yield f"{base}.embeddings.patch_embedding.bias", torch.zeros(hidden)
    yield f"{base}.embeddings.position_embedding.weight", _drawn(rng, patches, hidden, spread=0.3)
    for layer in range(config["num_hidden_layers"]):
        prefix = f"{base}.encoder.layers.{layer}"
        square = [(f"self_attn.{name}", hidden, hidden) for name in ("q_proj", "k_proj", "v_proj", "out_proj")]
        for name, out, fan_in in (*square, ("mlp.fc1", inner, hidden), ("mlp.fc2", hidden, inner)):
            yield f"{prefix}.{name}.weight", _drawn(rng, out, fan_in)
            yield f"{prefix}.{name}.bias", torch.zeros(out)
        for norm in ("layer_norm1", "layer_norm2"):
            yield f"{prefix}.{norm}.weight", torch.ones(hidden)
            yield f"{prefix}.{norm}.bias", torch.zeros(hidden)
    yield f"{base}.post_layernorm.weight", torch.ones(hidden)
    yield f"{base}.post_layernorm.bias", torch.zeros(hidden)


def _drawn(rng: torch.Generator, out: int, fan_in: int, *, spread: float | None = None) -> torch.Tensor:
    return torch.randn(out, fan_in, generator=rng) * (spread if spread is not None else 1 / math.sqrt(fan_in))
