"""True and false in a hundred languages, learnt from the right answers of the data themselves.

The answers of a true/false question begin with the word ("Wahr, so ist es."), and an English version says which of
the two it is. Knows texts only. A language whose answers do not show both words gets the English ones.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import NamedTuple, TypeAlias

ENGLISH_WORDS = {True: "True", False: "False"}
LONGEST_WORDS = 3
"""A localised "true" has at most so many words; more is a sentence."""

TRUE_OR_FALSE = re.compile(
    r"\W*(?:(?P<true>true|yes|correct)|(?P<false>false|no|not true|incorrect|untrue))\b", re.IGNORECASE
)
MARKS = r".,;:!?()\[\]\n\u3002\uff0c\u3001\uff1b\uff1a\uff01\uff08\u060c\u061b\u06d4\u0964\u1362\u2013\u2014-"
"""What ends the first word: Latin, Chinese, Arabic, Urdu, Indic and Ethiopic marks, dashes."""
FIRST_WORDS = re.compile(rf"\W*(?P<words>[^{MARKS}]+)")

Words: TypeAlias = Mapping[tuple[str, bool], str]
"""What (language code, True or False) is called in that language; both of a language or none."""


class AnsweredQuestion(NamedTuple):
    """The right answer of one true/false question: in the language of `code`, and in English."""

    code: str
    answer: str
    english: str


def polarity(answered: AnsweredQuestion) -> bool | None:
    """Whether the right answer is True, read from the English version first. None: neither says."""
    match = TRUE_OR_FALSE.match(answered.english) or TRUE_OR_FALSE.match(answered.answer)
    return None if match is None else match["true"] is not None


def first_words(answer: str) -> str:
    """How an answer begins, up to the first mark: `Wahr` of `Wahr, so ist es.`; "" where that is a sentence."""
    match = FIRST_WORDS.match(answer)
    words = match["words"].strip() if match else ""
    return words if 0 < len(words.split()) <= LONGEST_WORDS else ""


def learn_words(answers: Iterable[AnsweredQuestion]) -> dict[tuple[str, bool], str]:
    """The most frequent beginnings, per language, where a language has one for both and they differ."""
    counts: defaultdict[tuple[str, bool], Counter[str]] = defaultdict(Counter)
    for answered in answers:
        value, words = polarity(answered), first_words(answered.answer)
        if value is not None and words:
            counts[answered.code, value][words] += 1
    # Ties go to the alphabetically first, so that the order of the rows does not matter.
    found = {key: min(counter, key=lambda word: (-counter[word], word)) for key, counter in counts.items()}
    return {
        (code, value): word
        for (code, value), word in found.items()
        if (code, not value) in found and found[code, not value].casefold() != word.casefold()
    }


def options_of(answered: AnsweredQuestion, words: Words) -> tuple[tuple[str, str], int]:
    """((the word for True, the word for False), the index of the right one). Raises ValueError where the answer
    says neither."""
    value = polarity(answered)
    if value is None:
        raise ValueError(f"the answer is neither true nor false: {answered.answer.strip()[:60]!r}")
    local = {value: words.get((answered.code, value), ENGLISH_WORDS[value]) for value in (True, False)}
    return (local[True], local[False]), 0 if value else 1
