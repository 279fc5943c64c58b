"""Lines that wait to be written: few in memory, many in a file without a name in the folder where they will lie.

Knows a folder; no meaning of a line.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from tvbench.runs.disk import storage_error

HELD = 4 << 20
"""So many characters are held in memory."""


class Spool:
    """Takes lines, and gives them back in pieces of text, in the same order."""

    def __init__(self, folder: Path, held: int = HELD) -> None:
        self._folder = folder
        self._most = held
        self._lines: list[str] = []
        self._size = 0
        self._file: IO[str] | None = None

    def add(self, line: str) -> None:
        """Raises StoreError where there is no room for it."""
        self._lines.append(line)
        self._size += len(line)
        if self._size > self._most:
            self._put_aside()

    def pieces(self) -> Iterator[str]:
        """Everything that was added."""
        if self._file is not None:
            self._file.seek(0)
            while piece := self._file.read(self._most):
                yield piece
            self._file.close()
        yield "".join(self._lines)

    def _put_aside(self) -> None:
        try:
            if self._file is None:
                self._file = tempfile.TemporaryFile(  # noqa: SIM115 - it lives as long as this
                    "w+", encoding="utf-8", errors="surrogatepass", newline="\n", dir=self._folder
                )
            self._file.write("".join(self._lines))
        except OSError as error:
            raise storage_error(error, self._folder) from error
        self._lines, self._size = [], 0
