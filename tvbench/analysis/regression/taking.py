"""A run folder's standing: scored anew from its stored answers, diagnosed, and taken apart by item.

Knows runs, metrics and the diagnosis; no file of a baseline and no test.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from tvbench import __version__
from tvbench.analysis.assess import Scored, scored_tasks
from tvbench.analysis.diagnosed import diagnosed
from tvbench.analysis.diagnosis import language_id
from tvbench.analysis.diagnosis.language_check import check_languages
from tvbench.analysis.diagnosis.language_id import Identifiers
from tvbench.analysis.regression.standing import (
    DIAGNOSES,
    FAILED,
    MERGED,
    MISSING,
    SCORED,
    UNSCORED,
    Measure,
    Part,
    RunStanding,
    TaskStanding,
    key_of,
)
from tvbench.errors import UsageError
from tvbench.runs.signature import read_signature
from tvbench.runs.store import RunFolder
from tvbench.scoring.guards import cluster_of, figure_of, is_for, statistics_of
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import metric
from tvbench.types import Item

WRONG_LANGUAGE = "wrong_language"
FACTS = ("label", "unit", "better")


def standing_of(run: RunFolder, *, salt: int = 0, tasks: Iterable[str] = ()) -> RunStanding:
    """The whole run, or some of its tasks. Raises UsageError for a damaged folder, or a task that it has not."""
    identifiers = language_id.load()
    names = tuple(name for name in DIAGNOSES if identifiers is not None or name != WRONG_LANGUAGE)
    taken = partial(_task, identifiers=identifiers, names=names, salt=salt)
    found = {name: taken(task) for name, task in scored_tasks(run, tasks).items()}
    return RunStanding(run.name, run.manifest().label, __version__, found, names, salt, str(run.path))


def measure_of(task: Scored) -> Metric:
    """The metric that a task is held by: its headline metric."""
    name = task.entry.primary
    return task.metrics.get(name) or metric(name, task.facts)


def _task(task: Scored, *, identifiers: Identifiers | None, names: Sequence[str], salt: int) -> TaskStanding:
    measured, name = measure_of(task), task.entry.task
    seen = _seen(task, identifiers)
    clusters: dict[str, int] = {}
    by_language: dict[str, list[Item]] = {}
    for item in task.items.values():
        clusters.setdefault(cluster_of(item), len(clusters))
        by_language.setdefault(item.language, []).append(item)
    parts: dict[str, Part] = {}
    resampled = True
    for language, items in sorted(by_language.items()):
        items = sorted(items, key=lambda item: (key_of(name, item.id, salt), item.id))
        rows = _rows(measured, language, items, task)
        resampled = resampled and rows is not None
        parts[language] = Part(
            np.array([key_of(name, item.id, salt) for item in items], dtype=np.uint32),
            np.array([clusters[cluster_of(item)] for item in items], dtype=np.int64),
            (states := _states(measured, items, task)),
            np.full((len(items), 1), np.nan) if rows is None else rows,
            np.array([_bits(seen.get(item.id, ()), names) for item in items], dtype=np.uint16),
            _figure(measured, language, items, states, task),
            tuple(item.id for item in items),
            {item.id: text for item in items if (text := task.text(item.id)) is not None},
        )
    facts = {fact: getattr(measured, fact) for fact in FACTS}
    definition = task.definitions.get(measured.id, measured.definition)
    measure = Measure(measured.id, definition, facts, measured.of_corpora, resampled, measured)
    return TaskStanding(name, read_signature(task.signature), measure, parts)


# ── What became of each item ──────────────────────────────────────────────────────────────────────


def _states(measured: Metric, items: Sequence[Item], task: Scored) -> np.ndarray:
    return np.array([_state(measured, item, task) for item in items], dtype=np.uint8)


def _state(measured: Metric, item: Item, task: Scored) -> int:
    answer = task.answers.get(item.id)
    if item.problem is not None or (answer is not None and answer.error is not None):
        return FAILED
    if answer is None:
        return MISSING
    if measured.of_corpora:
        return SCORED if answer.text is not None and is_for(measured, item) else UNSCORED
    return UNSCORED if _value(measured, item, task) is None else SCORED


def _value(measured: Metric, item: Item, task: Scored) -> float | None:
    score = task.scores.get(item.id)
    return None if score is None or score.unscored else score.values.get(measured.id)


def _rows(measured: Metric, language: str, items: Sequence[Item], task: Scored) -> np.ndarray | None:
    """A value, or statistics, of each item; None where the metric has neither."""
    if not measured.of_corpora:
        values = [_value(measured, item, task) for item in items]
        return np.array([[np.nan if value is None else value] for value in values], dtype=float)
    used = [number for number, item in enumerate(items) if _state(measured, item, task) == SCORED]
    if not used:
        return np.full((len(items), 1), np.nan)
    try:
        found = statistics_of(measured, language, [(items[n], task.text(items[n].id) or "") for n in used])
    except UsageError:
        return None
    if found is None:
        return None
    rows = np.full((len(items), found.shape[1]), np.nan)
    rows[used] = found
    return rows


def _figure(measured: Metric, language: str, items: Sequence[Item], states: np.ndarray, task: Scored) -> float | None:
    used = [item for item, state in zip(items, states, strict=True) if state == SCORED]
    if not used:
        return None
    if measured.of_corpora:
        figure = figure_of(measured, language, [(item, task.text(item.id) or "") for item in used])
        return None if figure is None else figure.value
    values = [value for item in used if (value := _value(measured, item, task)) is not None]
    return float(np.mean(values)) if values else None


# ── What is seen of each answer ───────────────────────────────────────────────────────────────────


def _seen(task: Scored, identifiers: Identifiers | None) -> Mapping[str, Iterable[str]]:
    """Diagnoses by item."""
    found = diagnosed(task, identifiers)
    seen: dict[str, set[str]] = {}
    for code, answers in found.answers.items():
        for answer in answers:
            seen[answer.item.id] = {MERGED.get(cause, cause) for cause in answer.seen}
        if identifiers is not None:
            for name in check_languages(answers, found.items[code], identifiers).alarms:
                seen[name].add(WRONG_LANGUAGE)
    for name, item in task.items.items():
        response = task.answers.get(name)
        if item.problem is not None or (response is not None and response.error is not None):
            seen[name] = {"failed"}
    return seen


def _bits(seen: Iterable[str], names: Sequence[str]) -> int:
    return sum(1 << names.index(cause) for cause in seen if cause in names)
