"""How much of one text stands in another, by pieces of words; pieces of a text: lines and sentences.

The same for all scripts: pieces are three letters of a text with blanks, two of one without. Knows texts only.
"""

from __future__ import annotations

import re
from collections import Counter
from functools import lru_cache

from tvbench.scoring.normalise import words, written_without_blanks

_ENDS = re.compile(r"(?<=[.!?…])[\"'”’»“)\]*_]*\s+|(?<=[。！？｡।॥؟۔])[\"'”’»“」』）)\]*_]*\s*|\n+")
"""Where a sentence is over: a mark with a blank after it, a full-width or Indic or Arabic mark, or a line end."""


@lru_cache(maxsize=16384)
def word_list(text: str) -> tuple[str, ...]:
    """The words of `text`, in small letters and without punctuation; kept, because a text is looked at many times."""
    return tuple(words(text).split())


@lru_cache(maxsize=8192)
def pieces(text: str) -> Counter[str]:
    """The pieces of `text`, counted; case, punctuation and blanks left out."""
    letters = "".join(word_list(text))
    size = 2 if written_without_blanks(letters) else 3
    return Counter(letters[at : at + size] for at in range(len(letters) - size + 1))


def share(part: str, whole: str) -> float:
    """The share of the pieces of `part` that `whole` has, 0 to 1; 0 for a part too short to have any."""
    own, other = pieces(part), pieces(whole)
    total = sum(own.values())
    return sum(min(count, other[piece]) for piece, count in own.items()) / total if total else 0.0


@lru_cache(maxsize=8192)
def size(text: str) -> int:
    """Letters and digits."""
    return sum(map(len, word_list(text)))


def sentences(text: str) -> list[str]:
    """The sentences and lines of `text` that have a letter or a digit."""
    return [found for part in _ENDS.split(text) if part and size(found := part.strip())]


def lines(text: str) -> list[str]:
    """The lines of `text` that have a letter or a digit."""
    return [found for line in text.splitlines() if size(found := line.strip())]
