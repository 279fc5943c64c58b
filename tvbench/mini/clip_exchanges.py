"""One clip of the mini world and many conversations about it, in any language: what teaches a small model to follow.

A thing moves from edge to edge, or several come one after the other. The questions are those of the tasks, and what is
seen may be told in order, which gives more to learn from than a single word. All compositions are of the split `train`.
Knows the mini world; no tensor.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tvbench.languages import language
from tvbench.mini.exchanges import Exchange, offered, several
from tvbench.mini.films import in_a_lane, one_by_one
from tvbench.mini.grammars import grammar
from tvbench.mini.grammars.base import Grammar
from tvbench.mini.puzzles import OPTIONS
from tvbench.mini.world import NOUNS, SIDES, Film, Level, Thing, others, seen_colours

TELL = "What does the clip show, one after the other? Answer in {}."


@dataclass(frozen=True, slots=True)
class Story:
    """What a clip shows: things in the order in which they come, or one that moves towards `side`."""

    film: Film
    things: tuple[Thing, ...]
    side: str | None
    level: Level


def draw(rng: random.Random, level: Level) -> Story:
    """A movement, or one to four things, each alone; half of the clips are one, half the other."""
    nouns = NOUNS[: level.nouns]
    noun = rng.choice(nouns)
    first = Thing(noun, rng.choice(seen_colours(noun)))
    if rng.random() < 0.5:
        side = rng.choice(SIDES)
        beside = others(rng, min(rng.randint(*level.others), 1), [first], nouns)
        film = in_a_lane(rng, [first, *beside], side, rng.randrange(2), level)
        return Story(film, (first, *beside), side, level)
    things = (first, *others(rng, rng.randrange(OPTIONS), [first], nouns))
    return Story(one_by_one(rng, things, level), things, None, level)


def exchanges(
    rng: random.Random,
    clip: Story,
    languages: Sequence[str],
    count: int,
    protocols: Sequence[str],
    kinds: Mapping[str, float],
) -> list[Exchange]:
    """`count` different exchanges on a clip, or as many as there are, in all `languages`.

    `kinds` are names of KINDS and how often each comes beside the others.
    """
    return several(
        rng, count, kinds, lambda kind: KINDS[kind](Following(rng, clip, rng.choice(languages), rng.choice(protocols)))
    )


@dataclass(frozen=True, slots=True)
class Following:
    """What an exchange is made of."""

    rng: random.Random
    clip: Story
    code: str
    protocol: str

    @property
    def say(self) -> Grammar:
        return grammar(self.code)


def direction(asking: Following) -> Exchange | None:
    """Where does the red star move?"""
    clip, say = asking.clip, asking.say
    if clip.side is None:
        return None
    sides = [say.movements[side] for side in asking.rng.sample(SIDES, len(SIDES))]
    return offered(say.ask_direction(clip.things[0]), sides, say.movements[clip.side], say, asking.protocol)


def count(asking: Following) -> Exchange | None:
    """How many things appear?"""
    clip, say = asking.clip, asking.say
    if clip.side is not None:
        return None
    numbers = [str(number) for number in range(1, OPTIONS + 1)]
    return offered(say.ask_how_many, numbers, str(len(clip.things)), say, asking.protocol)


def ends(asking: Following) -> Exchange | None:
    """What comes first, or last?"""
    clip, say, rng = asking.clip, asking.say, asking.rng
    if clip.side is not None or len(clip.things) < 2:
        return None
    asked_first = rng.random() < 0.5
    right = clip.things[0 if asked_first else -1]
    shown = [thing for thing in clip.things if thing != right]
    wrong = [*shown, *others(rng, OPTIONS - 1 - len(shown), list(clip.things), NOUNS[: clip.level.nouns])]
    options = [say.a(thing) for thing in rng.sample([right, *wrong], OPTIONS)]
    return offered(say.ask_first if asked_first else say.ask_last, options, say.a(right), say, asking.protocol)


def telling(asking: Following) -> Exchange | None:
    """What does the clip show, one after the other? A red star, a blue circle."""
    clip, say = asking.clip, asking.say
    if clip.side is not None:
        told = f"{say.a(clip.things[0])}, {say.movements[clip.side]}"
    else:
        told = ", ".join(say.a(thing) for thing in clip.things)
    return TELL.format(language(asking.code).name), told


KINDS: dict[str, Callable[[Following], Exchange | None]] = {
    "direction": direction,
    "count": count,
    "ends": ends,
    "telling": telling,
}
