"""The rows of one file, parquet or JSON lines. Cells with media become Blobs and are read later."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tvbench.data.sources.media import Blob
from tvbench.data.sources.paths import identity_of, read_media, safe_path
from tvbench.errors import MediaError, UsageError
from tvbench.safety.bounded import json_value


def head(files: tuple[Path, ...]) -> tuple[tuple[str, ...], int]:
    """Column names in order of appearance, and the number of rows."""
    columns: dict[str, None] = {}
    count = 0
    for path in files:
        if path.suffix == ".parquet":
            file = _open_parquet(path)
            columns |= dict.fromkeys(file.schema_arrow.names)
            count += file.metadata.num_rows
        else:
            for _, row in json_rows(path):
                columns |= dict.fromkeys(row)
                count += 1
    return tuple(columns), count


def _open_parquet(path: Path) -> Any:
    import pyarrow
    import pyarrow.parquet

    try:
        return pyarrow.parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UsageError(f"{path} is not a readable parquet file: {error}", "fetch or copy it again") from error


def parquet_rows(path: Path, folder: Path) -> Iterator[dict[str, Any]]:
    """Rows with media cells as Blobs; only the other columns are read while iterating."""
    import pyarrow

    file = _open_parquet(path)
    schema = file.schema_arrow
    media = [name for name in schema.names if _holds_bytes(schema.field(name).type)]
    plain = [name for name in schema.names if name not in media]
    cells = MediaCells(path, folder)
    number = 0
    for group in range(file.num_row_groups):
        try:
            rows = file.read_row_group(group, columns=plain).to_pylist()
        except (OSError, pyarrow.ArrowException) as error:
            raise UsageError(f"{path} is damaged in row group {group}: {error}", "fetch or copy it again") from error
        if not plain:
            rows = [{} for _ in range(file.metadata.row_group(group).num_rows)]
        for index, row in enumerate(rows):
            names = {name: f"{path.name}#{number}.{name}" for name in media}
            blobs = {name: Blob(at, cells.loader(group, name, index, number)) for name, at in names.items()}
            yield {name: blobs[name] if name in blobs else row[name] for name in schema.names}
            number += 1


def _holds_bytes(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_struct(kind):
        return any(kind.field(i).name == "bytes" for i in range(kind.num_fields))
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


class MediaCells:
    """Media cells of one parquet file. The last row group of a column is kept, for reading in order.

    Files that a cell only names are looked for beside the parquet file, and then as `media_from` does.
    """

    def __init__(self, path: Path, folder: Path) -> None:
        self._path = path
        self._folder = folder
        self._lock = threading.Lock()
        self._kept: tuple[int, str, Any] | None = None

    def loader(self, group: int, name: str, index: int, number: int) -> Callable[[], bytes]:
        """How to read the cell of column `name` that is `index` in its row group and `number` in the file."""
        return CellBytes(self, group, name, index, number)

    def identity(self) -> tuple[object, ...]:
        """Which file it is, and when it was written. Raises OSError."""
        return identity_of(self._path)

    def read(self, group: int, name: str, index: int, number: int) -> bytes:
        """The bytes of a cell. Raises MediaError."""
        return self._read(group, name, index, f"{self._path.name}, row {number}, column {name}")

    def _read(self, group: int, name: str, index: int, where: str) -> bytes:
        with self._lock:
            if self._kept is None or self._kept[:2] != (group, name):
                self._kept = (group, name, self._column(group, name, f"{self._path.name}, column {name}"))
            value = self._kept[2][index].as_py()
        if isinstance(value, Mapping):
            if value.get("bytes") is None and value.get("path"):
                return read_media(self._folder, self._named(str(value["path"]), where), where)
            value = value.get("bytes")
        if not isinstance(value, bytes) or not value:
            raise MediaError(f"{where}: the cell is empty" if not value else f"{where}: the cell holds no bytes")
        return value

    def _named(self, relative: str, where: str) -> Path:
        beside = self._path.parent.relative_to(self._folder)
        try:
            return safe_path(self._folder, str(beside / relative), where)
        except MediaError:
            return safe_path(self._folder, relative, where)

    def _column(self, group: int, name: str, where: str) -> Any:
        import pyarrow

        try:
            return _open_parquet(self._path).read_row_group(group, columns=[name]).column(name)
        except (OSError, pyarrow.ArrowException) as error:
            raise MediaError(f"{where} is damaged: {error}", "fetch or copy the file again") from error


@dataclass(frozen=True, slots=True)
class CellBytes:
    """Reads one media cell."""

    cells: MediaCells
    group: int
    name: str
    index: int
    number: int

    def __call__(self) -> bytes:
        return self.cells.read(self.group, self.name, self.index, self.number)

    def identity(self) -> tuple[object, ...]:
        """Which cell of which file it is. Raises OSError."""
        return *self.cells.identity(), self.name, self.number


def json_rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line number, row) of a JSON-lines file, or of a JSON list. Raises UsageError naming the bad line."""
    try:
        with path.open(encoding="utf-8") as file:
            for number, value in _values(path, file):
                if not isinstance(value, dict):
                    raise UsageError(f"{path}:{number} is not a JSON object")
                yield number, value
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error


def _values(path: Path, file: IO[str]) -> Iterator[tuple[int, Any]]:
    """Of a list all are held, of lines one."""
    if path.suffix == ".json":
        text = file.read()
        if text.lstrip().startswith("["):
            yield from enumerate(_parse(path, 1, text), 1)
            return
        file.seek(0)
    yield from (
        (number, _parse(path, number, line.rstrip("\n"))) for number, line in enumerate(file, 1) if line.strip()
    )


def _parse(path: Path, number: int, text: str) -> Any:
    try:
        return json_value(text)
    except ValueError as error:
        said = f"{path}:{number} is not JSON ({error}): {text[:60]!r}"
        raise UsageError(said, "correct or remove that line") from error
