"""The items of one task in few bytes: columns of numbers by planes of bytes, pressed by zlib, and back within bounds.

Keys are sorted within a language, so that only their distances are kept; pictures are numbered as they first appear,
and told by how long ago that was; values are places in a table where there are few, and lose nothing. Unpacking makes
no more bytes than the head says there are. Arrays of numpy; knows standings, and no file.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tvbench.analysis.regression.standing import MISSING, SCORED, Part

MOST_ITEMS = 5_000_000
MOST_COLUMNS = 256
TABLE_SMALL, TABLE_LARGE = 1 << 8, 1 << 16
MOST_WHOLE = 1 << 32


@dataclass(frozen=True, slots=True)
class Packing:
    """How the rows of a task lie in its bytes: `columns` numbers of each of `scored` items, as places in a table of
    `table` values (0: none), as whole numbers, or as they are."""

    columns: int
    scored: int
    table: int = 0
    whole: bool = False

    @property
    def width(self) -> int:
        """Bytes of a number."""
        if self.table:
            return 1 if self.table <= TABLE_SMALL else 2
        return 4 if self.whole else 8

    @property
    def size(self) -> int:
        return 8 * self.table + self.scored * self.columns * self.width


def pack(parts: Sequence[Part]) -> tuple[bytes, Packing]:
    """The items of all parts, one behind the other."""
    keys = np.concatenate([np.diff(part.keys.astype(np.int64), prepend=0) for part in parts])
    states = np.concatenate([part.states for part in parts])
    marks = np.concatenate([part.marks for part in parts])
    rows = np.concatenate([part.rows for part in parts])[states == SCORED]
    clusters = _told(np.concatenate([part.clusters for part in parts]))
    table, layout, places = _laid_out(rows)
    data = b"".join(
        (
            _planes(keys, 4),
            _planes(states, 1),
            _planes(marks, 2),
            _planes(clusters, 4),
            table.astype("<f8").tobytes(),
            places.astype("<f8").tobytes() if layout.width == 8 else _planes(places.T.ravel(), layout.width),
        )
    )
    return zlib.compress(data, 9), layout


def unpack(data: bytes, sizes: Sequence[int], layout: Packing) -> list[Part]:
    """The parts, `sizes` items each. Raises ValueError where the bytes are not those of such items."""
    total = sum(sizes)
    if total > MOST_ITEMS or not 0 < layout.columns <= MOST_COLUMNS or not 0 <= layout.scored <= total:
        raise ValueError("there are more items than are read")
    if not 0 <= layout.table <= TABLE_LARGE:
        raise ValueError("its table is too long")
    reader = _Reader(_inflated(data, total * 11 + layout.size))
    keys, states, marks = reader.planes(total, 4), reader.planes(total, 1), reader.planes(total, 2)
    clusters = _numbered(reader.planes(total, 4))
    rows = np.full((total, layout.columns), np.nan)
    if states.max(initial=0) > MISSING or int((states == SCORED).sum()) != layout.scored:
        raise ValueError("what became of its items is not told")
    rows[states == SCORED] = reader.rows(layout)
    parts, start = [], 0
    for size in sizes:
        mine = slice(start, start + size)
        parts.append(
            Part(
                _summed(keys[mine]),
                clusters[mine],
                states[mine].astype(np.uint8),
                rows[mine],
                marks[mine].astype(np.uint16),
            )
        )
        start += size
    return parts


# ── Columns ───────────────────────────────────────────────────────────────────────────────────────


def _planes(values: np.ndarray, width: int) -> bytes:
    """All first bytes, then all second ones, ...: alike bytes are pressed better side by side."""
    return values.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :width].T.tobytes()


def _laid_out(rows: np.ndarray) -> tuple[np.ndarray, Packing, np.ndarray]:
    """(The table, how rows lie, what is written of them)."""
    count, columns = rows.shape
    values, places = np.unique(rows, return_inverse=True)
    if len(values) <= TABLE_SMALL or (len(values) <= TABLE_LARGE and 4 * len(values) < rows.size):
        return values, Packing(columns, count, table=max(1, len(values))), places.reshape(rows.shape)
    if (rows == np.floor(rows)).all() and rows.min() >= 0 and rows.max() < MOST_WHOLE:
        return np.zeros(0), Packing(columns, count, whole=True), rows
    return np.zeros(0), Packing(columns, count), rows


class _Reader:
    def __init__(self, data: bytes) -> None:
        self.data, self.place = data, 0

    def take(self, count: int) -> bytes:
        found = self.data[self.place : self.place + count]
        self.place += count
        return found

    def planes(self, count: int, width: int) -> np.ndarray:
        bytes_ = np.zeros((count, 8), dtype=np.uint8)
        bytes_[:, :width] = np.frombuffer(self.take(count * width), dtype=np.uint8).reshape(width, count).T
        return bytes_.view("<u8").ravel().astype(np.int64)

    def rows(self, layout: Packing) -> np.ndarray:
        shape = (layout.scored, layout.columns)
        table = np.frombuffer(self.take(8 * layout.table), dtype="<f8")
        if layout.width == 8:
            found = np.frombuffer(self.take(8 * shape[0] * shape[1]), dtype="<f8").reshape(shape)
        else:
            found = self.planes(shape[0] * shape[1], layout.width).reshape(shape[::-1]).T
        if layout.table:
            if found.max(initial=0) >= len(table):
                raise ValueError("a value is not in its table")
            found = table[found]
        if not np.isfinite(found).all():
            raise ValueError("a value is not a number")
        return np.asarray(found, dtype=float)


def _inflated(data: bytes, size: int) -> bytes:
    """Exactly `size` bytes. Raises ValueError for more or fewer, before more are made."""
    machine = zlib.decompressobj()
    try:
        found = machine.decompress(data, size + 1)
    except zlib.error as error:
        raise ValueError(f"its items cannot be unpacked ({error})") from error
    if len(found) != size or not machine.eof or machine.unused_data:
        raise ValueError("its items are more or fewer than it says")
    return found


def _summed(distances: np.ndarray) -> np.ndarray:
    keys = np.cumsum(distances)
    if len(keys) and (keys[-1] >= MOST_WHOLE or (distances[1:] <= 0).any()):
        raise ValueError("its items do not stand in order")
    return keys.astype(np.uint32)


def _told(clusters: np.ndarray) -> np.ndarray:
    """0 where a picture appears first, else how many have appeared since it did (1: none)."""
    told = np.zeros(len(clusters), dtype=np.int64)
    known: dict[int, int] = {}
    for place, cluster in enumerate(clusters.tolist()):
        if cluster in known:
            told[place] = len(known) - known[cluster]
        else:
            known[cluster] = len(known)
    return told


def _numbered(told: np.ndarray) -> np.ndarray:
    numbers = np.zeros(len(told), dtype=np.int64)
    seen = 0
    for place, ago in enumerate(told.tolist()):
        if ago > seen:
            raise ValueError("a picture is named before it appears")
        numbers[place] = seen - ago if ago else seen
        seen += not ago
    return numbers
