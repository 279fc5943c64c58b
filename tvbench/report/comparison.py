"""Runs side by side: languages first, each difference with its interval, and in words what can be said and what cannot.

A screen has a line a language, and a column (or four, for one run alone) for what is set against the first run. A file
has a line a difference, with everything that is known. Knows comparisons; no run folder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from textwrap import wrap
from typing import Any

from tvbench.analysis.compare import TaskComparison
from tvbench.report.comparison_lines import MEAN, Compared, ComparedLine, Found, comparison_lines, said, short
from tvbench.report.comparison_notes import reading_notes, task_notes, unseen
from tvbench.report.damage import named
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.metric import Metric

HEAD = 14
"""How wide a run's name is at the head of a column, before it goes on in the next line."""
NOTHING = Cell("–", value="", empty=True)

# ── The screen ────────────────────────────────────────────────────────────────────────────────────


def comparison_screen(pairs: Compared, names: Sequence[str], resamples: int, *, whole: bool = False) -> Table:
    """A line a language. `names` are the first run's and then one of each pair; `whole` adds p, the number of items,
    and the smallest difference that could have been seen."""
    rows: list[tuple[Cell, ...]] = []
    rules: list[int] = []
    columns = _columns(names, whole=whole)
    for task, lines in comparison_lines(pairs).items():
        rules.append(len(rows))
        head = (Cell(task, bold=True), Cell(lines[0].metric.label, faint=True))
        rows.append((*head, *[Cell()] * (len(columns) - len(head))))
        rows.extend(_screen_row(line, lines, whole=whole) for line in lines)
    notes = (*reading_notes(pairs, names, resamples), *task_notes(pairs, names))
    return Table(columns, tuple(rows), notes=notes, rules=tuple(rules[1:]))


def _columns(names: Sequence[str], *, whole: bool) -> tuple[Column, ...]:
    columns = [Column("language", "", "left"), Column("first", _head(names[0]))]
    for number, name in enumerate(names[1:]):
        if len(names) == 2:
            columns += [Column("second", _head(name)), Column("difference", "difference\n[95 % interval]", "left")]
            columns.append(Column("verdict", "verdict", "left"))
        else:
            columns.append(Column(f"run {number}", f"{_head(name)}\nscore, difference [95 %]", "left"))
        if whole:
            whose = "" if len(names) == 2 else f"{_head(name)}\n"
            columns += [Column(f"p {number}", f"{whose}p"), Column(f"items {number}", f"{whose}items")]
            columns.append(Column(f"detectable {number}", f"{whose}smallest\ndetectable"))
    return tuple(columns)


def _head(name: str) -> str:
    parts = name.replace(", ", ",\n").split("\n")
    whole = partial(wrap, width=HEAD, break_long_words=False, break_on_hyphens=False)
    return "\n".join(line for part in parts for line in whole(part)) or "–"


def _screen_row(line: ComparedLine, lines: Sequence[ComparedLine], *, whole: bool) -> tuple[Cell, ...]:
    bold, name = line.language == MEAN, MEAN if line.language == MEAN else named(line.language)
    cells = [Cell(f"  {name}", bold=bold), NOTHING if line.first is None else Cell(line.metric.text(line.first))]
    for number, side in enumerate(line.sides):
        if len(line.sides) == 1 and side is not None:
            cells += [Cell(line.metric.text(side.second)), Cell(_difference(line.metric, side), bold=bold)]
            cells.append(Cell(short(side, line.metric), bold=bold))
        elif side is None:
            cells.append(NOTHING)
        else:
            cells.append(Cell(_in_one(number, line, lines), bold=bold))
        if whole:
            cells += [NOTHING] * 3 if side is None else _details(side, line.metric)
    return tuple(cells)


def _in_one(number: int, line: ComparedLine, lines: Sequence[ComparedLine]) -> str:
    """Score, difference and verdict in one cell, each below those of the other lines."""
    texts = [
        (one.metric.text(side.second), _difference(one.metric, side), short(side, one.metric))
        for one in (line, *lines)
        if (side := one.sides[number]) is not None
    ]
    score, difference = (max(len(text[place]) for text in texts) for place in (0, 1))
    return f"{texts[0][0]:>{score}}  {texts[0][1]:<{difference}}  {texts[0][2]}"


def _difference(metric: Metric, side: Found) -> str:
    text = metric.text(side.difference, sign=True)
    return (
        text if side.interval is None else f"{text} [{', '.join(metric.text(it, sign=True) for it in side.interval)}]"
    )


def _details(side: Found, metric: Metric) -> list[Cell]:
    p, detectable = side.adjusted, side.detectable
    return [
        NOTHING if p is None else Cell(p_text(p), value=p),
        Cell(f"{side.items:,}", value=side.items),
        NOTHING if detectable is None else Cell(metric.text(detectable), value=detectable),
    ]


def p_text(p: float) -> str:
    """Four digits; what is smaller is said to be."""
    return f"{p:.4f}" if p >= 0.0001 else "<0.0001"


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────


def comparison_table(pairs: Compared, names: Sequence[str], resamples: int) -> Table:
    """A line a difference, with everything that is known: for Markdown and LaTeX."""
    several = len(pairs) > 1
    rows: list[tuple[Cell, ...]] = []
    rules: list[int] = []
    for lines in comparison_lines(pairs).values():
        rules.append(len(rows))
        rows.extend(
            _file_row(line, side, name if several else "")
            for line in lines
            for name, side in zip(names[1:], line.sides, strict=True)
            if side is not None
        )
    columns = (
        Column("task", "task", "left"),
        Column("language", "language", "left"),
        Column("metric", "metric", "left"),
        *([Column("run", "run", "left")] if several else []),
        Column("first", names[0]),
        Column("second", "score" if several else names[1]),
        Column("difference", "difference"),
        Column("interval", "95 % interval"),
        Column("p", "p"),
        Column("n", "items"),
        Column("detectable", "smallest\ndetectable"),
        Column("verdict", "verdict", "left"),
    )
    detectable = (
        "smallest detectable: a true difference of that size is certain in 80 % of such data; equal: no item differs"
    )
    notes = (*reading_notes(pairs, names, resamples), detectable, *unseen(pairs, names), *task_notes(pairs, names))
    return Table(columns, tuple(rows), notes=notes, labels=2, rules=tuple(rules[1:]))


def _file_row(line: ComparedLine, side: Found, name: str) -> tuple[Cell, ...]:
    bold, shown = line.language == MEAN, line.metric
    limits = NOTHING if side.interval is None else Cell(" to ".join(shown.text(it, sign=True) for it in side.interval))
    return (
        Cell(line.task, bold=bold),
        Cell(MEAN if bold else named(line.language), bold=bold),
        Cell(shown.label),
        *([Cell(name)] if name else []),
        Cell(shown.text(side.first), value=side.first),
        Cell(shown.text(side.second), value=side.second),
        Cell(shown.text(side.difference, sign=True), value=side.difference, bold=bold),
        limits,
        *_details(side, shown),
        Cell(said(side, shown)),
    )


def comparison_records(found: Sequence[TaskComparison]) -> list[dict[str, Any]]:
    """For JSON: everything that is known; an infinite interval has no limits."""
    records = [asdict(task) for task in found]
    for task in records:
        for comparison in (task["overall"], *(part["comparison"] for part in task["languages"])):
            if comparison["needed"] is not None:
                comparison.update(low=None, high=None)
    return records
