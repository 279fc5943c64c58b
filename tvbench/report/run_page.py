"""Everything that `run` and `score` print at their end: what is incomplete, the screen of figures, and what to type.

Knows sheets, results and tables; prints nothing but through report/table.py.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence

from tvbench.analysis.run_sheet import RunSheet
from tvbench.report.run_screen import header, signs, tables
from tvbench.report.run_table import run_table, task_notes
from tvbench.report.screens import folded, room
from tvbench.report.table import Table, show
from tvbench.scoring.metrics import metric
from tvbench.types import TaskResult

Say = Callable[..., None]
"""Writes lines on stdout."""
FIRST = 3
"""As many languages are named in the command of the leaderboard."""
STEP_WIDTH = 18
COVERED = "the figures cover the others"
"""How a warning ends that says again what is incomplete."""


def print_page(
    sheet: RunSheet, results: Sequence[TaskResult], say: Say, *, more: Iterable[str] = (), whole: bool = False
) -> None:
    """`more` are lines that follow what is to be typed about the figures (costs, say); `whole`: every metric too."""
    width = room()
    missing, others = _notes(results)
    if missing:
        say(*folded(missing, width))
        say(*_again(sheet, width), "")
    if sheet.untrained:
        say(*folded(["the model has random weights: its scores are at chance or below and mean nothing"], width), "")
    say(*header(sheet, width), "")
    for table in tables(sheet, width):
        show([table._replace(notes=tuple(folded(table.notes, width)))], "table")
    below = folded([*signs(sheet), *others, *more], width)
    if sheet.open_answers:
        below += [f"open answers: {sheet.open_answers:,} wait for a judge", f"    {_judge(sheet)}"]
    say(*below, *[""] * bool(below))
    if whole:
        show([everything(results)], "table")
    say(*_next(sheet, width, whole=whole))


def everything(results: Sequence[TaskResult]) -> Table:
    """Every metric of every task; what is said of them stands above already."""
    return run_table(results)._replace(notes=tuple(run_table(results).notes[:1]), title="all metrics")


def _notes(results: Sequence[TaskResult]) -> tuple[list[str], list[str]]:
    """What is incomplete, and what else a reader must know."""
    said = [note for result in results for note in task_notes(result)]
    said = [note for note in said if not note.endswith(COVERED)]
    missing = [note for note in said if "INCOMPLETE" in note]
    return missing, [note for note in said if note not in missing]


def _again(sheet: RunSheet, width: int | None) -> list[str]:
    """Who asks what is missing; a command is one line, so that it can be copied. `score` and `import batch` end with
    this screen too, and ask nothing."""
    if sheet.command:
        return [f"the same command again asks only what is missing: {sheet.command}"]
    return folded(["the command that began the run, given again, asks only what is missing"], width)


def _judge(sheet: RunSheet) -> str:
    return metric("judge").next_step.replace("RUN", shlex.quote(sheet.name))


def _next(sheet: RunSheet, width: int | None, *, whole: bool) -> list[str]:
    """The next commands, each on one line, so that it can be copied."""
    columns = {column.key: column for block in sheet.blocks for column in block.languages.columns}
    codes = ",".join(code for column in list(columns.values())[:FIRST] for code in column.codes)
    run, elsewhere = shlex.quote(sheet.name), f" --results {shlex.quote(sheet.results)}" if sheet.results else ""
    board = "tvbench leaderboard" + elsewhere + (f" --languages {codes}" if codes else "")
    steps = {"why these scores": f"tvbench explain {run}", "against others": board}
    if not whole:
        steps["every metric"] = f"tvbench score {run} --all"
    fits = width is None or all(STEP_WIDTH + len(command) <= width for command in steps.values())
    lines = [
        (f"{words:<{STEP_WIDTH}}{command}",) if fits else (words, f"  {command}") for words, command in steps.items()
    ]
    return [part for line in lines for part in line]
