"""Questions on clips of eight frames: where a thing moves, which comes first, how many there are.

Makers like those of puzzles.py, with the same promise on held-out compositions.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from tvbench.mini.puzzles import OPTIONS, Draw, Puzzle, Words, with_right
from tvbench.mini.world import SIDES, Film, Level, Placed, Scene, Thing, arrange, others

FRAMES = 8
SHOWN = 3
"""So many things come one after the other when their order is asked for; one more is offered."""


def direction(draw: Draw) -> Puzzle:
    """Where does the red star move? From one edge to the other, in a lane of its own."""
    thing = draw.subject()
    order = draw.rng.sample(SIDES, len(SIDES))
    side = order[draw.turn()]
    lane = draw.rng.randrange(2)
    beside = draw.beside([thing], most=2)
    return Puzzle(
        "direction",
        "multiple-choice",
        in_a_lane(draw.rng, [thing, *beside], side, lane, draw.level),
        (thing,),
        lambda say: say.ask_direction(thing),
        tuple(_movement(side) for side in order),
        draw.turn(),
    )


def order(draw: Draw) -> Puzzle:
    """What appears first (or last)? Things come one after the other, and stay."""
    thing = draw.subject()
    rest = others(draw.rng, OPTIONS - 1, [thing], draw.nouns)
    *wrong, absent = rest
    first = draw.number // OPTIONS % 2 == 0
    coming = [thing, *wrong] if first else [*wrong, thing]
    scene = arrange(draw.rng, coming, draw.level, draw.rng.sample(range(4), SHOWN))
    offered = with_right(draw.rng.sample([*wrong, absent], OPTIONS - 1), thing, draw.turn())
    return Puzzle(
        "order",
        "multiple-choice",
        tuple(replace(scene, placed=scene.placed[: 1 + frame * SHOWN // FRAMES]) for frame in range(FRAMES)),
        tuple(offered),
        lambda say: say.ask_first if first else say.ask_last,
        tuple(_a(thing) for thing in offered),
        draw.turn(),
    )


def count(draw: Draw) -> Puzzle:
    """How many things appear? One after the other, each alone."""
    thing = draw.subject()
    number = 1 + draw.turn()
    coming = draw.rng.sample([thing, *others(draw.rng, number - 1, [thing], draw.nouns)], number)
    return Puzzle(
        "count",
        "multiple-choice",
        one_by_one(draw.rng, coming, draw.level),
        (),
        lambda say: say.ask_how_many,
        tuple(_digit(digit) for digit in range(1, OPTIONS + 1)),
        draw.turn(),
    )


MAKERS: dict[str, Callable[[Draw], Puzzle]] = {"direction": direction, "order": order, "count": count}
FOR_ONE_THING = ("direction", "count")
"""The makers with one thing at a time in the picture: those of level 1."""


def in_a_lane(rng: random.Random, things: Sequence[Thing], side: str, lane: int, level: Level) -> Film:
    """The first of one or two things goes towards `side` in its lane (0 or 1), the other rests in the other one."""
    # Cells row by row: a lane is a row for a movement to the left or right, a column for one up or down.
    own, other = (2 * lane, 2 * (1 - lane)) if side in ("left", "right") else (lane, 1 - lane)
    return moving(arrange(rng, things, level, (own, other)[: len(things)]), side)


def one_by_one(rng: random.Random, things: Sequence[Thing], level: Level) -> Film:
    """Things come one after the other, each alone, for about as long."""
    scenes = _same_ground([arrange(rng, [thing], level) for thing in things])
    return tuple(scenes[frame * len(things) // FRAMES] for frame in range(FRAMES))


def moving(still: Scene, side: str) -> Film:
    """Frames in which the first thing of `still` goes from one edge to the other, towards `side`."""
    first, *rest = still.placed
    frames = []
    for frame in range(FRAMES):
        way = frame / (FRAMES - 1)
        part = way if side in ("right", "down") else 1 - way
        frames.append(replace(still, placed=(_at(first, still, side, part), *rest)))
    return tuple(frames)


def _at(placed: Placed, scene: Scene, side: str, part: float) -> Placed:
    """The thing at `part` (0..1) of its way from the left or top edge."""
    length = scene.width if side in ("left", "right") else scene.height
    where = round(placed.size / 2 + part * (length - placed.size), 2)
    return replace(placed, x=where) if side in ("left", "right") else replace(placed, y=where)


def _same_ground(scenes: Sequence[Scene]) -> list[Scene]:
    """Scenes of one clip: all with the ground and the size of the first, things kept inside."""
    first = scenes[0]
    same = []
    for scene in scenes:
        kept = tuple(_inside(placed, first) for placed in scene.placed)
        same.append(Scene(first.width, first.height, first.ground, kept))
    return same


def _inside(placed: Placed, scene: Scene) -> Placed:
    half = placed.size / 2
    x = min(max(placed.x, half), scene.width - half)
    y = min(max(placed.y, half), scene.height - half)
    return replace(placed, x=x, y=y)


def _movement(side: str) -> Words:
    return lambda say: say.movements[side]


def _a(thing: Thing) -> Words:
    return lambda say: say.a(thing)


def _digit(number: int) -> Words:
    return lambda say: str(number)
