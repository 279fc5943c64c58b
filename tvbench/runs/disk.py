"""Files written whole or not at all, and what a disk refuses in a person's words, with what to do. Knows no run."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from tvbench.errors import TvbenchError


class StoreError(TvbenchError):
    """The run folder cannot be written (disk full, read-only). What was written stays."""


def storage_error(error: OSError, path: Path, option: str = "--results") -> StoreError:
    """An OSError in a person's words, with what to do; `option` is the one that says where `path` lies."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = "free some space and run the same command again: it continues where it stopped"
        return StoreError(f"no space left for {path}", hint)
    if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        hint = f"choose a folder on another disk with {option} DIR; `tvbench merge` joins folders of several disks"
        return StoreError(f"{path} cannot be locked: its file system has no locks ({error.strerror})", hint)
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return StoreError(f"{path} cannot be written: {error.strerror}", f"choose another folder with {option} DIR")
    return StoreError(f"{path}: {error.strerror or error}", f"choose another folder with {option} DIR")


def write_atomically(path: Path, chunks: Iterable[str]) -> None:
    """Write beside, sync, then rename: readers see the old file or the new one, never half. Raises StoreError."""
    # Two machines may have processes of the same number, and write the same folder.
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        with beside.open("w", encoding="utf-8", errors="surrogatepass") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise storage_error(error, path) from error


def write_report(path: Path, text: str) -> None:
    """The same for a file that a person named, with the folders above it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error
    write_atomically(path, [text])
