"""What screens share: how wide they may be, lines of whole words, names over columns. Knows tables alone."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable

from tvbench.report.table import COLUMN_GAP, Table, text_width

TITLE_WIDTH = 14


def room() -> int | None:
    """The columns that a screen may fill; None where nothing is folded (a pipe, a file)."""
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return None


def table_width(table: Table) -> int:
    """How wide it is in one piece."""
    return sum(
        max(map(text_width, [*column.title.split("\n"), *(row[place].text for row in table.rows)])) + COLUMN_GAP
        for place, column in enumerate(table.columns)
    )


def folded(lines: Iterable[str], width: int | None) -> list[str]:
    """Lines as wide as the screen, of whole words."""
    if width is None:
        return list(lines)
    return [
        part
        for line in lines
        for part in textwrap.wrap(
            line, max(width, 20), subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
        )
    ]


def wrapped(text: str) -> str:
    """A name over a column, of several lines where it is long."""
    return "\n".join("\n".join(textwrap.wrap(line, TITLE_WIDTH)) or line for line in text.split("\n"))
