"""Mini's stand-in for SigLIP2's pre-training: the tower learns to say what each patch of a picture shows.

Two linear heads on the layer that a LLaVA model reads give the noun and the colour of the thing that covers most of a
patch, or nothing. Only compositions of the split `train` are drawn. The heads are thrown away afterwards.
Knows the mini world and a vision tower; no text.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from tvbench.mini.render import PALETTE, Ink, mask, paint
from tvbench.mini.world import (
    COLOURS,
    NOUNS,
    SENSES,
    Placed,
    Scene,
    Thing,
    arrange,
    english_word,
    level_of,
    others,
    seen_colours,
)
from tvbench.train.data.steps import unstoppable
from tvbench.train.loss import IGNORED
from tvbench.train.stages import Stage

NAMES = (*NOUNS, *(sense for pair in SENSES.values() for sense in pair))
NOTHING = 0
COVERED = 0.1
"""A patch of which less than this is covered shows nothing."""
FREE_INKS = 0.8
"""The share of things whose ink is no named colour."""
APART = 90
"""How far such an ink is from every named colour, and from grey, in RGB (0..255)."""


@dataclass(frozen=True, slots=True)
class PatchBatch:
    """`pixels` [b, 3, s, s]; `nouns` and `colours` [b, patches], NOTHING or 1 + the place in NAMES and COLOURS."""

    pixels: torch.Tensor
    nouns: torch.Tensor
    colours: torch.Tensor
    skipped: Sequence[Any] = ()

    @property
    def samples(self) -> int:
        return len(self.pixels)

    @property
    def tokens(self) -> int:
        return int(self.nouns.numel())

    def to(self, device: torch.device) -> PatchBatch:
        """The same on `device`."""
        return PatchBatch(self.pixels.to(device), self.nouns.to(device), self.colours.to(device))


class PatchTrainee(nn.Module):
    """A LLaVA model whose tower is trained; `vision_tower_heads` are the two classifiers."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        wide = model.config.vision_config.hidden_size
        self.vision_tower_heads = nn.ModuleDict(
            {"noun": nn.Linear(wide, 1 + len(NAMES)), "colour": nn.Linear(wide, 1 + len(COLOURS))}
        )

    def forward(self, batch: PatchBatch) -> torch.Tensor:
        """Mean cross-entropy of both heads over all patches."""
        nouns, colours = self.logits(batch.pixels)
        return (
            cross_entropy(nouns.flatten(0, 1), batch.nouns.flatten())
            + cross_entropy(colours.flatten(0, 1), batch.colours.flatten())
        )

    def logits(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Of nouns and colours, [b, patches, classes]."""
        inner = self.model.model
        layers = inner.vision_tower(pixels, output_hidden_states=True).hidden_states
        seen = layers[inner.config.vision_feature_layer]
        return self.vision_tower_heads["noun"](seen), self.vision_tower_heads["colour"](seen)


class PatchSteps(Dataset[list[PatchBatch]]):
    """Item s: the pictures of step s."""

    def __init__(self, stage: Stage, tile: int, patch: int, level: int) -> None:
        self.stage, self.tile, self.patch, self.level = stage, tile, patch, level

    def __getitem__(self, step: int) -> list[PatchBatch]:
        first = step * self.stage.batch
        sights = [draw(self.stage.seed, first + number, self.level) for number in range(self.stage.batch)]
        return [patch_batch(sights, self.tile, self.patch)]


def patch_feed(
    stage: Stage, tile: int, patch: int, level: int, start: int, steps: int
) -> Iterator[list[PatchBatch]]:
    """The batches of steps `start` to `steps` - 1."""
    workers = stage.workers
    yield from DataLoader(PatchSteps(stage, tile, patch, level), batch_size=None, sampler=range(start, steps),
                          num_workers=workers, prefetch_factor=2 if workers else None, collate_fn=None,
                          worker_init_fn=unstoppable)


@dataclass(frozen=True, slots=True)
class Sight:
    """A picture for the tower; things with an ink of their own, of no named colour, have it in `inks`."""

    scene: Scene
    inks: tuple[Ink | None, ...]


def draw(seed: int, number: int, level: int) -> Sight:
    """A picture of one to four things, ambiguous ones too, in compositions of the split `train`.

    Half of the things have an ink that is none of COLOURS: shapes must be known whatever their colour is.
    """
    lot = random.Random(f"tvbench patches/{seed}/{number}")
    known = level_of(level)
    nouns = (*NOUNS[: known.nouns], *NAMES[len(NOUNS) :])
    noun = lot.choice(nouns)
    first = Thing(noun, lot.choice(seen_colours(noun)))
    plain = [other for other in nouns if english_word(other) != english_word(noun)]
    things = [first, *others(lot, lot.choice((0, 0, 1, 1, 2, 3)), [first], plain)]
    cells = lot.sample(range(4), len(things)) if lot.random() < 0.7 or len(things) > 1 else ()
    inks = tuple(free_ink(lot) if lot.random() < FREE_INKS else None for _ in things)
    return Sight(arrange(lot, things, known, cells), inks)


def free_ink(lot: random.Random) -> Ink:
    """An ink far from every named colour and from the greys of the ground."""
    while True:
        ink = (lot.randrange(256), lot.randrange(256), lot.randrange(256))
        named = min(math.dist(ink, known) for known in PALETTE.values())
        if named >= APART and max(ink) - min(ink) >= APART:
            return ink


def patch_batch(sights: Sequence[Sight], tile: int, patch: int) -> PatchBatch:
    """Pictures squashed to one tile each, with the labels of their patches."""
    labels = [patch_labels(sight, tile // patch) for sight in sights]
    pictures = np.stack([np.asarray(paint(sight.scene, sight.inks).resize((tile, tile))) for sight in sights])
    pixels = torch.from_numpy(pictures.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1)
    nouns, colours = (torch.from_numpy(np.stack(one)) for one in zip(*labels, strict=True))
    return PatchBatch(pixels, nouns, colours)


def patch_labels(sight: Sight, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The noun and the colour of each patch, int64 [side * side]; an ink of no name has the colour IGNORED."""
    scene = sight.scene
    shares = np.stack([np.full(side * side, COVERED), *(_share(placed, scene, side) for placed in scene.placed)])
    winner = shares.argmax(0)
    nouns = [NOTHING, *(1 + NAMES.index(placed.thing.noun) for placed in scene.placed)]
    colours = [NOTHING, *(1 + COLOURS.index(placed.thing.colour) if ink is None else IGNORED
                          for placed, ink in zip(scene.placed, sight.inks, strict=True))]
    return np.asarray(nouns)[winner], np.asarray(colours)[winner]


@lru_cache(maxsize=64)
def _share(placed: Placed, scene: Scene, side: int) -> np.ndarray:
    """Which part of each patch a thing covers, 0..1, [side * side]."""
    from PIL import Image

    small = mask(placed, scene.width, scene.height).resize((side, side), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64).ravel() / 255
