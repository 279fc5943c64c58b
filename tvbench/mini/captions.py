"""Captions of pictures, to be translated from English: plain ones, and those that only the picture makes clear.

An ambiguous source comes twice, with a picture of each sense of its word: without the picture, half of them are right
at best. Makers like those of puzzles.py, with the same promise on held-out compositions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvbench.mini.puzzles import CELLS, Draw, Words
from tvbench.mini.world import SENSES, SIDES, Scene, Thing, arrange, english_word, others, subject

FORMS = 4
MANY = (2, 4)


@dataclass(frozen=True, slots=True)
class Caption:
    """A picture and the words for it, in any language. `noun` is the ambiguous thing, `other_sense` what its English
    word may mean as well; both "" where nothing is ambiguous."""

    scene: Scene
    mentions: tuple[Thing, ...]
    say: Words
    noun: str = ""
    other_sense: str = ""


def plain(draw: Draw) -> Caption:
    """A caption without any ambiguous word."""
    return _caption(draw, draw.subject(), draw.number)


def ambiguous(draw: Draw) -> Caption:
    """A caption with an ambiguous word. Captions 2k and 2k + 1, drawn alike, are the two senses of one
    source."""
    pair, sense = divmod(draw.number, 2)
    word = tuple(SENSES)[pair % len(SENSES)]
    here, there = SENSES[word][sense], SENSES[word][1 - sense]
    colour = subject(draw.rng, draw.split, [word]).colour
    # The form moves on after each round of words, so that every word meets every form.
    caption = _caption(draw, Thing(here, colour), pair + pair // len(SENSES))
    return Caption(caption.scene, caption.mentions, caption.say, here, there)


MAKERS: dict[str, Callable[[Draw], Caption]] = {"plain": plain, "ambiguous": ambiguous}


def same_lot(maker: str, number: int) -> int:
    """The number that caption `number` is drawn with: one for both senses of a source."""
    return number // 2 if maker == "ambiguous" else number


def _caption(draw: Draw, thing: Thing, form: int) -> Caption:
    """One of FORMS sentences on `thing`; those with a second thing only where the level has one."""
    alone = draw.level.others[1] == 0
    which = 0 if alone else form % FORMS
    if which == 0:
        scene = arrange(draw.rng, [thing], draw.level)
        return Caption(scene, (thing,), lambda say: say.shows(thing))
    if which == 1:
        count = draw.rng.randint(*MANY)
        scene = arrange(draw.rng, [thing] * count, draw.level)
        return Caption(scene, (thing,), lambda say: say.shows_many(thing, count))
    (other,) = others(draw.rng, 1, [thing], [noun for noun in draw.nouns if noun != english_word(thing.noun)])
    if which == 2:
        scene = arrange(draw.rng, [thing, other], draw.level)
        return Caption(scene, (thing, other), lambda say: say.joins(thing, other))
    side = draw.rng.choice(SIDES)
    scene = arrange(draw.rng, [thing, other], draw.level, draw.rng.choice(CELLS[side]))
    return Caption(scene, (thing, other), lambda say: say.relates(thing, side, other))
