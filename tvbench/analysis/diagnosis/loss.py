"""How much of the lost points each cause explains.

An item's loss is 1 minus its score. It goes to the first of its causes in the order of causes.CAUSES; what no cause
explains is "answered, but wrong". An alarm about the language takes only the part that survives its calibration
(LanguageCheck.weight): the rest goes on to the next cause. The shares are descriptive: without a loop an answer might
have been wrong all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tvbench.analysis.diagnosis.answers import Answer
from tvbench.analysis.diagnosis.causes import CAUSES, WRONG
from tvbench.analysis.diagnosis.language_check import LanguageCheck

WRONG_LANGUAGE = "wrong_language"


@dataclass(frozen=True, slots=True)
class Losses:
    """`items` with a score have lost `total` points together (each between 0 and 1); `by` cause, in their order."""

    items: int
    total: float
    by: Mapping[str, float]

    @property
    def mean(self) -> float | None:
        """The mean loss of an item; None where nothing is scored."""
        return self.total / self.items if self.items else None

    def share(self, cause: str) -> float:
        """The part of the loss that goes to `cause`; 0 where nothing was lost."""
        return self.by.get(cause, 0.0) / self.total if self.total else 0.0


def attribute(answers: Iterable[Answer], check: LanguageCheck | None) -> Losses:
    """The losses of `answers`, of one task and language. Answers without a score do not enter."""
    by = dict.fromkeys((*CAUSES, WRONG), 0.0)
    items, total = 0, 0.0
    for answer in answers:
        if answer.lost is None:
            continue
        items += 1
        total += answer.lost
        for cause, part in _parts(answer, check):
            by[cause] += answer.lost * part
    return Losses(items, total, {cause: lost for cause, lost in by.items() if lost > 0})


def causes_of(answer: Answer, check: LanguageCheck | None) -> tuple[str, ...]:
    """What an answer's loss may be put down to, the first first; never empty."""
    alarm = check is not None and answer.item.id in check.alarms
    found = {*answer.explaining, *((WRONG_LANGUAGE,) if alarm else ())}
    return (*(cause for cause in CAUSES if cause in found), WRONG)


def _parts(answer: Answer, check: LanguageCheck | None) -> Iterator[tuple[str, float]]:
    """(cause, share of this answer's loss); the shares add up to 1."""
    left = 1.0
    for cause in causes_of(answer, check):
        part = left * check.weight if cause == WRONG_LANGUAGE and check is not None else left
        yield cause, part
        left -= part
        if left <= 0:
            return
