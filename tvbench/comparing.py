"""Two runs on the same items: how much better the second is, per task and language, and whether that is certain.

Joins runs by task and item id, so that different models, engines or prompts can be set against each other; scores both
anew from their stored answers. An item that either run has not answered, or that has no score, is left out of both and
counted. Knows runs and metrics; no engine and no table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tvbench.assess import side_scores
from tvbench.errors import UsageError, unknown_name
from tvbench.paired import Comparison, Pairs, compare, holm, means
from tvbench.scoring import score_items
from tvbench.scoring.names import metric_id
from tvbench.scoring.sums import FORMULAS, segment_statistics
from tvbench.signature import comparable, current
from tvbench.store import RunFolder
from tvbench.types import Contrast, Item, Score, Translation


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


@dataclass(frozen=True, slots=True)
class Answered:
    """One run's side of a task: answers and scores by item id, and the signatures of what costly scorers said."""

    items: Mapping[str, Item]
    texts: Mapping[str, str]
    scores: Mapping[str, Score]
    definitions: Mapping[str, str]
    entry: Mapping[str, Any]

    @property
    def signature(self) -> str:
        return current(str(self.entry["signature"]), list(self.items.values()))


def compare_runs(
    first: RunFolder, second: RunFolder, chosen: Choice = Choice(), *, resamples: int, seed: int = 0
) -> list[TaskComparison]:
    """Every chosen task that both runs have.

    Raises UsageError for a task that is not in both, and where the runs share no item, or none with such a metric.
    """
    one, other = answered_tasks(first), answered_tasks(second)
    shared = [task for task in one if task in other]
    for task in chosen.tasks:
        if task not in shared:
            raise unknown_name("task", task, shared, "among those that both runs have")
    found = [made for task in shared if not chosen.tasks or task in chosen.tasks
             if (made := _compare_task(task, one[task], other[task], chosen, resamples, seed)) is not None]
    if not found:
        metrics = {chosen.metric} if chosen.metric else {str(one[task].entry["primary"]) for task in shared}
        what = f" that has {' or '.join(sorted(metrics))} in both" if shared else ""
        what += f", in {', '.join(chosen.languages)}" if chosen.languages else ""
        raise UsageError(f"{first.name} and {second.name} have no item in common{what}",
                         "both must have asked the same task, and judges must have been asked; --metric names another")
    return found


def answered_tasks(run: RunFolder) -> dict[str, Answered]:
    """Every task of the run, scored anew from its stored answers."""
    responses = run.responses()
    pairs: defaultdict[str, list[tuple[str, Item]]] = defaultdict(list)
    for key, item in run.requests():
        pairs[item.task].append((key, item))
    found: dict[str, Answered] = {}
    for entry in run.manifest()["tasks"]:
        task = str(entry["task"])
        asked = pairs[task]
        answers = {item.id: responses[key] for key, item in asked if key in responses}
        sides = side_scores(run, task, asked, responses)
        scores = score_items([item for _, item in asked], answers, sides)
        found[task] = Answered(
            {item.id: item for _, item in asked},
            {name: answer.text for name, answer in answers.items() if answer.text is not None},
            {score.item: score for score in scores},
            {side.metric: side.definition for side in sides},
            entry,
        )
    return found


def _compare_task(
    task: str, first: Answered, second: Answered, chosen: Choice, resamples: int, seed: int
) -> TaskComparison | None:
    name = metric_id(chosen.metric) if chosen.metric else str(first.entry["primary"])
    shared = [item for item_id, item in first.items.items() if item_id in second.items
              and (not chosen.languages or item.language in chosen.languages)]
    by_language: defaultdict[str, list[Item]] = defaultdict(list)
    for item in shared:
        by_language[item.language].append(item)
    groups = {language: made for language, items in sorted(by_language.items())
              if (made := paired_items(name, language, items, first, second)) is not None}
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


def paired_items(
    metric: str, language: str, items: Sequence[Item], first: Answered, second: Answered
) -> Pairs | None:
    """The two runs' statistics in one language; None where no item has the metric."""
    if metric in FORMULAS:
        used = [item for item in items if _has_reference(item) and item.id in first.texts and item.id in second.texts]
        if not used:
            return None
        targets = [item.target for item in used if isinstance(item.target, Translation)]
        one, other = (segment_statistics(metric, language, targets, [side.texts[item.id] for item in used])
                      for side in (first, second))
        return Pairs(one, other, [_cluster(item) for item in used], FORMULAS[metric])
    values = [(_value(metric, item, first), _value(metric, item, second), item) for item in items]
    kept = [(a, b, item) for a, b, item in values if a is not None and b is not None]
    if not kept:
        return None
    return means([a for a, _, _ in kept], [b for _, b, _ in kept], [_cluster(item) for _, _, item in kept])


def _value(metric: str, item: Item, side: Answered) -> float | None:
    score = side.scores.get(item.id)
    return None if score is None or score.unscored else score.values.get(metric)


def _has_reference(item: Item) -> bool:
    return isinstance(item.target, Translation) and bool(item.target.references)


def _expected(metric: str, items: Sequence[Item], first: Answered, second: Answered) -> int:
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
