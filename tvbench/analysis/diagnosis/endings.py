"""Does an answer stop in mid-sentence?

By its own end (a comma, an open bracket, a word that ends no sentence), or by a missing mark where right texts have one
and the answer does not have their last word either. A text that is only shorter is not cut. Knows texts; no score.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from tvbench.analysis.diagnosis.overlap import share, size, word_list
from tvbench.analysis.diagnosis.texts import FINAL as MARKS
from tvbench.analysis.diagnosis.wording import UNSPACED, wording_of
from tvbench.scoring.normalise import words, written_without_blanks

FINAL = MARKS | frozenset("」』）“")
LEAST_WORD, SAME_WORD = 4, 0.5
"""Letters of a last word that can be looked for; the least share of it that another form of it has."""
MUCH_SHORTER, THEIRS = 0.75, 0.8
"""From this part of their size down an answer without the references' mark is cut, whatever its last word; where they
have no marks either it is cut if what it has is theirs."""
LONGER = 1.15
"""An answer of more than this part of their size has no missing end but one that hangs."""
LEAST_COMPLETE, HABIT = 5, 0.2
"""Complete answers, and the share of them without a mark from which on that is a habit."""
_OPEN_MARKS = ",،、，;；:：-–—(（[「『„«"
_DOTS = ("...", "…", "……")
_BRACKETS = (("(", ")"), ("（", "）"), ("「", "」"), ("„", "“"), ("«", "»"))
LEAST_WORDS = 3
RESEMBLING = 0.35
"""The share of an answer's pieces that the reference has, from which on the two can be held against each other."""


def is_cut(text: str, golds: tuple[str, ...], language: str, *, unmarked: bool = False) -> bool:
    """Whether `text` ends before a sentence does, as no right text does. `unmarked`: it is by a model that leaves out
    final marks (leaves_out_marks), so that a missing one says little."""
    plain = text.strip()
    rights = [gold.strip() for gold in golds if size(gold)]
    if not rights or not size(plain) or any(words(plain).endswith(words(gold)) for gold in rights):
        return False
    trails = plain.endswith(_DOTS) and not any(gold.endswith(_DOTS) for gold in rights)
    if plain[-1] in FINAL and not trails:
        return False
    if _hangs(plain, language) and not any(_hangs(gold, language) for gold in rights):
        return True
    part = max(size(plain) / size(gold) for gold in rights)
    marked = all(gold[-1] in FINAL for gold in rights)
    if part > LONGER:
        return False
    if not all(map(partial(_lacks_the_end, plain), rights)):
        return marked and part < MUCH_SHORTER and not unmarked
    return marked and not unmarked or part < MUCH_SHORTER and max(share(plain, gold) for gold in rights) >= THEIRS


def leaves_out_marks(texts: Iterable[tuple[str, tuple[str, ...]]]) -> bool:
    """Whether a model leaves out final marks, by its answers (with the right texts) that are complete: that end as a
    right text does, which has a mark there."""
    complete = [
        text.strip()[-1] in FINAL
        for text, golds in texts
        if size(text) and any(size(gold) and _ends_alike(text, gold) for gold in golds)
    ]
    return len(complete) >= LEAST_COMPLETE and sum(complete) < (1 - HABIT) * len(complete)


def _ends_alike(text: str, gold: str) -> bool:
    return gold.strip()[-1] in FINAL and words(text)[-LEAST_WORD:] == words(gold)[-LEAST_WORD:]


def is_cut_prose(text: str, gold: str, language: str) -> bool:
    """The same for an answer in the model's own words: unless it resembles the reference, only its own end tells, or a
    missing mark where the reference has one and the answer is at least a sentence long."""
    plain = text.strip()
    if size(plain) and share(plain, gold) >= RESEMBLING:
        return is_cut(text, (gold,), language)
    if len(word_list(plain)) < LEAST_WORDS or plain[-1] in FINAL:
        return False
    if _hangs(plain, language) and not _hangs(gold.strip(), language):
        return True
    inside = any(mark in plain for mark in ".!?。！？।؟")
    return inside and "\n" not in plain and gold.strip()[-1:] in FINAL


def _hangs(plain: str, language: str) -> bool:
    """Whether a text ends as no sentence does."""
    if plain[-1] in _OPEN_MARKS or any(plain.count(left) > plain.count(right) for left, right in _BRACKETS):
        return True
    row = wording_of(language)
    if row is None or row.language in UNSPACED or plain[-1] in FINAL:
        return False
    last = word_list(plain)[-1:]
    return len(plain.split()) >= LEAST_WORDS and bool(row.ends_nothing.intersection(last))


def _lacks_the_end(plain: str, gold: str) -> bool:
    """Whether the last word of a right text (its last two characters, without blanks) is not there, or broken off."""
    found, right = words(plain), words(gold)
    if " " not in right and written_without_blanks(right):
        return right[-2:] not in found
    last = right.split()[-1]
    if len(last) < LEAST_WORD:
        last = " ".join(right.split()[-2:])
    return share(last, plain) < SAME_WORD
