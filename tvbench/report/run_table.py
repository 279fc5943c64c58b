"""One run as a table: a line a task, then the details that a reader asks for next."""

from __future__ import annotations

from collections.abc import Sequence

from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.names import label, percent_shown
from tvbench.types import NEEDS_JUDGE, RANDOM_WEIGHTS, Counts, Metric, TaskResult

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
    if untrained(revision):
        notes.append("the model has random weights: its scores are at chance or below and mean nothing")
    return Table(COLUMNS, tuple(rows), notes=tuple(notes), rules=tuple(rules[1:]))


def untrained(revision: str) -> bool:
    """Whether a model's revision says that nobody trained it."""
    return revision.startswith(RANDOM_WEIGHTS)


def _task_rows(result: TaskResult) -> list[tuple[Cell, ...]]:
    names = sorted(result.metrics, key=lambda name: name != result.primary)
    if not names:
        return [(Cell(result.task), Cell("nothing scored", faint=True), *[Cell()] * (len(COLUMNS) - 2))]
    return [
        (
            Cell(result.task if number == 0 else ""),
            Cell(label(name), bold=name == result.primary),
            figure(name, result.metrics[name], bold=name == result.primary),
            figure(name, result.macro_without_english.get(name)),
            figure(name, result.micro.get(name)),
            Cell(str(result.metrics[name].n), value=result.metrics[name].n),
        )
        for number, name in enumerate(names)
    ]


def figure(name: str, metric: Metric | None, *, bold: bool = False) -> Cell:
    """A metric in the unit that people read: fractions as percent, BLEU and chrF++ as they are."""
    if metric is None:
        return Cell()
    scale = 100 if percent_shown(name) else 1
    text = f"{metric.value * scale:.1f}"
    wide = text if metric.stderr is None else f"{text} ±{metric.stderr * scale:.1f}"
    return Cell(text, wide, metric.value, bold=bold)


NEXT_STEP = {"judge": "tvbench judge RUN --judge openai:NAME@URL"}
"""What gives a figure that is not there yet."""
MOST_REASONS = 3


def _notes(result: TaskResult) -> list[str]:
    notes = [f"{result.task}: {text}" for text in counts_text(result.counts)]
    if result.primary not in result.metrics and result.primary.partition(":")[0] in NEXT_STEP:
        step = NEXT_STEP[result.primary.partition(":")[0]]
        notes.append(f"{result.task}: no {label(result.primary)} yet, the figure of protocol {result.protocol}: {step}")
    elif NEEDS_JUDGE in result.counts.reasons and "judge" not in result.metrics:
        notes.append(f"{result.task}: open answers wait for a judge: {NEXT_STEP['judge']}")
    return notes + [f"{result.task}: {warning}" for warning in result.warnings]


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
