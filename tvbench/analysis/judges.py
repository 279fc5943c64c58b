"""How often a run's judges are right where that can be known, and what their averages are worth. Paints nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tvbench.graders.judge.calibration import Agreement, CarriedOver, average, carried_over, check
from tvbench.graders.judge.record import JudgeVerdict

ALL = "all"


@dataclass(frozen=True, slots=True)
class Quality:
    """One judge on one task and language (`all`: the mean over languages, as the headline is)."""

    task: str
    language: str
    judged: int
    unscored: int
    average: float | None
    carried_over: CarriedOver | None
    check: Agreement | None


def qualities(by_task: Mapping[str, Sequence[JudgeVerdict]]) -> list[Quality]:
    """All languages of each task together, then one by one."""
    found: list[Quality] = []
    for task, verdicts in by_task.items():
        codes = sorted({verdict.case.item.language for verdict in verdicts})
        found.append(_quality(task, ALL, verdicts))
        if len(codes) > 1:
            found.extend(
                _quality(task, code, [verdict for verdict in verdicts if verdict.case.item.language == code])
                for code in codes
            )
    return found


def _quality(task: str, language: str, verdicts: Sequence[JudgeVerdict]) -> Quality:
    opened = [verdict for verdict in verdicts if verdict.case.open]
    exact = [verdict for verdict in verdicts if verdict.case.truth is not None]
    return Quality(
        task,
        language,
        sum(verdict.reading.score is not None for verdict in opened),
        sum(verdict.reading.score is None for verdict in verdicts if verdict.case.planted is None),
        average(opened),
        carried_over(opened, exact),
        check(exact),
    )
