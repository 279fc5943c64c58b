"""How a run goes that somebody is writing now: a sentence or two, and a row for each of its writers or replicas.

Knows states and heartbeats; reads no file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from tvbench.report.cost import time_text
from tvbench.report.table import Cell, Column, Table
from tvbench.runs.heartbeat import COMET, JUDGE
from tvbench.runs.pulses import QUIET, Pulse, covering
from tvbench.suites.states import RunState

SILENT = 15.0
"""Seconds: a writer that lives beats every five."""


def state_word(run: RunState) -> str:
    """`asking (process 71)`, `asking (3 writers)`."""
    live = run.running
    if not live:
        return f"running (process {run.process})"
    doing = " and ".join(dict.fromkeys(pulse.phase for pulse in live))
    if len(live) > 1:
        return f"{doing} ({len(live)} writers)"
    (one,) = live
    where = f"process {one.pid}" + ("" if one.here else f" on {one.host}")
    return f"{doing} ({where})" if one.alive else f"{doing}? ({where})"


def live_lines(run: RunState) -> Iterator[str]:
    """What goes on, how fast, how long still, and how fresh that is; nothing of a run that nobody is at."""
    live = run.running
    if run.asking:
        yield _how(run, run.asking)
    for pulse in live:
        if pulse.grades:
            yield f"{_name(pulse)}: {_done(pulse)}, {_how(run, [pulse])}"
    if run.about is not None:
        yield "counted by lines: about so many, since its writers have not told of every question"
    for pulse in live:
        if pulse.alive is None:
            yield f"{_name(pulse)}: {_doubt(pulse)}"
        elif not pulse.here and _seconds(pulse) > SILENT:
            yield f"{_name(pulse)}: {_silence(pulse)}"
    for pulse in _writers(run):
        if pulse.alive is False and not pulse.ended:
            yield f"{_name(pulse)}: ended without a word, {_ago(pulse)} ago, at {_done(pulse)}"


def _how(run: RunState, live: Sequence[Pulse]) -> str:
    return ", ".join(filter(None, (_speed(live), _left(run, live), _heard(live))))


def progress_line(name: str, run: RunState) -> str:
    """One line for a log: `small  asking  812 of 1,596 done, 3 failed, 9.8/s, about 80 s left`."""
    whole, live = run.total, run.asking or run.running
    doing = " and ".join(dict.fromkeys(pulse.phase for pulse in live)) if live else "running" if run.going else ""
    word = doing or ("complete" if run.complete else "nobody is at it")
    counts = f"{whole.done:,} of {whole.asked:,} done" + (f", {whole.failed:,} failed" if whole.failed else "")
    return "  ".join(filter(None, (name, word, ", ".join(filter(None, (counts, _speed(live), _left(run, live)))))))


def live_table(run: RunState) -> Table | None:
    """A row for each part, where somebody writes parts, or for each replica; None where nothing is to be told apart."""
    parts = [pulse for pulse in _writers(run) if pulse.part and not pulse.grades] if run.asking else []
    if parts:
        return _part_table(parts)
    return next((_replica_table(pulse) for pulse in run.running if pulse.replicas), None)


def _writers(run: RunState) -> list[Pulse]:
    """Who writes the run, and who did next to them, or last: an earlier array of another number is of the past."""
    if run.complete:
        return []
    now = {_array(pulse) for pulse in run.asking}
    return [pulse for pulse in run.pulses if not now or pulse.grades or _array(pulse) in now]


def _array(pulse: Pulse) -> str:
    """`8` of the part 2of8; "" of a writer of the whole."""
    return pulse.part.rpartition("of")[2]


def _part_table(parts: Sequence[Pulse]) -> Table:
    columns = (
        Column("part", "part", "left"),
        Column("state", "state", "left"),
        Column("done", "done"),
        Column("total", "of"),
        Column("failed", "failed"),
        Column("per_second_now", "per second\nnow"),
        Column("per_second", "overall"),
        Column("left", "left"),
        Column("host", "machine", "left"),
    )
    return Table(columns, tuple(_part_row(pulse) for pulse in parts))


def _part_row(pulse: Pulse) -> tuple[Cell, ...]:
    word = pulse.phase if pulse.alive or pulse.ended else "lost" if pulse.alive is False else f"{pulse.phase}?"
    left = pulse.seconds_left if pulse.alive is not False and pulse.missing else None
    return (
        Cell(pulse.part),
        Cell(word),
        *(Cell(f"{count:,}", value=count) for count in (pulse.done, pulse.total, pulse.failed)),
        Cell(f"{pulse.per_second_now:.1f}" if pulse.alive is not False else "", value=pulse.per_second_now),
        Cell(f"{pulse.per_second:.1f}", value=pulse.per_second),
        Cell("" if left is None else time_text(left), value=left),
        Cell(pulse.host),
    )


KNOWN = {"done": "done", "failed": "failed", "in_flight": "in flight", "per_second": "per second"}
"""What replicas count, in this order, before whatever else theirs do."""


def _replica_table(pulse: Pulse) -> Table:
    names = list(dict.fromkeys(name for counts in pulse.replicas.values() for name in counts))
    shown = [name for name in KNOWN if name in names] + [name for name in names if name not in KNOWN]
    heads = [Column(name, KNOWN.get(name, name.replace("_", " "))) for name in shown]
    rows = tuple(
        (Cell(replica), *(_number(counts.get(name), exact=name in ("done", "failed", "in_flight")) for name in shown))
        for replica, counts in pulse.replicas.items()
    )
    return Table((Column("replica", "replica", "left"), *heads), rows)


def _number(value: float | None, *, exact: bool) -> Cell:
    if value is None:
        return Cell("")
    return Cell(f"{value:,.0f}" if exact or value.is_integer() else f"{value:,.1f}", value=value)


# ── In words ──────────────────────────────────────────────────────────────────────────────────────


def _speed(live: Sequence[Pulse]) -> str:
    live = [pulse for pulse in live if _seconds(pulse) <= QUIET]  # who has been silent for long does nothing now
    now, overall = sum(pulse.per_second_now for pulse in live), sum(pulse.per_second for pulse in live)
    return f"{now:.1f}/s now, {overall:.1f}/s overall" if now or overall else ""


def _left(run: RunState, live: Sequence[Pulse]) -> str:
    """As long as the slowest of them takes."""
    seconds = [pulse.seconds_left for pulse in live if pulse.missing and pulse.seconds_left is not None]
    silent = any(_seconds(pulse) > QUIET for pulse in live)
    if not seconds or silent or any(pulse.missing and pulse.seconds_left is None for pulse in live):
        return ""
    whole = covering(run.pulses) is not None or live[0].grades
    return f"about {time_text(max(seconds))} left" + ("" if whole else " for what is asked now")


def _heard(live: Sequence[Pulse]) -> str:
    oldest = max(live, key=lambda pulse: pulse.file_age)
    return f"last heard {_ago(oldest)} ago" + ("" if oldest.here else f" from {oldest.host}")


def _ago(pulse: Pulse) -> str:
    """By the file system's clock where the process is of elsewhere: its own may be wrong."""
    return time_text(_seconds(pulse))


def _seconds(pulse: Pulse) -> float:
    return max(0.0, pulse.age if pulse.here else pulse.file_age)


def _doubt(pulse: Pulse) -> str:
    """Why nobody can say whether it lives."""
    own = f"{time_text(abs(pulse.age))} {'ago' if pulse.age >= 0 else 'ahead'} by the clock of {pulse.host}"
    files = f"{time_text(max(0.0, pulse.file_age))} ago by that of the file system"
    return f"its last word is {own}, {files}: the clocks differ, or the folder was copied"


def _silence(pulse: Pulse) -> str:
    """Of another machine's writer that has missed some beats, and counts as alive still."""
    return (
        f"no word from {pulse.host} for {_ago(pulse)} (it counts as lost after {QUIET:.0f} s); where it was killed, "
        "start the same command again now: it is refused while the other one lives"
    )


def _name(pulse: Pulse) -> str:
    if pulse.grades:
        return "COMET" if pulse.part == COMET else f"judge {pulse.part.removeprefix(JUDGE)}"
    return f"part {pulse.part}" if pulse.part else f"process {pulse.pid} on {pulse.host}"


def _done(pulse: Pulse) -> str:
    return f"{pulse.done:,} of {pulse.total:,}"
