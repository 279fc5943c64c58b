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

from tvbench.errors import UsageError
from tvbench.paired import Comparison, Pairs, compare, holm, means
from tvbench.scoring import score_item
from tvbench.scoring.names import metric_id
from tvbench.scoring.sums import FORMULAS, segment_statistics
from tvbench.signature import comparable
from tvbench.store import RunFolder
from tvbench.types import Item, Response, Translation


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
class _Both:
    item: Item
    first: str
    second: str


def compare_runs(
    first: RunFolder, second: RunFolder, *, metric: str | None = None, resamples: int, seed: int = 0
) -> list[TaskComparison]:
    """Every task that both runs have, by its headline metric or by `metric`.

    Raises UsageError where the runs share no item, or none with such a metric.
    """
    entries = [{str(entry["task"]): entry for entry in run.manifest()["tasks"]} for run in (first, second)]
    pairs = _joined(first, second)
    found: list[TaskComparison] = []
    for task, both in pairs.items():
        if any(task not in entry for entry in entries):
            continue
        one = _compare_task(task, both, entries[0][task], entries[1][task], metric, resamples, seed)
        if one is not None:
            found.append(one)
    if not found:
        what = f" with the metric {metric}" if metric else ""
        raise UsageError(f"{first.name} and {second.name} have no item in common{what}",
                         "both runs must have asked the same task")
    return found


def _joined(first: RunFolder, second: RunFolder) -> dict[str, list[tuple[Item, Response | None, Response | None]]]:
    """Items that both runs asked, with both answers, by task."""
    others = {(item.task, item.id): key for key, item in second.requests()}
    one, other = first.responses(), second.responses()
    joined: defaultdict[str, list[tuple[Item, Response | None, Response | None]]] = defaultdict(list)
    for key, item in first.requests():
        if (item.task, item.id) in others:
            joined[item.task].append((item, one.get(key), other.get(others[item.task, item.id])))
    return joined


def _compare_task(
    task: str,
    rows: Sequence[tuple[Item, Response | None, Response | None]],
    first: Mapping[str, Any],
    second: Mapping[str, Any],
    metric: str | None,
    resamples: int,
    seed: int,
) -> TaskComparison | None:
    name = metric_id(metric) if metric else str(first["primary"])
    by_language: defaultdict[str, list[_Both]] = defaultdict(list)
    for item, one, other in rows:
        if one is not None and other is not None and one.text is not None and other.text is not None:
            by_language[item.language].append(_Both(item, one.text, other.text))
    groups = {language: made for language, both in sorted(by_language.items())
              if (made := _pairs(name, language, both)) is not None}
    if not groups:
        return None
    single = [compare([group], resamples=resamples, seed=seed) for group in groups.values()]
    adjusted = holm([one.p for one in single])
    overall = compare(list(groups.values()), resamples=resamples, seed=seed) if len(groups) > 1 else single[0]
    return TaskComparison(
        task,
        name,
        overall,
        tuple(LanguageComparison(*one) for one in zip(groups, single, adjusted, strict=True)),
        len(rows) - overall.items,
        comparable(str(first["signature"])) == comparable(str(second["signature"])),
    )


def _pairs(metric: str, language: str, both: Sequence[_Both]) -> Pairs | None:
    """The two runs' statistics in one language; None where no item has the metric."""
    if metric in FORMULAS:
        used = [one for one in both if isinstance(one.item.target, Translation) and one.item.target.references]
        if not used:
            return None
        targets = [one.item.target for one in used if isinstance(one.item.target, Translation)]
        first, second = (segment_statistics(metric, language, targets, texts)
                         for texts in ([one.first for one in used], [one.second for one in used]))
        return Pairs(first, second, [_cluster(one.item) for one in used], FORMULAS[metric])
    values = [(_value(metric, one.item, one.first), _value(metric, one.item, one.second), one.item) for one in both]
    kept = [(a, b, item) for a, b, item in values if a is not None and b is not None]
    if not kept:
        return None
    return means([a for a, _, _ in kept], [b for _, b, _ in kept], [_cluster(item) for _, _, item in kept])


def _value(metric: str, item: Item, text: str) -> float | None:
    score = score_item(item, Response("", text=text))
    return None if score.unscored else score.values.get(metric)


def _cluster(item: Item) -> str:
    return item.cluster or f"item {item.id}"
