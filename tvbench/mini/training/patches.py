"""Mini's stand-in for SigLIP2's pre-training: the tower learns to say what each patch of a picture shows.

Linear heads on the layer that a LLaVA model reads give the noun and the colour of the thing that covers most of a
patch, or nothing, and where the patch is. Only compositions of the split `train` are drawn, most in inks of no name;
and figures of no noun in named colours: shape and colour must be known apart. The heads are thrown away afterwards.
Knows the mini world and a vision tower; no text.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL.Image import Image, Resampling
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import Dataset

from tvbench.mini.render import PALETTE, Ink, covered, mask, painted
from tvbench.mini.world import (
    COLOURS,
    GROUNDS,
    NOUNS,
    SENSES,
    Level,
    Thing,
    arrange,
    english_word,
    level_of,
    others,
    seen_colours,
)
from tvbench.train.data.loading import loaded, planned, shared_room
from tvbench.train.loss import IGNORED
from tvbench.train.stages import Stage

NAMES = (*NOUNS, *(sense for pair in SENSES.values() for sense in pair))
NOTHING = 0
COVERED = 0.1
"""A patch of which less than this is covered shows nothing."""
FREE_INKS = 0.8
"""The share of things whose ink is no named colour."""
FIGURES = 0.35
"""The share of pictures that show figures of no noun."""
APART = 90
"""How far such an ink is from every named colour, and from grey, in RGB (0..255)."""


@dataclass(frozen=True, slots=True)
class PatchBatch:
    """`pixels` uint8 [b, 3, s, s]; `nouns`, `colours` [b, patches]: NOTHING, 1 + the place in NAMES or COLOURS, or
    IGNORED."""

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

    @property
    def lengths(self) -> Sequence[int]:
        return ()

    @property
    def tiles(self) -> int:
        return len(self.pixels)

    def to(self, device: torch.device) -> PatchBatch:
        """The same on `device`."""
        return PatchBatch(self.pixels.to(device), self.nouns.to(device), self.colours.to(device))


class PatchTrainee(nn.Module):
    """A LLaVA model whose tower is trained; `vision_tower_heads` are the classifiers."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        vision = model.config.vision_config
        wide, patches = vision.hidden_size, (vision.image_size // vision.patch_size) ** 2
        classes = {"noun": 1 + len(NAMES), "colour": 1 + len(COLOURS), "patch": patches}
        self.vision_tower_heads = nn.ModuleDict({name: nn.Linear(wide, count) for name, count in classes.items()})

    def forward(self, batch: PatchBatch) -> torch.Tensor:
        """The sum of the heads' mean cross-entropies over all patches."""
        logits = self.logits(as_seen(batch.pixels))
        patches = torch.arange(logits["patch"].shape[1], device=batch.pixels.device).expand(batch.samples, -1)
        labels = {"noun": batch.nouns, "colour": batch.colours, "patch": patches}
        losses = [
            cross_entropy(logits[name].flatten(0, 1), labels[name].flatten(), ignore_index=IGNORED) for name in logits
        ]
        return torch.stack(losses).sum()

    def logits(self, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
        """Of nouns, colours and places of patches, [b, patches, classes] each."""
        inner = self.model.model
        layers = inner.vision_tower(pixels, output_hidden_states=True).hidden_states
        seen = layers[inner.config.vision_feature_layer]
        return {name: head(seen) for name, head in self.vision_tower_heads.items()}


def as_seen(pixels: torch.Tensor) -> torch.Tensor:
    """Bytes as the tower takes them, -1 to 1. A tensor divides: by a number some devices multiply with its inverse."""
    return pixels.float() / torch.tensor(127.5, device=pixels.device) - 1


class PatchSteps(Dataset[list[PatchBatch]]):
    """Item s: the pictures of step s."""

    def __init__(self, stage: Stage, tile: int, patch: int, level: int) -> None:
        self.stage, self.tile, self.patch, self.level = stage, tile, patch, level

    def __getitem__(self, step: int) -> list[PatchBatch]:
        first = step * self.stage.batch
        sights = [draw(self.stage.seed, first + number, self.level) for number in range(self.stage.batch)]
        return [patch_batch(sights, self.tile, self.patch)]


def patch_feed(stage: Stage, tile: int, patch: int, level: int, start: int, steps: int) -> Iterator[list[PatchBatch]]:
    """The batches of steps `start` to `steps` - 1."""
    loading = planned(stage.workers, stage.batch * (3 * tile**2 + 16 * (tile // patch) ** 2), 1, shared_room())
    yield from loaded(PatchSteps(stage, tile, patch, level), range(start, steps), loading)


@dataclass(frozen=True, slots=True)
class ShownThing:
    """Something on a picture: where it covers it (0..255), its ink, and its noun and named colour where it has them."""

    cover: Image
    ink: Ink
    noun: str | None
    colour: str | None


@dataclass(frozen=True, slots=True)
class TowerPicture:
    """A picture for the tower: a grey ground, width and height in pixels, and what is on it."""

    width: int
    height: int
    ground: int
    shown: tuple[ShownThing, ...]

    def paint(self) -> Image:
        """As a PIL picture, RGB."""
        return painted(self.width, self.height, self.ground, [(shape.cover, shape.ink) for shape in self.shown])


def draw(seed: int, number: int, level: int) -> TowerPicture:
    """The picture of that number: of things, or of figures that are no thing."""
    rng = random.Random(f"tvbench patches/{seed}/{number}")
    known = level_of(level)
    return _figures(rng, known) if rng.random() < FIGURES else _things(rng, known)


def _things(rng: random.Random, level: Level) -> TowerPicture:
    """One to four things, ambiguous ones too, in compositions of the split `train`, most of them in a free ink."""
    nouns = (*NOUNS[: level.nouns], *NAMES[len(NOUNS) :])
    noun = rng.choice(nouns)
    first = Thing(noun, rng.choice(seen_colours(noun)))
    plain = [other for other in nouns if english_word(other) != english_word(noun)]
    things = [first, *others(rng, rng.choice((0, 0, 1, 1, 2, 3)), [first], plain)]
    cells = rng.sample(range(4), len(things)) if rng.random() < 0.7 or len(things) > 1 else ()
    scene = arrange(rng, things, level, cells)
    shown = []
    for placed in scene.placed:
        cover, thing = mask(placed, scene.width, scene.height), placed.thing
        named = rng.random() >= FREE_INKS
        ink = PALETTE[thing.colour] if named else free_ink(rng)
        shown.append(ShownThing(cover, ink, thing.noun, thing.colour if named else None))
    return TowerPicture(scene.width, scene.height, scene.ground, tuple(shown))


def _figures(rng: random.Random, level: Level) -> TowerPicture:
    """One to three figures of three to nine corners, each in any named colour."""
    width, height = rng.choice(level.canvases)
    shown = []
    for _ in range(rng.choice((1, 2, 2, 3))):
        colour, corners = rng.choice(COLOURS), rng.choice((3, 4, 5, 7, 9))
        x, y, extent = rng.uniform(0, width), rng.uniform(0, height), min(width, height) * rng.uniform(0.15, 0.5)
        rays = [(extent * rng.uniform(0.2, 1), math.tau * corner / corners) for corner in range(corners)]
        points = tuple((x + ray * math.cos(angle), y + ray * math.sin(angle)) for ray, angle in rays)
        shown.append(ShownThing(covered((("ink", points),), width, height), PALETTE[colour], None, colour))
    return TowerPicture(width, height, rng.randint(*GROUNDS), tuple(shown))


def free_ink(rng: random.Random) -> Ink:
    """An ink far from every named colour and from the greys of the ground."""
    while True:
        ink = (rng.randrange(256), rng.randrange(256), rng.randrange(256))
        named = min(math.dist(ink, known) for known in PALETTE.values())
        if named >= APART and max(ink) - min(ink) >= APART:
            return ink


def patch_batch(sights: Sequence[TowerPicture], tile: int, patch: int) -> PatchBatch:
    """Pictures resized to one tile each, with the labels of their patches."""
    labels = [patch_labels(sight, tile // patch) for sight in sights]
    pictures = np.stack([np.asarray(sight.paint().resize((tile, tile))) for sight in sights])
    pixels = torch.from_numpy(pictures.transpose(0, 3, 1, 2))  # colours stay innermost: the tower's sums depend on it
    nouns, colours = (torch.from_numpy(np.stack(column)) for column in zip(*labels, strict=True))
    return PatchBatch(pixels, nouns, colours)


def patch_labels(sight: TowerPicture, side: int) -> tuple[np.ndarray, np.ndarray]:
    """The noun and the colour of each patch, int64 [side * side]; IGNORED for what has no name."""
    shares = np.stack([np.full(side * side, COVERED), *(_share(shape.cover, side) for shape in sight.shown)])
    winner = shares.argmax(0)
    nouns = [NOTHING, *(IGNORED if shape.noun is None else 1 + NAMES.index(shape.noun) for shape in sight.shown)]
    colours = [
        NOTHING,
        *(IGNORED if shape.colour is None else 1 + COLOURS.index(shape.colour) for shape in sight.shown),
    ]
    return np.asarray(nouns)[winner], np.asarray(colours)[winner]


def _share(cover: Image, side: int) -> np.ndarray:
    """Which part of each patch is covered, 0..1, [side * side]."""
    small = cover.resize((side, side), Resampling.BOX)
    return np.asarray(small, dtype=np.float64).ravel() / 255
