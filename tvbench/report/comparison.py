"""Two runs side by side: a line a task and language, and in words what can be said and what cannot."""

from __future__ import annotations

from collections.abc import Sequence

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
    """All tasks; the macro average of each first, then its languages with Holm-adjusted p."""
    rows: list[tuple[Cell, ...]] = []
    rules: list[int] = []
    notes = [
        f"first: {first}; second: {second}; difference: second minus first",
        f"p: approximate randomisation, intervals: bootstrap, both over pictures and clips, {resamples:,} draws; p of "
        "languages adjusted by Holm; smallest detectable: at 80 % power",
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


def _row(
    task: TaskComparison, language: str, comparison: Comparison | Plain, p: float | None, *, bold: bool = False
) -> tuple[Cell, ...]:
    shown = from_facts(task.metric, task.facts)
    low, high, detectable = comparison.low, comparison.high, comparison.detectable
    nothing = Cell("–", value="")
    return (
        Cell(task.task, bold=bold),
        Cell(language, bold=bold),
        Cell(shown.label),
        Cell(shown.text(comparison.first), value=comparison.first),
        Cell(shown.text(comparison.second), value=comparison.second),
        Cell(shown.text(comparison.difference, sign=True), value=comparison.difference, bold=bold),
        nothing
        if low is None or high is None
        else Cell(f"{shown.text(low, sign=True)} to {shown.text(high, sign=True)}"),
        nothing if p is None else Cell(f"{p:.4f}" if p >= 0.0001 else "<0.0001", value=p),
        Cell(str(comparison.items), value=comparison.items),
        nothing if detectable is None else Cell(shown.text(detectable), value=detectable),
        Cell(verdict(comparison, p, shown)),
    )
