"""From a run folder to its figures: reads items and answers, scores, writes scores.jsonl and result.json.

Needs no engine, no data and no task file, so `tvbench score` works anywhere the folder is. What judges and COMET said
earlier lies in the folder too, and is joined. Imported runs come
through here too. The manifest's `tasks` list says, for each task: task, protocol, primary, signature, warnings,
and for an imported log `logged`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tvbench.checking import read_contents
from tvbench.comet.record import side_scores as comet_scores
from tvbench.judging.record import side_scores as judge_scores
from tvbench.scoring import score_items, summarise
from tvbench.signature import current
from tvbench.store import RunFolder
from tvbench.types import Item, Response, Score, SideScores, TaskResult


def assess(run: RunFolder) -> list[TaskResult]:
    """Score every task of `run` and write the figures down.

    Raises UsageError for a damaged folder, StoreError when it cannot be written.
    """
    contents = read_contents(run)
    results: list[TaskResult] = []
    scores: dict[str, list[Score]] = {}
    for entry in run.manifest()["tasks"]:
        name = entry["task"]
        asked = contents.tasks[name]
        sides = side_scores(run, name, asked.pairs, contents.responses)
        result, scores[name] = assess_task(entry, asked.pairs, contents.responses, sides)
        results.append(_counted(result, asked.expected, asked.damaged, asked.warnings))
    if contents.warnings and results:
        place = next((place for place, result in enumerate(results) if not result.counts.complete), 0)
        results[place] = _counted(results[place], 0, contents.damaged, contents.warnings)
    run.write_result(results, scores)
    return results


def _counted(result: TaskResult, expected: int, damaged: int, warnings: Sequence[str]) -> TaskResult:
    """`result` with what the run folder should hold of it, and what is wrong with that."""
    counts = replace(result.counts, expected=max(expected, result.counts.expected),
                     damaged=result.counts.damaged + damaged)
    return replace(result, counts=counts, warnings=result.warnings + tuple(warnings))


def assess_task(
    entry: Mapping[str, Any], pairs: list[tuple[str, Item]], responses: Mapping[str, Response],
    sides: Sequence[SideScores] = (),
) -> tuple[TaskResult, list[Score]]:
    """Score one task. `pairs` are (key, item); several items may share a key, and so an answer."""
    answers = {item.id: responses[key] for key, item in pairs if key in responses}
    items = [item for _, item in pairs]
    scores = score_items(items, answers, sides)
    result = summarise(
        entry["task"], entry["protocol"], entry["primary"], current(entry["signature"], items), items, answers,
        scores, tuple(entry.get("metrics", ())),
    )
    warnings = tuple(entry.get("warnings", ())) + result.warnings
    signatures = {**result.metric_signatures, **{side.metric: side.definition for side in sides}}
    return replace(result, warnings=warnings, logged=entry.get("logged", {}), metric_signatures=signatures), scores


def side_scores(
    run: RunFolder, task: str, pairs: Sequence[tuple[str, Item]], responses: Mapping[str, Response]
) -> list[SideScores]:
    """What judges and COMET have said of the run's answers to one task. Raises UsageError for a damaged folder."""
    answers = [(item, responses[key]) for key, item in pairs if key in responses]
    return [*judge_scores(run, task, answers), *comet_scores(run, task, answers)]
