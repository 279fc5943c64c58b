"""Rows of texts in order, however many there are: few are sorted in memory, many in pieces that wait on disk.

The pieces lie in files without a name, in the system's folder for temporary ones, and are gone with the process. Knows
no meaning of a row.
"""

from __future__ import annotations

import heapq
import json
import tempfile
from collections.abc import Iterator
from typing import IO, TypeAlias

from tvbench.errors import UsageError

Row: TypeAlias = tuple[str, ...]
HELD = 32 << 20
"""Bytes of the rows that wait in memory, about."""
OF_A_ROW, OF_A_TEXT = 120, 60
"""Bytes that they take besides their characters."""


class SortedRows:
    """Takes rows in any order, and gives them sorted, each as a JSON list: once."""

    def __init__(self, held: int = HELD) -> None:
        self._held = held
        self._rows: list[Row] = []
        self._size = 0
        self._pieces: list[IO[str]] = []

    def add(self, row: Row) -> None:
        """Raises UsageError where there is no room for it on disk."""
        self._rows.append(row)
        self._size += OF_A_ROW + OF_A_TEXT * len(row) + sum(map(len, row))
        if self._size > self._held:
            self._put_aside()

    def lines(self) -> Iterator[str]:
        """The rows in order, as JSON. Whoever begins goes to the end."""
        self._rows.sort()
        pieces = [map(_read, piece) for piece in self._pieces]
        own = ((row, json.dumps(row)) for row in self._rows)
        yield from (line for _, line in heapq.merge(*pieces, own))
        self._rows = []
        for piece in self._pieces:
            piece.close()
        self._pieces = []

    def _put_aside(self) -> None:
        self._rows.sort()
        try:
            piece = tempfile.TemporaryFile("w+", encoding="ascii", prefix="tvbench-")  # noqa: SIM115 - closed by `lines`
            piece.writelines(f"{json.dumps(row)}\n" for row in self._rows)
            piece.seek(0)
        except OSError as error:
            raise UsageError(
                f"{tempfile.gettempdir()} has no room for a list of the questions: {error.strerror or error}",
                "free some space there, or name another folder in the environment variable TMPDIR",
            ) from error
        self._pieces.append(piece)
        self._rows, self._size = [], 0


def _read(line: str) -> tuple[Row, str]:
    return tuple(json.loads(line)), line.rstrip("\n")
