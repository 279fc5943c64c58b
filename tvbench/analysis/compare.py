"""Two runs on the same items: how much better the second is, per task and language, and whether that is certain.

Joins runs by task and item id, so that different models, engines or prompts can be set against each other; scores both
anew from their stored answers. An item that either run has not answered, or that has no score, is left out of both and
counted. Knows runs and metrics; no engine and no table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from tvbench.analysis.assess import Scored, scored_tasks
from tvbench.errors import UsageError, unknown_name
from tvbench.runs.signature import comparable
from tvbench.runs.store import RunFolder
from tvbench.scoring.names import metric_id
from tvbench.scoring.paired import Comparison, Pairs, compare, holm, means
from tvbench.scoring.sums import FORMULAS, segment_statistics
from tvbench.types import Contrast, Item, Translation


@dataclass(frozen=True, slots=True)
class Choice:
    """What is compared: tasks and languages by name (none: all), and a metric (None: each task's headline)."""

    tasks: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    metric: str | None = None


@dataclass(frozen=True, slots=True)
class LanguageComparison:
    """One language; `p` is Holm's over the languages of the task."""

    language: str
    comparison: Comparison
    p: float


@dataclass(frozen=True, slots=True)
class TaskComparison:
    """One task: its macro average and its languages. `left_out` items were not answered and scored in both runs;
    `same_signature`: nothing but who answered differs."""

    task: str
    metric: str
    overall: Comparison
    languages: tuple[LanguageComparison, ...]
    left_out: int
    same_signature: bool


def compare_runs(
    first: RunFolder, second: RunFolder, chosen: Choice = Choice(), *, resamples: int, seed: int = 0
) -> list[TaskComparison]:
    """Every chosen task that both runs have.

    Raises UsageError for a task that is not in both, and where the runs share no item, or none with such a metric.
    """
    one, other = scored_tasks(first), scored_tasks(second)
    shared = [task for task in one if task in other]
    for task in chosen.tasks:
        if task not in shared:
            raise unknown_name("task", task, shared, "among those that both runs have")
    found = [
        made
        for task in shared
        if not chosen.tasks or task in chosen.tasks
        if (made := _compare_task(task, one[task], other[task], chosen, resamples, seed)) is not None
    ]
    if not found:
        metrics = {chosen.metric} if chosen.metric else {one[task].entry.primary for task in shared}
        what = f" that has {' or '.join(sorted(metrics))} in both" if shared else ""
        what += f", in {', '.join(chosen.languages)}" if chosen.languages else ""
        raise UsageError(
            f"{first.name} and {second.name} have no item in common{what}",
            "both must have asked the same task, and judges must have been asked; --metric names another",
        )
    return found


def _compare_task(
    task: str, first: Scored, second: Scored, chosen: Choice, resamples: int, seed: int
) -> TaskComparison | None:
    name = metric_id(chosen.metric) if chosen.metric else first.entry.primary
    shared = [
        item
        for item_id, item in first.items.items()
        if item_id in second.items and (not chosen.languages or item.language in chosen.languages)
    ]
    by_language: defaultdict[str, list[Item]] = defaultdict(list)
    for item in shared:
        by_language[item.language].append(item)
    groups = {
        language: made
        for language, items in sorted(by_language.items())
        if (made := paired_items(name, language, items, first, second)) is not None
    }
    if not groups:
        return None
    single = [compare([group], resamples=resamples, seed=seed) for group in groups.values()]
    adjusted = holm([one.p for one in single])
    overall = compare(list(groups.values()), resamples=resamples, seed=seed) if len(groups) > 1 else single[0]
    same = comparable(first.signature) == comparable(second.signature)
    return TaskComparison(
        task,
        name,
        overall,
        tuple(LanguageComparison(*one) for one in zip(groups, single, adjusted, strict=True)),
        _expected(name, shared, first, second) - overall.items,
        same and first.definitions.get(name) == second.definitions.get(name),
    )


def paired_items(metric: str, language: str, items: Sequence[Item], first: Scored, second: Scored) -> Pairs | None:
    """The two runs' statistics in one language; None where no item has the metric."""
    if metric in FORMULAS:
        found = [(item, first.text(item.id), second.text(item.id)) for item in items if _has_reference(item)]
        used = [(item, text, other) for item, text, other in found if text is not None and other is not None]
        if not used:
            return None
        targets = [item.target for item, _, _ in used if isinstance(item.target, Translation)]
        one = segment_statistics(metric, language, targets, [text for _, text, _ in used])
        two = segment_statistics(metric, language, targets, [text for _, _, text in used])
        return Pairs(one, two, [_cluster(item) for item, _, _ in used], FORMULAS[metric])
    values = [(_value(metric, item, first), _value(metric, item, second), item) for item in items]
    kept = [(a, b, item) for a, b, item in values if a is not None and b is not None]
    if not kept:
        return None
    return means([a for a, _, _ in kept], [b for _, b, _ in kept], [_cluster(item) for _, _, item in kept])


def _value(metric: str, item: Item, side: Scored) -> float | None:
    score = side.scores.get(item.id)
    return None if score is None or score.unscored else score.values.get(metric)


def _has_reference(item: Item) -> bool:
    return isinstance(item.target, Translation) and bool(item.target.references)


def _expected(metric: str, items: Sequence[Item], first: Scored, second: Scored) -> int:
    """How many items the metric is for: those of the kinds that it has a value for in either run."""
    if metric in FORMULAS:
        return sum(isinstance(item.target, Translation) for item in items)
    kinds = {_kind(item) for item in items for side in (first, second) if _value(metric, item, side) is not None}
    return sum(_kind(item) in kinds for item in items)


def _kind(item: Item) -> tuple[type, bool]:
    """Two-sided targets carry their figure on the right side only."""
    return type(item.target), not isinstance(item.target, Contrast) or item.target.correct


def _cluster(item: Item) -> str:
    return item.cluster or f"item {item.id}"
