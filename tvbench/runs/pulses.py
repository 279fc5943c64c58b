"""Reads the heartbeats of a run: who writes it, how far each is, and whether there is still life in it.

Of a process of here the system says whether it lives. Of another machine's only the age of its last beat tells, by two
clocks: its own, in the line, and that of the file system, at the file. Where they disagree, nothing is claimed. Writes
nothing, and takes no lock.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from tvbench.runs.heartbeat import COMET, JUDGE, NAME
from tvbench.runs.processes import lives, place
from tvbench.safety.bounded import json_value, read_text

QUIET = 60.0
"""Seconds without a beat after which a writer of another machine is taken for dead: file systems that are shared show
a change that late."""
MOST_BYTES = 4 << 20
Counts = tuple[int, int, int]
"""Asked, done, failed."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """What a writer last told of itself. `alive` None: nobody can say. `age` is by the writer's clock, `file_age` by
    that of the file system; `here`: it is, or was, a process of this machine."""

    part: str = ""
    host: str = ""
    pid: int = 0
    phase: str = ""
    done: int = 0
    failed: int = 0
    total: int = 0
    per_second: float = 0.0
    per_second_now: float = 0.0
    seconds_left: float | None = None
    in_flight: int | None = None
    age: float = math.inf
    file_age: float = math.inf
    here: bool = False
    alive: bool | None = False
    replicas: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    tasks: Mapping[str, Mapping[str, Counts]] = field(default_factory=dict)

    @property
    def ended(self) -> bool:
        return self.phase == "ended"

    @property
    def grades(self) -> bool:
        """Whether it grades answers, a judge's session or COMET's, and asks none."""
        return self.part == COMET or self.part.startswith(JUDGE)

    @property
    def missing(self) -> int:
        return max(0, self.total - self.done - self.failed)


def read_pulses(folder: Path, now: float | None = None) -> list[Pulse]:
    """Every heartbeat of a run's folder, the whole's before those of its parts; what is none is left out."""
    try:
        names = os.listdir(folder)  # noqa: PTH208 - of very many runs, names are all that is needed
    except OSError:
        return []
    paths = [folder / name for name in names if name.startswith(f"{NAME}.") and name.endswith(".json")]
    paths.sort(key=lambda path: (path.name != f"{NAME}.json", _in_order(path)))
    found = (_pulse(path, time.time() if now is None else now) for path in paths)
    return [pulse for pulse in found if pulse is not None]


def _in_order(path: Path) -> tuple[int, int, str]:
    """1of8, 2of8, ..., 10of8."""
    shard, _, of = path.name.split(".")[1].partition("of")
    return (int(of), int(shard), "") if shard.isdecimal() and of.isdecimal() else (0, 0, path.name)


def _pulse(path: Path, now: float) -> Pulse | None:
    try:
        data = json_value(read_text(path, MOST_BYTES))
        written = path.stat().st_mtime
        return _read(data, now, written) if isinstance(data, dict) else None
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError):
        return None


def _read(data: Mapping[str, Any], now: float, written: float) -> Pulse:
    age, file_age = now - datetime.fromisoformat(str(data["at"])).timestamp(), now - written
    pid, phase = int(data["pid"]), str(data["phase"])
    here = data.get("place", "") == place() != ""
    if phase == "ended":
        alive: bool | None = False
    else:
        alive = lives(pid, str(data.get("started", ""))) if here else alive_by_age(age, file_age)
    return Pulse(
        part=str(data.get("part", "")),
        host=str(data.get("host", "")),
        pid=pid,
        phase=phase,
        done=_count(data["done"]),
        failed=_count(data["failed"]),
        total=_count(data["total"]),
        per_second=_number(data.get("per_second")) or 0.0,
        per_second_now=_number(data.get("per_second_now")) or 0.0,
        seconds_left=_number(data.get("seconds_left")),
        in_flight=None if data.get("in_flight") is None else _count(data["in_flight"]),
        age=age,
        file_age=file_age,
        here=here,
        alive=alive,
        replicas={str(name): _numbers(counts) for name, counts in dict(data.get("replicas") or {}).items()},
        tasks={str(task): _languages(languages) for task, languages in dict(data.get("tasks") or {}).items()},
    )


def alive_by_age(age: float, file_age: float) -> bool | None:
    """Whether a writer of another machine lives, by two clocks that may both be wrong; None where one says so and the
    other does not: their clocks differ, or the folder was copied."""
    fresh = [-QUIET <= seconds <= QUIET for seconds in (age, file_age)]
    return True if all(fresh) else None if any(fresh) else False


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError("no count")
    return max(0, value)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return max(0.0, float(value))


def _numbers(counts: Mapping[str, Any]) -> dict[str, float]:
    known = ((str(name), _number(value)) for name, value in counts.items())
    return {name: value for name, value in known if value is not None}


def _languages(languages: Mapping[str, Any]) -> dict[str, Counts]:
    found = {}
    for code, counts in languages.items():
        asked, done, failed = counts
        found[str(code)] = (_count(asked), _count(done), _count(failed))
    return found


# ── All of them together ──────────────────────────────────────────────────────────────────────────


def running(pulses: Iterable[Pulse]) -> list[Pulse]:
    """Those that live, or may."""
    return [pulse for pulse in pulses if pulse.alive is not False]


def covering(pulses: Iterable[Pulse]) -> list[Pulse] | None:
    """Heartbeats that together speak of every question of the run: that of the whole, or those of all the parts of
    one number, which have to be living or well ended; None where some part has told nothing."""
    by_number: dict[int, dict[int, Pulse]] = {}
    for pulse in pulses:
        if not pulse.part and pulse.alive:
            return [pulse]
        shard, of, number = pulse.part.partition("of")
        if of and shard.isdecimal() and number.isdecimal() and (pulse.alive or pulse.ended):
            by_number.setdefault(int(number), {})[int(shard)] = pulse
    whole = [list(some.values()) for number, some in by_number.items() if some.keys() == set(range(1, number + 1))]
    lively = [some for some in whole if any(pulse.alive for pulse in some)]
    return lively[0] if len(lively) == 1 else None


def counts_of(pulses: Iterable[Pulse]) -> dict[str, dict[str, Counts]]:
    """Their counts by task and language, added up."""
    found: dict[str, dict[str, Counts]] = {}
    for pulse in pulses:
        for task, languages in pulse.tasks.items():
            for code, (asked, done, failed) in languages.items():
                before = found.setdefault(task, {}).get(code, (0, 0, 0))
                found[task][code] = (before[0] + asked, before[1] + done, before[2] + failed)
    return found


def counted_lines(paths: Iterable[Path]) -> tuple[int, int]:
    """Answers and failures by the lines of the files, which are counted and not read: about so many, since a question
    may have a line in two of them."""
    answers = failures = 0
    for path in paths:
        lines, failed = _lines_of(path)
        answers, failures = answers + lines - failed, failures + failed
    return answers, failures


BLOCK = 1 << 22
ERROR = b'"error":"'
"""Stands in a line of a failure, and in no text, whose quotation marks have a backslash before them."""


def _lines_of(path: Path) -> tuple[int, int]:
    lines = failed = 0
    rest = b""
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            lines += block.count(b"\n")
            block = rest + block
            failed += block.count(ERROR)
            rest = block[-len(ERROR) + 1 :]
    return lines, failed
