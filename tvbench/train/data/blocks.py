"""Conversation rows of a hub dataset (`utter-project/VisionBlocks` and its like) as a corpus, from its parquet files.

The schema is not fixed: rows.py knows the names in use, and `options.columns` maps others. A row is read by reading the
light columns of its row group, which is kept; pictures are read when they are needed. Knows no filter and no tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tvbench.data.sources import Rows, open_rows
from tvbench.data.sources.media import media_in
from tvbench.data.sources.tables import json_rows, parquet_rows
from tvbench.errors import UsageError
from tvbench.train.data.columns import Columns, columns_of
from tvbench.train.data.entries import Entry
from tvbench.train.data.rows import COLUMNS, outline_of, sample_of
from tvbench.train.data.sample import Outline, TrainSample
from tvbench.types import Media

OPTIONS = ("columns", "data", "revision")
FILES_KEPT = 4


class BlocksCorpus:
    """The rows of an entry's split. `options.data` is a local copy, `options.columns` says what ours are called there.

    Raises UsageError for an unknown schema, naming the columns found.
    """

    def __init__(self, entry: Entry) -> None:
        for name in entry.options:
            if name not in OPTIONS:
                raise UsageError(f"{entry.name}: unknown option '{name}'", f"known: {', '.join(OPTIONS)}")
        self.entry = entry
        self.renamed: Mapping[str, str] = entry.options.get("columns", {})
        data = entry.options.get("data")
        self.rows: Rows = open_rows(
            str(entry.hub),
            split=entry.split,
            config=entry.config,
            data=Path(data).expanduser() if data else None,
            revision=entry.options.get("revision"),
        )
        check_schema(entry.name, self.rows.columns, self.renamed)
        self._columns: Columns | None = None
        self._ends = np.cumsum([_count(path) for path in self.rows.files])

    def __len__(self) -> int:
        return len(self.rows)

    def columns(self) -> Columns:
        """Of every row: one pass over the light columns."""
        if self._columns is None:
            self._columns = columns_of(outline_of(row, self.entry.name, self.renamed) for row in self.rows)
        return self._columns

    def outline(self, index: int) -> Outline:
        return self.columns().outline(index)

    def sample(self, index: int) -> TrainSample:
        number = int(np.searchsorted(self._ends, index, side="right"))
        place = index - (int(self._ends[number - 1]) if number else 0)
        path = self.rows.files[number]
        row = _file_rows(path, self.rows.folder)[place]
        return sample_of(row, f"{path.name}#{place}", self.entry.name, self._media, self.renamed)

    def _media(self, value: Any, kind: Literal["image", "video"], name: str) -> Media:
        label, load = media_in(value, self.rows.folder, name)
        return Media(kind, label, load)


def check_schema(name: str, columns: tuple[str, ...], renamed: Mapping[str, str]) -> None:
    """Raises UsageError unless there are turns or a caption among `columns`."""
    for field, column in renamed.items():
        if field not in COLUMNS:
            raise UsageError(f"{name}: options.columns has no '{field}'", f"it may map {', '.join(COLUMNS)}")
        if column not in columns:
            raise UsageError(f"{name}: there is no column '{column}'", f"its columns: {', '.join(columns)}")
    known = {field for field, names in COLUMNS.items() if field in renamed or set(names) & set(columns)}
    if not known & {"turns", "caption"}:
        raise UsageError(
            f"{name}: unknown schema, no conversation among its columns: {', '.join(columns)}",
            f"say which it is: --set datasets.{name}.options.columns.turns=COLUMN",
        )


@lru_cache(maxsize=FILES_KEPT)
def _file_rows(path: Path, folder: Path) -> list[dict[str, Any]]:
    """The light part of a file's rows; pictures in them are read on demand."""
    return list(parquet_rows(path, folder)) if path.suffix == ".parquet" else [row for _, row in json_rows(path)]


def _count(path: Path) -> int:
    if path.suffix != ".parquet":
        return sum(1 for _ in json_rows(path))
    import pyarrow.parquet

    return int(pyarrow.parquet.read_metadata(path).num_rows)
