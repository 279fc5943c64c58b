"""A comparison as tidy rows: one row a difference, with its interval and what can be said of it in two words.

Knows comparisons; knows no file and no way to show a table.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from tvbench.analysis.compare import Plain, TaskComparison
from tvbench.analysis.tidy import ALL
from tvbench.scoring.metric import Metric, from_facts
from tvbench.scoring.paired import Comparison, is_certain


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """The second run less the first, in one task and language (`all`: their mean), with its 95 % interval from `low` to
    `high`. `p` of languages is adjusted by Holm; `detectable` is the smallest difference seen at 80 % power. These are
    not there where the metric cannot be resampled."""

    first_run: str
    second_run: str
    task: str
    language: str
    metric: str
    first: float
    second: float
    difference: float
    low: float | None
    high: float | None
    p: float | None
    n: int
    detectable: float | None
    verdict: str
    unit: str
    better: str


def difference_rows(found: Iterable[TaskComparison], first: str, second: str) -> Iterator[DifferenceRow]:
    """Every task: its mean over languages, then each language."""
    for difference in found:
        shown = from_facts(difference.metric, difference.facts)
        parts = [(part.language, part.comparison, part.p) for part in difference.languages]
        if len(parts) != 1:
            parts.insert(0, (ALL, difference.overall, difference.overall.p))
        for language, it, p in parts:
            yield DifferenceRow(
                first,
                second,
                difference.task,
                language,
                difference.metric,
                it.first,
                it.second,
                it.difference,
                it.low,
                it.high,
                p,
                it.items,
                it.detectable,
                verdict(it, p, shown),
                shown.unit,
                shown.better,
            )


def verdict(comparison: Comparison | Plain, p: float | None, shown: Metric) -> str:
    """`second better`, `first better`, `equal`, or `cannot tell`; by the metric's own direction."""
    if isinstance(comparison, Plain) or p is None:
        return "equal" if comparison.difference == 0 else "cannot tell (not resampled)"
    if comparison.difference == comparison.low == comparison.high == 0:
        return "equal"
    if not is_certain(comparison, p):
        return "cannot tell"
    return "second better" if shown.improves(comparison.difference) else "first better"
