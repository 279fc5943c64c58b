"""From a run folder to its figures: reads items and answers, scores, writes scores.jsonl and result.json.

`assess` does so in one pass and holds no item (one_pass.py); `scored_tasks` is for who needs them all, to compare runs.

Needs no engine, no data and no task file, so `tvbench score` works anywhere the folder is. What judges and COMET said
earlier lies in the folder too, and is joined. Imported runs come through here too.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import cached_property

from tvbench.analysis.one_pass import TaskPass
from tvbench.analysis.replies import RunReplies, Seeing
from tvbench.analysis.task_scores import facts_kept, score_task
from tvbench.runs.answered import Answered, answered
from tvbench.runs.checking import RunReading
from tvbench.runs.manifest import TaskEntry
from tvbench.runs.store import RunFolder
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import BUILTIN, Declared
from tvbench.types import Item, Response, Score, SideScores, Task, TaskResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored(Answered):
    """One task of a run with its scores by item id; `graded` is what judges and COMET said. `metrics` by id are those
    that were computed, `facts` those of metrics that are not tvbench's own."""

    scores: Mapping[str, Score]
    graded: tuple[SideScores, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    facts: Declared = field(default_factory=dict)

    @property
    def definitions(self) -> dict[str, str]:
        """The signatures of what is not tvbench's own: metrics of others, and what judges and COMET said, by metric."""
        others = {
            metric.id: metric.definition
            for metric in self.metrics.values()
            if metric.id not in BUILTIN and metric.definition
        }
        return others | {side.metric: side.definition for side in self.graded}


def scored(run: RunFolder, task: Answered, tasks: Iterable[Task] = ()) -> Scored:
    """`task` of `run`, scored anew from its stored answers. `tasks` with functions of their own are at hand already."""
    found = score_task(run, task, tasks)
    mine = {one.name: getattr(task, one.name) for one in fields(Answered)}
    return Scored(
        **mine,
        scores={score.item: score for score in found.scores},
        graded=found.sides,
        metrics={metric.id: metric for metric in found.metrics},
        facts=facts_kept(task.entry, found.metrics),
    )


def scored_tasks(run: RunFolder, tasks: Iterable[str] = (), languages: Iterable[str] = ()) -> dict[str, Scored]:
    """The tasks of a whole run, as `answered` has them, each scored anew. Raises UsageError for a damaged folder."""
    return {name: scored(run, task) for name, task in answered(run, tasks, languages).items()}


def assess(run: RunFolder, tasks: Sequence[Task] = ()) -> list[TaskResult]:
    """Score every task of `run` and write the figures down. `tasks` are at hand already, with functions of their own.

    Raises UsageError for a damaged folder, StoreError when it cannot be written.
    """
    return assess_and_see(run, tasks)[0]


def assess_and_see(run: RunFolder, tasks: Sequence[Task] = ()) -> tuple[list[TaskResult], RunReplies]:
    """The same with what was seen of the answers on the way. One pass over items and answers: they are not held."""
    reading, seeing = RunReading(run), Seeing(run)
    graded = _Replies(run)
    passes = {name: TaskPass(run, _Task(entry, graded), tasks) for name, entry in reading.entries.items()}
    for asked in reading:
        passes[asked.item.task].add(asked.item, asked.response)
        seeing.add(asked)
    replies, checked = seeing.done(reading), reading.checked()
    warnings = reading.warnings(checked)
    reading.answers = None
    for one in passes.values():
        one.end()
    results = [one.result(checked[name]) for name, one in passes.items()]
    if warnings and results:
        place = next((place for place, result in enumerate(results) if not result.counts.complete), 0)
        counts = results[place].counts
        results[place] = replace(
            results[place],
            counts=replace(counts, damaged=counts.damaged + reading.damaged),
            warnings=results[place].warnings + warnings,
        )
    run.write_scored(results, (piece for one in passes.values() for piece in one.lines.pieces()))
    return results, replies


class _Replies:
    """The answers of a run by task, read for whoever grades them: judges and COMET need all of a task at once."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run

    @cached_property
    def by_task(self) -> Mapping[str, list[tuple[Item, Response]]]:
        found: defaultdict[str, list[tuple[Item, Response]]] = defaultdict(list)
        for asked in RunReading(self.run):
            if asked.response is not None:
                found[asked.item.task].append((asked.item, asked.response))
        return found


@dataclass(frozen=True, slots=True)
class _Task:
    """One of them, read when it is asked for."""

    entry: TaskEntry
    of_run: _Replies

    @property
    def replies(self) -> list[tuple[Item, Response]]:
        return self.of_run.by_task.get(self.entry.task, [])
