"""From a run folder to its figures: reads items and answers, scores, writes scores.jsonl and result.json.

Needs no engine, no data and no task file, so `tvbench score` works anywhere the folder is. What judges and COMET said
earlier lies in the folder too, and is joined. Imported runs come through here too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from tvbench.graders.comet.record import side_scores as comet_scores
from tvbench.graders.judge.record import side_scores as judge_scores
from tvbench.runs.answered import Answered, answered
from tvbench.runs.checking import read_contents
from tvbench.runs.store import RunFolder
from tvbench.scoring import score_items, summarise
from tvbench.types import Score, SideScores, TaskResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Scored(Answered):
    """One task of a run with its scores by item id; `graded` is what judges and COMET said."""

    scores: Mapping[str, Score]
    graded: tuple[SideScores, ...] = ()

    @property
    def definitions(self) -> dict[str, str]:
        """The signatures of what judges and COMET said, by metric."""
        return {side.metric: side.definition for side in self.graded}


def scored(run: RunFolder, task: Answered) -> Scored:
    """`task` of `run`, scored anew from its stored answers."""
    graded = tuple(side_scores(run, task))
    scores = score_items(list(task.items.values()), task.answers, graded)
    mine = {one.name: getattr(task, one.name) for one in fields(Answered)}
    return Scored(**mine, scores={score.item: score for score in scores}, graded=graded)


def scored_tasks(run: RunFolder, tasks: Iterable[str] = (), languages: Iterable[str] = ()) -> dict[str, Scored]:
    """The tasks of a whole run, as `answered` has them, each scored anew. Raises UsageError for a damaged folder."""
    return {name: scored(run, task) for name, task in answered(run, tasks, languages).items()}


def assess(run: RunFolder) -> list[TaskResult]:
    """Score every task of `run` and write the figures down.

    Raises UsageError for a damaged folder, StoreError when it cannot be written.
    """
    contents = read_contents(run)
    results: list[TaskResult] = []
    scores: dict[str, Iterable[Score]] = {}
    for name, asked in contents.tasks.items():
        task = scored(run, asked)
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


def result_of(task: Scored) -> TaskResult:
    """The figures of one task."""
    entry = task.entry
    result = summarise(
        entry.task,
        entry.protocol,
        entry.primary,
        task.signature,
        list(task.items.values()),
        task.answers,
        list(task.scores.values()),
        entry.metrics,
    )
    return replace(
        result,
        warnings=entry.warnings + result.warnings,
        logged=entry.logged,
        metric_signatures={**result.metric_signatures, **task.definitions},
    )


def side_scores(run: RunFolder, task: Answered) -> list[SideScores]:
    """What judges and COMET have said of the run's answers to one task. Raises UsageError for a damaged folder."""
    return [*judge_scores(run, task.entry.task, task.replies), *comet_scores(run, task.entry.task, task.replies)]
