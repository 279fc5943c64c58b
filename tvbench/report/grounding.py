"""`tvbench grounding` as tables: a line a kind of item, by language, seeing / blind, beside chance."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from tvbench.analysis.grounding import GroundingRow, TaskGrounding
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import metric
from tvbench.scoring.paired import Comparison

LEFT_OUT = "*"
"""Marks a language that the model's card does not list."""


def grounding_tables(found: Sequence[TaskGrounding], trained: Collection[str]) -> list[Table]:
    """A table a task. `trained`: the languages of the model's card; none where it has no card."""
    return [_table(task, trained) for task in found if task.rows]


MEANING = (
    "seeing / blind: with and without the picture; chance: an option, or a sense, at random; intervals over pictures "
    "and clips"
)


def _table(task: TaskGrounding, trained: Collection[str]) -> Table:
    languages = sorted(
        {language for row in task.rows for language in row.languages},
        key=lambda code: (is_left_out(code, trained), code != "en", code),
    )
    columns = (
        Column("kind", "kind", "left"),
        Column("metric", "metric", "left"),
        Column("chance", "chance"),
        Column("all", "mean over\nlanguages"),
        Column("difference", "owed to pictures\n(95 % interval)"),
        *(Column(code, code + LEFT_OUT * is_left_out(code, trained)) for code in languages),
        Column("n", "items"),
    )
    notes = [MEANING]
    left = [code for code in languages if is_left_out(code, trained)]
    if left:
        notes.append(f"marked {LEFT_OUT}: languages that the model's card does not list: {', '.join(left)}")
    if task.left_out:
        notes.append(f"{task.left_out} items left out: not answered in both runs")
    rows = tuple(_line(row, languages) for row in task.rows)
    return Table(columns, rows, f"{task.task} ({task.protocol})", tuple(notes), labels=2)


def is_left_out(code: str, trained: Collection[str]) -> bool:
    """Whether the model has a card that does not list this language."""
    return bool(trained) and code not in trained


def _line(row: GroundingRow, languages: Sequence[str]) -> tuple[Cell, ...]:
    shown = metric(row.metric)
    chance = Cell("–", value="") if row.chance is None else Cell(shown.text(row.chance, decimals=0), value=row.chance)
    overall = row.overall
    change = shown.text(overall.difference, sign=True, decimals=0)
    if overall.interval is None:
        limits = f"{overall.needed} pictures needed"
    else:
        limits = " to ".join(shown.text(limit, sign=True, decimals=0) for limit in overall.interval)
    difference = Cell(f"{change} ({limits})", value=overall.difference)
    return (
        Cell(row.kind),
        Cell(shown.label),
        chance,
        _both(overall, shown, bold=True),
        difference,
        *(
            _both(row.languages[code], shown) if code in row.languages else Cell("–", value="", empty=True)
            for code in languages
        ),
        Cell(str(overall.items), value=overall.items),
    )


def _both(comparison: Comparison, shown: Metric, *, bold: bool = False) -> Cell:
    return Cell(f"{shown.text(comparison.second, decimals=0)} / {shown.text(comparison.first, decimals=0)}", bold=bold)


def grounding_records(found: Sequence[TaskGrounding], trained: Collection[str]) -> list[dict[str, Any]]:
    """For JSON: a record a task, kind, metric and language (None: the mean over languages), fractions as they are."""
    return [
        {
            "task": task.task,
            "protocol": task.protocol,
            "kind": row.kind,
            "metric": row.metric,
            "language": language,
            "left_out": language is not None and is_left_out(language, trained),
            "seeing": comparison.second,
            "blind": comparison.first,
            "chance": row.chance,
            "difference": comparison.difference,
            **dict(zip(("low", "high"), comparison.interval or (None, None), strict=True)),
            "p": comparison.p,
            "items": comparison.items,
        }
        for task in found
        for row in task.rows
        for language, comparison in [(None, row.overall), *row.languages.items()]
    ]
