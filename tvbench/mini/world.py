"""The mini world: coloured things on a plain ground, drawn at random from a seed. Knows no language and no pixel.

For each word one colour is held out: that composition never occurs in the splits `train` and `validation`, in no
picture and no text, and is what every question of the split `test` is about. The two senses of an ambiguous word share
it, because they share the word.
"""

from __future__ import annotations

import random
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from tvbench.errors import UsageError

Split = Literal["test", "validation", "train"]
SPLITS: tuple[Split, ...] = ("test", "validation", "train")

COLOURS = ("red", "blue", "green", "yellow", "black", "white")
NOUNS = ("circle", "square", "triangle", "star", "heart", "house", "moon", "fish", "flower", "key")
SENSES = {
    "bat": ("bat-animal", "bat-club"),
    "bow": ("bow-ribbon", "bow-weapon"),
    "nut": ("nut-food", "nut-metal"),
    "trunk": ("trunk-tree", "trunk-chest"),
}
"""English words of two meanings, and the things that they may mean: only the picture tells which."""

PLACES = ("top left", "top right", "bottom left", "bottom right")
"""The cells of a picture, row by row."""
SIDES = ("left", "right", "up", "down")
"""Directions of a movement, and (left of, right of, above, below) where one thing is seen from another."""


@dataclass(frozen=True, slots=True)
class Thing:
    """One of NOUNS, or a sense of an ambiguous word, in one of COLOURS."""

    noun: str
    colour: str

    @property
    def held_out(self) -> bool:
        return held_out_colour(self.noun) == self.colour


@dataclass(frozen=True, slots=True)
class Placed:
    """A thing in a picture: its centre and its extent, in pixels."""

    thing: Thing
    x: float
    y: float
    size: float


@dataclass(frozen=True, slots=True)
class Scene:
    """One picture: width and height in pixels, the grey of the ground (0..255), and what is on it."""

    width: int
    height: int
    ground: int
    placed: tuple[Placed, ...]

    @property
    def things(self) -> tuple[Thing, ...]:
        return tuple(placed.thing for placed in self.placed)


Film = tuple[Scene, ...]
"""A clip: one scene a frame."""


@dataclass(frozen=True, slots=True)
class Level:
    """How hard the world is. `nouns` of NOUNS occur, `others` things stand beside the one that is asked about, a
    thing fills `fill` of its cell, pictures have one of `canvases` (width, height in pixels), up to `most` of a kind
    are counted."""

    nouns: int
    others: tuple[int, int]
    fill: tuple[float, float]
    canvases: tuple[tuple[int, int], ...]
    most: int


LEVELS = {
    1: Level(6, (0, 0), (0.85, 0.95), ((56, 56),), 2),
    2: Level(6, (0, 1), (0.85, 0.95), ((56, 56),), 3),
    3: Level(8, (1, 2), (0.75, 0.95), ((112, 112),), 4),
    4: Level(10, (2, 3), (0.5, 0.95), ((112, 112), (168, 112), (112, 168)), 4),
}
"""From one large thing to four of any size in pictures of any shape. Six nouns are the least that leave four wrong
options beside a composition that is held out."""

GROUNDS = (120, 180)
"""Greys of the ground: black, white and every colour stand out from all of them."""


def level_of(number: int) -> Level:
    """Raises UsageError for a level that is not one of LEVELS."""
    if number not in LEVELS:
        raise UsageError(f"there is no level {number}", f"levels: {', '.join(map(str, LEVELS))}")
    return LEVELS[number]


def english_word(noun: str) -> str:
    """`bat` for `bat-animal`; other nouns are their own word."""
    return noun.partition("-")[0]


def held_out_colour(noun: str) -> str:
    """The colour in which `noun` is kept for the split `test`: each of the first six nouns has another one."""
    return COLOURS[(*NOUNS, *SENSES).index(english_word(noun)) % len(COLOURS)]


# ── At random ─────────────────────────────────────────────────────────────────────────────────────


def subject(rng: random.Random, split: Split, nouns: Sequence[str]) -> Thing:
    """The thing that a question is about: a held-out composition in `test`, a seen one elsewhere."""
    noun = rng.choice(nouns)
    if split == "test":
        return Thing(noun, held_out_colour(noun))
    return Thing(noun, rng.choice(seen_colours(noun)))


def seen_colours(noun: str, but: Collection[str] = ()) -> list[str]:
    """The colours in which `noun` may occur anywhere, without those of `but`."""
    return [colour for colour in COLOURS if colour != held_out_colour(noun) and colour not in but]


def others(rng: random.Random, count: int, beside: Sequence[Thing], nouns: Sequence[str]) -> list[Thing]:
    """`count` seen things that share neither word nor colour with one another or with `beside`."""
    found: list[Thing] = []
    while len(found) < count:
        taken = [*beside, *found]
        words = {english_word(thing.noun) for thing in taken}
        noun = rng.choice([noun for noun in nouns if english_word(noun) not in words])
        free = seen_colours(noun, {thing.colour for thing in taken})
        found.append(Thing(noun, rng.choice(free)))
    return found


def arrange(rng: random.Random, things: Sequence[Thing], level: Level, cells: Sequence[int] = ()) -> Scene:
    """The things in the four cells of a picture, in any of them or in `cells` (indices into PLACES); a single thing
    without a given cell has the picture to itself."""
    width, height = rng.choice(level.canvases)
    ground = rng.randint(*GROUNDS)
    if len(things) == 1 and not cells:
        extent = min(width, height) * rng.uniform(*level.fill)
        return Scene(width, height, ground, (_jittered(rng, things[0], (0, 0, width, height), extent),))
    chosen = cells or rng.sample(range(len(PLACES)), len(things))
    extent = min(width, height) / 2
    placed = [
        _jittered(rng, thing, cell_box(cell, width, height), extent * rng.uniform(*level.fill))
        for thing, cell in zip(things, chosen, strict=True)
    ]
    return Scene(width, height, ground, tuple(placed))


def cell_box(cell: int, width: int, height: int) -> tuple[float, float, float, float]:
    """Left, top, width and height of one of the PLACES, in pixels."""
    row, column = divmod(cell, 2)
    return column * width / 2, row * height / 2, width / 2, height / 2


def _jittered(rng: random.Random, thing: Thing, box: tuple[float, float, float, float], size: float) -> Placed:
    left, top, width, height = box
    x = left + rng.uniform(size / 2, width - size / 2)
    y = top + rng.uniform(size / 2, height - size / 2)
    return Placed(thing, round(x, 2), round(y, 2), round(size, 2))
