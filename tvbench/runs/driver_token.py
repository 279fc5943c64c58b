"""The word in a run's folder by which replicas know that the driver that asks them writes it still.

    .replicas, .replicas.2of8     of the one writer, or of the writer of a part; its text changes with each driver

A driver that is killed leaves its replicas behind, for a moment or longer. Whoever writes the folder next takes the
word back before it reads what is answered: from then on they store nothing, which nobody would know of. Locked while
an answer is stored, so that none is half-way meanwhile. Knows locks; knows no answer.
"""

from __future__ import annotations

import fcntl
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tvbench.runs.locks import BusyError, held

TOKEN = ".replicas"
PATIENCE = 10.0
"""Seconds that one answer may take to be stored; whoever was stopped meanwhile is not waited for any longer."""


def token_name(part: str | None) -> str:
    """The file of the writer of `part`."""
    return f"{TOKEN}.{part}" if part else TOKEN


@contextmanager
def holding(path: Path, token: str) -> Iterator[bool]:
    """Whether `token` holds; if so, nobody takes it back meanwhile. Raises OSError."""
    try:
        file = path.open("r", encoding="utf-8", errors="replace")
    except OSError:
        yield False
        return
    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield file.read() == token


def take_back(folder: Path, but: Collection[str] = ()) -> None:
    """From now on no replica of an earlier driver stores anything here; those of the parts `but` are others'."""
    others = {token_name(part) for part in but}
    for path in folder.glob(f"{TOKEN}*"):
        if path.name not in others:
            withdraw(path)


def withdraw(path: Path) -> None:
    """Take one back, when nobody is storing an answer by it."""
    with suppress(OSError, BusyError):
        if path.is_file():
            with held(path, PATIENCE):
                path.write_text("", encoding="utf-8")
    with suppress(OSError):
        path.unlink()
