"""Does an answer stop in mid-sentence?

By its own end (a comma, an open bracket, a word that ends no sentence), or by a missing mark where right texts have one
and the answer is shorter, or ends before they do. A text that is only shorter is not cut. Knows texts; no score.
"""

from __future__ import annotations

from tvbench.analysis.diagnosis.overlap import share, size
from tvbench.analysis.diagnosis.texts import FINAL
from tvbench.analysis.diagnosis.wording import UNSPACED, wording_of
from tvbench.scoring.normalise import words

SHORT = 0.92
"""An answer without its mark is cut from this part of the reference's size down ..."""
MUCH_SHORTER = 0.75
"""... and from this one where references have no marks either, if what it has is theirs."""
THEIRS = 0.8
_OPEN_MARKS = ",،、，;；:：-–—(（[「『„«"
_DOTS = ("...", "…", "……")
_BRACKETS = (("(", ")"), ("（", "）"), ("「", "」"), ("„", "“"), ("«", "»"))
LEAST_WORDS = 3


def is_cut(text: str, golds: tuple[str, ...], language: str) -> bool:
    """Whether `text` ends before a sentence does, as no right text does."""
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
    if all(gold[-1] in FINAL for gold in rights):
        return part < SHORT or _ends_early(plain, rights, language)
    return part < MUCH_SHORTER and max(share(plain, gold) for gold in rights) >= THEIRS


def is_cut_prose(text: str, gold: str, language: str) -> bool:
    """The same for an answer in the model's own words: only its own end tells, or a missing mark where the reference
    has one and the answer is at least a sentence long."""
    plain = text.strip()
    if len(words(plain).split()) < LEAST_WORDS or plain[-1] in FINAL:
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
    last = words(plain).split()[-1:]
    return len(plain.split()) >= LEAST_WORDS and bool(row.ends_nothing.intersection(last))


def _ends_early(plain: str, golds: list[str], language: str) -> bool:
    """Whether the last word is a piece of a reference's, or the last of each reference is missing."""
    row = wording_of(language)
    if row is not None and row.language in UNSPACED:
        return all(words(gold)[-2:] not in words(plain) for gold in golds)
    found = words(plain).split()
    rights = [words(gold).split() for gold in golds]
    broken = any(
        word != found[-1] and word.startswith(found[-1]) and len(word) > len(found[-1]) + 1
        for right in rights for word in right
    ) and not any(found[-1] in right for right in rights)  # fmt: skip
    return broken or all(right and right[-1] not in found for right in rights)
