"""Locks on files, which die with their process: taken at once, or waited for. Knows no run.

A file may be taken away between its opening and its locking, by whoever held the lock before: then the lock is on
nothing, and the file is opened anew.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

TAKEN = (errno.EAGAIN, errno.EACCES)
PATIENCE = 600.0
"""Seconds until a lock that is only held for a moment counts as stuck: a million requests are written under one."""
PAUSE = 0.02


class BusyError(Exception):
    """Another process holds the lock. `said` is what it wrote into the file."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def take(path: Path, *, shared: bool = False) -> IO[str]:
    """The file, open for appending and reading, and locked. Raises BusyError, OSError."""
    while True:
        file = path.open("a+", encoding="utf-8", errors="surrogatepass", newline="")
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
            if _is_at(file, path):
                return file
        except OSError as error:
            said = _said(file)
            file.close()
            if error.errno in TAKEN:
                raise BusyError(said) from error
            raise
        file.close()


def is_held(path: Path) -> bool:
    """Whether somebody has it locked alone. Tries the lock, for a moment. Raises OSError."""
    try:
        take(path, shared=True).close()
    except BusyError:
        return True
    return False


def made_sole(file: IO[str]) -> bool:
    """Whether a shared lock could be made one that is held alone; if not, it is gone."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def held(path: Path, patience: float = PATIENCE) -> Iterator[None]:
    """Hold the lock alone for a moment, and wait for it before. Raises BusyError when that takes too long, OSError."""
    until = time.monotonic() + patience
    while True:
        try:
            file = take(path)
            break
        except BusyError:
            if time.monotonic() > until:
                raise
        time.sleep(PAUSE)
    with file:
        yield


def _is_at(file: IO[str], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def _said(file: IO[str]) -> str:
    """Its beginning: a process writes its number into a lock, and whole answers into a part."""
    file.seek(0)
    return file.read(40).strip()
