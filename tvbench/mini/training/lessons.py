"""What the trainer asks of the mini world: see GeneratedWorld in train/generated.py, which names this module.

Light to import: samples, tensors and pixels come when they are asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.mini.training.small_sizes import DEFAULTS
from tvbench.mini.world import level_of

if TYPE_CHECKING:
    from tvbench.mini.training.generated import GeneratedCorpus
    from tvbench.train.data.entries import Entry
    from tvbench.train.stages import ModelPlan, Stage

SIZES = DEFAULTS


def canvases(level: int) -> Sequence[tuple[int, int]]:
    """(height, width) of the pictures of a level."""
    return tuple((height, width) for width, height in level_of(level).canvases)


def corpus(entry: Entry) -> GeneratedCorpus:
    """Samples of the world, as an entry wants them."""
    from tvbench.mini.training.generated import GeneratedCorpus

    return GeneratedCorpus(entry)


def text_part(plan: ModelPlan, folder: Path, seed: int) -> tuple[dict[str, Any], Iterator[tuple[str, Any]]]:
    """A random Gemma2, and a tokenizer learned from the world."""
    from tvbench.mini.training import small_parts

    return small_parts.text_part(plan, folder, seed)


def vision_part(plan: ModelPlan, seed: int) -> tuple[dict[str, Any], Iterator[tuple[str, Any]]]:
    """A random SigLIP tower."""
    from tvbench.mini.training import small_parts

    return small_parts.vision_part(plan, seed)


def patch_trainee(model: Any) -> Any:
    """A model whose tower learns what each patch shows."""
    from tvbench.mini.training.patches import PatchTrainee

    return PatchTrainee(model)


def patch_feed(stage: Stage, tile: int, patch: int, level: int, start: int, steps: int) -> Iterator[list[Any]]:
    """Its batches."""
    from tvbench.mini.training import patches

    return patches.patch_feed(stage, tile, patch, level, start, steps)
