"""The files of several writers of one run folder: each appends to a part of its own, under a lock of its own.

    .lock                     shared by the writers of parts; whoever writes the folder alone has it for himself
    responses.2of8.jsonl      locked by its writer as long as that lives
    .parts.lock               held for a moment: while one begins, and while manifest.json is read and written again

Knows how parts are named and locked; knows no answer and no manifest.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from tvbench.errors import UsageError
from tvbench.runs.driver_token import take_back
from tvbench.runs.locks import PATIENCE, BusyError, held, is_held, take
from tvbench.runs.shards import count_of, in_words

MUTEX = ".parts.lock"
NAME = re.compile(r"responses\.([a-z0-9-]+)\.jsonl", re.ASCII)
BLOCK = 1 << 16
WAIT = "wait for it, or stop it; or choose another folder with --results DIR"


def part_path(folder: Path, part: str) -> Path:
    """Where the answers of a part lie. Raises ValueError for what is no name of a part."""
    path = folder / f"responses.{part}.jsonl"
    if NAME.fullmatch(path.name) is None:
        raise ValueError(f"{part!r} is no name of a part: letters, digits and - only")
    return path


def parts_in(folder: Path) -> dict[str, Path]:
    """The parts that lie in a folder, by name, whoever wrote them."""
    found = ((NAME.fullmatch(path.name), path) for path in sorted(folder.glob("responses.*.jsonl")))
    return {name[1]: path for name, path in found if name is not None}


def live_parts(folder: Path) -> list[str]:
    """Those that somebody writes now. Ask for it only within `moment`: it tries their locks. Raises OSError."""
    return [part for part, path in parts_in(folder).items() if is_held(path)]


@contextmanager
def moment(folder: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Nobody else begins a part, or writes the manifest for one. Raises UsageError where that takes too long."""
    try:
        with held(folder / MUTEX, patience):
            yield
    except BusyError as error:
        raise UsageError(f"another tvbench holds {folder / MUTEX}, and does not go on", WAIT) from error


def lock_part(folder: Path, part: str) -> IO[str]:
    """The file of a part, locked and open for appending. Raises UsageError where another process writes that part, or
    shards of another N (they would ask the same questions), OSError."""
    path = part_path(folder, part)
    with moment(folder):
        live = live_parts(folder)
        others = [other for other in live if count_of(other) != count_of(part)]
        if others:
            raise UsageError(
                f"{in_words(others)} of another division of {folder} {'is' if len(others) == 1 else 'are'} still "
                "answering",
                "wait for them, or stop them: N may change between starts, not while one is running",
            )
        try:
            file = take(path)
            take_back(folder, live)
            return file
        except BusyError as error:
            raise UsageError(f"another tvbench is {in_words([part])} of {folder}", WAIT) from error


def end_torn(file: IO[str]) -> None:
    """Cut off a last line without its end: its writer was killed. Raises OSError."""
    number = file.fileno()
    size = place = os.fstat(number).st_size
    while place > 0:
        start = max(0, place - BLOCK)
        end = os.pread(number, place - start, start).rfind(b"\n")
        if end >= 0:
            place = start + end + 1
            break
        place = start
    if place < size:
        os.ftruncate(number, place)
