"""A few pictures whose captions any captioner can say: one coloured thing on a grey ground, of the mini world.

No two neighbours share a colour or a thing, so that a picture's caption is wrong of the next one in every word that
matters. Knows the mini world; no model.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from PIL import Image

from tvbench.mini.grammars import grammar
from tvbench.mini.render import paint
from tvbench.mini.world import COLOURS, NOUNS, Thing, arrange, held_out_colour, level_of

QUESTION = "Describe the picture in English."
PLAIN_NOUNS = 6
"""Those that the first level of the world has: shapes and things that are one thing only."""


@dataclass(frozen=True, slots=True)
class Captioned:
    """A picture and what is in it."""

    picture: Image.Image
    caption: str


def captioned(count: int, side: int) -> list[Captioned]:
    """`count` pictures of `side` pixels square, always the same ones."""
    rng = random.Random(20)
    return [_one(rng, thing, side) for thing in _things(count)]


def _things(count: int) -> list[Thing]:
    """Things that differ from their neighbours in noun and colour, the last one's neighbour being the first."""
    nouns = NOUNS[:PLAIN_NOUNS]
    return [Thing(nouns[number % len(nouns)], _colour(nouns[number % len(nouns)], number)) for number in range(count)]


def _colour(noun: str, number: int) -> str:
    """One in which a model that tvbench trained has seen the noun."""
    colours = [colour for colour in COLOURS if colour != held_out_colour(noun)]
    return colours[(number * 2 + number // PLAIN_NOUNS) % len(colours)]


def _one(rng: random.Random, thing: Thing, side: int) -> Captioned:
    picture = paint(arrange(rng, [thing], level_of(1)))
    return Captioned(picture.resize((side, side), Image.Resampling.LANCZOS), grammar("en").shows(thing))
