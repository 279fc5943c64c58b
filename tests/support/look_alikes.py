"""Checkpoints that look right and are not: what was done to a trained model, and what the doctor must call it."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from tvbench.checkpoints.tensors import EMBEDDING, HEAD, SCALED

Tensors = dict[str, torch.Tensor]
TOWER = "vision_tower.vision_model."
TEXT = "language_model.model.layers."


@dataclass(frozen=True, slots=True)
class LookAlike:
    """A change of the weights and of config.json (by `part__name`), and one code among the doctor's findings."""

    code: str
    tensors: Callable[[Tensors], Tensors] = lambda held: held
    config: tuple[tuple[str, Any], ...] = ()
    quick: bool = True


def make(source: Path, target: Path, one: LookAlike) -> Path:
    """The look-alike of `source`, in `target`."""
    shutil.copytree(source, target)
    path = target / "config.json"
    config = json.loads(path.read_text())
    for name, value in one.config:
        *parts, last = name.split("__")
        place = config
        for part in parts:
            place = place[part]
        place[last] = value
        if value is None:
            del place[last]
    path.write_text(json.dumps(config))
    weights = {
        name: tensor.contiguous().clone()
        for name, tensor in one.tensors(load_file(target / "model.safetensors")).items()
    }
    save_file(weights, target / "model.safetensors", metadata={"format": "pt"})
    return target


def scaled(power: int) -> Callable[[Tensors], Tensors]:
    """Image rows multiplied by a power of sqrt(hidden)."""

    def change(held: Tensors) -> Tensors:
        factor = math.sqrt(held["image_newline"].shape[0]) ** power
        return {
            name: (tensor.float() * factor).to(tensor.dtype) if name in SCALED else tensor
            for name, tensor in held.items()
        }

    return change


def each(part: str, change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Tensors], Tensors]:
    """All matrices of a part changed."""
    return lambda held: {
        name: change(tensor) if name.startswith(part) and tensor.ndim > 1 else tensor for name, tensor in held.items()
    }


def drawn(tensor: torch.Tensor) -> torch.Tensor:
    """Random numbers of the same spread."""
    rng = torch.Generator().manual_seed(tensor.numel())
    return (torch.randn(tensor.shape, generator=rng) * tensor.float().std()).to(tensor.dtype)


def shuffled(tensor: torch.Tensor) -> torch.Tensor:
    """The same numbers at other places."""
    rng = torch.Generator().manual_seed(tensor.numel())
    return tensor.flatten()[torch.randperm(tensor.numel(), generator=rng)].view(tensor.shape)


def uniform(tensor: torch.Tensor) -> torch.Tensor:
    """As transformers initialises a linear layer."""
    rng = torch.Generator().manual_seed(tensor.numel())
    bound = math.sqrt(6 / sum(tensor.flatten(1).shape))
    return (torch.rand(tensor.shape, generator=rng) * 2 * bound - bound).to(tensor.dtype)


def spoiled(name: str, value: float) -> Callable[[Tensors], Tensors]:
    """One number replaced."""

    def change(held: Tensors) -> Tensors:
        tensor = held[name].clone()
        tensor.view(-1)[tensor.numel() // 2] = value
        return {**held, name: tensor}

    return change


def swapped(part: str, one: int, other: int) -> Callable[[Tensors], Tensors]:
    """Two layers in each other's place."""

    def other_name(name: str) -> str:
        for here, there in ((one, other), (other, one)):
            if name.startswith(f"{part}{here}."):
                return f"{part}{there}.{name.removeprefix(f'{part}{here}.')}"
        return name

    return lambda held: {other_name(name): tensor for name, tensor in held.items()}


def copied(part: str, source: int, target: int) -> Callable[[Tensors], Tensors]:
    """One layer in the place of another."""
    return lambda held: {
        name: held[name.replace(f"{part}{target}.", f"{part}{source}.")]
        if name.startswith(f"{part}{target}.")
        else tensor
        for name, tensor in held.items()
    }


UNMARKED = (("tvbench", None),)
LOOK_ALIKES: dict[str, LookAlike] = {
    "folded twice": LookAlike("image-scale-measured", scaled(1)),
    "said to be folded, and not": LookAlike("image-scale-measured", scaled(-1)),
    "said to be unfolded, and folded": LookAlike(
        "image-scale-measured", config=(("tvbench__vision_embed_scale", "unfolded"),)
    ),
    "saved again by a new version, never folded": LookAlike(
        "image-scale-measured", scaled(-1), (*UNMARKED, ("transformers_version", "5.19.0"))
    ),
    "unmarked": LookAlike("image-scale-unknown", config=UNMARKED),
    "a drawn tower": LookAlike("random-tower", each(TOWER, drawn)),
    "a shuffled tower": LookAlike("random-tower", each(TOWER, shuffled)),
    "a tower as transformers draws it": LookAlike("random-tower", each(TOWER, uniform)),
    "one drawn layer of the tower": LookAlike("random-tower", each(f"{TOWER}encoder.layers.1.", drawn)),
    "one drawn layer of the text model": LookAlike("random-text", each(f"{TEXT}2.", drawn)),
    "a drawn projector": LookAlike("random-projector", each("multi_modal_projector.", drawn)),
    "a projector of zeros": LookAlike(
        "zeros",
        lambda held: {
            name: torch.zeros_like(tensor) if name.startswith("multi_modal") else tensor
            for name, tensor in held.items()
        },
    ),
    "a scalar of the default": LookAlike("query-scalar", config=(("text_config__query_pre_attn_scalar", 256),)),
    "a silent scalar": LookAlike("query-scalar", config=(("text_config__query_pre_attn_scalar", None),)),
    "a scalar of half": LookAlike("query-scalar", config=(("text_config__query_pre_attn_scalar", 16),)),
    "another final cap": LookAlike("soft-cap", config=(("text_config__final_logit_softcapping", 20.0),)),
    "another attention cap": LookAlike("soft-cap", config=(("text_config__attn_logit_softcapping", 30.0),)),
    "another rotation": LookAlike("constant", config=(("text_config__rope_theta", 1e6),)),
    "other turns of the layers": LookAlike(
        "constant", config=(("text_config__layer_types", ["full_attention", "sliding_attention"] * 2),)
    ),
    "another activation": LookAlike("constant", config=(("vision_config__hidden_act", "gelu"),)),
    "NaN in a norm": LookAlike("not-finite", spoiled(f"{TEXT}1.input_layernorm.weight", math.nan)),
    "NaN in the tower": LookAlike("not-finite", spoiled(f"{TOWER}encoder.layers.0.mlp.fc1.weight", math.nan)),
    "infinite newline": LookAlike("not-finite", spoiled("image_newline", math.inf)),
    "NaN in the embedding": LookAlike("not-finite", spoiled(EMBEDDING, math.nan)),
    "a layer twice": LookAlike("copies", copied(TEXT, 1, 2)),
    "two layers of the text model swapped": LookAlike("text-lost", swapped(TEXT, 0, 3), quick=False),
    "a projector turned over": LookAlike(
        "blind",
        lambda held: {name: tensor.T if name == SCALED[0] else tensor for name, tensor in held.items()},
        quick=False,
    ),
    "rows of the projector in another order": LookAlike(
        "blind",
        lambda held: {name: tensor.flip(0) if name == SCALED[0] else tensor for name, tensor in held.items()},
        quick=False,
    ),
    "an embedding in another order": LookAlike(
        "text-lost",
        lambda held: {name: tensor.roll(7, 0) if name == EMBEDDING else tensor for name, tensor in held.items()},
        quick=False,
    ),
    "float16": LookAlike(
        "float16", lambda held: {name: tensor.half() for name, tensor in held.items()}, (("dtype", "float16"),)
    ),
    "another image token": LookAlike("image-token", config=(("image_token_index", 5),)),
    "another head": LookAlike("own-head", lambda held: {**held, HEAD: held[EMBEDDING] + 1}),
    "no head, not tied": LookAlike("untied", config=(("tie_word_embeddings", False),)),
}
