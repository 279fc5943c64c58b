"""Questions on pictures, before they are put into words: what is shown, what is asked, what is right.

Every maker takes a Draw and returns a Puzzle. In `train` and `validation` nothing that is shown, asked or offered is a
held-out composition, not even a false statement; in `test` the thing asked about is one. The place of the right option
goes round with the number of the item, so that no habit pays.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias, TypeVar

from tvbench.mini.grammars.base import Grammar
from tvbench.mini.world import (
    NOUNS,
    PLACES,
    SIDES,
    Level,
    Scene,
    Split,
    Thing,
    arrange,
    held_out_colour,
    others,
    seen_colours,
    subject,
)

Kind = Literal["multiple-choice", "true-false", "short"]
Words: TypeAlias = Callable[[Grammar], str]
Option = TypeVar("Option")

OPTIONS = 4
PICTURES = 3
OPPOSITE = {"left": "right", "right": "left", "up": "down", "down": "up"}
CELLS = {"left": ((0, 1), (2, 3)), "right": ((1, 0), (3, 2)), "up": ((0, 2), (1, 3)), "down": ((2, 0), (3, 1))}
"""Where one thing and another may stand when the first is left of it, right of it, above it, below it."""


@dataclass(frozen=True, slots=True)
class Draw:
    """What a maker needs: the generator (`rng`), the split, the level, and the number of the item among its like."""

    rng: random.Random
    split: Split
    level: Level
    number: int

    @property
    def nouns(self) -> tuple[str, ...]:
        return NOUNS[: self.level.nouns]

    def subject(self) -> Thing:
        return subject(self.rng, self.split, self.nouns)

    def beside(self, things: Sequence[Thing], most: int = OPTIONS) -> list[Thing]:
        """The other things in the picture, as many as the level has, at most `most` in all."""
        count = min(self.rng.randint(*self.level.others), most - len(things))
        return others(self.rng, count, things, self.nouns)

    def turn(self, options: int = OPTIONS) -> int:
        """The place of the right option."""
        return self.number % options


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A question without a language. `scenes` are its pictures, or the frames of its clip; `mentions` every
    composition that the words name, rightly or wrongly. `options` and `gold` (an index) for a choice, `answers` for a
    short question."""

    category: str
    kind: Kind
    scenes: tuple[Scene, ...]
    mentions: tuple[Thing, ...]
    ask: Words
    options: tuple[Words, ...] = ()
    gold: int = 0
    answers: Callable[[Grammar], tuple[str, ...]] | None = None


def colour_choice(draw: Draw) -> Puzzle:
    """Which colour does the star have?"""
    thing = draw.subject()
    wrong = draw.rng.sample(seen_colours(thing.noun, {thing.colour}), OPTIONS - 1)
    colours = with_right(wrong, thing.colour, draw.turn())
    return Puzzle(
        "colour",
        "multiple-choice",
        (arrange(draw.rng, [thing, *draw.beside([thing])], draw.level),),
        tuple(Thing(thing.noun, colour) for colour in colours),
        lambda say: say.ask_colour(thing.noun),
        tuple(_colour_name(colour) for colour in colours),
        draw.turn(),
    )


def thing_choice(draw: Draw) -> Puzzle:
    """Which thing is red?"""
    thing = draw.subject()
    possible = [noun for noun in draw.nouns if held_out_colour(noun) != thing.colour and noun != thing.noun]
    nouns = with_right(draw.rng.sample(possible, OPTIONS - 1), thing.noun, draw.turn())
    return Puzzle(
        "thing",
        "multiple-choice",
        (arrange(draw.rng, [thing, *draw.beside([thing])], draw.level),),
        tuple(Thing(noun, thing.colour) for noun in nouns),
        lambda say: say.ask_thing(thing.colour),
        tuple(_word(noun) for noun in nouns),
        draw.turn(),
    )


def place_choice(draw: Draw) -> Puzzle:
    """Where is the red star?"""
    thing = draw.subject()
    order = draw.rng.sample(range(len(PLACES)), len(PLACES))
    cell = order[draw.turn()]
    besides = draw.beside([thing])
    cells = [cell, *draw.rng.sample([other for other in range(len(PLACES)) if other != cell], len(besides))]
    return Puzzle(
        "place",
        "multiple-choice",
        (arrange(draw.rng, [thing, *besides], draw.level, cells),),
        (thing,),
        lambda say: say.ask_place(thing),
        tuple(_place(PLACES[place]) for place in order),
        draw.turn(),
    )


def colour_truth(draw: Draw) -> Puzzle:
    """The star is red. True or false?"""
    asked = draw.subject()
    wrong = Thing(asked.noun, draw.rng.choice(seen_colours(asked.noun, {asked.colour})))
    right = draw.turn(2) == 0
    # Of the false statements of `test`, half are on a held-out picture and half say the held-out words.
    says_wrong = draw.number // 2 % 2 == 0
    shown, said = (asked, asked) if right else (asked, wrong) if says_wrong else (wrong, asked)
    scene = arrange(draw.rng, [shown, *draw.beside([shown])], draw.level)
    return _statement("colour", scene, (said,), lambda say: say.tells_colour(said), right)


def relation_truth(draw: Draw) -> Puzzle:
    """The red star is to the left of the blue circle. True or false?"""
    thing = draw.subject()
    (other,) = others(draw.rng, 1, [thing], draw.nouns)
    right = draw.turn(2) == 0
    side = draw.rng.choice(SIDES)
    cells = draw.rng.choice(CELLS[side if right else OPPOSITE[side]])
    scene = arrange(draw.rng, [thing, other], draw.level, cells)
    return _statement("place", scene, (thing, other), lambda say: say.relates(thing, side, other), right)


def colour_short(draw: Draw) -> Puzzle:
    """Which colour does the star have? (in words)"""
    thing = draw.subject()
    return Puzzle(
        "colour",
        "short",
        (arrange(draw.rng, [thing, *draw.beside([thing])], draw.level),),
        (thing,),
        lambda say: say.ask_colour(thing.noun),
        answers=lambda say: say.colour_answers(thing.colour),
    )


def count_short(draw: Draw) -> Puzzle:
    """How many stars are there?"""
    thing = draw.subject()
    count = 1 + draw.turn(draw.level.most)
    things = [thing] * count
    things += draw.beside(things)
    scene = arrange(draw.rng, things, draw.level, draw.rng.sample(range(len(PLACES)), len(things)))
    return Puzzle(
        "count",
        "short",
        (scene,),
        (),
        lambda say: say.ask_count(thing.noun),
        answers=lambda say: say.count_answers(thing.noun, count),
    )


def picture_choice(draw: Draw) -> Puzzle:
    """In which picture is there a red star? The others have a star of another colour, and another red thing."""
    thing = draw.subject()
    same_noun = Thing(thing.noun, draw.rng.choice(seen_colours(thing.noun, {thing.colour})))
    nouns = [noun for noun in draw.nouns if held_out_colour(noun) != thing.colour and noun != thing.noun]
    same_colour = Thing(draw.rng.choice(nouns), thing.colour)
    wrong = draw.rng.sample([same_noun, same_colour], PICTURES - 1)
    shown = with_right(wrong, thing, draw.turn(PICTURES))
    return Puzzle(
        "picture",
        "multiple-choice",
        tuple(arrange(draw.rng, [thing], draw.level) for thing in shown),
        (thing,),
        lambda say: say.ask_picture(thing),
        tuple(_picture_name(number) for number in range(1, PICTURES + 1)),
        draw.turn(PICTURES),
    )


MAKERS: dict[str, Callable[[Draw], Puzzle]] = {
    "colour-choice": colour_choice,
    "thing-choice": thing_choice,
    "place-choice": place_choice,
    "colour-truth": colour_truth,
    "colour-short": colour_short,
    "relation-truth": relation_truth,
    "count-short": count_short,
    "picture-choice": picture_choice,
}
FOR_ONE_THING = ("colour-choice", "thing-choice", "place-choice", "colour-truth", "colour-short")
"""The makers whose pictures never need a second thing: those of level 1."""


# ── Shared ────────────────────────────────────────────────────────────────────────────────────────


def with_right(wrong: Sequence[Option], right: Option, place: int) -> list[Option]:
    """The options, the right one at `place`."""
    return [*wrong[:place], right, *wrong[place:]]


def _statement(category: str, scene: Scene, mentions: tuple[Thing, ...], tell: Words, right: bool) -> Puzzle:
    options = (_true, _false)
    return Puzzle(category, "true-false", (scene,), mentions, tell, options, 0 if right else 1)


def _true(say: Grammar) -> str:
    return say.true


def _false(say: Grammar) -> str:
    return say.false


def _colour_name(colour: str) -> Words:
    return lambda say: say.colour_names[colour]


def _word(noun: str) -> Words:
    return lambda say: say.word(noun)


def _place(place: str) -> Words:
    return lambda say: say.places[place]


def _picture_name(number: int) -> Words:
    return lambda say: say.picture_name.format(number)
