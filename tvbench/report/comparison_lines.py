"""A comparison in the order in which people read it: task by task, a line a language, then their mean.

Knows comparisons and the names of languages; no table.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvbench.analysis.compare import Plain, TaskComparison
from tvbench.analysis.differences import verdict
from tvbench.report.damage import named
from tvbench.scoring.metric import Metric, from_facts
from tvbench.scoring.paired import Comparison

MEAN = "mean"
TOO_FEW = "too few pictures"
Found = Comparison | Plain
Compared = Sequence[Sequence[TaskComparison]]
"""For each run that is set against the first: its tasks."""


@dataclass(frozen=True, slots=True)
class ComparedLine:
    """One language of a task, or their mean: the comparison of each run, None where it has none."""

    task: str
    language: str
    metric: Metric
    sides: tuple[Found | None, ...]

    @property
    def first(self) -> float | None:
        """The first run's figure; None where the others are compared with it in different languages."""
        values = [side.first for side in self.sides if side is not None]
        return values[0] if max(values) - min(values) < 1e-9 else None


def comparison_lines(pairs: Compared) -> dict[str, list[ComparedLine]]:
    """By task: its languages by their names, then their mean."""
    found: dict[str, list[ComparedLine]] = {}
    for task in dict.fromkeys(one.task for pair in pairs for one in pair):
        sides = [next((one for one in pair if one.task == task), None) for pair in pairs]
        some = next(side for side in sides if side is not None)
        shown = from_facts(some.metric, some.facts)
        parts = [{} if side is None else {one.language: one.comparison for one in side.languages} for side in sides]
        codes = sorted({code for part in parts for code in part}, key=lambda code: named(code).casefold())
        found[task] = [ComparedLine(task, code, shown, tuple(part.get(code) for part in parts)) for code in codes]
        if len(codes) != 1:
            found[task].append(
                ComparedLine(task, MEAN, shown, tuple(None if side is None else side.overall for side in sides))
            )
    return found


def said(side: Found, metric: Metric) -> str:
    """`better`, `worse`, `equal`, or why that cannot be told: of the run that is set against the first."""
    words = verdict(side, metric)
    return {"second better": "better", "first better": "worse"}.get(words, words)


def short(side: Found, metric: Metric) -> str:
    """The same in at most three words; notes say the rest."""
    words = said(side, metric)
    if words.startswith(TOO_FEW):
        return TOO_FEW
    return words.partition(" (")[0]
