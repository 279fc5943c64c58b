"""What each run of a results folder says in short, kept in one file, so that ten thousand are looked through at once.

    results/.tvbench-index.jsonl    a line a run, with its checksum: its name, the state of its files, what they say

A line holds while size, both times and inode of the run's files are what they were when they were read; files that had
just been written then are not kept at all. The file may be deleted at any time: what is missing, damaged, of another
version or of other files is read from the runs themselves. It is replaced as a whole; where it cannot be written,
nothing is kept. Knows names and states of files; not what is kept of them.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from tvbench.errors import TvbenchError
from tvbench.runs.disk import write_atomically
from tvbench.runs.lines import as_written, json_line
from tvbench.runs.store import MANIFEST, RESULT, RunFolder, names_in

INDEX = ".tvbench-index.jsonl"
FORMAT = 1
FRESH = 2 * 10**9
"""Nanoseconds: a file younger than this may change again without another time."""
SKEW = 10**9
"""Nanoseconds by which the disk's clock may differ from ours."""
LEAST = 200
"""Fewer runs are read at once, and leave no file."""
SHARE = 100
"""The file is written again when one in so many runs is not in it."""
NOT_THERE = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
State = list[list[int]]


class RunIndex:
    """The runs of a folder, and what is known of them. `of` says how what is kept was
    made: what was made otherwise is left; empty: nothing is kept."""

    def __init__(self, results: Path, of: str) -> None:
        self._results = results
        self._of = of
        self._begun = time.time_ns()
        self._states = dict(_states(results))
        self._kept: dict[str, tuple[bytes, Any]] = {}
        self._new: dict[str, str] = {}
        self.used = bool(of) and len(self._states) >= LEAST
        """Whether anything is kept: of few runs nothing is."""
        if self.used:
            with suppress(OSError, ValueError, LookupError, TypeError):
                self._read()

    @property
    def runs(self) -> Iterator[RunFolder]:
        """By name."""
        return (RunFolder(self._results / name) for name in self._states)

    def known(self, run: str) -> Any:
        """What was kept of a run, if its files are the same; else None."""
        return self._kept[run][1] if run in self._kept else None

    def add(self, run: str, value: Any) -> None:
        """What a run says now, as JSON can hold it. If its files changed since their state was taken, that state never
        comes again."""
        state = self._states[run]
        youngest = max(max(times) for _, *times, _ in filter(None, state))
        if self.used and youngest < self._begun - FRESH:
            self._new[run] = json_line({"run": run, "state": state, "value": value})

    def keep(self) -> None:
        """Write what was added, where that is worth it and can be done."""
        if not self._new or len(self._new) * SHARE < len(self._states):
            return
        with suppress(TvbenchError, OSError):
            write_atomically(self._results / INDEX, self._lines())
            # Where the disk's clock is not ours, nobody can say what is young.
            if abs((self._results / INDEX).stat().st_mtime_ns - time.time_ns()) >= SKEW:
                (self._results / INDEX).unlink()

    def _lines(self) -> Iterator[str]:
        yield json_line(self._head())
        for run in self._states:
            if run in self._new:
                yield self._new[run]
            elif run in self._kept:
                yield self._kept[run][0].decode("utf-8", "surrogatepass")

    def _head(self) -> dict[str, Any]:
        return {"format": FORMAT, "of": self._of}

    def _read(self) -> None:
        """Raises OSError, ValueError, LookupError or TypeError at the first thing that is not as we write it."""
        with (self._results / INDEX).open("rb") as file:
            if next(file, b"") != json_line(self._head()).encode():
                return
            for line in file:
                if as_written(line):
                    told = json.loads(line)
                    if self._states.get(told["run"]) == told["state"]:
                        self._kept[told["run"]] = line, told["value"]


def _states(results: Path) -> Iterator[tuple[str, State]]:
    """The runs by name, with the state of their files."""
    for name in names_in(results):
        if state := _state(results / name):
            yield name, state


def _state(run: Path) -> State:
    """Of manifest and result, each empty where it is no ordinary file; nothing where there is no run."""
    manifest = _of_file(f"{run}/{MANIFEST}")
    return [manifest, _of_file(f"{run}/{RESULT}")] if manifest else []


def _of_file(path: str) -> list[int]:
    try:
        about = os.stat(path)  # noqa: PTH116 - of twenty thousand, in a tenth of a second
    except OSError as error:
        if error.errno in NOT_THERE:
            return []
        raise
    if not stat.S_ISREG(about.st_mode):
        return []
    return [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]
