"""A tidy table: rows of one dataclass, to look at, to go through, and to take to pandas, polars, CSV or parquet.

Knows nothing of what the rows mean.
"""

from __future__ import annotations

import csv
import importlib
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, fields
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar, get_type_hints, overload

from tvbench.errors import TvbenchError, UsageError
from tvbench.safety.visible import csv_cell, visible

if TYPE_CHECKING:
    import pandas
    import polars

R = TypeVar("R")
SHOWN_ROWS = 60
"""Rows that are printed of a longer table."""
UNSHOWN = frozenset({"signature"})
"""Too long to be printed; every other form has it."""
SELDOM = frozenset({"rank_low", "rank_high"})
"""Printed where some row has it."""


class TidyTable(Sequence[R], Generic[R]):
    """Rows of `kind`. Printing shows them as text, a notebook as HTML."""

    def __init__(self, kind: type[R], rows: Iterable[R]) -> None:
        self.kind = kind
        self.rows = tuple(rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns' names."""
        return tuple(field.name for field in fields(self.kind))  # type: ignore[arg-type]

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, place: int) -> R: ...
    @overload
    def __getitem__(self, place: slice) -> TidyTable[R]: ...
    def __getitem__(self, place: int | slice) -> R | TidyTable[R]:
        return TidyTable(self.kind, self.rows[place]) if isinstance(place, slice) else self.rows[place]

    def __iter__(self) -> Iterator[R]:
        return iter(self.rows)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TidyTable) and (self.kind, self.rows) == (other.kind, other.rows)

    def __hash__(self) -> int:
        return hash((self.kind, self.rows))

    def where(self, fits: Callable[[R], bool] | None = None, **values: object) -> TidyTable[R]:
        """The rows that `fits` says yes to and whose columns have these values: `table.where(language="de")`."""
        if unknown := [name for name in values if name not in self.columns]:
            raise UsageError(f"there is no column {unknown[0]}", f"columns: {', '.join(self.columns)}")
        return TidyTable(
            self.kind,
            (
                row
                for row in self.rows
                if (fits is None or fits(row)) and all(getattr(row, name) == value for name, value in values.items())
            ),
        )

    # ── To other forms ────────────────────────────────────────────────────────────────────────────

    def to_dicts(self) -> list[dict[str, Any]]:
        """A dictionary a row."""
        return [asdict(row) for row in self.rows]  # type: ignore[call-overload]

    def to_pandas(self) -> pandas.DataFrame:
        """Numbers that are not there are NaN. Raises UsageError where pandas is not installed."""
        made: pandas.DataFrame = _package("pandas").DataFrame(self._typed("float64", "Int64"))
        return made

    def to_polars(self) -> polars.DataFrame:
        """Numbers that are not there are null. Raises UsageError where polars is not installed."""
        library = _package("polars")
        kinds = {str: library.String, float: library.Float64, int: library.Int64}
        schema = {name: kinds[kind] for name, kind in self._kinds().items()}
        made: polars.DataFrame = library.DataFrame(self._lists(), schema=schema)
        return made

    def to_parquet(self, path: Path | str) -> Path:
        """Write a parquet file. Raises TvbenchError where it cannot be written."""
        import pyarrow
        import pyarrow.parquet

        kinds = {str: pyarrow.string(), float: pyarrow.float64(), int: pyarrow.int64()}
        schema = pyarrow.schema([(name, kinds[kind]) for name, kind in self._kinds().items()])
        return _written(Path(path), lambda: pyarrow.parquet.write_table(pyarrow.table(self._lists(), schema), path))

    def to_csv(self, path: Path | str) -> Path:
        """Write a CSV file. Raises TvbenchError where it cannot be written."""
        return _written(Path(path), lambda: Path(path).write_text(self.csv(), encoding="utf-8"))

    def csv(self) -> str:
        """The rows as CSV, with a header; what is not there is empty."""
        buffer = io.StringIO()
        writer = csv.writer(buffer, lineterminator="\n")
        writer.writerow(self.columns)
        columns = self.columns
        cell = lru_cache(maxsize=4096)(csv_cell)  # the same words stand in row after row
        for row in self.rows:
            values = [getattr(row, name) for name in columns]
            writer.writerow(["" if v is None else cell(v) if type(v) is str else csv_cell(v) for v in values])
        return buffer.getvalue()

    def _kinds(self) -> dict[str, type]:
        """The type of each column, None aside."""
        hints = get_type_hints(self.kind)
        return {
            name: next(kind for kind in (int, float, str) if kind in (hints[name], *_members(hints[name])))
            for name in self.columns
        }

    def _lists(self) -> dict[str, list[Any]]:
        return {name: [getattr(row, name) for row in self.rows] for name in self.columns}

    def _typed(self, floats: str, wholes: str) -> dict[str, Any]:
        """Columns for pandas, which would take a column with nothing in it for one of objects."""
        series = _package("pandas").Series
        kinds = {str: "object", float: floats, int: wholes}
        return {name: series(self._lists()[name], dtype=kinds[kind]) for name, kind in self._kinds().items()}

    # ── To look at ────────────────────────────────────────────────────────────────────────────────

    def __str__(self) -> str:
        heading, names, lines = self._shown()
        widths = [max(len(line[place]) for line in [names, *lines]) for place in range(len(names))]
        kinds = self._kinds()
        drawn = [
            "  ".join(
                text.ljust(width) if kinds[name] is str else text.rjust(width)
                for name, text, width in zip(names, line, widths, strict=True)
            ).rstrip()
            for line in [names, *lines]
        ]
        return "\n".join([*([heading] if heading else []), *drawn, *self._rest()])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        heading, names, lines = self._shown()
        head = "".join(f"<th>{escape(name)}</th>" for name in names)
        body = "".join(f"<tr>{''.join(f'<td>{escape(text)}</td>' for text in line)}</tr>" for line in lines)
        rest = "".join(f"<p>{escape(line)}</p>" for line in self._rest())
        return f"<p>{escape(heading)}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"

    def _shown(self) -> tuple[str, list[str], list[list[str]]]:
        """What is the same in all rows, the other columns, and the rows as texts."""
        texts = {name: [_text(getattr(row, name)) for row in self.rows] for name in self.columns if name not in UNSHOWN}
        texts = {name: held for name, held in texts.items() if name not in SELDOM or any(held)}
        kinds = self._kinds()
        same = [name for name, held in texts.items() if kinds[name] is str and len(held) > 1 and len(set(held)) == 1]
        heading = ", ".join(f"{name}: {texts[name][0]}" for name in same if texts[name][0])
        names = [name for name in texts if name not in same]
        lines = [[texts[name][place] for name in names] for place in range(min(len(self), SHOWN_ROWS))]
        return heading, names, lines

    def _rest(self) -> list[str]:
        return [f"... {len(self) - SHOWN_ROWS} more rows"] if len(self) > SHOWN_ROWS else []


def _text(value: object) -> str:
    return "" if value is None else f"{value:.4f}" if isinstance(value, float) else visible(str(value))


def _members(hint: Any) -> tuple[Any, ...]:
    return getattr(hint, "__args__", ())


def _package(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise UsageError(f"{name} is not installed", f"pip install {name}") from error


def _written(path: Path, write: Callable[[], object]) -> Path:
    try:
        write()
    except OSError as error:
        raise TvbenchError(f"{path} cannot be written: {error.strerror or error}", "choose another place") from error
    return path
