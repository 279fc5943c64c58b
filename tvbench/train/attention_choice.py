"""Which attention a stage is trained with: what it needs, against what the machine has.

    on a CPU     eager; for packed rows sample by sample
    on a GPU     in float32 as on a CPU (FlashAttention has none); in bfloat16 FlashAttention-2 where it is installed
                 with its soft-cap and the data have no branches, else flex attention

SDPA ignores Gemma2's soft-cap: no text model has it. The tower has no soft-cap, no mask and heads of any width: on a
GPU SDPA is right for it under every precision. Knows stages and packages; no model and no batch.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

import torch

from tvbench.errors import UsageError
from tvbench.train.by_sample import NAME as BY_SAMPLE
from tvbench.train.stages import Stage

FLASH = "flash_attention_2"
FLEX = "flex_attention"
FLASH_FROM = (2, 6)
"""The first flash-attn with a soft-cap: transformers leaves it out, silently, with an earlier one."""
AMPERE = (8, 0)
"""The first compute capability that FlashAttention-2 runs on."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """`flash`: FlashAttention-2 is installed here, can do a soft-cap, and runs on this GPU."""

    gpu: bool
    flash: bool


@dataclass(frozen=True, slots=True)
class Attentions:
    """By transformers' names, of the text model and of the vision tower."""

    text: str
    tower: str


def attention_of(stage: Stage, device: torch.device) -> Attentions:
    """What a stage is trained with on `device`. Raises as `chosen`."""
    return chosen(stage, hardware(device))


def hardware(device: torch.device) -> Hardware:
    """What there is at `device`."""
    gpu = device.type == "cuda"
    able = gpu and FLASH_FROM <= _flash_version() < (3,)
    return Hardware(gpu, able and torch.cuda.get_device_capability(device) >= AMPERE)


def chosen(stage: Stage, here: Hardware) -> Attentions:
    """Raises UsageError where the attention that the stage names is not to be had here, or cannot train it."""
    text = _best(stage, here) if stage.attention == "auto" else _asked(stage, here)
    return Attentions(text, "sdpa" if here.gpu else "eager")


def branched(stage: Stage) -> bool:
    """Whether several conversations of a sample share its picture, which FlashAttention cannot be told."""
    return any(int(entry.options.get("branches", 1)) > 1 for entry in stage.data)


def _best(stage: Stage, here: Hardware) -> str:
    if not here.gpu or stage.precision == "float32":
        return BY_SAMPLE if stage.packing else "eager"
    return FLASH if here.flash and not branched(stage) else FLEX


def _asked(stage: Stage, here: Hardware) -> str:
    missing = _missing(stage, here)
    if missing:
        raise UsageError(
            f"stage {stage.number}: attention {stage.attention} {missing}",
            f"--set stage{stage.number}.attention=auto takes {_best(stage, here)} here",
        )
    return stage.attention


def _missing(stage: Stage, here: Hardware) -> str:
    """What the attention that a stage names needs and has not got, or nothing."""
    if stage.attention in (FLASH, FLEX) and not here.gpu:
        return "needs a GPU"
    if stage.attention != FLASH:
        return ""
    if stage.precision == "float32":
        return "has no float32, which the stage is trained in"
    if branched(stage):
        return "cannot be told of several conversations on one picture (branches)"
    return "" if here.flash else "needs the package flash-attn 2.6 or later, and compute capability 8.0 or later"


def _flash_version() -> tuple[int, ...]:
    """Of FlashAttention-2; FlashAttention-4 has the same module and another name."""
    try:
        major, minor = version("flash-attn").split(".")[:2]
        return int(major), int(minor)
    except (PackageNotFoundError, ValueError):
        return (0,)
