"""One run as a table: a line a task, then the details that a reader asks for next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tvbench.analysis.entries import untrained
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.intervals import ends
from tvbench.scoring.metric import INTERVALS, Metric
from tvbench.scoring.metrics import metric
from tvbench.types import NEEDS_JUDGE, Counts, Figure, TaskResult

COLUMNS = (
    Column("task", "task", "left"),
    Column("metric", "metric", "left"),
    Column("value", "mean over\nlanguages"),
    Column("without_english", "without\nEnglish"),
    Column("pooled", "pooled"),
    Column("n", "items"),
)


def run_table(results: Sequence[TaskResult], revision: str = "") -> Table:
    """Every metric of every task, the primary one first, and what was not answered or not scored below. `revision` is
    the model's."""
    rows: list[tuple[Cell, ...]] = []
    rules: list[int] = []
    notes: list[str] = []
    for result in results:
        rules.append(len(rows))
        rows.extend(_task_rows(result))
        notes.extend(_notes(result))
    if any(ends(figure) for result in results for figure in result.metrics.values()):
        notes.insert(0, INTERVALS)
    if untrained(revision):
        notes.append("the model has random weights: its scores are at chance or below and mean nothing")
    return Table(COLUMNS, tuple(rows), notes=tuple(notes), rules=tuple(rules[1:]))


def _task_rows(result: TaskResult) -> list[tuple[Cell, ...]]:
    names = sorted(result.metrics, key=lambda name: name != result.primary)
    if not names:
        return [(Cell(result.task), Cell("nothing scored", faint=True), *[Cell()] * (len(COLUMNS) - 2))]
    return [_metric_row(result, name, first=number == 0) for number, name in enumerate(names)]


def _metric_row(result: TaskResult, name: str, *, first: bool) -> tuple[Cell, ...]:
    shown, bold = metric(name, result.declared), name == result.primary
    return (
        Cell(result.task if first else ""),
        Cell(shown.label, bold=bold),
        figure_cell(shown, result.metrics[name], bold=bold),
        figure_cell(shown, result.macro_without_english.get(name)),
        figure_cell(shown, result.micro.get(name)),
        Cell(str(result.metrics[name].n), value=result.metrics[name].n),
    )


def figure_cell(shown: Metric, figure: Figure | None, *, bold: bool = False) -> Cell:
    """A figure in the unit that people read, with its interval where there is room."""
    if figure is None:
        return Cell()
    text = shown.text(figure.value)
    wide = f"{text} {shown.halves(figure)}".rstrip()
    return Cell(text, wide, figure.value, bold=bold)


MOST_REASONS = 3


def task_notes(result: TaskResult) -> list[str]:
    """What a screen of headline figures says of one task: not the answers that wait for a judge, which are counted for
    all tasks together, and no flags, which stand with their languages."""
    counts = replace(result.counts, flags={}, unscored=result.counts.unscored - _for_a_judge(result))
    reasons = {reason: count for reason, count in counts.reasons.items() if reason != NEEDS_JUDGE}
    shown = metric(result.primary, result.declared)
    lower = [f"{result.task}: {shown.label}: lower is better"] * (shown.better == "lower")
    texts = [f"{result.task}: {text}" for text in counts_text(replace(counts, reasons=reasons))]
    return [*texts, *_next_steps(result)[: result.primary not in result.metrics], *lower, *_warned(result)]


def _for_a_judge(result: TaskResult) -> int:
    return result.counts.reasons.get(NEEDS_JUDGE, 0)


def _notes(result: TaskResult) -> list[str]:
    notes = [f"{result.task}: {text}" for text in counts_text(result.counts)] + _next_steps(result)
    lower = [shown.label for name in result.metrics if (shown := metric(name, result.declared)).better == "lower"]
    notes += [f"{result.task}: {', '.join(lower)}: lower is better"] if lower else []
    return notes + _warned(result)


def _warned(result: TaskResult) -> list[str]:
    return [f"{result.task}: {warning}" for warning in result.warnings]


def _next_steps(result: TaskResult) -> list[str]:
    notes: list[str] = []
    primary, judge = metric(result.primary, result.declared), metric("judge")
    if result.primary not in result.metrics and primary.next_step:
        notes.append(
            f"{result.task}: no {primary.label} yet, the figure of protocol {result.protocol}: {primary.next_step}"
        )
    elif NEEDS_JUDGE in result.counts.reasons and judge.id not in result.metrics:
        notes.append(f"{result.task}: open answers wait for a judge: {judge.next_step}")
    return notes


def counts_text(counts: Counts) -> list[str]:
    """What is missing from a figure, in words; nothing when everything was answered and scored."""
    missing = counts.expected - counts.answered - counts.failed
    texts: list[str] = []
    if counts.failed or missing:
        texts.append(
            f"INCOMPLETE: of {counts.expected} items {counts.answered} were answered, {counts.failed} failed, "
            f"{missing} were not asked"
        )
    if counts.damaged:
        texts.append(f"INCOMPLETE: {counts.damaged} lines of requests.jsonl are not as they were written")
    if counts.unscored:
        reasons = [f"{count} {reason}" for reason, count in list(counts.reasons.items())[:MOST_REASONS]]
        why = f" ({', '.join(reasons)})" if reasons else ""
        texts.append(f"{counts.unscored} {'answer is' if counts.unscored == 1 else 'answers are'} unscored{why}")
    if counts.flags:
        texts.append(", ".join(f"{count} {flag}" for flag, count in sorted(counts.flags.items())))
    return texts
