"""Figures of chosen languages alone: results and printed figures, less what was not asked for. Knows results."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tvbench.analysis.entries import RunEntry
from tvbench.analysis.language_columns import meant_by
from tvbench.analysis.leaderboard import GROUPS, languages_of
from tvbench.analysis.published import PublishedFigure
from tvbench.runs.answered import languages_called


def entries_among(entries: Sequence[RunEntry], names: Sequence[str]) -> list[RunEntry]:
    """The same with the parts of the languages that are meant. Raises UsageError for one that no result has."""
    check_languages_of(entries, names)
    found: list[RunEntry] = []
    for entry in entries:
        parts = entry.result.breakdowns.get("language", {})
        meant = {code: parts[code] for name in names for code in meant_by(name, parts)}
        if meant:
            found.append(
                replace(entry, result=replace(entry.result, breakdowns={**entry.result.breakdowns, "language": meant}))
            )
    return found


def figures_among(figures: Sequence[PublishedFigure], names: Sequence[str]) -> list[PublishedFigure]:
    """Those of the languages that are meant, and of groups of languages."""
    codes = {figure.part for figure in figures} - GROUPS
    meant = {code for name in names for code in meant_by(name, codes)}
    return [figure for figure in figures if figure.part in meant | GROUPS]


def check_languages_of(entries: Sequence[RunEntry], names: Sequence[str]) -> None:
    """Raises UsageError for one that no result has."""
    sets = [languages_of(entry.result) for entry in entries]
    for name in names if entries else ():
        if not any(meant_by(name, codes) for codes in sets):
            languages_called([name], {code for codes in sets for code in codes}, "these runs")
