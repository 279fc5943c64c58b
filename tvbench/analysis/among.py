"""Figures of chosen languages alone: results and printed figures, less what was not asked for. Knows results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from tvbench.analysis.entries import RunEntry
from tvbench.analysis.language_columns import meant_by
from tvbench.analysis.leaderboard import GROUPS, languages_of
from tvbench.analysis.published import PublishedFigure
from tvbench.runs.answered import languages_called
from tvbench.types import TaskResult


def entries_among(entries: Sequence[RunEntry], names: Sequence[str]) -> list[RunEntry]:
    """The same with the parts of the languages that are meant. Raises UsageError for one that no result has."""
    check_languages_of([entry.result for entry in entries], names)
    among = [replace(entry, result=_among(entry.result, names)) for entry in entries]
    return [entry for entry in among if entry.result.breakdowns.get("language")]


def results_among(results: Mapping[str, TaskResult], names: Sequence[str]) -> dict[str, TaskResult]:
    """The results of a run in the same way, by task."""
    check_languages_of(list(results.values()), names)
    among = {task: _among(result, names) for task, result in results.items()}
    return {task: result for task, result in among.items() if result.breakdowns.get("language")}


def _among(result: TaskResult, names: Sequence[str]) -> TaskResult:
    parts = result.breakdowns.get("language", {})
    meant = {code: parts[code] for name in names for code in meant_by(name, parts)}
    return replace(result, breakdowns={**result.breakdowns, "language": meant})


def figures_among(figures: Sequence[PublishedFigure], names: Sequence[str]) -> list[PublishedFigure]:
    """Those of the languages that are meant, and of groups of languages."""
    codes = {figure.part for figure in figures} - GROUPS
    meant = {code for name in names for code in meant_by(name, codes)}
    return [figure for figure in figures if figure.part in meant | GROUPS]


def check_languages_of(results: Sequence[TaskResult], names: Sequence[str]) -> None:
    """Raises UsageError for a language that none of the results has."""
    sets = [languages_of(result) for result in results]
    for name in names if results else ():
        if not any(meant_by(name, codes) for codes in sets):
            languages_called([name], {code for codes in sets for code in codes}, "these runs")
