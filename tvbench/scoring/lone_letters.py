"""Letters that stand alone in a text, of Latin script or of another that numbers options: the `B` of `답은 B입니다`.

Knows scripts, and with which letters a language numbers things. Does not know what is said of a letter.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import NamedTuple

from tvbench.scoring.normalise import normalise
from tvbench.scoring.wording import AnswerWords, wording

_LOOK_ALIKES = str.maketrans("\u0410\u0412\u0421\u0415\u0391\u0392\u0395", "ABCEABE")
"""Cyrillic and Greek capitals of Latin shape: what a Russian or Greek keyboard gives for the letter shown."""
_ORDERS = {
    **dict.fromkeys(
        ("ar", "arz", "fa", "ur", "ps", "sd", "ckb"), ("\u0623\u0628\u062c\u062f", "\u0627\u0628\u062c\u062f")
    ),
    **dict.fromkeys(("he", "yi"), ("\u05d0\u05d1\u05d2\u05d3",)),
    **dict.fromkeys(("hi", "mr", "ne", "bho", "sa"), ("\u0915\u0916\u0917\u0918",)),
    **dict.fromkeys(("bn", "as"), ("\u0995\u0996\u0997\u0998",)),
    "th": ("\u0e01\u0e02\u0e04\u0e07",),
    "zh": ("\u7532\u4e59\u4e19\u4e01",),
    **dict.fromkeys(("ru", "uk", "bg", "be", "sr", "mk"), ("-\u0411--",)),
}
"""Letters with which a language numbers what Latin numbers A, B, C, D; none that looks like another Latin letter."""

_CROSSED_BEFORE = re.compile("[\u2260\u00ac~](?=$)|[\u2260\u2717\u2718\u274c\u2716]\ufe0f?[ (]*$")
_CROSSED_AFTER = re.compile("[ )]*[\u2717\u2718\u274c\u2716]")
"""Marks that deny a letter: crosses, and the signs of not."""


class LoneLetter(NamedTuple):
    """A letter that stands alone, at `start` to `end` of a text. `sure`: capital, and of Latin script."""

    place: int
    start: int
    end: int
    sure: bool


def label_of(text: str, language: str) -> tuple[int | None, str]:
    """(the place that the label of `text` means, the text behind it): `B) Kimono` is (1, "Kimono"), also `2. Kimono`
    and `Б) Кимоно`; (None, text) without a label."""
    match = re.match(r"\s*[(\[]?\s*(\w)\s*(?:[)\]\uff09.:\u3001]|\s[-\u2013\u2014](?=\s)|(?=\s))\s*(?=\S)", text)
    if match is None:
        return None, text
    sign = match[1]
    place = int(sign) - 1 if sign.isdecimal() else _latin(sign.upper().translate(_LOOK_ALIKES))
    if place is None:
        place = _native(sign, language)
    return (place if place is None or place >= 0 else None), text[match.end() :]


def standing(text: str, count: int, language: str) -> Iterable[LoneLetter]:
    """Letters without a Latin neighbour: the `B` of `답은 B입니다`, not that of `Bar`, `B-52` or `B's`."""
    words = wording(language)
    for at, character in enumerate(text):
        if not character.isalpha() or not _free(text, at, words):
            continue
        wide = unicodedata.normalize("NFKC", character)
        place, sure = _latin(wide), True
        if place is None:
            sure = False
            place = _latin(wide.upper().translate(_LOOK_ALIKES) if wide.isupper() else wide.upper())
        if place is None or (not sure and not wide.isascii() and not wide.isupper()):
            place = _native(character, language)
        if place is not None and place < count:
            yield LoneLetter(place, at, at + 1, sure)


def _free(text: str, at: int, words: AnswerWords) -> bool:
    """Whether no letter of the same kind, and no sign that makes a name of it, stands next to the letter at `at`."""
    if _CROSSED_BEFORE.search(text[max(0, at - 4) : at]) or _CROSSED_AFTER.match(text[at + 1 : at + 5]):
        return False
    for near, beyond in ((at - 1, at - 2), (at + 1, at + 2)):
        if not 0 <= near < len(text):
            continue
        other = text[near]
        if unicodedata.category(other)[0] == "M" or other.isdigit():
            return False
        if other.isalpha() and (is_latin(other) or not is_latin(text[at])):
            return False
        if near > at and other in "'\u2019" and words.ending.first(normalise(text[beyond : beyond + 5])):
            continue  # Turkish: B'dir
        if other in "'\u2019&+-" and 0 <= beyond < len(text) and text[beyond].isalnum() and text[beyond].isascii():
            return False
        if other in "&+-" and not (0 <= beyond < len(text)):
            return False
    return True


def _latin(character: str) -> int | None:
    return ord(character) - ord("A") if len(character) == 1 and "A" <= character <= "Z" else None


def _native(character: str, language: str) -> int | None:
    orders = () if character.isascii() else _ORDERS.get(language.partition("-")[0], ())
    return next((order.index(character) for order in orders if character in order), None)


def is_latin(character: str) -> bool:
    """Whether a letter is of Latin script, full-width too."""
    return character.isascii() or unicodedata.name(character, "").startswith(("LATIN", "FULLWIDTH LATIN"))


def foreign(text: str) -> bool:
    """Whether nearly all letters of `text` are of another script than Latin (the answer letter itself aside)."""
    latin = sum(1 for c in text if c.isalpha() and is_latin(c))
    other = sum(1 for c in text if c.isalpha() and not is_latin(c))
    return other > 0 and latin <= 2
