"""What earlier runs of the same model tell of one that is not begun: its pace, and the tokens of each task.

The newest run that asked a task in the same way counts; its pace counts only by the same engine. What cannot be read is
passed over. Reads only. Knows the store.
"""

from __future__ import annotations

import math
import statistics
from array import array
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from tvbench.errors import TvbenchError
from tvbench.runs.guesses import Range
from tvbench.runs.manifest import AskedTask, Manifest, RunAsk
from tvbench.runs.plan import Plan
from tvbench.runs.spent import amount, spent_on
from tvbench.runs.store import RunFolder, find_runs
from tvbench.types import Response

LEAST = 2
"""Answers from which something is learnt."""


@dataclass(frozen=True, slots=True)
class TokensMeasured:
    """Tokens of one question, as `run` measured them: the mean, and 95 % of it either way."""

    run: str
    tokens_in: Range
    tokens_out: Range


def rate(plan: Plan, results: Path) -> tuple[float, str] | None:
    """Requests a second of the newest earlier run of this model and engine that noted its speed."""
    engine = RunAsk(plan.ask).engine_name
    for manifest, run in _runs(plan, results):
        speed = amount(manifest.speed.get("requests_per_second"))
        if manifest.ask.engine_name == engine and speed:
            return speed, run.name
    return None


def measured(plan: Plan, results: Path) -> Mapping[str, TokensMeasured]:
    """By task, where it was asked before in the same way."""
    wanted = {one.task: _way(one) for one in RunAsk(plan.ask).tasks}
    found: dict[str, TokensMeasured] = {}
    for manifest, run in _runs(plan, results):
        tasks = [one.task for one in manifest.ask.tasks if wanted.get(one.task) == _way(one) and one.task not in found]
        if tasks:
            found |= _of_run(run, tasks)
    return found


def _runs(plan: Plan, results: Path) -> Iterator[tuple[Manifest, RunFolder]]:
    """Those of the same model, the newest first."""
    model = RunAsk(plan.ask).model
    found = []
    for run in find_runs(results):
        try:
            manifest = run.manifest()
        except TvbenchError:
            continue
        if manifest.ask.model == model:
            found.append((manifest, run))
    yield from sorted(found, key=lambda pair: pair[0].updated, reverse=True)


def _way(asked: AskedTask) -> tuple[object, ...]:
    """What of how a task is asked moves the number of tokens."""
    return asked.protocol, asked.split, asked.media, repr(sorted(asked.settings.items()))


def _of_run(run: RunFolder, tasks: list[str]) -> dict[str, TokensMeasured]:
    counts = {task: (array("q"), array("q")) for task in tasks}
    try:
        for task, answer in _answers(run):
            part = spent_on(answer)
            if task in counts and part.counted:
                for column, count in zip(counts[task], (part.tokens_in, part.tokens_out), strict=True):
                    column.append(count)
    except (TvbenchError, OSError, ValueError):
        return {}
    return {
        task: TokensMeasured(run.name, _mean(incoming), _mean(outgoing))
        for task, (incoming, outgoing) in counts.items()
        if len(incoming) >= LEAST
    }


def _answers(run: RunFolder) -> Iterator[tuple[str, Response]]:
    """The answer to each item that has one, with its task; none is held."""
    index = run.index([])
    for number, task in run.numbers_in(index):
        yield task, index.at(number)


def _mean(counts: Iterable[int]) -> Range:
    values = list(counts)
    middle = statistics.fmean(values)
    half = 2 * statistics.stdev(values) / math.sqrt(len(values))
    return Range(max(0.0, middle - half), middle, middle + half)
