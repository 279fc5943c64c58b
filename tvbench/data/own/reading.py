"""The rows of one table, one after another: CSV and its kin, JSON lines, JSON, parquet.

Only what is small is kept of a row: a picture in base64 is read again, from its place in the file, when it is wanted.
Knows files; no column has a meaning here but those that may hold media.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Literal, NamedTuple, TextIO, TypeAlias

from tvbench.data.own.cells import LONG, Large, base64_pieces, is_empty
from tvbench.data.own.columns import KNOWN
from tvbench.data.own.layout import TableFile
from tvbench.data.own.lettering import delimiter_of, written
from tvbench.data.sources.tables import head, json_rows, parquet_rows
from tvbench.errors import UsageError
from tvbench.safety.bounded import json_value

LONGEST_CELL = 2**31 - 1
"""A picture in a cell may be large; csv's own limit is 131,072 characters."""
HEAD_LINES, HEAD = 200, 1 << 18
"""Lines, and characters, by which a delimiter is told."""
DELIMITED = (".csv", ".tsv")


Again: TypeAlias = Callable[[], Mapping[str, Any]]
"""Reads a row again."""
Row: TypeAlias = tuple[dict[str, Any], Again | None]


class Numbered(NamedTuple):
    """A row: its number in the table from 1, and its cells by column."""

    number: int
    cells: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Form:
    """How one table is written. `notes` are to be said."""

    table: TableFile
    folder: Path
    columns: tuple[str, ...]
    digest: str
    encoding: str = "utf-8"
    skip: int = 0
    delimiter: str = ""
    quoted: bool = True
    notes: tuple[str, ...] = ()
    beside: str = ""
    """The folder of the table, from the top of the data."""

    @property
    def path(self) -> Path:
        return self.table.path


def form_of(table: TableFile, folder: Path, encoding: str = "") -> Form:
    """How a table is written; one pass over its bytes. Raises UsageError where it cannot be read."""
    csv.field_size_limit(LONGEST_CELL)
    if table.path.suffix.lower() == ".parquet":
        columns, _ = head((table.path,))
        return Form(table, folder, columns, _digest(table.path), beside=_beside(table, folder))
    found = written(table.path, encoding)
    notes = (found.note,) if found.note else ()
    beside = _beside(table, folder)
    form = Form(table, folder, (), found.digest, found.encoding, found.skip, notes=notes, beside=beside)
    return _delimited(form) if table.path.suffix.lower() in DELIMITED else _json_columns(form)


def _beside(table: TableFile, folder: Path) -> str:
    parent = table.path.parent
    return parent.relative_to(folder).as_posix() if parent.is_relative_to(folder) else ""


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def records(form: Form, media: Collection[str] = ()) -> Iterator[Numbered]:
    """The rows of a table that hold anything; in the columns `media`, base64 is left where it is. Raises UsageError for
    a damaged file, with the line."""
    suffix = form.path.suffix.lower()
    rows: Iterator[Row]
    if suffix == ".parquet":
        rows = ((cells, None) for cells in parquet_rows(form.path, form.folder))
    elif suffix == ".json":
        rows = ((cells, None) for _, cells in json_rows(form.path))
    else:
        rows = _csv_rows(form) if suffix in DELIMITED else _json_lines(form)
    for number, (cells, again) in enumerate(rows, 1):
        for column in media:
            if (value := cells.get(column)) is not None:
                cells[column] = _left_there(value, column, again)
        if not all(map(is_empty, cells.values())):
            yield Numbered(number, cells)


def _left_there(value: Any, column: str, again: Again | None) -> Any:
    """A cell whose base64 is left in the file. Where that cannot be read again by itself, it stays."""
    pieces = base64_pieces(value) if isinstance(value, list) or (isinstance(value, str) and len(value) > LONG) else []
    if not pieces:
        return value
    read = (lambda: value) if again is None else partial(_cell, again, column)
    made = [Large(hashlib.sha256(piece.encode()).hexdigest()[:16], read, place) for place, piece in enumerate(pieces)]
    return made[0] if len(made) == 1 else made


def _cell(again: Again, column: str) -> Any:
    return again().get(column)


# ── CSV and its kin ───────────────────────────────────────────────────────────────────────────────


class _Lines:
    """The lines of a text file; `at` is the byte behind the last one."""

    def __init__(self, file: TextIO, form: Form) -> None:
        self.file, self.encoding, self.at = file, form.encoding, form.skip

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            self.at += len(line.encode(self.encoding))
            yield line


def _opened(form: Form) -> TextIO:
    """The text of a file behind its mark. Line ends stay as they are: they may stand in cells."""
    file = form.path.open("rb")
    file.seek(form.skip)
    return io.TextIOWrapper(file, encoding=form.encoding, newline="")


def _delimited(form: Form) -> Form:
    with _opened(form) as file:
        first = list(_first_lines(file))
    form = replace(form, delimiter=delimiter_of(form.path, first, KNOWN))
    expected = "\t" if form.path.suffix.lower() == ".tsv" else ","
    if form.delimiter != expected:
        form = replace(form, notes=(*form.notes, f"cells are separated by {_named(form.delimiter)}"))
    if form.delimiter == "\t" and not _closes(form):
        form = replace(form, quoted=False, notes=(*form.notes, "quotation marks are read as letters"))
    with _opened(form) as file:
        header: list[str] = next((row for row in _reader(form, file) if any(row)), [])
    return replace(form, columns=_columns(form.path, header))


def _first_lines(file: TextIO) -> Iterator[str]:
    """The first lines, as far as they are small."""
    room = HEAD
    for number, line in enumerate(islice(file, HEAD_LINES)):
        room -= len(line)
        if room < 0 and number:
            return
        yield line


def _named(delimiter: str) -> str:
    return {"\t": "tabs", ";": "semicolons", ",": "commas", "|": "bars (|)"}[delimiter]


def _reader(form: Form, lines: Any) -> Any:
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if form.quoted else csv.QUOTE_NONE
    return csv.reader(lines, delimiter=form.delimiter, quoting=quoting, strict=form.quoted)


def _closes(form: Form) -> bool:
    """Whether every quotation mark that opens a cell closes it."""
    with _opened(form) as file:
        try:
            for _ in _reader(form, file):
                continue
        except csv.Error:
            return False
    return True


def _columns(path: Path, header: list[str]) -> tuple[str, ...]:
    """The names of the columns. Raises UsageError for a name given twice, and for no header."""
    named = [name.strip().lstrip("\ufeff") for name in header]
    twice = next((name for name in named if name and named.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{path}: two columns are called {twice}", "give one of them another name")
    if not any(named):
        raise UsageError(f"{path} is empty", "its first row names the columns, such as file_name,question,answer")
    return tuple(name or f"(column {place})" for place, name in enumerate(named, 1))


def _csv_rows(form: Form) -> Iterator[Row]:
    with _opened(form) as file:
        lines = _Lines(file, form)
        reader = _reader(form, iter(lines))
        start, header = lines.at, True
        try:
            for row in reader:
                if any(row) and not header:
                    yield _cells(form, row, reader.line_num), partial(_csv_row, form, start, lines.at - start)
                header = header and not any(row)
                start = lines.at
        except csv.Error as error:
            raise UsageError(
                f"{form.path}, about line {reader.line_num}: {error}",
                "a cell with a delimiter, a line end or a quotation mark is quoted, and a mark inside it is doubled",
            ) from error


def _cells(form: Form, row: list[str], line: int) -> dict[str, Any]:
    """Cells by column. What stands behind the last column would belong to none. Raises UsageError."""
    if any(row[len(form.columns) :]):
        raise UsageError(
            f"{form.path}, line {line}: {len(row)} cells, and the header names {len(form.columns)} columns",
            f"quote cells that hold {_named(form.delimiter)}",
        )
    return dict(zip(form.columns, row, strict=False))


def _csv_row(form: Form, start: int, length: int) -> Mapping[str, Any]:
    """One row, read again."""
    rows = [row for row in _reader(form, io.StringIO(_bytes(form, start, length), newline="")) if any(row)]
    return dict(zip(form.columns, rows[-1], strict=False))


def _bytes(form: Form, start: int, length: int) -> str:
    with form.path.open("rb") as file:
        file.seek(start)
        return file.read(length).decode(form.encoding)


# ── JSON lines ────────────────────────────────────────────────────────────────────────────────────


def _json_columns(form: Form) -> Form:
    """The names of all columns, in the order in which they appear: a row may lack any."""
    if form.path.suffix.lower() == ".json":
        return replace(form, columns=tuple(dict.fromkeys(key for _, row in json_rows(form.path) for key in row)))
    columns: dict[str, None] = {}
    for row, _ in _json_lines(form):
        columns |= dict.fromkeys(row)
    return replace(form, columns=tuple(columns))


def _json_lines(form: Form) -> Iterator[Row]:
    with _opened(form) as file:
        lines = _Lines(file, form)
        start = lines.at
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield _object(form, line, number), partial(_json_row, form, start, lines.at - start, number)
            start = lines.at


def _json_row(form: Form, start: int, length: int, number: int) -> Mapping[str, Any]:
    return _object(form, _bytes(form, start, length), number)


def _object(form: Form, line: str, number: int) -> dict[str, Any]:
    try:
        value = json_value(line)
    except (ValueError, json.JSONDecodeError) as error:
        said = f"{form.path}:{number} is not JSON ({error}): {line.strip()[:60]!r}"
        raise UsageError(said, "correct or remove that line") from error
    if not isinstance(value, dict):
        raise UsageError(f"{form.path}:{number} is not a JSON object", 'a line is {"file_name": ..., "question": ...}')
    return value
