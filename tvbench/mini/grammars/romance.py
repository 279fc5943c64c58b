"""What French, Portuguese and Spanish share: two genders, and adjectives after the noun that agree with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple

from tvbench.mini.grammars.base import Grammar, sentence, unique
from tvbench.mini.world import Thing


class RomanceNoun(NamedTuple):
    """Gender (m, f), singular, plural."""

    gender: str
    word: str
    plural: str

    @property
    def feminine(self) -> bool:
        return self.gender == "f"


class RomanceColour(NamedTuple):
    """Masculine and feminine singular, masculine and feminine plural."""

    m: str
    f: str
    m_plural: str
    f_plural: str


class Romance(Grammar):
    """The class variables are the language's words; `article` and `of` join with what follows in ways of its own."""

    nouns: ClassVar[Mapping[str, RomanceNoun]]
    colours: ClassVar[Mapping[str, RomanceColour]]
    sides: ClassVar[Mapping[str, str]]
    """`a la izquierda`, for each of world.SIDES."""
    indefinite: ClassVar[tuple[str, str]]
    """Masculine and feminine."""
    conjunction: ClassVar[str]
    is_at: ClassVar[str]
    """The verb between a thing and its place."""
    is_coloured: ClassVar[str]
    """The verb between a thing and its colour."""
    there_is: ClassVar[str]
    """`Hay {} en la imagen.`, for one and for many."""
    other_numbers: ClassVar[Mapping[int, tuple[str, ...]]]
    """The forms of a number that agree with a noun: right short answers too."""

    def article(self, noun: str) -> str:
        """The definite article, with its blank if it has one."""
        raise NotImplementedError

    def of(self, thing: Thing) -> str:
        """`del círculo azul`."""
        raise NotImplementedError

    def number(self, count: int, noun: RomanceNoun) -> str:
        """`dos`, in the noun's gender where the language has one."""
        return self.number_words[count - 1]

    def word(self, noun: str) -> str:
        return self.nouns[noun].word

    def sense_words(self, noun: str) -> tuple[str, ...]:
        return unique(self.nouns[noun].word, self.nouns[noun].plural, *self.synonyms.get(noun, ()))

    def colour_of(self, thing: Thing) -> str:
        """The colour as an adjective to the thing's noun."""
        colour = self.colours[thing.colour]
        return colour.f if self.nouns[thing.noun].feminine else colour.m

    def coloured(self, thing: Thing) -> str:
        """`estrella roja`."""
        return f"{self.nouns[thing.noun].word} {self.colour_of(thing)}"

    def a(self, thing: Thing) -> str:
        return f"{self.indefinite[self.nouns[thing.noun].feminine]} {self.coloured(thing)}"

    def the(self, thing: Thing) -> str:
        return f"{self.article(thing.noun)}{self.coloured(thing)}"

    def the_noun(self, noun: str) -> str:
        """`la estrella`."""
        return f"{self.article(noun)}{self.nouns[noun].word}"

    def many(self, thing: Thing, count: int) -> str:
        noun, colour = self.nouns[thing.noun], self.colours[thing.colour]
        return f"{self.number(count, noun)} {noun.plural} {colour.f_plural if noun.feminine else colour.m_plural}"

    def colour_answers(self, colour: str) -> tuple[str, ...]:
        return unique(*self.colours[colour])

    def count_answers(self, noun: str, count: int) -> tuple[str, ...]:
        return (*super().count_answers(noun, count), *self.other_numbers.get(count, ()))

    def shows(self, thing: Thing) -> str:
        return self.there_is.format(self.a(thing))

    def shows_many(self, thing: Thing, count: int) -> str:
        return self.there_is.format(self.many(thing, count))

    def joins(self, thing: Thing, other: Thing) -> str:
        return sentence(f"{self.a(thing)} {self.conjunction} {self.a(other)}")

    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        return sentence(f"{self.the(thing)} {self.is_at} {self.sides[side]} {self.of(other)}")

    def tells_colour(self, thing: Thing) -> str:
        return sentence(f"{self.the_noun(thing.noun)} {self.is_coloured} {self.colour_of(thing)}")
