"""Runs on the same items: how much better each is than the first, per task and language, and whether that is certain.

Joins runs by task and item id, so that different models, engines or prompts can be set against each other; scores them
anew from their stored answers. An item that one of the runs has not answered, or that has no score there, is left out
of all and counted. A figure that cannot be resampled is compared without interval and p, and that is said. Knows runs
and metrics; no engine and no table.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from tvbench.analysis.assess import Scored, scored_tasks
from tvbench.analysis.shared_items import (
    ByLanguage,
    answer_pairs,
    asked_of_both,
    both_answered,
    expected,
    in_common,
    paired_items,
)
from tvbench.errors import UsageError, unknown_name
from tvbench.runs.answered import languages_called
from tvbench.runs.signature import comparable, settings_apart
from tvbench.runs.store import RunFolder
from tvbench.scoring.guards import cluster_of, figure_of
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import metric, metric_id
from tvbench.scoring.paired import Comparison, compare_several

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
    """One task: its macro average and its languages. `left_out` items were not answered and scored in all runs;
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


_Made: TypeAlias = tuple[Comparison | Plain, tuple[LanguageComparison, ...]]
"""The macro average of one pair of runs, and its languages."""


def compare_with_first(
    first: RunFolder, others: Sequence[RunFolder], chosen: Selection = Selection(), *, resamples: int, seed: int = 0
) -> list[list[TaskComparison]]:
    """For each of the others, every chosen task that it shares with the first. In a task, the languages of all others
    are held together, and so are their macro averages.

    Raises UsageError for a task that the first shares with none, and where one shares no item with it, or none with
    such a metric.
    """
    one, rest = scored_tasks(first), [scored_tasks(other) for other in others]
    chosen = replace(chosen, languages=_languages(chosen, [task for side in (one, *rest) for task in side.values()]))
    shared = [task for task in one if any(task in side for side in rest)]
    for task in chosen.tasks:
        if task not in shared:
            raise unknown_name(
                "task", task, shared, f"among those that {'both' if len(others) == 1 else 'the'} runs have"
            )
    found: list[list[TaskComparison]] = [[] for _ in others]
    problems: list[UsageError] = []
    for task in shared:
        if not chosen.tasks or task in chosen.tasks:
            try:
                made = _compare_task(task, one[task], [side.get(task) for side in rest], chosen, resamples, seed)
            except UsageError as error:
                problems.append(error)
                continue
            for pair, comparison in zip(found, made, strict=True):
                pair += [comparison] if comparison is not None else []
    if problems and not any(found):
        raise problems[0]
    for problem in problems:
        log.warning("warning: %s", problem)
    for other, side, pair in zip(others, rest, found, strict=True):
        if not pair:
            raise _nothing_shared(first, other, chosen, {one[task].entry.primary for task in shared if task in side})
        _tell_settings(first.name, other.name, [(one[made.task], side[made.task]) for made in pair])
    return found


def _tell_settings(first: str, other: str, pairs: Sequence[tuple[Scored, Scored]]) -> None:
    """Say where one engine was asked of one model with other settings: dtype, what prepares pictures."""
    apart = [settings_apart(one.signature, two.signature) for one, two in pairs]
    for own, its in dict.fromkeys((", ".join(own), ", ".join(its)) for own, its in apart if own or its):
        log.warning(
            "note: one model by one engine with other settings: %s has %s, %s has %s",
            first,
            own or "the default",
            other,
            its or "the default",
        )


def _all(others: Sequence[RunFolder]) -> str:
    return "both" if len(others) == 1 else "these"


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
    task: str, first: Scored, others: Sequence[Scored | None], chosen: Selection, resamples: int, seed: int
) -> list[TaskComparison | None]:
    """One for each of the others; None for one that has not this task, or no item with the metric."""
    sides = [side for side in others if side is not None]
    measured = _measured(chosen.metric, first, sides)
    if measured.baseline:
        raise UsageError(
            f"{task}: {measured.label} is a figure of the data, the same whoever answers",
            "`tvbench audit` shows the data's figures",
        )
    items = in_common(measured, first, sides, chosen.languages)
    made: Sequence[_Made | None] | None
    why = ""
    try:
        made = _resampled(measured, items, first, sides, resamples, seed)
    except UsageError as error:
        made, why = None, f"{measured.label} cannot be resampled: {error.message}"
    if made is None and measured.of_corpora:
        made = [_plain(measured, own, first, side) for own, side in zip(items, sides, strict=True)]
        why = why or f"{measured.label} cannot be resampled: it gives figures of whole corpora, not of their segments"
    by_side = iter(made or [None] * len(sides))
    return [
        None
        if side is None or (one := next(by_side)) is None
        else _compared(task, measured, one, first, side, chosen, why)
        for side in others
    ]


def _compared(
    task: str, measured: Metric, made: _Made, first: Scored, second: Scored, chosen: Selection, why: str
) -> TaskComparison:
    overall, languages = made
    same = comparable(first.signature) == comparable(second.signature)
    return TaskComparison(
        task,
        measured.id,
        overall,
        languages,
        expected(measured, asked_of_both(first, second, chosen.languages), first, second) - overall.items,
        same and first.definitions.get(measured.id) == second.definitions.get(measured.id),
        {name: getattr(measured, name) for name in ("label", "unit", "better")},
        why,
    )


def _measured(wanted: str | None, first: Scored, others: Sequence[Scored]) -> Metric:
    """The metric to compare by: the wanted one by id, label or alias, else the task's headline metric."""
    name = wanted or first.entry.primary
    if wanted is not None and wanted not in first.metrics and wanted not in first.facts:
        labels = {one.label.casefold(): one.id for one in first.metrics.values()}
        name = labels.get(wanted.strip().casefold()) or metric_id(wanted)
    own = (side.metrics[name] for side in (first, *others) if name in side.metrics)
    return next(own, None) or metric(name, first.facts)


def _resampled(
    measured: Metric, items: Sequence[ByLanguage], first: Scored, others: Sequence[Scored], resamples: int, seed: int
) -> list[_Made | None] | None:
    """The macro average and the languages of each; None where no item has the metric, or it cannot be resampled."""
    grouped = [
        {
            language: made
            for language, shared in own.items()
            if (made := paired_items(measured, language, shared, first, other)) is not None
        }
        for own, other in zip(items, others, strict=True)
    ]
    if not any(grouped):
        return None
    each = [[pairs] for groups in grouped for pairs in groups.values()]
    single = compare_several(each, resamples=resamples, seed=seed)
    means = single
    if any(len(groups) > 1 for groups in grouped):
        means = compare_several([[*groups.values()] for groups in grouped if groups], resamples=resamples, seed=seed)
    by_language, by_run = iter(single), iter(means)
    return [
        (next(by_run), tuple(_of_language(language, next(by_language)) for language in groups)) if groups else None
        for groups in grouped
    ]


def _of_language(language: str, made: Comparison) -> LanguageComparison:
    return LanguageComparison(language, made, made.adjusted)


def _plain(measured: Metric, by_language: ByLanguage, first: Scored, second: Scored) -> _Made | None:
    """The same of a metric that cannot be resampled."""
    found: dict[str, Plain] = {}
    for language, items in sorted(by_language.items()):
        used = both_answered(measured, items, first, second)
        one, other = (figure_of(measured, language, answer_pairs(used, side)) for side in (first, second))
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
        cluster_of(item) for language in found for item in both_answered(measured, by_language[language], first, second)
    }
    count, same = sum(part.items for part in found.values()), all(part.identical for part in found.values())
    overall = Plain(before, after, after - before, count, len(pictures), same)
    return overall, tuple(LanguageComparison(language, part, None) for language, part in found.items())
