"""What a table is made of: columns, cells, rows and notes.

Named tuples, for quick commands print tables: `dataclasses` imports `inspect`. Knows no way to show them.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from tvbench.safety.visible import visible

LABEL_WIDTH = 34
"""In a narrow terminal, row labels longer than this are folded onto a second line."""
CELL_PADDING = 2
COLUMN_GAP = CELL_PADDING + 1
"""The padding and rich's column divider, here a blank."""


class Column(NamedTuple):
    """`title` may have two lines; `key` names the column in CSV and for `--sort`."""

    key: str
    title: str
    align: Literal["left", "right"] = "right"


class Cell(NamedTuple):
    """`text` is short, `wide` (if any) the longer form with the interval; `value` goes into CSV as it is.
    `empty` cells hold a dash or nothing: a row of only those is left out of a block."""

    text: str = ""
    wide: str = ""
    value: Any = None
    bold: bool = False
    faint: bool = False
    empty: bool = False

    def shown(self, *, wide: bool) -> str:
        """The text on one line, with nothing that steers a terminal: names come from files that others wrote."""
        return visible(self.wide if wide and self.wide else self.text)


class Table(NamedTuple):
    """The first `labels` columns name a row and are repeated in each block. `rules` are the indices of the rows
    that a line is drawn above. `notes` stand below."""

    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    title: str = ""
    notes: tuple[str, ...] = ()
    labels: int = 1
    rules: tuple[int, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """All of it by name, down to the cells."""
        columns = [column._asdict() for column in self.columns]
        return {**self._asdict(), "columns": columns, "rows": [[cell._asdict() for cell in row] for row in self.rows]}
