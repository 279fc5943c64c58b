"""Tables on a terminal, drawn by rich.

A table that is wider than the terminal is first shown without its intervals, then cut into blocks of columns that each
repeat the row labels. A column that is still too wide is folded between words. A name, a path or a command is never
folded: where it does not fit, a letter stands in the cell, and the name below the table on a line of its own, so
that it can be copied. Nothing is ever cut off. Knows tables alone.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
from collections.abc import Iterator, Sequence
from string import ascii_lowercase
from typing import Any, NamedTuple, TextIO

from rich import box
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from tvbench.report.cells import CELL_PADDING, COLUMN_GAP, LABEL_WIDTH, Cell, Table
from tvbench.safety.visible import visible

LEAST_WIDTH = 16
"""What a column beside the labels gets, if it can use it, however narrow the terminal is."""
ENDLESS = 10_000
"""Columns of the sheet that rich draws on: it is we who fold."""
MARK_WIDTH = len("[zz]")
WHOLE = frozenset({"run", "path", "folder", "file", "command"})
"""Keys of columns whose cells are copied as they are, blanks and all."""
PROSE = frozenset({"prompt", "gold", "answer", "text", "said", "detail", "why", "title"})
"""Keys of columns of running text, which is folded wherever it must be."""
NAME = re.compile(r"[!-~]*[-_/@:.=\d][!-~]*")
"""A word that looks like a name or a path."""
FIGURE = re.compile(r"\W*\d.{0,23}")
"""A number with its interval, which is not folded where that can be helped."""
NO_BLANKS = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
"""Letters of languages that are written without blanks, and break anywhere."""


def draw(tables: Sequence[Table], out: TextIO) -> None:
    """Write `tables`, as wide as the terminal is or is said to be; else as wide as they are."""
    fixed = out.isatty() or "COLUMNS" in os.environ
    room = _room(out) if fixed else None
    console = Console(file=out, highlight=False, width=ENDLESS, soft_wrap=not fixed)
    for table in tables:
        _draw_one(table, console, room)
        console.print()


def _room(out: TextIO) -> int:
    return Console(file=out).width if out.isatty() else shutil.get_terminal_size().columns


def _draw_one(table: Table, console: Console, room: int | None) -> None:
    fitted = _fitted(table, room)
    if table.title:
        _print(console, visible(table.title), "bold", room)
    for number, block in enumerate(fitted.blocks()):
        if number:
            console.print()
        console.print(block)
    for number, name in enumerate(fitted.below):
        console.print(Text(f"{_sign(number)} {name}"), soft_wrap=True)
    for note in table.notes:
        _print(console, visible(note), "dim", room)


def _print(console: Console, line: str, style: str, room: int | None) -> None:
    """A line, folded between words."""
    parts = [Text(line, style=style)]
    if room is not None and cell_len(line) > len(line):
        parts = list(parts[0].wrap(console, room))
    elif room is not None and len(line) > room:
        folded = textwrap.wrap(line, room, break_long_words=False, break_on_hyphens=False)
        parts = [Text(part, style=style) for part in folded]
    for part in parts:
        console.print(part, soft_wrap=True)


class _Fitted(NamedTuple):
    """A table whose texts are chosen. `limits` are the widths of its columns, `below` the names that did not fit."""

    table: Table
    limits: tuple[int, ...]
    room: int
    below: tuple[str, ...] = ()

    def blocks(self) -> Iterator[RichTable]:
        """The table in as many pieces as the width needs."""
        labels = list(range(self.table.labels))
        taken = used = sum(self.limits[index] + COLUMN_GAP for index in labels)
        block: list[int] = []
        for index in range(self.table.labels, len(self.table.columns)):
            width = self.limits[index] + COLUMN_GAP
            if block and used + width > self.room:
                yield self._drawn(labels + block)
                block, used = [], taken
            block.append(index)
            used += width
        yield self._drawn(labels + block)

    def _drawn(self, indices: Sequence[int]) -> RichTable:
        table, drawn_rows = self.table, 0
        drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, CELL_PADDING, 0, 0))
        for index in indices:
            whole, limit = _width(table, index) <= self.limits[index], self.limits[index]
            title, side = Text(table.columns[index].title), table.columns[index].align
            drawn.add_column(
                title, justify=side, no_wrap=whole, overflow="fold", max_width=None if whole else max(limit, 1)
            )
        for number, row in enumerate(table.rows):
            if number in table.rules and drawn_rows:
                drawn.add_section()
            if len(indices) == len(table.columns) or not all(row[index].empty for index in indices[table.labels :]):
                drawn.add_row(*(_rich_cell(row[index]) for index in indices))
                drawn_rows += 1
        return drawn


def _rich_cell(cell: Cell) -> Any:
    return Text(cell.text, style="bold" if cell.bold else "dim" if cell.faint else "")


# ── How wide each column may be ───────────────────────────────────────────────────────────────────


def _fitted(table: Table, room: int | None) -> _Fitted:
    wide = _chosen(table, wide=True)
    if room is None:
        return _Fitted(wide, tuple(_width(wide, index) for index in range(len(wide.columns))), sys.maxsize)
    chosen = wide if sum(_wished(wide)) + COLUMN_GAP * len(wide.columns) <= room else _chosen(table, wide=False)
    limits = _limits(chosen, room)
    below: list[str] = []
    shortened = _shortened(chosen, limits, below)
    return _Fitted(shortened, tuple(_limits(shortened, room)), room, tuple(below))


def _chosen(table: Table, *, wide: bool) -> Table:
    """The table with one text in each cell, and nothing in it that steers a terminal."""
    columns = tuple(
        column._replace(title="\n".join(visible(line) for line in column.title.split("\n"))) for column in table.columns
    )
    rows = tuple(tuple(cell._replace(text=cell.shown(wide=wide), wide="") for cell in row) for row in table.rows)
    return table._replace(columns=columns, rows=rows)


def _width(table: Table, index: int) -> int:
    """How wide the column is where nothing is folded."""
    texts = [*table.columns[index].title.split("\n"), *(row[index].text for row in table.rows)]
    return max(map(cell_len, texts))


def _longest(table: Table, index: int) -> int:
    """How wide its widest word is, or its widest cell where those are whole."""
    whole = table.columns[index].key in WHOLE
    words = table.columns[index].title.split()
    for row in table.rows:
        one = whole or (index >= table.labels and FIGURE.fullmatch(row[index].text))
        words += [row[index].text] if one else row[index].text.split()
    return max((cell_len(word) for word in words if whole or not NO_BLANKS.search(word)), default=1)


def _wished(table: Table) -> list[int]:
    """How wide each column is where only long labels are folded."""
    widths = [_width(table, index) for index in range(len(table.columns))]
    for index in range(table.labels):
        widths[index] = min(widths[index], max(LABEL_WIDTH, _longest(table, index)))
    return widths


def _limits(table: Table, room: int) -> list[int]:
    """How wide each column is: labels leave room for whole words beside them, and others take what is left at most."""
    gaps = COLUMN_GAP * table.labels
    widths = [_width(table, index) for index in range(len(table.columns))]
    if sum(widths) + COLUMN_GAP * len(widths) <= room:
        return widths
    limits, (wish, need) = _wished(table), _needed(table, room)
    labels = _squeezed(table, limits[: table.labels], room - wish - gaps, room - need - gaps)
    left = max(room - sum(labels) - gaps, MARK_WIDTH)  # nothing stands behind it
    return [*labels, *(min(width, left) for width in limits[table.labels :])]


def _needed(table: Table, room: int) -> tuple[int, int]:
    """What the widest of the other columns should have, and what it cannot do without to show whole words."""
    most, wishes, words = max(room // 2, LEAST_WIDTH), [0], [0]
    for index in range(table.labels, len(table.columns)):
        word, least = _longest(table, index), min(_width(table, index), LEAST_WIDTH - COLUMN_GAP)
        goes_below = word + COLUMN_GAP > most
        figures = any(FIGURE.fullmatch(row[index].text) for row in table.rows)
        words.append(min(COLUMN_GAP + (MARK_WIDTH if goes_below else word), most if figures else LEAST_WIDTH))
        wishes.append(COLUMN_GAP + (least if goes_below else max(word, least)))
    return max(wishes), max(words)


def _squeezed(table: Table, labels: list[int], most: int, utmost: int) -> list[int]:
    """Widths of the labels that are `most` together if they can be: they are folded between words. Where that makes
    them wider than `utmost`, the widest names go below."""
    words = [min(_longest(table, index), width) for index, width in enumerate(labels)]
    _squeeze(labels, words, most)
    if sum(labels) > utmost:
        heads = [max((cell_len(word) for word in column.title.split()), default=0) for column in table.columns]
        _squeeze(labels, [max(MARK_WIDTH, head) for head in heads], most)
    return labels


def _squeeze(widths: list[int], least: Sequence[int], most: int) -> None:
    """The widest give way first."""
    for index in sorted(range(len(widths)), key=lambda index: -widths[index]):
        over = sum(widths) - most
        if over > 0:
            widths[index] = max(widths[index] - over, min(least[index], widths[index]))


# ── Names that go below ───────────────────────────────────────────────────────────────────────────


def _shortened(table: Table, limits: Sequence[int], below: list[str]) -> Table:
    """The table with letters instead of the names that are too wide, which are added to `below`."""
    columns = tuple(
        column._replace(title=_words(column.title, limit, below))
        for column, limit in zip(table.columns, limits, strict=True)
    )
    rows = []
    for row in table.rows:
        cells = []
        for index, cell in enumerate(row):
            key, limit = table.columns[index].key, limits[index]
            if key in WHOLE:
                text = cell.text if cell_len(cell.text) <= limit else _mark(cell.text, below)
            elif key in PROSE and index >= table.labels:
                text = cell.text
            else:
                text = _words(cell.text, limit, below, label=index < table.labels)
            cells.append(cell._replace(text=text))
        rows.append(tuple(cells))
    return table._replace(columns=columns, rows=tuple(rows))


def _words(text: str, limit: int, below: list[str], *, label: bool = False) -> str:
    """`text` with letters instead of its too wide names."""

    def short(found: re.Match[str]) -> str:
        word = found[0]
        goes = cell_len(word) > limit and not NO_BLANKS.search(word) and (label or NAME.fullmatch(word))
        return _mark(word, below) if goes else word

    return re.sub(r"\S+", short, text)


def _mark(name: str, below: list[str]) -> str:
    if name not in below:
        below.append(name)
    return _sign(below.index(name))


def _sign(number: int) -> str:
    """`[a]` to `[z]`, `[aa]`: numbers in brackets are notes of other tables."""
    first, last = divmod(number, len(ascii_lowercase))
    return f"[{ascii_lowercase[(first - 1) % 26] if first else ''}{ascii_lowercase[last]}]"
