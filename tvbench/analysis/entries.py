"""What stands in a leaderboard: every task result of every run, and how one figure is taken out of it.

A damaged run is a warning, never the end: the others are shown. Imports no engine and no task file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tvbench.analysis.by_language import mean_of, share_pictures
from tvbench.analysis.language_columns import JOINT
from tvbench.errors import TvbenchError, UsageError
from tvbench.runs.manifest import AskedTask, RunAsk
from tvbench.runs.run_facts import RunFacts, facts_of, index_of
from tvbench.runs.signature import comparable, current, is_current
from tvbench.runs.store import RunFolder
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import BUILTIN, NOTHING, Declared, metric, metric_id
from tvbench.types import RANDOM_WEIGHTS, Figure, TaskResult

ALL, MULTI = "all", "multi"
"""The mean over all languages, and over all but English. Any other part is a language code, several joined by JOINT, or
a paper's own group."""
LOGGED_FAMILIES = {name: known.family for known in BUILTIN.values() for name in known.logged}
"""Metrics of foreign logs that may fill a column where we have no figure of our own."""


@dataclass(frozen=True, slots=True)
class RunEntry:
    """One task of one run. `date` is when the run was last touched (ISO, sortable); `folder` is where it lies, `asked`
    how the task was asked for."""

    model: str
    revision: str
    engine: str
    run: str
    date: str
    result: TaskResult
    folder: RunFolder | None = None
    asked: AskedTask = AskedTask("")


@dataclass(frozen=True, slots=True)
class Shown:
    """A figure chosen for a cell. `group`: cells of equal group may be ranked against each other; `logged`: copied
    from a foreign log."""

    metric: Metric
    value: Figure
    group: str
    logged: bool = False


def untrained(revision: str) -> bool:
    """Whether a model's revision says that nobody trained it."""
    return revision.startswith(RANDOM_WEIGHTS)


def load_entries(results: Path) -> tuple[list[RunEntry], list[str]]:
    """Every scored task below `results`, and warnings for the runs that cannot be shown."""
    entries: list[RunEntry] = []
    warnings: list[str] = []
    index = index_of(results)
    for run in index.runs:
        try:
            entries.extend(_entries_of(run, facts_of(run, index)))
        except NotScored:
            warnings.append(f"{run.name} is not scored yet: `tvbench score {run.path}`")
        except (TvbenchError, LookupError, TypeError, ValueError, AttributeError) as error:
            warnings.append(f"{run.name} is left out: {error}")
    index.keep()
    return entries, warnings


class NotScored(Exception):
    """The run has no result.json yet."""


def _entries_of(run: RunFolder, facts: RunFacts) -> list[RunEntry]:
    if facts.results is None:
        raise NotScored
    asked = {entry.task: entry for entry in RunAsk({"tasks": facts.asked}).tasks}
    return [
        RunEntry(
            model=facts.model,
            revision=facts.revision,
            engine=facts.engine,
            run=run.name,
            date=facts.date,
            result=result,
            folder=run,
            asked=asked.get(result.task, AskedTask(result.task)),
        )
        for result in _signed_as_today(run, facts.results)
    ]


def _signed_as_today(run: RunFolder, results: Sequence[TaskResult]) -> Sequence[TaskResult]:
    """Results of an earlier tvbench with signatures that can be compared with today's: its prompts are hashed anew."""
    if all(is_current(result.signature) for result in results):
        return results
    try:
        items = [item for _, item in run.requests()]
    except UsageError:
        return results
    return [
        replace(result, signature=current(result.signature, [item for item in items if item.task == result.task]))
        for result in results
    ]


def family(name: str, declared: Declared = NOTHING) -> str:
    """Metrics of one family may share a column, with a footnote: all accuracies are one family."""
    return metric(name, declared).family


def metric_meant(entries: Iterable[RunEntry], name: str) -> str:
    """The id of the metric that a person calls `name`: one of the results' own, by id or label, or one that is known.
    Raises UsageError with the nearest names."""
    own = {own_name: metric_of(entry.result, own_name) for entry in entries for own_name in entry.result.metrics}
    labels = {shown.label.casefold(): name_of for name_of, shown in own.items()}
    return name if name in own else labels.get(name.strip().casefold()) or metric_id(name)


def metric_of(result: TaskResult, name: str) -> Metric:
    """The metric of a figure in `result`, with what its run declares of it."""
    return metric(name, result.declared)


def metrics_of(result: TaskResult, part: str) -> Mapping[str, Figure]:
    """The figures of one part of a result; empty where it has none."""
    if part == ALL:
        return result.metrics
    if part == MULTI:
        return result.macro_without_english
    if JOINT in part:
        return _means(result, codes_of(part))
    found = result.breakdowns.get("language", {}).get(part)
    return found.metrics if found is not None else {}


def codes_of(part: str) -> tuple[str, ...]:
    """The languages of a part that is some of them together."""
    return tuple(part.split(JOINT))


def _means(result: TaskResult, codes: Sequence[str]) -> dict[str, Figure]:
    """The mean over the languages of those metrics that each of them has."""
    languages = result.breakdowns.get("language", {})
    if not all(code in languages for code in codes):
        return {}
    names = [name for name in languages[codes[0]].metrics if all(name in languages[code].metrics for code in codes)]
    return {
        name: mean_of([languages[code].metrics[name] for code in codes], shared=share_pictures(result, name))
        for name in names
    }


def shown_figure(result: TaskResult, part: str, kind: str, asked: str | None) -> Shown | None:
    """The figure for a column of family `kind`: the metric `asked` for where there is one, else the task's primary one,
    else what a foreign log said."""
    wanted = asked or result.primary
    meant = metric_of(result, wanted)
    if meant.family == kind:
        found = metrics_of(result, part).get(wanted)
        if found is not None and math.isfinite(found.value):
            return Shown(meant, found, group_of(result, wanted))
    if asked is None or family(asked) == asked == kind:
        return _logged_figure(result, part, kind)
    return None


def group_meant(result: TaskResult, kind: str, asked: str | None) -> str | None:
    """The group of our own figures in columns of family `kind`; None where it has none of that kind."""
    wanted = asked or result.primary
    return group_of(result, wanted) if family(wanted, result.declared) == kind else None


def group_of(result: TaskResult, name: str) -> str:
    """What figures of the metric must share to be ranked against each other: the signature, and the metric; one that is
    not tvbench's own with its definition, since two tasks may call two things `mine`."""
    facts = result.declared.get(name)
    if not facts:
        return f"{comparable(result.signature)}|metric:{name}"
    definition = str(facts.get("definition") or result.metric_signatures.get(name, ""))
    named = " ".join(filter(None, (name, definition.replace("|", "/").replace(":", "="))))
    return f"{comparable(result.signature)}|metric:{named}"


def logged_families(result: TaskResult) -> list[str]:
    """The columns that a log's own figures may fill."""
    names = {name for log in _logs(result) for name in log["metrics"]}
    return sorted({LOGGED_FAMILIES[name] for name in names if name in LOGGED_FAMILIES})


def _logged_figure(result: TaskResult, part: str, kind: str) -> Shown | None:
    if any(family(name, result.declared) == kind for name in result.metrics):
        return None
    values: list[float] = []
    samples = 0
    for log in _logs(result):
        language = log.get("language", "en")
        if part not in (ALL, language) and not (part == MULTI and language != "en"):
            continue
        for name, value in log["metrics"].items():
            if LOGGED_FAMILIES.get(name) == kind:
                values.append(float(value))
                samples += int(log.get("samples", 0))
    if not values:
        return None
    # Foreign harnesses log fractions; our own BLEU-like metrics never come this way.
    mean = sum(values) / len(values)
    return Shown(metric(kind), Figure(mean, samples), f"logged|{result.task}|{kind}", logged=True)


def _logs(result: TaskResult) -> Iterable[Mapping[str, Any]]:
    return [log for log in result.logged.values() if isinstance(log, Mapping) and "metrics" in log]
