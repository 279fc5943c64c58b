"""From a run folder to its figures: reads items and answers, scores, writes scores.jsonl and result.json.

Needs no engine, no data and no task file, so `tvbench score` works anywhere the folder is. What judges and COMET said
earlier lies in the folder too, and is joined. Imported runs come through here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

from tvbench.analysis.task_scores import failure_warnings, not_computed, score_task
from tvbench.runs.answered import Answered, answered
from tvbench.runs.checking import read_contents
from tvbench.runs.signature import read_signature
from tvbench.runs.store import RunFolder
from tvbench.scoring import summarise
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import BUILTIN, Declared
from tvbench.types import Score, SideScores, Task, TaskResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored(Answered):
    """One task of a run with its scores by item id; `graded` is what judges and COMET said. `metrics` by id are those
    that were computed, `facts` those of metrics that are not tvbench's own, `said` what a reader must be told."""

    scores: Mapping[str, Score]
    graded: tuple[SideScores, ...] = ()
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    facts: Declared = field(default_factory=dict)
    said: tuple[str, ...] = ()

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
        facts=found.facts,
        said=found.warnings,
    )


def scored_tasks(run: RunFolder, tasks: Iterable[str] = (), languages: Iterable[str] = ()) -> dict[str, Scored]:
    """The tasks of a whole run, as `answered` has them, each scored anew. Raises UsageError for a damaged folder."""
    return {name: scored(run, task) for name, task in answered(run, tasks, languages).items()}


def assess(run: RunFolder, tasks: Sequence[Task] = ()) -> list[TaskResult]:
    """Score every task of `run` and write the figures down. `tasks` are at hand already, with functions of their own.

    Raises UsageError for a damaged folder, StoreError when it cannot be written.
    """
    contents = read_contents(run)
    results: list[TaskResult] = []
    scores: dict[str, Iterable[Score]] = {}
    for name, asked in contents.tasks.items():
        task = scored(run, asked, tasks)
        scores[name] = task.scores.values()
        results.append(_counted(result_of(task), asked.expected, asked.damaged, asked.warnings))
    if contents.warnings and results:
        place = next((place for place, result in enumerate(results) if not result.counts.complete), 0)
        results[place] = _counted(results[place], 0, contents.damaged, contents.warnings)
    run.write_result(results, scores)
    return results


def _counted(result: TaskResult, expected: int, damaged: int, warnings: Sequence[str]) -> TaskResult:
    """`result` with what the run folder should hold of it, and what is wrong with that."""
    counts = replace(
        result.counts, expected=max(expected, result.counts.expected), damaged=result.counts.damaged + damaged
    )
    return replace(result, counts=counts, warnings=result.warnings + tuple(warnings))


def thinking_warnings(task: Answered) -> Iterator[str]:
    """What a reader must know of replies that hold thinking: it is not scored, and may have left no room to answer."""
    answers = task.answers.values()
    thought = sum(bool(response.reasoning) for response in answers)
    cut = sum(response.ran_out_thinking for response in answers)
    if cut:
        yield f"{cut} of {len(answers)} replies ran out while thinking: --thinking-tokens N gives that N of its own"
    if thought and "thinking" not in read_signature(task.entry.signature):
        yield (
            f"{thought} of {len(answers)} replies begin with thinking, which is not scored; the signature does not say "
            "so, because neither the model card nor --thinking-tokens does"
        )


def result_of(task: Scored) -> TaskResult:
    """The figures of one task."""
    entry = task.entry
    items, scores, metrics = list(task.items.values()), list(task.scores.values()), list(task.metrics.values())
    result = summarise(entry.task, entry.protocol, entry.primary, task.signature, items, task.answers, scores, metrics)
    warnings = (
        *entry.warnings,
        *result.warnings,
        *task.said,
        *failure_warnings(metrics, scores),
        *thinking_warnings(task),
        *not_computed(entry, result, items, scores),
    )
    graded = {side.metric: side.definition for side in task.graded}
    return replace(
        result,
        warnings=warnings,
        logged=entry.logged,
        declared=task.facts,
        metric_signatures={**result.metric_signatures, **graded},
    )
