"""What a run would cost, for people and for scripts: `--dry-run`."""

from __future__ import annotations

from pathlib import Path

from tvbench.registry.prices import GIVE, Price
from tvbench.report.cost import count_text, dollars_text, time_text
from tvbench.report.table import Cell, Column, Table
from tvbench.runs.estimate import Estimate, TaskEstimate, estimate
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
    Column("asked", "to ask"),
    Column("tokens_in", "tokens in"),
    Column("tokens_out", "tokens out"),
    Column("seconds", "time"),
    Column("dollars", "dollars"),
)


def estimate_table(found: Estimate) -> Table:
    """The estimate for people."""
    rows = [_row(task, found) for task in found.tasks]
    notes = (
        f"{found.requests:,} requests to ask, {found.kept:,} answered before"
        + (f", {found.reused:,} in other runs (reused)" if found.reused else "")
        + f"; run folder {found.run}",
        *([] if not found.requests else [_about_tokens(found)]),
        f"time: {'unknown' if found.seconds is None else _duration(found.seconds)} ({found.basis})",
        f"dollars: {_about_dollars(found)}",
        f"disk: about {found.bytes / 1e6:.1f} MB for requests and answers; no picture is copied",
        "nothing was asked: this was --dry-run",
    )
    return Table(COLUMNS, tuple(rows), notes=notes)


def _row(task: TaskEstimate, found: Estimate) -> tuple[Cell, ...]:
    counts = (Cell(f"{count:,}", value=count) for count in (task.items, task.media, task.asked))
    return (
        Cell(task.task),
        Cell(task.protocol),
        *counts,
        _tokens(task.tokens_in, task.tokens_in_range),
        _tokens(task.tokens_out, task.tokens_out_range),
        Cell("–" if task.seconds is None else time_text(task.seconds), value=task.seconds),
        Cell(_dollars(task.dollars, task.dollars_range), value=task.dollars),
    )


def _tokens(guess: int, ends: tuple[int, int]) -> Cell:
    """`12 k (8.1 k–30 k)`."""
    between = f" ({count_text(ends[0])}–{count_text(ends[1])})" if _apart(ends) else ""
    return Cell(f"{count_text(guess)}{between}", value=guess)


def _dollars(guess: float | None, ends: tuple[float, float] | None) -> str:
    if guess is None or ends is None or not _apart(ends):
        return dollars_text(guess)
    return f"{dollars_text(guess)} ({dollars_text(ends[0])}–{dollars_text(ends[1])})"


def _apart(ends: tuple[float, float]) -> bool:
    """Whether it says something that they are two."""
    return ends[1] > 1.05 * ends[0]


def _about_tokens(found: Estimate) -> str:
    sources: dict[str, list[str]] = {}
    for task in found.tasks:
        if task.asked:
            sources.setdefault(task.measured_in, []).append(task.task)
    said = [
        f"{', '.join(tasks)} {f'as measured in {source}' if source else 'guessed (at least–at most)'}"
        for source, tasks in sources.items()
    ]
    return f"tokens: {'; '.join(said)}"


def _about_dollars(found: Estimate) -> str:
    if found.price is None:
        return f"no price is known: {GIVE}"
    price = Price(**found.price)
    if found.dollars is None:
        return f"not known, for the time is not ({price})"
    return f"about {_dollars(found.dollars, found.dollars_range)} at {price}"


def _duration(seconds: float) -> str:
    return f"about {time_text(seconds)}"
