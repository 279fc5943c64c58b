"""Two runs on the same items: how much better the second is, per task and language, and whether that is certain.

Joins runs by task and item id, so that different models, engines or prompts can be set against each other; scores both
anew from their stored answers. An item that either run has not answered, or that has no score, is left out of both and
counted. A figure that cannot be resampled is compared without interval and p, and that is said. Knows runs and metrics;
no engine and no table.
"""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tvbench.analysis.assess import Scored, scored_tasks
from tvbench.errors import UsageError, unknown_name
from tvbench.runs.answered import languages_called
from tvbench.runs.signature import comparable
from tvbench.runs.store import RunFolder
from tvbench.scoring.guards import cluster_of, figure_of, is_for, statistics_of
from tvbench.scoring.metric import Metric, Pair
from tvbench.scoring.metrics import metric, metric_id
from tvbench.scoring.paired import Comparison, Pairs, compare, compare_each, means
from tvbench.types import Contrast, Item

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Selection:
    """What is compared: tasks and languages by name (none: all), and a metric (None: each task's headline)."""

    tasks: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class Plain:
    """Two figures that cannot be resampled: their difference, and nothing on how certain it is. `identical`: all
    answers are the same."""

    first: float
    second: float
    difference: float
    items: int
    clusters: int
    identical: bool = False
    low: None = None
    high: None = None
    interval: None = None
    p: None = None
    detectable: None = None
    adjusted: None = None
    together: int = 1
    needed: None = None


@dataclass(frozen=True, slots=True)
class LanguageComparison:
    """One language; `p` is adjusted for all languages of the task, as its interval is (None: not resampled)."""

    language: str
    comparison: Comparison | Plain
    p: float | None


@dataclass(frozen=True, slots=True)
class TaskComparison:
    """One task: its macro average and its languages. `left_out` items were not answered and scored in both runs;
    `same_signature`: nothing but who answered differs. `facts` say how the metric is shown and which end is good;
    `not_resampled` says why there is no interval and no p."""

    task: str
    metric: str
    overall: Comparison | Plain
    languages: tuple[LanguageComparison, ...]
    left_out: int
    same_signature: bool
    facts: Mapping[str, Any] = field(default_factory=dict)
    not_resampled: str = ""


def compare_runs(
    first: RunFolder, second: RunFolder, chosen: Selection = Selection(), *, resamples: int, seed: int = 0
) -> list[TaskComparison]:
    """Every chosen task that both runs have.

    Raises UsageError for a task that is not in both, and where the runs share no item, or none with such a metric.
    """
    one, other = scored_tasks(first), scored_tasks(second)
    chosen = replace(chosen, languages=_languages(chosen, (*one.values(), *other.values())))
    shared = [task for task in one if task in other]
    for task in chosen.tasks:
        if task not in shared:
            raise unknown_name("task", task, shared, "among those that both runs have")
    found: list[TaskComparison] = []
    problems: list[UsageError] = []
    for task in shared:
        if not chosen.tasks or task in chosen.tasks:
            try:
                made = _compare_task(task, one[task], other[task], chosen, resamples, seed)
                found += [made] if made is not None else []
            except UsageError as error:
                problems.append(error)
    if problems and not found:
        raise problems[0]
    for problem in problems:
        log.warning("warning: %s", problem)
    if not found:
        raise _nothing_shared(first, second, chosen, {one[task].entry.primary for task in shared})
    return found


def _languages(chosen: Selection, tasks: Iterable[Scored]) -> tuple[str, ...]:
    """The codes that are meant of the runs' languages."""
    known = {item.language for task in tasks for item in task.items.values()} if chosen.languages else set()
    return languages_called(chosen.languages, known, "these runs")


def _nothing_shared(first: RunFolder, second: RunFolder, chosen: Selection, primaries: set[str]) -> UsageError:
    metrics = {chosen.metric} if chosen.metric and primaries else primaries
    what = f" that has {' or '.join(sorted(metrics))} in both" if metrics else ""
    what += f", in {', '.join(chosen.languages)}" if chosen.languages else ""
    return UsageError(
        f"{first.name} and {second.name} have no item in common{what}",
        "both must have asked the same task, and judges must have been asked; --metric names another",
    )


def _compare_task(
    task: str, first: Scored, second: Scored, chosen: Selection, resamples: int, seed: int
) -> TaskComparison | None:
    measured = _measured(chosen.metric, first, second)
    if measured.baseline:
        raise UsageError(
            f"{task}: {measured.label} is a figure of the data, the same whoever answers",
            "`tvbench audit` shows the data's figures",
        )
    shared = [
        item
        for item_id, item in first.items.items()
        if item_id in second.items and (not chosen.languages or item.language in chosen.languages)
    ]
    by_language: defaultdict[str, list[Item]] = defaultdict(list)
    for item in shared:
        by_language[item.language].append(item)
    made: tuple[Comparison | Plain, tuple[LanguageComparison, ...]] | None
    why = ""
    try:
        made = _resampled(measured, by_language, first, second, resamples, seed)
    except UsageError as error:
        made, why = None, f"{measured.label} cannot be resampled: {error.message}"
    if made is None and measured.of_corpora:
        made = _plain(measured, by_language, first, second)
        why = why or f"{measured.label} cannot be resampled: it gives figures of whole corpora, not of their segments"
    if made is None:
        return None
    overall, languages = made
    same = comparable(first.signature) == comparable(second.signature)
    return TaskComparison(
        task,
        measured.id,
        overall,
        languages,
        _expected(measured, shared, first, second) - overall.items,
        same and first.definitions.get(measured.id) == second.definitions.get(measured.id),
        {name: getattr(measured, name) for name in ("label", "unit", "better")},
        why,
    )


def _measured(wanted: str | None, first: Scored, second: Scored) -> Metric:
    """The metric to compare by: the wanted one by id, label or alias, else the task's headline metric."""
    name = wanted or first.entry.primary
    if wanted is not None and wanted not in first.metrics and wanted not in first.facts:
        labels = {one.label.casefold(): one.id for one in first.metrics.values()}
        name = labels.get(wanted.strip().casefold()) or metric_id(wanted)
    return first.metrics.get(name) or second.metrics.get(name) or metric(name, first.facts)


def _resampled(
    measured: Metric,
    by_language: Mapping[str, Sequence[Item]],
    first: Scored,
    second: Scored,
    resamples: int,
    seed: int,
) -> tuple[Comparison, tuple[LanguageComparison, ...]] | None:
    """The macro average and the languages; None where no item has the metric, or it cannot be resampled."""
    groups = {
        language: made
        for language, items in sorted(by_language.items())
        if (made := paired_items(measured, language, items, first, second)) is not None
    }
    if not groups:
        return None
    single = compare_each(list(groups.values()), resamples=resamples, seed=seed)
    overall = compare(list(groups.values()), resamples=resamples, seed=seed) if len(groups) > 1 else single[0]
    return overall, tuple(
        LanguageComparison(language, made, made.adjusted) for language, made in zip(groups, single, strict=True)
    )


def _plain(
    measured: Metric, by_language: Mapping[str, Sequence[Item]], first: Scored, second: Scored
) -> tuple[Plain, tuple[LanguageComparison, ...]] | None:
    """The same of a metric that cannot be resampled."""
    found: dict[str, Plain] = {}
    for language, items in sorted(by_language.items()):
        used = _both_answered(measured, items, first, second)
        one, other = (figure_of(measured, language, _pairs(used, side)) for side in (first, second))
        if one is not None and other is not None:
            clusters = len({cluster_of(item) for item in used})
            same = all(first.text(item.id) == second.text(item.id) for item in used)
            found[language] = Plain(one.value, other.value, other.value - one.value, len(used), clusters, same)
    if not found:
        return None
    before, after = (
        math.fsum(getattr(part, side) for part in found.values()) / len(found) for side in ("first", "second")
    )
    pictures = {
        cluster_of(item)
        for language in found
        for item in _both_answered(measured, by_language[language], first, second)
    }
    count, same = sum(part.items for part in found.values()), all(part.identical for part in found.values())
    overall = Plain(before, after, after - before, count, len(pictures), same)
    return overall, tuple(LanguageComparison(language, part, None) for language, part in found.items())


def paired_items(measured: Metric, language: str, items: Sequence[Item], first: Scored, second: Scored) -> Pairs | None:
    """The two runs' statistics in one language; None where no item has the metric, or it cannot be resampled."""
    if measured.of_corpora:
        used = _both_answered(measured, items, first, second)
        one, other = (
            statistics_of(measured, language, _pairs(used, side)) if used else None for side in (first, second)
        )
        if one is None or other is None:
            return None
        return Pairs(one, other, [cluster_of(item) for item in used], measured.of_sums, measured.span)
    values = [(_value(measured, item, first), _value(measured, item, second), item) for item in items]
    kept = [(a, b, item) for a, b, item in values if a is not None and b is not None]
    if not kept:
        return None
    clusters = [cluster_of(item) for _, _, item in kept]
    return means([a for a, _, _ in kept], [b for _, b, _ in kept], clusters, measured.span)


def _both_answered(measured: Metric, items: Sequence[Item], first: Scored, second: Scored) -> list[Item]:
    return [
        item
        for item in items
        if is_for(measured, item) and first.text(item.id) is not None and second.text(item.id) is not None
    ]


def _pairs(items: Sequence[Item], side: Scored) -> list[Pair]:
    return [(item, side.text(item.id) or "") for item in items]


def _value(measured: Metric, item: Item, side: Scored) -> float | None:
    score = side.scores.get(item.id)
    return None if score is None or score.unscored else score.values.get(measured.id)


def _expected(measured: Metric, items: Sequence[Item], first: Scored, second: Scored) -> int:
    """How many items the metric is for: those of the kinds that it has a value for in either run."""
    if measured.of_corpora:
        return sum(
            isinstance(item.target, measured.targets) if measured.targets else is_for(measured, item) for item in items
        )
    kinds = {_kind(item) for item in items for side in (first, second) if _value(measured, item, side) is not None}
    return sum(_kind(item) in kinds for item in items)


def _kind(item: Item) -> tuple[type, bool]:
    """Two-sided targets carry their figure on the right side only."""
    return type(item.target), not isinstance(item.target, Contrast) or item.target.correct
