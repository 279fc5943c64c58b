"""M3Exam's parser, as the TowerVision authors run it (arXiv 2306.05179; PangeaBench's task for lmms-eval).

The first A to D before a bracket, full stop, colon or blank counts, then the first A to D anywhere, then the option
that is most alike; a reply without any is decided by a draw. Its quirks are kept: the `a ` of running text is option A,
and an E is only ever found by likeness. So the figure holds chance: draws are flagged `coin_flip`, and count what they
gave in a log, or give on average; `m3exam_low` and `m3exam_high` are the figure with all of them lost and won.

`aligned` reads the same replies without guessing. Knows one reply at a time; no language and no data.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from difflib import SequenceMatcher
from functools import lru_cache

from tvbench.scoring.choice import choice_reading
from tvbench.scoring.reading import Seen
from tvbench.types import Exam

COIN_FLIP = "coin_flip"
_LETTER = re.compile(r"([A-D])[).:\s]", re.IGNORECASE)
_LETTER_ANYWHERE = re.compile(r"([A-D])", re.IGNORECASE)
_LABEL = re.compile(r"^[A-D]\.\s*")
_ALIKE = 0.7


def read_letter(reply: str, options: Sequence[str]) -> str | None:
    """The letter that the parser finds for `reply`; None where it draws one. `options` are as the data have them."""
    plain = reply.strip()
    found = _LETTER.search(plain) or _LETTER_ANYWHERE.search(plain)
    if found is not None:
        return found[1].upper()
    likeness = [_likeness(plain, _LABEL.sub("", option).strip()) for option in options]
    best = max(likeness, default=0.0)
    return _letter(likeness.index(best)) if best > _ALIKE else None


def exam_reading(exam: Exam, text: str, language: str = "") -> Seen:
    """What is seen of a reply to any choice, and whether the parser draws a letter for it."""
    seen = choice_reading(exam, text, language)
    drawn = seen.unscored is None and read_letter(text, exam.raw) is None
    return replace(seen, flags=(*seen.flags, COIN_FLIP)) if drawn else seen


@lru_cache(maxsize=4)
def points_of(exam: Exam, text: str) -> dict[str, float]:
    """What a reply earns where its draw is lost (`low`), won (`high`), and gives what a log says or what it gives on
    average (`mean`). All are equal where the parser reads a letter."""
    gold = exam.target if exam.gold is None else _letter(exam.gold)
    letter = read_letter(text, exam.raw)
    if letter is not None:
        return dict.fromkeys(("low", "mean", "high"), float(letter == gold))
    chance = draw_chance(exam, gold)
    return {"low": 0.0, "mean": float(exam.drawn == gold) if exam.drawn else chance, "high": float(chance > 0)}


def draw_chance(exam: Exam, gold: str) -> float:
    """How probable it is that a draw is right: 0 for a letter that is never drawn."""
    letters = [_letter(place) for place in range(exam.coins or len(exam.options))]
    return 1 / len(letters) if gold in letters else 0.0


def _likeness(reply: str, option: str) -> float:
    """difflib's ratio; 0 where a bound that costs less shows that it decides nothing."""
    matcher = SequenceMatcher(None, reply, option)
    if matcher.real_quick_ratio() <= _ALIKE or matcher.quick_ratio() <= _ALIKE:
        return 0.0
    return matcher.ratio()


def _letter(place: int) -> str:
    return chr(ord("A") + place)
