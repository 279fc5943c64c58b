"""What `tvbench leaderboard` prints: a screen a sheet, the runs' names, and what to type next. Knows screens."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tvbench.analysis.board_lines import BoardSheet
from tvbench.registry.places import default_results
from tvbench.report.board_screen import Beside, board_screen
from tvbench.report.screens import folded, room
from tvbench.report.table import show

MOST_RUNS = 12
"""As many runs' names stand below a table."""
STEP_WIDTH = 18

Say = Callable[..., None]
"""Writes lines on stdout."""


def print_board(
    sheets: Sequence[BoardSheet],
    results: Path,
    say: Say,
    form: str = "table",
    beside: Sequence[Beside] = (),
    then: Callable[[], None] | None = None,
) -> None:
    """`form` is `table` or another of report/table.py, never folded; `then` prints what follows the tables."""
    width = room() if form == "table" else None
    runs: dict[tuple[str, str], None] = {}
    for sheet in sheets:
        screen = board_screen(sheet, width, beside)
        runs |= dict.fromkeys(screen.runs)
        show([screen.table._replace(notes=tuple(folded(screen.table.notes, width)))], form)
    if then is not None:
        then()
    if form != "table" or not sheets:
        return
    if runs:
        say("runs", *_runs(list(runs)), "")
    say(*_next(sheets, results, width))


def _runs(runs: Sequence[tuple[str, str]]) -> Iterator[str]:
    """A line a run, whole, so that it can be copied."""
    for name, run in runs[:MOST_RUNS]:
        yield f"  {run}" if run.startswith(name) else f"  {run}  ({name})"
    if len(runs) > MOST_RUNS:
        yield f"  and {len(runs) - MOST_RUNS} more: --format csv has them"


def _next(sheets: Sequence[BoardSheet], results: Path, width: int | None) -> list[str]:
    """The next commands, each on one line."""
    elsewhere = "" if results.resolve() == default_results().resolve() else f" --results {shlex.quote(str(results))}"
    own = [run for sheet in sheets for line in sheet.lines for run in line.runs]
    names = [shlex.quote(run) for run in dict.fromkeys(own)]
    steps = {"why": f"tvbench explain {names[0]}{elsewhere}"} if names else {}
    if len(names) > 1:
        steps["item by item"] = f"tvbench compare {names[1]} {names[0]}{elsewhere}"
    if any(column.whole for sheet in sheets for column in sheet.columns[:1]):
        steps["by language"] = f"tvbench leaderboard --languages{elsewhere}"
    steps["everything"] = f"tvbench leaderboard --all{elsewhere}"
    if width is None or all(STEP_WIDTH + len(command) <= width for command in steps.values()):
        return [f"{words:<{STEP_WIDTH}}{command}" for words, command in steps.items()]
    return [line for words, command in steps.items() for line in (words, f"  {command}")]
