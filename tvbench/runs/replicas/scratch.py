"""The folder in which a Ray of our own keeps its sockets and logs, while the process that started it lives.

A driver that is killed leaves its folder behind: the next one removes it, which the lock in it tells. Knows no Ray.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path

from tvbench.runs.locks import BusyError, take

PREFIX, LOCK = "tvb-ray-", "driver.lock"


class Scratch:
    """`path` is a new folder, with a short name: those of Ray's sockets must be short. `root` is where it is made."""

    def __init__(self, root: Path | None = None) -> None:
        self._root = root or Path("/tmp" if Path("/tmp").is_dir() else tempfile.gettempdir())
        sweep(self._root)
        while True:
            self.path = Path(tempfile.mkdtemp(prefix=PREFIX, dir=self._root))
            with suppress(BusyError, FileNotFoundError):  # somebody who sweeps was faster
                self._lock = take(self.path / LOCK)
                return

    def remove(self) -> None:
        shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def sweep(root: Path) -> None:
    """Remove what drivers of this user left that are gone."""
    for folder in root.glob(f"{PREFIX}*"):
        with suppress(OSError, BusyError):
            if folder.lstat().st_uid == os.getuid() and not folder.is_symlink() and (folder / LOCK).is_file():
                with take(folder / LOCK):
                    shutil.rmtree(folder, ignore_errors=True)
