"""What a run would cost, for people and for scripts: `--dry-run`."""

from __future__ import annotations

from pathlib import Path

from tvbench.report.table import Cell, Column, Table
from tvbench.runs.estimate import Estimate, estimate
from tvbench.runs.plan import Plan


def print_estimate(plan: Plan, results: Path, *, as_json: bool, fresh: bool = False, reuse: bool = True) -> int:
    """Show the estimate on stdout. Returns the exit code."""
    from dataclasses import asdict

    from tvbench.report.table import show

    found = estimate(plan, results, fresh=fresh, reuse=reuse)
    show([estimate_table(found)], "json" if as_json else "table", asdict(found))
    return 0


COLUMNS = (
    Column("task", "task", "left"),
    Column("protocol", "protocol", "left"),
    Column("items", "items"),
    Column("media", "pictures\nand clips"),
    Column("tokens_in", "tokens in\n(guess)"),
    Column("tokens_out", "tokens out\n(guess)"),
)


def estimate_table(found: Estimate) -> Table:
    """The estimate for people."""
    rows = tuple(
        (
            Cell(task.task),
            Cell(task.protocol),
            *(Cell(f"{n:,}", value=n) for n in (task.items, task.media, task.tokens_in, task.tokens_out)),
        )
        for task in found.tasks
    )
    when = "unknown" if found.seconds is None else _duration(found.seconds)
    notes = (
        f"{found.requests:,} requests to ask, {found.kept:,} answered before"
        + (f", {found.reused:,} in other runs (reused)" if found.reused else "")
        + f"; run folder {found.run}",
        f"time: {when} ({found.basis})",
        f"disk: about {found.bytes / 1e6:.1f} MB for requests and answers; no picture is copied",
        "nothing was asked: this was --dry-run",
    )
    return Table(COLUMNS, rows, notes=notes)


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"about {seconds:.0f} s"
    if seconds < 5400:
        return f"about {seconds / 60:.0f} min"
    return f"about {seconds / 3600:.1f} h"
