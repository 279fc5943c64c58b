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
from tvbench.scoring.student import LEVEL


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """The second run less the first, in one task and language (`all`: their mean), with its interval from `low` to
    `high`. The intervals of `together` comparisons (the languages of a task, in all runs that are set against the
    first) hold all at once at `level`, `p` is adjusted for as many, and `detectable` is the smallest true difference
    found in 80 % of such data. These are not there where the metric cannot be resampled, or the pictures are too few
    for any difference to show."""

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
    level: float
    together: int


def difference_rows(found: Iterable[TaskComparison], first: str, second: str) -> Iterator[DifferenceRow]:
    """Every task: its mean over languages, then each language."""
    for difference in found:
        shown = from_facts(difference.metric, difference.facts)
        parts = [(part.language, part.comparison, part.p) for part in difference.languages]
        if len(parts) != 1:
            parts.insert(0, (ALL, difference.overall, difference.overall.adjusted))
        for language, it, p in parts:
            low, high = it.interval or (None, None)
            yield DifferenceRow(
                first,
                second,
                difference.task,
                language,
                difference.metric,
                it.first,
                it.second,
                it.difference,
                low,
                high,
                p,
                it.items,
                it.detectable,
                verdict(it, shown),
                shown.unit,
                shown.better,
                LEVEL,
                it.together,
            )


def verdict(comparison: Comparison | Plain, shown: Metric) -> str:
    """`second better`, `first better`, `equal` (no item differs), or why that cannot be told; by the metric's own
    direction."""
    if isinstance(comparison, Plain):
        return "equal" if comparison.identical else "cannot tell (not resampled)"
    if comparison.needed is not None:
        return f"too few pictures to tell (at least {comparison.needed} needed)"
    if comparison.identical:
        return "equal"
    if not is_certain(comparison):
        return "cannot tell"
    return "second better" if shown.improves(comparison.difference) else "first better"
