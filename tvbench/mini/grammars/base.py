"""What a language must be able to say about the mini world. Knows no picture and no task.

Methods give whole sentences where their name is a verb, and phrases without a capital or a full stop where it is a
noun. A thing is a noun in a colour; nouns and colours are the keys of world.py.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

from tvbench.mini.world import Thing


class Grammar(ABC):
    """One language. The class variables are the fixed texts, the methods what has to agree in gender, number, case."""

    code: ClassVar[str]
    colour_names: ClassVar[Mapping[str, str]]
    """As an answer: `rot`."""
    places: ClassVar[Mapping[str, str]]
    """`oben links`, for each of world.PLACES."""
    movements: ClassVar[Mapping[str, str]]
    """`nach links`, for each of world.SIDES."""
    true: ClassVar[str]
    false: ClassVar[str]
    true_or_false: ClassVar[str]
    with_letter: ClassVar[str]
    """Asks for the letter of the right option."""
    with_option: ClassVar[str]
    """Asks for one of the options, which have no letters."""
    briefly: ClassVar[str]
    """Asks for a short answer."""
    picture_name: ClassVar[str]
    """`Bild {}`, for a number."""
    number_words: ClassVar[tuple[str, str, str, str]]
    ask_first: ClassVar[str]
    ask_last: ClassVar[str]
    ask_how_many: ClassVar[str]
    """What appears first, what last, how many things appear, in a clip."""
    synonyms: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    """Other words for a noun, that a translator may choose."""

    # ── Phrases ───────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def word(self, noun: str) -> str:
        """The bare noun, as an answer: `Stern`."""

    @abstractmethod
    def a(self, thing: Thing) -> str:
        """`ein roter Stern`."""

    @abstractmethod
    def the(self, thing: Thing) -> str:
        """`der rote Stern`, as a subject."""

    @abstractmethod
    def many(self, thing: Thing, count: int) -> str:
        """`zwei rote Sterne`, for 2 to 4."""

    def colour_answers(self, colour: str) -> tuple[str, ...]:
        """Every form of the colour that is a right short answer, the usual one first."""
        return (self.colour_names[colour],)

    def count_answers(self, noun: str, count: int) -> tuple[str, ...]:
        """Every right short answer to `ask_count`, the digit first."""
        return (str(count), self.number_words[count - 1])

    def sense_words(self, noun: str) -> tuple[str, ...]:
        """The words that only this sense of an ambiguous English word has here, in every form that `shows` and
        `joins` use."""
        return (self.word(noun), *self.synonyms.get(noun, ()))

    # ── Sentences ─────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def shows(self, thing: Thing) -> str:
        """`Auf dem Bild ist ein roter Stern.`"""

    @abstractmethod
    def shows_many(self, thing: Thing, count: int) -> str:
        """`Auf dem Bild sind zwei rote Sterne.`"""

    @abstractmethod
    def joins(self, thing: Thing, other: Thing) -> str:
        """`Ein roter Stern und ein blauer Kreis.`"""

    @abstractmethod
    def relates(self, thing: Thing, side: str, other: Thing) -> str:
        """`Der rote Stern ist links vom blauen Kreis.` `side` is one of world.SIDES."""

    @abstractmethod
    def tells_colour(self, thing: Thing) -> str:
        """`Der Stern ist rot.`"""

    def ask_whether(self, statement: str) -> str:
        """The statement, and whether it is true or false."""
        return f"{statement} {self.true_or_false}"

    @abstractmethod
    def ask_colour(self, noun: str) -> str:
        """Which colour the noun has."""

    @abstractmethod
    def ask_thing(self, colour: str) -> str:
        """What has the colour."""

    @abstractmethod
    def ask_place(self, thing: Thing) -> str:
        """Where the thing is."""

    @abstractmethod
    def ask_count(self, noun: str) -> str:
        """How many there are."""

    @abstractmethod
    def ask_picture(self, thing: Thing) -> str:
        """In which of several pictures the thing is."""

    @abstractmethod
    def ask_direction(self, thing: Thing) -> str:
        """Where the thing is moving."""


def sentence(text: str, end: str = ".") -> str:
    """With a capital letter at the start, where the script has them, and a mark at the end."""
    return f"{text[0].upper()}{text[1:]}{end}"


def unique(*words: str) -> tuple[str, ...]:
    """The words, each once, in order."""
    return tuple(dict.fromkeys(words))
