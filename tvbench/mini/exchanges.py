"""One picture of the mini world and many conversations about it, in any language: what teaches a small model to look.

A scene is drawn at random from the split `train`; questions of every kind that the tasks ask, captions and
translations of captions are then put to it. All wrong options, wrong statements and sources are compositions of that
split too. The same questions may be put to the scene told in words. Knows the mini world; no tensor.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tvbench.data.authoring import lettered
from tvbench.languages import language
from tvbench.mini import prompts
from tvbench.mini.grammars import grammar
from tvbench.mini.grammars.base import Grammar
from tvbench.mini.puzzles import CELLS, OPPOSITE, OPTIONS
from tvbench.mini.world import (
    NOUNS,
    PLACES,
    SENSES,
    SIDES,
    Level,
    Scene,
    Thing,
    arrange,
    english_word,
    held_out_colour,
    others,
    seen_colours,
)

Exchange = tuple[str, str]
"""A question and its answer."""
SENSE_NOUNS = tuple(sense for pair in SENSES.values() for sense in pair)
AMBIGUOUS = 0.3
"""The share of things that are a sense of an ambiguous word."""
ALONE = 0.3
"""The share of single things that have the picture to themselves."""
SEVERAL = 0.25
"""The share of pictures that show one thing several times."""
DESCRIBE = "Describe the picture in {}."
TRIES = 40


@dataclass(frozen=True, slots=True)
class PictureContent:
    """What a picture shows: things and their cells (indices into PLACES), none for a thing that fills it."""

    things: tuple[Thing, ...]
    cells: tuple[int, ...]
    level: Level

    @property
    def distinct(self) -> tuple[Thing, ...]:
        return tuple(dict.fromkeys(self.things))

    def scene(self, rng: random.Random) -> Scene:
        """The picture."""
        return arrange(rng, self.things, self.level, self.cells)


def draw(rng: random.Random, level: Level) -> PictureContent:
    """One thing, or as many as the level has, or one several times."""
    nouns = NOUNS[: level.nouns]
    noun = rng.choice(SENSE_NOUNS) if rng.random() < AMBIGUOUS else rng.choice(nouns)
    first = Thing(noun, rng.choice(seen_colours(noun)))
    if level.others[1] and rng.random() < SEVERAL:
        things = [first] * rng.randint(2, level.most)
    else:
        plain = [other for other in nouns if other != english_word(noun)]
        things = [first, *others(rng, rng.randint(*level.others), [first], plain)]
    if len(things) == 1 and rng.random() < ALONE:
        return PictureContent((first,), (), level)
    return PictureContent(tuple(things), tuple(rng.sample(range(len(PLACES)), len(things))), level)


def exchanges(
    rng: random.Random,
    sight: PictureContent,
    languages: Sequence[str],
    count: int,
    protocols: Sequence[str],
    kinds: Mapping[str, float],
) -> list[Exchange]:
    """`count` different exchanges on a picture, or as many as there are, in all `languages`.

    `kinds` are names of KINDS and ASIDE, and how often each comes beside the others.
    """
    makers = KINDS | ASIDE
    return several(
        rng, count, kinds, lambda kind: makers[kind](Material(rng, sight, rng.choice(languages), rng.choice(protocols)))
    )


def several(
    rng: random.Random, count: int, kinds: Mapping[str, float], make: Callable[[str], Exchange | None]
) -> list[Exchange]:
    """`count` different exchanges, or as many as are found in TRIES; `make` gives one of a kind, or none."""
    found: dict[Exchange, None] = {}
    for _ in range(TRIES):
        made = make(rng.choices(tuple(kinds), tuple(kinds.values()))[0])
        if made is not None:
            found[made] = None
        if len(found) == count:
            break
    return list(found)


def told(rng: random.Random, sight: PictureContent, code: str) -> str:
    """The picture in words: a sentence, or what is in its four cells, row by row or by their names."""
    say = grammar(code)
    if not sight.cells:
        return say.shows(sight.things[0])
    at = dict(zip(sight.cells, sight.things, strict=True))
    if rng.random() < 0.5:
        return " | ".join(say.a(at[cell]) if cell in at else "-" for cell in range(len(PLACES)))
    return "\n".join(f"{say.places[PLACES[cell]]}: {say.a(thing)}" for cell, thing in at.items())


def offered(question: str, options: Sequence[str], right: str, say: Grammar, protocol: str) -> Exchange:
    """A question with its options, asked for by the protocol, and the answer."""
    if protocol == "text":
        return "\n".join((question, *options, say.with_option)), right
    return f"{question}\n{lettered(options)}\n{say.with_letter}", chr(ord("A") + options.index(right))


# ── Kinds of exchanges ────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Material:
    """What an exchange is made of."""

    rng: random.Random
    sight: PictureContent
    code: str
    protocol: str

    @property
    def say(self) -> Grammar:
        return grammar(self.code)

    @property
    def thing(self) -> Thing:
        """The first thing: the one that was drawn at random."""
        return self.sight.things[0]

    def choice(self, question: str, wrong: Sequence[str], right: str) -> Exchange | None:
        """A question with its options in any order, by the protocol; None where two options are one word."""
        options = [*wrong, right]
        if len(set(options)) < len(options):
            return None
        self.rng.shuffle(options)
        return offered(question, options, right, self.say, self.protocol)

    def truth(self, statement: str, right: bool) -> Exchange | None:
        """A statement to be judged, by the protocol; the options keep their order, as in the tasks."""
        options = (self.say.true, self.say.false)
        return offered(self.say.ask_whether(statement), options, options[0 if right else 1], self.say, self.protocol)


def colour_choice(asking: Material) -> Exchange | None:
    """Which colour has the star?"""
    thing, say = asking.thing, asking.say
    wrong = asking.rng.sample(seen_colours(thing.noun, {thing.colour}), OPTIONS - 1)
    return asking.choice(
        say.ask_colour(thing.noun), [say.colour_names[colour] for colour in wrong], say.colour_names[thing.colour]
    )


def colour_short(asking: Material) -> Exchange | None:
    """The same, in words."""
    say = asking.say
    return f"{say.ask_colour(asking.thing.noun)}\n{say.briefly}", say.colour_answers(asking.thing.colour)[0]


def thing_choice(asking: Material) -> Exchange | None:
    """What is red?"""
    thing, say = asking.thing, asking.say
    possible = [
        noun
        for noun in NOUNS[: asking.sight.level.nouns]
        if held_out_colour(noun) != thing.colour and noun != english_word(thing.noun)
    ]
    if len(possible) < OPTIONS - 1:
        return None
    wrong = asking.rng.sample(possible, OPTIONS - 1)
    return asking.choice(say.ask_thing(thing.colour), [say.word(noun) for noun in wrong], say.word(thing.noun))


def place_choice(asking: Material) -> Exchange | None:
    """Where is the red star?"""
    sight, say = asking.sight, asking.say
    if not sight.cells or sight.things.count(asking.thing) > 1:
        return None
    right = PLACES[sight.cells[0]]
    wrong = [say.places[place] for place in PLACES if place != right]
    return asking.choice(say.ask_place(asking.thing), wrong, say.places[right])


def colour_truth(asking: Material) -> Exchange | None:
    """The star is red."""
    thing, right = asking.thing, asking.rng.random() < 0.5
    said = thing if right else Thing(thing.noun, asking.rng.choice(seen_colours(thing.noun, {thing.colour})))
    return asking.truth(asking.say.tells_colour(said), right)


def relation_truth(asking: Material) -> Exchange | None:
    """The red star is to the left of the blue circle."""
    sight, rng = asking.sight, asking.rng
    if len(sight.distinct) != 2 or len(sight.things) != 2:
        return None
    first, other = rng.sample((0, 1), 2)
    sides = [side for side in SIDES if (sight.cells[first], sight.cells[other]) in CELLS[side]]
    if not sides:
        return None
    right = rng.random() < 0.5
    side = sides[0] if right else OPPOSITE[sides[0]]
    return asking.truth(asking.say.relates(sight.things[first], side, sight.things[other]), right)


def count_short(asking: Material) -> Exchange | None:
    """How many stars are there?"""
    say, sight = asking.say, asking.sight
    if not sight.cells:
        return None
    return f"{say.ask_count(asking.thing.noun)}\n{say.briefly}", str(sight.things.count(asking.thing))


def caption(asking: Material) -> Exchange | None:
    """Describe the picture in German."""
    tells = _sentence(asking)
    return None if tells is None else (DESCRIBE.format(language(asking.code).name), tells(asking.say))


def translation(asking: Material) -> Exchange | None:
    """Translate this caption of the picture."""
    tells = _sentence(asking)
    return None if tells is None else _translated(asking, tells)


def other_translation(asking: Material) -> Exchange | None:
    """Translate a caption that the picture does not show. What a word means in any picture is in the source: one that
    learns from true captions only may copy the picture's thing, and then takes a held-out one for its likeness."""
    nouns = [noun for noun in NOUNS[: asking.sight.level.nouns] if noun != english_word(asking.thing.noun)]
    noun = asking.rng.choice(nouns)
    thing = Thing(noun, asking.rng.choice(seen_colours(noun)))
    return _translated(asking, lambda say: say.shows(thing))


def _translated(asking: Material, tells: Callable[[Grammar], str]) -> Exchange | None:
    if asking.code == "en":
        return None
    source = tells(grammar("en"))
    return prompts.TRANSLATE.format(language=language(asking.code).name, source=source), tells(asking.say)


def _sentence(asking: Material) -> Callable[[Grammar], str] | None:
    """A sentence that the tasks' captions have, and that is true of the picture."""
    sight, rng = asking.sight, asking.rng
    first = sight.things[0]
    if len(sight.things) == 1:
        return lambda say: say.shows(first)
    if len(sight.distinct) == 1:
        return lambda say: say.shows_many(first, len(sight.things))
    if len(sight.things) != 2:
        return None
    place, other = rng.sample((0, 1), 2)
    sides = [side for side in SIDES if (sight.cells[place], sight.cells[other]) in CELLS[side]]
    here, there = sight.things[place], sight.things[other]
    if sides and rng.random() < 0.5:
        return lambda say: say.relates(here, sides[0], there)
    return lambda say: say.joins(here, there)


KINDS: dict[str, Callable[[Material], Exchange | None]] = {
    "colour-choice": colour_choice,
    "colour-short": colour_short,
    "thing-choice": thing_choice,
    "place-choice": place_choice,
    "colour-truth": colour_truth,
    "relation-truth": relation_truth,
    "count-short": count_short,
    "caption": caption,
    "translation": translation,
}
ASIDE: dict[str, Callable[[Material], Exchange | None]] = {"other-translation": other_translation}
"""Kinds that are not about the picture: only where they are asked for."""
