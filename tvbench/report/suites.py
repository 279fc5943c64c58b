"""Suites for people: what a dry run sums up, how a suite or a folder of runs stands, and the leaderboard of its runs.

Knows states and estimates; computes none.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.report.live import live_lines, state_word
from tvbench.report.table import Cell, Column, Table
from tvbench.suites.combining import variation_words
from tvbench.suites.record import RecordedRun, SuiteRecord
from tvbench.suites.states import RunState, SuiteState, TaskState

if TYPE_CHECKING:
    from tvbench.report.board import Board
    from tvbench.runs.estimate import Estimate

SHOWN_LANGUAGES = 8
"""Languages of which one line says what is missing."""


def suite_board(results: Path, record: SuiteRecord) -> Board:
    """The leaderboard of a suite's runs alone, each called by its model and what it varies; printed figures stand
    beside the tasks that they asked."""
    from tvbench.report.board import board

    found, called = board(results), {run.run: _row_name(run) for run in record.runs}
    entries = tuple(replace(entry, model=called[entry.run]) for entry in found.entries if entry.run in called)
    tasks = {entry.result.task for entry in entries}
    figures = tuple(figure for figure in found.figures if figure.task in tasks)
    return replace(found, entries=entries, figures=figures, found=len(entries))


def _row_name(run: RecordedRun) -> str:
    """As the leaderboard itself tells protocols apart."""
    return words(run.model, {name: value for name, value in run.variation.items() if name != "protocol"})


def words(model: str, variation: Mapping[str, Any]) -> str:
    """`tower-mini, protocol paper`."""
    return ", ".join([model, *variation_words(variation)])


# ── How it stands ─────────────────────────────────────────────────────────────────────────────────


def status_table(state: SuiteState) -> Table:
    """A row a run, in numbers; `status_lines` go below."""
    columns = (
        Column("model", "model", "left"),
        *([] if state.suite else [Column("tasks", "tasks", "left")]),
        Column("done", "done"),
        Column("asked", "of"),
        Column("failed", "failed"),
        Column("missing", "missing"),
        Column("state", "state", "left"),
    )
    rows = tuple(_row(run, tasks=not state.suite) for run in state.runs)
    return Table(columns, rows, title=_title(state))


def _title(state: SuiteState) -> str:
    complete = sum(run.complete for run in state.runs)
    name = f"suite {state.suite}: " if state.suite else ""
    return f"{name}{complete} of {len(state.runs)} runs complete"


def _row(run: RunState, *, tasks: bool) -> tuple[Cell, ...]:
    whole = run.total
    numbers = (whole.done, whole.asked, whole.failed, whole.missing)
    return (
        Cell(words(run.model, run.variation)),
        *([Cell(_asked(run))] if tasks else []),
        *(Cell(f"{n:,}", value=n) for n in numbers),
        Cell(_word(run)),
    )


def _asked(run: RunState) -> str:
    protocols = dict.fromkeys(task.protocol for task in run.tasks)
    return f"{' '.join(task.task for task in run.tasks)} ({', '.join(protocols)})" if run.tasks else ""


def _word(run: RunState) -> str:
    if run.going:
        return state_word(run)
    if run.problem:
        return "failed"
    if run.complete:
        return "complete"
    if run.awaited:
        return "waits for a batch"
    if not run.begun or not run.total.done:
        return "not begun"
    return "incomplete" if run.total.done < run.total.asked else "waits"


def status_lines(state: SuiteState, where: str = "") -> list[str]:
    """What is missing, run by run, and what to type next; nothing more than that for what is complete."""
    lines: list[str] = []
    for run in state.runs:
        if lacking := list(run_lines(run, where)):
            name = words(run.model, run.variation)
            lines += [name if run.run in ("", name) else f"{name}   {run.run}", *(f"  {line}" for line in lacking)]
    if state.outdated:
        lines.append(f"{state.outdated} was changed since: `tvbench run {shlex.quote(state.outdated)} --dry-run`")
    lines += [f"goes on: {command_text(command)}" for command in state.commands]
    if state.complete:
        lines.append(f"{'suite ' + state.suite if state.suite else 'everything'} is complete")
    return lines


def run_lines(run: RunState, where: str = "") -> Iterator[str]:
    """What is missing of one run, a line a task. `where` is what commands say of another folder of results."""
    if run.problem:
        yield run.problem
    yield from live_lines(run)
    if run.out:
        name = f"{shlex.quote(run.run)}{where}"
        yield f"{run.waves} of a batch: `tvbench import batch {name} FILE` takes in what came back"
    for task in run.tasks:
        if not run.begun:
            yield f"{task.task}: not begun, {task.total.asked:,} items in {_listed(list(task.languages))}"
        elif task.total.done < task.total.asked:
            yield f"{task.task}: {_lacking(task)}"
        if task.for_judge:
            yield f"{task.task}: {task.for_judge:,} open answers wait for the judge"
        if task.for_comet:
            yield f"{task.task}: {task.for_comet:,} translations wait for COMET"
        if task.open:
            hint = f"tvbench judge {shlex.quote(run.run)}{where} --judge MODEL"
            yield f"{task.task}: {task.open:,} open answers have no judge: {hint}"


def _listed(codes: Sequence[str]) -> str:
    more = len(codes) - SHOWN_LANGUAGES
    return " ".join(codes[:SHOWN_LANGUAGES]) + (f" and {more} more" if more > 0 else "")


def _lacking(task: TaskState) -> str:
    """`missing de 30, hi 4; failed fr 2`."""
    missing = [(code, one.missing) for code, one in task.languages.items() if one.missing]
    failed = [(code, one.failed) for code, one in task.languages.items() if one.failed]
    parts = [f"{word} {_counted(some)}" for word, some in (("missing", missing), ("failed", failed)) if some]
    return "; ".join(parts)


def _counted(some: Sequence[tuple[str, int]]) -> str:
    shown = ", ".join(f"{code} {count:,}" for code, count in some[:SHOWN_LANGUAGES])
    more = some[SHOWN_LANGUAGES:]
    return shown + (f" and {sum(count for _, count in more):,} in {len(more)} more" if more else "")


def command_text(command: Sequence[str]) -> str:
    """A command as it can be pasted; a call from Python as it is."""
    return command[0] if len(command) == 1 and "(" in command[0] else shlex.join(command)


def narrowed(state: SuiteState, languages: Collection[str]) -> SuiteState:
    """The same with these languages alone; tasks and runs without them are left out."""
    if not languages:
        return state
    runs: list[RunState] = []
    for run in state.runs:
        tasks = tuple(
            replace(task, languages=some)
            for task in run.tasks
            if (some := {code: one for code, one in task.languages.items() if code in languages})
        )
        if tasks or run.problem or run.about is not None:
            runs.append(replace(run, tasks=tasks))
    return replace(state, runs=tuple(runs))


# ── What it would take ────────────────────────────────────────────────────────────────────────────


def total(guesses: Iterable[Estimate]) -> dict[str, Any]:
    """All runs together. Time and dollars are unknown where those of one run are."""
    some = list(guesses)
    return {
        "requests": sum(guess.requests for guess in some),
        "kept": sum(guess.kept for guess in some),
        "reused": sum(guess.reused for guess in some),
        "tokens_in": sum(task.tokens_in for guess in some for task in guess.tasks),
        "tokens_out": sum(task.tokens_out for guess in some for task in guess.tasks),
        "seconds": _all_or_none([guess.seconds for guess in some]),
        "dollars": _all_or_none([guess.dollars for guess in some]),
        "bytes": sum(guess.bytes for guess in some),
    }


def _all_or_none(numbers: Sequence[float | None]) -> float | None:
    """Their sum; None where one of them is not known."""
    known = [number for number in numbers if number is not None]
    return sum(known) if len(known) == len(numbers) else None


def _summed(numbers: Sequence[float | None], text: Callable[[float], str]) -> str:
    """`12 min, and 2 runs not known`."""
    known = [number for number in numbers if number is not None]
    unknown = len(numbers) - len(known)
    if not known:
        return "not known"
    return text(sum(known)) + (f", and {unknown} run{'s' if unknown > 1 else ''} not known" if unknown else "")


def estimate_table(suite: str, found: Sequence[tuple[str, Estimate]]) -> Table:
    """A row a run, and the sum below."""
    from tvbench.report.cost import dollars_text, time_text

    columns = (
        Column("called", "model", "left"),
        Column("tasks", "tasks", "left"),
        Column("items", "items"),
        Column("requests", "to ask"),
        Column("kept", "answered\nbefore"),
        Column("time", "time"),
        Column("dollars", "dollars"),
        Column("run", "run", "left"),
    )
    rows = tuple(
        (
            Cell(called),
            Cell(" ".join(task.task for task in guess.tasks)),
            *(Cell(f"{n:,}", value=n) for n in (sum(task.items for task in guess.tasks), guess.requests, guess.kept)),
            Cell("?" if guess.seconds is None else time_text(guess.seconds)),
            Cell(dollars_text(guess.dollars)),
            Cell(guess.run),
        )
        for called, guess in found
    )
    whole = total([guess for _, guess in found])
    notes = (
        f"{len(found)} runs: {whole['requests']:,} requests to ask, {whole['kept']:,} answered before"
        + (f", {whole['reused']:,} in other runs (reused)" if whole["reused"] else ""),
        f"time: {_summed([g.seconds for _, g in found], time_text)}; dollars: "
        f"{_summed([g.dollars for _, g in found], dollars_text)}; disk: about {whole['bytes'] / 1e6:.1f} MB",
        "nothing was asked: this was --dry-run",
    )
    return Table(columns, rows, title=f"suite {suite}", notes=notes)
