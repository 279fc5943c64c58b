"""How the right option is named: by its text, its letter, or its place from 0 or 1. Decided over all rows at once.

Knows options and answers as text; no column and no item.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from tvbench.data.splitting import split_label
from tvbench.errors import UsageError
from tvbench.scoring.normalise import normalise

Way: TypeAlias = Literal["text", "letter", "place"]
LONGEST_LABEL = 6
LETTER = re.compile(r"[(\[]?\s*([A-Za-z])\s*[)\].:]?")
PLACE = re.compile(r"\d{1,3}(\.0)?")


def same(text: str, options: Sequence[str]) -> int | None:
    """The place of the option that a text is: letter by letter, else as readers of answers see it. None where none or
    several are."""
    if options.count(text) == 1:
        return options.index(text)
    near = [place for place, option in enumerate(options) if abs(len(option) - len(text)) <= 3 + len(text) // 2]
    plain = normalise(text) if near else ""
    places = [place for place in near if normalise(options[place]) == plain]
    return places[0] if len(places) == 1 or (places and text in options) else None


def letter_place(text: str, count: int) -> int | None:
    """The place of the letter that a text is, in whatever script, among `count` options."""
    if len(text) > LONGEST_LABEL or text.isdecimal():
        return None
    match = LETTER.fullmatch(text)
    place = ord(match[1].upper()) - ord("A") if match else _label(text)
    return place if place is not None and place < count else None


def _label(text: str) -> int | None:
    """The place that a text means which is nothing but a label: `Б`, `(나)`, `ب`."""
    place, rest = split_label(text)
    return None if rest or any(letter.isdecimal() for letter in text) else place


def number(text: str) -> int | None:
    """The whole number that a text is; `2.0` is one, as pandas writes it."""
    return int(float(text)) if PLACE.fullmatch(text) else None


@dataclass(slots=True)
class Tally:
    """How many answers fit in which way. `least` and `most` tell from where numbers are counted: the number below all
    others, and how far one lies behind its last option counted from 0."""

    rows: int = 0
    fits: Counter[str] = field(default_factory=Counter)
    zero: int = 0
    beyond: int = 0
    apart: int = 0
    """Answers that mean one option by their text and another by their letter or number."""

    def add(self, options: Sequence[str], answer: str) -> None:
        """One row."""
        self.rows += 1
        text, letter, place = same(answer, options), letter_place(answer, len(options)), number(answer)
        self.fits["text"] += text is not None
        self.fits["letter"] += letter is not None
        if place is not None and 0 <= place <= len(options):
            self.fits["place"] += 1
            self.zero += place == 0
            self.beyond += place == len(options)
        self.fits["any"] += text is not None or letter is not None
        self.apart += text is not None and ((letter is not None and letter != text) or _elsewhere(place, text))

    @property
    def way(self) -> Way:
        """The way in which most answers fit: text before letters before numbers."""
        ways: tuple[Way, ...] = ("text", "letter", "place")
        best = max(self.fits[way] for way in ways)
        return next(way for way in ways if self.fits[way] == best)

    @property
    def fitting(self) -> int:
        """Answers that fit in that way, or by letter or text where that is the way."""
        return self.fits["place"] if self.way == "place" else self.fits["any"]

    def first(self) -> int | None:
        """The number of the first option, 0 or 1; None where the rows leave it open, or contradict each other."""
        if (self.zero > 0) == (self.beyond > 0):
            return None
        return 0 if self.zero else 1

    def why_not(self) -> str:
        """Why the rows do not tell which number the first option has."""
        if not self.zero:
            return "the rows do not tell whether the first option is 0 or 1"
        return f"{self.zero} rows count the options from 0, {self.beyond} from 1"


def _elsewhere(place: int | None, text: int) -> bool:
    return place is not None and text not in (place, place - 1)


def right_place(options: Sequence[str], answer: str, way: Way, first: int | None, why: str, hint: str) -> int:
    """The place of the right option, from 0. Raises ValueError where the answer is none of them, and UsageError where
    nobody can tell from where places are counted, and `why`."""
    if not answer:
        raise ValueError("the row has no answer")
    if way == "place":
        if first is None:
            raise UsageError(f"answers are numbers, and {why}", hint)
        place = number(answer)
        if place is not None and 0 <= place - first < len(options):
            return place - first
    found = (same(answer, options), letter_place(answer, len(options)))
    for place in found if way != "letter" else reversed(found):
        if place is not None:
            return place
    label, text = split_label(answer)
    if label is not None and label < len(options) and text and same(text, options) == label:
        return label
    if way == "place":
        raise ValueError(f"the answer {answer[:60]!r} is the place of no option (the first is {first})")
    raise ValueError(f"the answer {answer[:60]!r} is none of the {len(options)} options")
