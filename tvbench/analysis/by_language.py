"""Figures by language, gathered: by family, script, resource class or TowerVision's support, and as gaps to English.

A group's figure is the unweighted mean over its G languages. Its standard error is sqrt(sum of se²) / G where the
languages have pictures of their own (ALM-Bench), and the upper bound (sum of se) / G where they share them (Multi30K,
CoMMuTE): figures by language do not say how strongly they vary together. The halves of its interval come from those of
the languages in the same way. Both are None where a language has none (corpus BLEU). Those of a gap take both figures
for independent, which is too large rather than too small on shared pictures. Knows languages and metrics; no run, no
table, no file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from tvbench.errors import UsageError
from tvbench.languages import ENGLISH, Language, language
from tvbench.scoring.intervals import combined
from tvbench.types import Figure, TaskResult

UNKNOWN = "unknown"
"""The group of languages of which the table does not say what is asked."""
SUPPORT = ("core", "added", "unseen")


@dataclass(frozen=True, slots=True)
class Group:
    """Some parts of a task (languages, or categories) and their mean; or, with `gap`, a difference of two figures."""

    name: str
    members: tuple[str, ...]
    metric: Figure
    gap: bool = False


def _of_support(known: Language) -> str:
    return known.towervision


def _of_family(known: Language) -> str:
    return known.family


def _of_branch(known: Language) -> str:
    return f"{known.family}/{known.branch}" if known.branch else known.family


def _of_script(known: Language) -> str:
    return known.script


def _of_resource(known: Language) -> str:
    return UNKNOWN if known.resource_class is None else str(known.resource_class)


GROUPINGS: dict[str, Callable[[Language], str]] = {
    "family": _of_family,
    "branch": _of_branch,
    "script": _of_script,
    "resource": _of_resource,
    "support": _of_support,
}


def language_figures(result: TaskResult, metric: str) -> dict[str, Figure]:
    """The figures of `metric` by language code; languages without it are not there."""
    parts = result.breakdowns.get("language", {})
    return {code: part.metrics[metric] for code, part in parts.items() if metric in part.metrics}


def share_pictures(result: TaskResult, metric: str) -> bool:
    """Whether some picture or clip is asked about in two languages: there are fewer in all than by language."""
    whole = result.metrics.get(metric)
    if whole is None or whole.clusters is None:
        return False
    return sum(figure.clusters or 0 for figure in language_figures(result, metric).values()) > whole.clusters


def mean_of(metrics: Sequence[Figure], *, shared: bool = False) -> Figure:
    """The unweighted mean of figures that are independent, or that `shared` pictures tie together (then with the upper
    bound of the standard error). Raises ValueError for none."""
    if not metrics:
        raise ValueError("the mean of nothing")
    value = math.fsum(metric.value for metric in metrics) / len(metrics)
    errors = [metric.stderr for metric in metrics if metric.stderr is not None]
    total = math.fsum(errors) if shared else math.hypot(*errors)
    stderr = total / len(metrics) if len(errors) == len(metrics) else None
    low, high = combined(value, metrics, [1 / len(metrics)] * len(metrics), together=shared) or (None, None)
    return Figure(value, sum(metric.n for metric in metrics), stderr, low=low, high=high)


def difference_of(first: Figure, second: Figure) -> Figure:
    """`first` minus `second`, taken for independent; `n` counts the items of both."""
    known = first.stderr is not None and second.stderr is not None
    stderr = math.hypot(first.stderr or 0.0, second.stderr or 0.0) if known else None
    value = first.value - second.value
    low, high = combined(value, (first, second), (1, -1)) or (None, None)
    return Figure(value, first.n + second.n, stderr, low=low, high=high)


def grouped(figures: Mapping[str, Figure], by: str, *, shared: bool = False) -> tuple[Group, ...]:
    """The mean of each group of languages that has a figure, in order. `by` is a key of GROUPINGS; `shared` as in
    `mean_of`."""
    members: dict[str, list[str]] = {}
    for code in sorted(figures):
        members.setdefault(group_of(code, by), []).append(code)
    groups = [
        Group(name, tuple(codes), mean_of([figures[code] for code in codes], shared=shared))
        for name, codes in members.items()
    ]
    return tuple(sorted(groups, key=lambda group: group_order(by, group.name, len(group.members))))


def group_of(code: str, by: str) -> str:
    """The group that a language belongs to; `unknown` for a code that the table lacks (a benchmark's own)."""
    try:
        return GROUPINGS[by](language(code))
    except UsageError:
        return UNKNOWN


def group_order(by: str, name: str, size: int) -> tuple[bool, float, str]:
    """A sort key: resource classes from 5 down, support from core on, everything else largest first."""
    if by == "support" and name in SUPPORT:
        return False, SUPPORT.index(name), name
    if by == "resource" and name != UNKNOWN:
        return False, -float(name), name
    return name == UNKNOWN, -float(size), name


def english_gaps(figures: Mapping[str, Figure]) -> tuple[Group, ...]:
    """Each language minus English, by code; a negative gap is worse than English. Empty where English has no figure."""
    if ENGLISH not in figures:
        return ()
    return tuple(
        Group(code, (code,), difference_of(figures[code], figures[ENGLISH]), gap=True)
        for code in sorted(figures)
        if code != ENGLISH
    )
