"""A baseline file as a table, a line a task and language, and as plain values."""

from __future__ import annotations

from typing import Any

from tvbench.analysis.regression.file import BaselineFile, head_of
from tvbench.report.check import language_name
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.metric import from_facts

COLUMNS = (
    Column("task", "task", "left"),
    Column("language", "language", "left"),
    Column("metric", "metric", "left"),
    Column("figure", "figure"),
    Column("items", "items"),
    Column("pictures", "pictures"),
    Column("seen", "seen of the answers", "left"),
)


def baseline_tables(baseline: BaselineFile) -> list[Table]:
    """One table; who answered stands below."""
    head = head_of(baseline)
    rows = []
    for task in head["tasks"]:
        metric = from_facts(task["metric"]["id"], task["metric"])
        for one in task["languages"]:
            figure = one["figure"]
            rows.append(
                (
                    Cell(task["task"]),
                    Cell(language_name(one["language"])),
                    Cell(metric.label),
                    Cell("–" if figure is None else metric.text(figure), value=figure),
                    Cell(f"{one['items']:,}", value=one["items"]),
                    Cell(f"{one['pictures']:,}", value=one["pictures"]),
                    Cell(", ".join(f"{name} {count:,}" for name, count in one["diagnoses"].items())),
                )
            )
    notes = [f"{head['run']}: {head['model']}, written by tvbench {head['tvbench']}"]
    notes += [f"{task['task']}: {'|'.join(f'{k}:{v}' for k, v in task['signature'].items())}" for task in head["tasks"]]
    notes += [f"policy: {head['policy']}"] if head["policy"] else []
    return [Table(COLUMNS, tuple(rows), notes=tuple(notes), labels=2)]


def baseline_records(baseline: BaselineFile) -> dict[str, Any]:
    """The head of the file, without the packed items."""
    head = head_of(baseline)
    return {**head, "tasks": [{k: v for k, v in t.items() if k not in ("packed", "layout")} for t in head["tasks"]]}
