"""The counts of BLEU and chrF++ of two texts, as sacreBLEU has them, in a part of its time.

What is counted is how many n-grams two texts have in common, each as often as both have it. Where either text has each
of its n-grams once, which is the rule from three letters on, these are the elements of two sets. Knows no item.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

CHARACTERS, WORDS = 6, 4
"""The longest n-grams of chrF++ and of BLEU."""
_PUNCTUATION = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


def chrf_counts(text: str, reference: str) -> list[int]:
    """For each order, characters first: the n-grams of the text (0 where the reference has none), those of the
    reference, and those in common."""
    counts: list[int] = []
    said, wanted = "".join(text.split()), "".join(reference.split())
    match = 1
    for size in range(1, CHARACTERS + 1):
        match = _count(counts, _runs(said, size), _runs(wanted, size), match)
    first, second = words_of(text), words_of(reference)
    match = _count(counts, first, second, 1)
    _count(counts, _runs(first, 2), _runs(second, 2), match)
    return counts


def bleu_counts(text: str, reference: str) -> list[int]:
    """Of two texts whose words stand apart: their lengths, by order the n-grams in common, and those of the text."""
    said, wanted = text.split(), reference.split()
    common: list[int] = []
    for size in range(1, WORDS + 1):
        shorter = common[-1] if common else 1
        common.append(in_common(_runs(said, size), _runs(wanted, size)) if shorter else 0)
    return [len(said), len(wanted), *common, *(max(0, len(said) - size) for size in range(WORDS))]


def _runs(words: Sequence[str], size: int) -> Sequence[object]:
    return words if size == 1 else list(zip(*(words[at:] for at in range(size)), strict=False))


def _count(counts: list[int], said: Sequence[object], wanted: Sequence[object], before: int) -> int:
    """Adds one order's counts; gives what is in common. Where `before`, of the next shorter order, is 0, nothing is."""
    match = in_common(said, wanted) if before else 0
    counts += (len(said) if wanted else 0, len(wanted), match)
    return match


def in_common(said: Sequence[object], wanted: Sequence[object]) -> int:
    """How many elements both have, each as often as both have it."""
    once = set(said)
    if len(once) == len(said):
        return len(once.intersection(wanted))
    other = set(wanted)
    if len(other) == len(wanted):
        return len(other & once)
    here, there = Counter(said), Counter(wanted)
    return sum(min(count, there[piece]) for piece, count in here.items() if piece in there)


def words_of(text: str) -> list[str]:
    """The words, with a mark at the end of one, or else at its beginning, as a word of its own."""
    found: list[str] = []
    for word in text.split():
        if len(word) > 1 and word[-1] in _PUNCTUATION:
            found += (word[:-1], word[-1])
        elif len(word) > 1 and word[0] in _PUNCTUATION:
            found += (word[0], word[1:])
        else:
            found.append(word)
    return found
