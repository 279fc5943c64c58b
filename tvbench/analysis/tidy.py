"""Tidy rows: one row a figure, with its interval, number of items, unit and signature, whatever it is a figure of.

Knows results and metrics; knows no file and no way to show a table.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tvbench.scoring.intervals import ends
from tvbench.scoring.metrics import metric as metric_of
from tvbench.types import Figure, TaskResult

ALL, MULTI = "all", "multi"
"""The mean over all languages, and over all but English."""


@dataclass(frozen=True, slots=True)
class FigureRow:
    """One figure of one task in one run. `value`, and its 95 % interval from `low` to `high`, are in `unit`: a fraction
    is 0 to 1, points are 0 to 100. `language` is a code, `all` (the mean over languages) or `multi` (all but English);
    `n` items entered it; `better` says which end is good. Without a run: printed in a paper, in percent. In a
    leaderboard, among figures of equal signature, it may have ranks from `rank_low` (1: best) to `rank_high`; the
    intervals of all of them hold at once, in 95 %. They are there for the metric that is ranked."""

    run: str
    model: str
    task: str
    protocol: str
    language: str
    metric: str
    value: float
    low: float | None
    high: float | None
    n: int | None
    unit: str
    better: str
    signature: str
    rank_low: int | None = None
    rank_high: int | None = None


def figure_rows(result: TaskResult, run: str, model: str) -> Iterator[FigureRow]:
    """Every figure of one task: each metric, the primary one first, of the mean and then of each language. Figures that
    were only copied from a log stand under the log's own names."""
    for metric in sorted(result.metrics, key=lambda name: name != result.primary):
        for language, figures in _parts(result):
            if metric in figures and math.isfinite(figures[metric].value):
                yield _row(result, run, model, language, metric, figures[metric])
    if not result.metrics:
        yield from _logged_rows(result, run, model)


def _parts(result: TaskResult) -> list[tuple[str, Mapping[str, Figure]]]:
    languages = result.breakdowns.get("language", {})
    parts = [(ALL, result.metrics)]
    if "en" in languages and len(languages) > 1:
        parts.append((MULTI, result.macro_without_english))
    return parts + [(code, part.metrics) for code, part in languages.items()]


def _row(result: TaskResult, run: str, model: str, language: str, metric: str, figure: Figure) -> FigureRow:
    shown = metric_of(metric, result.declared)
    low, high = ends(figure) or (None, None)
    return FigureRow(
        run,
        model,
        result.task,
        result.protocol,
        language,
        metric,
        figure.value,
        low,
        high,
        figure.n,
        shown.unit,
        shown.better,
        result.signature,
    )


def _logged_rows(result: TaskResult, run: str, model: str) -> Iterator[FigureRow]:
    for log in result.logged.values():
        metrics = log.get("metrics") if isinstance(log, Mapping) else None
        for name, value in (metrics or {}).items():
            if isinstance(value, int | float) and math.isfinite(value) and "stderr" not in name:
                yield FigureRow(
                    run,
                    model,
                    result.task,
                    result.protocol,
                    str(log.get("language", ALL)),
                    name,
                    float(value),
                    None,
                    None,
                    log.get("samples"),
                    "",
                    "higher",
                    result.signature,
                )
