"""The scores of one task of a run: its metrics found, its answers scored, what judges and COMET said joined.

A task's own functions are found through the catalogue, which is asked only where a run has such metrics. Where the task
file is not at hand, the values that were stored for unchanged answers are kept, and that is said. Knows run folders and
metrics; no engine and no table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tvbench.errors import UsageError
from tvbench.graders.comet.record import FOLDER as COMET
from tvbench.graders.comet.record import side_scores as comet_scores
from tvbench.graders.judge.record import FOLDER as JUDGES
from tvbench.graders.judge.record import side_scores as judge_scores
from tvbench.runs.answered import Answered
from tvbench.runs.manifest import TaskEntry
from tvbench.runs.store import RunFolder
from tvbench.scoring import answer_digest, score_items
from tvbench.scoring.metric import CORPUS, Metric, Named, NotAtHand, from_facts
from tvbench.scoring.metrics import BUILTIN, EVALUATE, Declared
from tvbench.scoring.task_metrics import chosen, facts_of, own_metrics, to_compute
from tvbench.types import Item, Response, Score, SideScores, Task


@dataclass(frozen=True, slots=True)
class TaskScores:
    """One task's scores, in the order of its items; `metrics` are those that were computed, `sides` what costly scorers
    had said."""

    scores: tuple[Score, ...]
    metrics: tuple[Metric, ...]
    sides: tuple[SideScores, ...]


class Kept(Named):
    """A metric whose code is not at hand: the values that it gave to answers which are still the same."""

    def __init__(self, name: str, facts: Mapping[str, Any], stored: Mapping[str, Score]) -> None:
        known = from_facts(name, facts)
        super().__init__(id=name, **{key: value for key, value in known.facts.items() if key != CORPUS})
        self.before = stored

    def of_response(self, item: Item, response: Response) -> float | None:
        """The stored value. Raises NotAtHand where there is none for this answer."""
        before = self.before.get(item.id)
        if before is None or before.answer != answer_digest(response) or self.id not in before.values:
            raise NotAtHand("not scored, its code is not at hand")
        value = before.values[self.id]
        if value is None and self.id in before.failures:
            raise NotAtHand(before.failures[self.id].removeprefix(f"{self.id}: "))
        return value


def score_task(run: RunFolder, task: Answered, tasks: Iterable[Task] = ()) -> TaskScores:
    """Score one task of `run` as its manifest declares it. `tasks` are at hand already. Raises UsageError for a damaged
    folder."""
    sides = side_scores(run, task)
    metrics, _ = metrics_of(run, task.entry, tasks)
    scores = score_items(list(task.items.values()), task.answers, sides, metrics, task.entry.primary)
    return TaskScores(tuple(scores), metrics, tuple(sides))


class Replied(Protocol):
    """A task of a run with its answers: in memory (Answered), or read where they are asked for."""

    @property
    def entry(self) -> TaskEntry: ...

    @property
    def replies(self) -> list[tuple[Item, Response]]: ...


def side_scores(run: RunFolder, task: Replied) -> list[SideScores]:
    """What judges and COMET have said of the run's answers to one task. Raises UsageError for a damaged folder."""
    if not any((run.path / folder).is_dir() for folder in (JUDGES, COMET)):
        return []
    replies = task.replies
    return [*judge_scores(run, task.entry.task, replies), *comet_scores(run, task.entry.task, replies)]


# ── Which metrics ─────────────────────────────────────────────────────────────────────────────────


def metrics_of(
    run: RunFolder, entry: TaskEntry, tasks: Iterable[Task] = ()
) -> tuple[tuple[Metric, ...], tuple[Metric, ...]]:
    """(what is computed for the task, and which of that is only kept from an earlier scoring)."""
    declared = entry.declared
    names = list(dict.fromkeys([*named_in(entry), *declared]))
    missing = [
        name
        for name in names
        if name in declared
        and name not in BUILTIN
        and not name.startswith(EVALUATE)
        and to_compute(name, declared) is None
    ]
    own = _own(entry.task, missing, tasks) if missing else {}
    lost = [name for name in missing if name not in own and not declared[name].get(CORPUS)]
    kept: list[Metric] = []
    if lost:
        stored = run.scores(entry.task)
        facts = {**declared, **_last_facts(run, entry.task)}
        kept = [Kept(name, facts[name], stored) for name in lost]
    return tuple(chosen(names, own | {metric.id: metric for metric in kept}, declared)), tuple(kept)


def named_in(entry: TaskEntry) -> tuple[str, ...]:
    """Every metric that a task of a run names."""
    return tuple(dict.fromkeys(filter(None, (entry.primary, *entry.metrics))))


def _own(task: str, wanted: Sequence[str], tasks: Iterable[Task]) -> dict[str, Metric]:
    """The functions of the task called `task`, as metrics."""
    found = next((one for one in tasks if one.name == task), None)
    if found is None:
        from tvbench.registry import catalog

        found = catalog.tasks().get(task)
    if found is None:
        return {}
    return {name: metric for name, metric in own_metrics(found.scorers).items() if name in wanted}


def _last_facts(run: RunFolder, task: str) -> Declared:
    """The facts of the metrics by which the stored values were computed."""
    try:
        results = run.result() or []
    except UsageError:
        return {}
    return next((result.declared for result in results if result.task == task), {})


def facts_kept(entry: TaskEntry, metrics: Sequence[Metric]) -> Declared:
    """The facts of the metrics that were computed and are not tvbench's own, and what the manifest declares of others
    that were not."""
    present = {metric.id for metric in metrics}
    return {**facts_of(metrics), **{name: facts for name, facts in entry.declared.items() if name not in present}}
