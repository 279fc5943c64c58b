"""The words with which replies are dressed, by language: what announces an answer, what denies it, what joins two.

One table beside this file is the whole knowledge (words_of_answers.csv, one row a language or a group of languages):

- `answer`, `option`, `right`, `is`, `article`: words around an answer that change nothing: `the correct option is`
- `wrong`, `not`: words that deny; `or`: words that join two answers; `but`: words with which another thought begins
- `ending`: what is attached to the end of an answer: particles, copulas, words of politeness
- `back`: words that take an answer back: `A. No, wait: B`; `span`: what stands between the ends of a range: `A to C`
- `that`: words that carry a denial over a comma: `Ich glaube nicht, dass es B ist`
- `percent`: how `%` is said; `decimal`: what stands before the decimals

A language that the table does not have gets the English words, as every language does. Where a letter is looked for,
words of all languages count, since models do not always answer in the language they are asked in.
`DIGEST` stands in the definition of the metrics: with other words they are other metrics. Knows no item and no metric.
"""

from __future__ import annotations

import csv
import hashlib
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from os.path import dirname, join
from typing import NamedTuple

from tvbench.scoring.normalise import is_word_character, normalise, written_without_blanks

TABLE = join(dirname(__file__), "words_of_answers.csv")  # noqa: PTH118, PTH120 - quick commands do without pathlib
ENGLISH = "en"
AROUND = ("answer", "option", "right", "is", "article")
SHORT_DENIALS = frozenset({"no", "ne", "ei", "ni", "ej", "nu"})
"""Words of two Latin letters that deny in so many languages that they do in all."""
WELL_KNOWN = "en de fr es it pt nl sv da no is fi pl cs ro hu ru uk zh ja ko hi tr ar fa vi id el bg hr sk".split()
"""Languages whose words of denial hold everywhere, also where another language has a harmless word like it."""


def _digest() -> str:
    with open(TABLE, "rb") as file:
        return hashlib.sha256(file.read().replace(b"\r\n", b"\n")).hexdigest()[:8]


DIGEST = _digest()


class Words:
    """A set of words and phrases, found at the beginning, at the end or anywhere in a text in normal form."""

    def __init__(self, words: Iterable[str]) -> None:
        self.words = frozenset(words)
        self.longest = max(map(len, self.words), default=0)
        self._initials = frozenset(word[:1] for word in self.words)
        self._finals = frozenset(word[-1:] for word in self.words)

    def first(self, text: str, start: int = 0) -> int:
        """Where the longest of the words that `text` has at `start` ends; `start` for none."""
        if text[start : start + 1] not in self._initials:
            return start
        for end in range(min(len(text), start + self.longest), start, -1):
            if text[start:end] in self.words and word_edge(text, end):
                return end
        return start

    def last(self, text: str) -> int:
        """Where the longest of the words with which `text` ends begins; its length for none."""
        if text[-1:] not in self._finals:
            return len(text)
        for start in range(max(0, len(text) - self.longest), len(text)):
            if text[start:] in self.words and word_edge(text, start):
                return start
        return len(text)

    def within(self, text: str) -> bool:
        """Whether one of the words stands anywhere in `text`."""
        return any(
            letter in self._initials and word_edge(text, start) and self.first(text, start) > start
            for start, letter in enumerate(text)
        )


def word_edge(text: str, at: int) -> bool:
    """Whether a word may end or begin at `at`; anywhere in scripts without blanks, and behind an apostrophe."""
    if at <= 0 or at >= len(text) or text[at - 1] == "'":
        return True
    before, after = text[at - 1], text[at]
    if unicodedata.category(after)[0] == "M" or (after == "'" and text[at + 1 : at + 2].isalpha()):
        return False
    return (
        not (is_word_character(before) and is_word_character(after))
        or written_without_blanks(before)
        or written_without_blanks(after)
    )


class AnswerWords(NamedTuple):
    """The words of one language, with the English ones. Those that begin with `letter` are for letters, and know all
    languages."""

    answer: Words
    option: Words
    around: Words
    article: Words
    an_article: bool
    """Whether a letter before a noun is an article: `a resposta`, but not `a answer`."""
    ending: Words
    percent: Words
    decimal: str
    letter_around: Words
    letter_sure: Words
    letter_option: Words
    letter_denial: Words
    letter_join: Words
    letter_turn: Words
    own_join: Words
    letter_back: Words
    """What takes back the letter before it: `A. No, wait: B`."""
    letter_that: Words
    """What carries a denial over a comma: `Ich glaube nicht, dass es B ist`."""
    letter_span: Words
    """What stands between the letters of a range or a pair: `A to C`, `sia A che B`."""


@lru_cache(maxsize=256)
def wording(language: str) -> AnswerWords:
    """The words of `language`, by its code or the code's first part; of a language without a row the English ones."""
    rows = _rows()
    own = rows.get(language) or rows.get(language.partition("-")[0]) or rows[ENGLISH]
    both = (own, rows[ENGLISH])
    denial = _denial(own)
    around = frozenset(word for word in _some(rows.values(), AROUND) if len(word) > 1 or not word.isascii())
    around = (around | _some(both, AROUND)) - denial
    turn = _some(both, ("but",)) if language else _some(rows.values(), ("but",)) - _some(rows.values(), (*AROUND, "or"))
    return AnswerWords(
        answer=Words(_some(both, ("answer",))),
        option=Words(_some(both, ("option",))),
        around=Words(_some(both, AROUND) - _some((own,), ("not", "wrong"))),
        article=Words(_some((own,), ("article",))),
        an_article=own is not rows[ENGLISH],
        ending=Words(_some((own,), ("ending",))),
        percent=Words(_some(both, ("percent",))),
        decimal=next(iter(own["decimal"]), "."),
        letter_around=Words(around | _some(rows.values(), ("ending",)) - denial),
        letter_sure=Words(_some(rows.values(), ("answer", "right")) - denial),
        letter_option=Words(_some(rows.values(), ("option",)) - denial),
        letter_denial=Words(denial),
        letter_join=Words(_some(rows.values(), ("or",))),
        own_join=Words(_some((own,), ("or",))),
        letter_back=Words(_some(both, ("back",))),
        letter_that=Words(_some(rows.values(), ("that",))),
        letter_span=Words(_some(rows.values(), ("span",))),
        letter_turn=Words({word for word in turn if len(word) > 1 or word in _some(both, ("but",))}),
    )


def _denial(own: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """What denies a letter in a reply to a question in a language: its own words, and what denies in others."""
    rows = _rows()
    elsewhere = {word for word in _some(rows.values(), ("not", "wrong")) if len(word) > 2 or not word.isascii()}
    harmless = _some(rows.values(), (*AROUND, "or")) - _some((rows[name] for name in WELL_KNOWN), ("not", "wrong"))
    denies = frozenset(elsewhere - harmless) | SHORT_DENIALS | _some((rows[ENGLISH],), ("not", "wrong"))
    return (denies - _some((own,), AROUND)) | _some((own,), ("not", "wrong"))


def _some(rows: Iterable[Mapping[str, frozenset[str]]], kinds: Iterable[str]) -> frozenset[str]:
    kinds = tuple(kinds)
    return frozenset(word for row in rows for kind in kinds for word in row[kind])


@lru_cache(maxsize=1)
def _rows() -> dict[str, dict[str, frozenset[str]]]:
    """The table by language code. Words are in normal form, as the texts are in which they are looked for."""
    found: dict[str, dict[str, frozenset[str]]] = {}
    with open(TABLE, encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            words = {
                kind: frozenset(cell if kind == "decimal" else normal(word) for word in cell.split("|") if word)
                for kind, cell in row.items()
            }
            found.update(dict.fromkeys(row["languages"].split("|"), words))
    return found


def normal(word: str) -> str:
    """A word of the table as it stands in a normalised text; an apostrophe at its end or beginning is kept."""
    plain = normalise(f"x{word}x")
    return plain[1:-1]
