"""Ours next to the published figures, cell by cell, as a table and as records. Computes nothing."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tvbench.analysis.reproduction import DIFFERS, Reproduced
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.metrics import label

COLUMNS = (
    Column("table", "table", "left"),
    Column("row", "row", "left"),
    Column("task", "task", "left"),
    Column("part", "part", "left"),
    Column("published", "published"),
    Column("ours", "ours"),
    Column("difference", "difference"),
    Column("interval", "95 % interval"),
    Column("metric", "our metric", "left"),
    Column("verdict", "verdict", "left"),
    Column("comparable", "comparable", "left"),
    Column("others", "other scorers", "left"),
)


# ── Why two figures may not be set against each other ─────────────────────────────────────────────


# ── Showing it ────────────────────────────────────────────────────────────────────────────────────


def reproduction_table(cells: Sequence[Reproduced]) -> Table:
    """A line a cell; the reasons below, numbered."""
    notes: dict[str, int] = {}
    rows: list[tuple[Cell, ...]] = []
    rules: list[int] = []
    block = None
    for cell in cells:
        if block not in (None, (cell.figure.table.number, cell.figure.model)):
            rules.append(len(rows))
        block = cell.figure.table.number, cell.figure.model
        rows.append(_row(cell, notes))
    legend = ["published: as printed; ours minus published, in points; interval: of our figure, clustered by picture"]
    legend.extend(f"[{number}] {text}" for text, number in notes.items())
    return Table(COLUMNS, tuple(rows), notes=tuple(legend), labels=4, rules=tuple(rules))


def _row(cell: Reproduced, notes: dict[str, int]) -> tuple[Cell, ...]:
    figure = cell.figure
    numbers = " ".join(f"[{notes.setdefault(text, len(notes) + 1)}]" for text in (*cell.against, *cell.remarks))
    answer = "–" if cell.ours is None and not cell.against else "no" if cell.against else "yes"
    others = ", ".join(f"{label(name)} {value:.1f}" for name, value in cell.others.items())
    return (
        Cell(figure.table.number),
        Cell(figure.model),
        Cell(figure.task),
        Cell(figure.part),
        Cell(f"{figure.value:.1f}", value=figure.value),
        _number(cell.ours, "{:.1f}"),
        _number(cell.difference, "{:+.1f}", bold=cell.verdict == DIFFERS),
        Cell("–", value="") if cell.low is None or cell.high is None else Cell(f"{cell.low:+.1f} to {cell.high:+.1f}"),
        Cell(("logged " if cell.logged else "") + label(cell.metric) if cell.metric else "–"),
        Cell(cell.verdict),
        Cell(f"{answer} {numbers}".strip()),
        Cell(others or "–"),
    )


def _number(value: float | None, form: str, *, bold: bool = False) -> Cell:
    if value is None or not math.isfinite(value):
        return Cell("–", value="")
    return Cell(form.format(value), value=value, bold=bold)


def records(cells: Sequence[Reproduced]) -> list[dict[str, object]]:
    """The cells for scripts."""
    return [_record(cell) for cell in cells]


def _record(cell: Reproduced) -> dict[str, object]:
    return {
        "table": cell.figure.table.number,
        "row": cell.figure.model,
        "task": cell.figure.task,
        "part": cell.figure.part,
        "metric": cell.figure.metric,
        "published": cell.figure.value,
        "ours": cell.ours,
        "our_metric": cell.metric,
        "logged": cell.logged,
        "difference": cell.difference,
        "interval": None if cell.low is None else [cell.low, cell.high],
        "others": dict(cell.others),
        "verdict": cell.verdict,
        "comparable": cell.ours is not None and not cell.against,
        "against": list(cell.against),
        "remarks": list(cell.remarks),
        "run": cell.run,
    }
