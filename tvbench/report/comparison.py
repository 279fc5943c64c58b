"""Two runs side by side: a line a task and language, and in words what can be said and what cannot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from tvbench.analysis.compare import Plain, TaskComparison
from tvbench.analysis.differences import verdict
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.metric import from_facts
from tvbench.scoring.paired import Comparison

COLUMNS = (
    Column("task", "task", "left"),
    Column("language", "language", "left"),
    Column("metric", "metric", "left"),
    Column("first", "first"),
    Column("second", "second"),
    Column("difference", "difference"),
    Column("interval", "95 % interval"),
    Column("p", "p"),
    Column("n", "items"),
    Column("detectable", "smallest\ndetectable"),
    Column("verdict", "verdict", "left"),
)


def comparison_table(found: Sequence[TaskComparison], first: str, second: str, resamples: int) -> Table:
    """All tasks; the macro average of each first, then its languages, held together."""
    rows: list[tuple[Cell, ...]] = []
    rules: list[int] = []
    notes = [
        f"first: {first}; second: {second}; difference: second minus first",
        f"p and intervals: approximate randomisation of pictures and clips, {resamples:,} draws; 0 lies outside of the "
        "interval exactly where p < 0.05",
        "languages of a task: their intervals hold all at once (95 %), and p is adjusted for all of them; the macro "
        "average stands alone",
        "smallest detectable: a true difference of that size is certain in 80 % of such data; equal: no item differs",
    ]
    for task in found:
        rules.append(len(rows))
        if len(task.languages) != 1:
            rows.append(_row(task, "macro average", task.overall, task.overall.p, bold=True))
        rows.extend(_row(task, part.language, part.comparison, part.p) for part in task.languages)
        if task.not_resampled:
            notes.append(f"{task.task}: no interval and no p: {task.not_resampled}")
        if task.facts.get("better") == "lower":
            notes.append(f"{task.task}: {task.facts['label']}: lower is better")
        if task.left_out:
            notes.append(f"{task.task}: {task.left_out} items left out: not answered or not scored in both runs")
        if not task.same_signature:
            notes.append(
                f"{task.task}: the runs differ in more than who answered: the notes of `tvbench leaderboard` say how"
            )
    return Table(COLUMNS, tuple(rows), notes=tuple(notes), labels=2, rules=tuple(rules[1:]))


def comparison_records(found: Sequence[TaskComparison]) -> list[dict[str, Any]]:
    """For JSON: everything that is known; an infinite interval has no limits."""
    records = [asdict(task) for task in found]
    for task in records:
        for comparison in (task["overall"], *(part["comparison"] for part in task["languages"])):
            if comparison["needed"] is not None:
                comparison.update(low=None, high=None)
    return records


def _row(
    task: TaskComparison, language: str, comparison: Comparison | Plain, p: float | None, *, bold: bool = False
) -> tuple[Cell, ...]:
    shown = from_facts(task.metric, task.facts)
    interval, detectable = comparison.interval, comparison.detectable
    nothing = Cell("–", value="")
    return (
        Cell(task.task, bold=bold),
        Cell(language, bold=bold),
        Cell(shown.label),
        Cell(shown.text(comparison.first), value=comparison.first),
        Cell(shown.text(comparison.second), value=comparison.second),
        Cell(shown.text(comparison.difference, sign=True), value=comparison.difference, bold=bold),
        nothing if interval is None else Cell(" to ".join(shown.text(limit, sign=True) for limit in interval)),
        nothing if p is None else Cell(f"{p:.4f}" if p >= 0.0001 else "<0.0001", value=p),
        Cell(str(comparison.items), value=comparison.items),
        nothing if detectable is None else Cell(shown.text(detectable), value=detectable),
        Cell(verdict(comparison, shown)),
    )
