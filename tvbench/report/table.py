"""One table, four ways to show it: terminal (rich), markdown, CSV, JSON.

A table that is wider than the terminal is first shown without its intervals, then cut into blocks of columns
that each repeat the row labels; a column that is still too wide is folded. Nothing is ever cut off. In a pipe every
row stays on one line, which needs no rich: its import takes longer than a quick command may. For the same reason the
vocabulary here is of named tuples: `dataclasses` imports `inspect`.
Knows no model, no metric and no file.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TextIO

from tvbench.safety.visible import csv_cell, json_text, visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as RichTable

FORMATS = ("table", "markdown", "csv", "json", "latex")
LABEL_WIDTH = 34
"""In a narrow terminal, row labels longer than this are folded onto a second line."""
LEAST_WIDTH = 16
"""What a column beside the labels gets, however narrow the terminal is."""
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


def show(tables: Sequence[Table], form: str, records: Any = None, *, file: TextIO | None = None) -> None:
    """Write `tables` in one of FORMATS to `file` (stdout). `records` are what JSON shows instead of cells."""
    out = file or sys.stdout
    if form == "json":
        encoding = (getattr(out, "encoding", None) or "utf-8").lower()
        shown = _plain_records(tables) if records is None else records
        out.write(json_text(shown, ascii_only=not encoding.startswith("utf")) + "\n")
    elif form == "csv":
        out.write(csv_text(tables))
    elif form == "markdown":
        out.write(markdown_text(tables))
    elif form == "latex":
        out.write(latex_text(tables))
    elif _is_plain(out):
        out.write(plain_text(tables))
    else:
        _show_rich(tables, out)


def csv_text(tables: Sequence[Table]) -> str:
    """Raw values, one header. Several tables become one, with the table's title as the first column."""
    import csv

    keys = list(dict.fromkeys(column.key for table in tables for column in table.columns))
    head = ["table", *keys] if len(tables) > 1 else keys
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([csv_cell(name) for name in head])
    for record in _plain_records(tables):
        writer.writerow(["" if (value := record.get(name)) is None else csv_cell(value) for name in head])
    return buffer.getvalue()


def markdown_text(tables: Sequence[Table]) -> str:
    """GitHub-flavoured tables; bold marks the best."""
    parts: list[str] = []
    for table in tables:
        if table.title:
            parts.append(f"### {_markdown_text(table.title)}\n")
        parts.append(_markdown_line([_markdown_text(column.title).replace("|", "\\|") for column in table.columns]))
        parts.append(_markdown_line([":--" if column.align == "left" else "--:" for column in table.columns]))
        for row in table.rows:
            parts.append(_markdown_line([_markdown_cell(cell) for cell in row]))
        parts.extend(f"\n{_markdown_text(note)}" for note in table.notes)
        parts.append("")
    return "\n".join(parts) + "\n"


def latex_text(tables: Sequence[Table]) -> str:
    """`tabular`s with the rules of the package booktabs, notes below as comments."""
    parts: list[str] = []
    for table in tables:
        sides = "".join("l" if column.align == "left" else "r" for column in table.columns)
        heads = [_latex_cell(Cell(column.title)) for column in table.columns]
        parts += [f"% {visible(table.title)}"] if table.title else []
        parts += [f"\\begin{{tabular}}{{{sides}}}", "\\toprule", " & ".join(heads) + r" \\", "\\midrule"]
        for number, row in enumerate(table.rows):
            parts += ["\\midrule"] if number in table.rules else []
            parts.append(" & ".join(_latex_cell(cell) for cell in row) + r" \\")
        parts += ["\\bottomrule", "\\end{tabular}", *(f"% {visible(note)}" for note in table.notes), ""]
    return "\n".join(parts)


def _latex_cell(cell: Cell) -> str:
    marks = {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        "<": "$<$",
        ">": "$>$",
        "±": r"$\pm$",
        "–": "--",
        **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    }
    text = "".join(marks.get(mark, mark) for mark in cell.shown(wide=True))
    return f"\\textbf{{{text}}}" if cell.bold and text else text


def _plain_records(tables: Sequence[Table]) -> list[dict[str, Any]]:
    return [
        {"table": table.title}
        | {
            column.key: cell.text if cell.value is None else cell.value
            for column, cell in zip(table.columns, row, strict=True)
        }
        for table in tables
        for row in table.rows
    ]


def _markdown_line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown_text(text: str) -> str:
    """Text on one line that brings no HTML, no link and no picture into a page."""
    return re.sub(r"<(?=[!/?A-Za-z])", "&lt;", visible(text)).replace("](", "]\\(")


def _markdown_cell(cell: Cell) -> str:
    text = cell.shown(wide=True).replace("\\", "\\\\").replace("|", "\\|").replace("*", "\\*")
    text = _markdown_text(text)
    return f"**{text}**" if cell.bold and text else text


def _is_plain(out: TextIO) -> bool:
    """Whether nothing is to be folded, coloured or replaced."""
    asked = {"COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"} & os.environ.keys()
    return not asked and not out.isatty() and (getattr(out, "encoding", None) or "utf-8").lower().startswith("utf")


def plain_text(tables: Sequence[Table]) -> str:
    """What rich would write into an endlessly wide pipe."""
    lines: list[str] = []
    for table in tables:
        heads = [_title(column).split("\n") for column in table.columns]
        height = max(map(len, heads))
        rows = [[cell.shown(wide=True) for cell in row] for row in table.rows]
        above = list(zip(*([""] * (height - len(head)) + head for head in heads), strict=True))
        widths = [max(map(text_width, column)) for column in zip(*above, *rows, strict=True)]
        widths[-1] = max(widths[-1], 1)
        lines += [visible(table.title)] if table.title else []
        lines += [_plain_line(table, row, widths) for row in above]
        lines.append("─" * (sum(widths) + COLUMN_GAP * (len(widths) - 1)))
        for number, row in enumerate(rows):
            lines += [_plain_line(table, [""] * len(widths), widths)] if number and number in table.rules else []
            lines.append(_plain_line(table, row, widths))
        lines += [*(visible(note) for note in table.notes), ""]
    return "".join(f"{line}\n" for line in lines)


def _plain_line(table: Table, row: Sequence[str], widths: Sequence[int]) -> str:
    cells = []
    for column, text, width in zip(table.columns, row, widths, strict=True):
        text = text if column.align == "left" else text.rstrip()
        blanks = " " * (width - text_width(text))
        cells.append(text + blanks if column.align == "left" else blanks + text)
    return (" " * COLUMN_GAP).join(cells)


def text_width(text: str) -> int:
    """How wide a text is on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _show_rich(tables: Sequence[Table], out: TextIO) -> None:
    from rich.console import Console
    from rich.text import Text

    fixed = out.isatty() or "COLUMNS" in os.environ
    console = Console(file=out, highlight=False, width=None if fixed else 10_000, soft_wrap=not fixed)
    for table in tables:
        if table.title:
            console.print(Text(visible(table.title), style="bold"))
        for number, block in enumerate(_blocks(table, console, fixed=fixed)):
            if number:
                console.print()
            console.print(block)
        for note in table.notes:
            console.print(Text(visible(note), style="dim"))
        console.print()


def _blocks(table: Table, console: Console, *, fixed: bool) -> Iterator[RichTable]:
    """The table in as many pieces as the width needs, standard errors only where they cost no piece."""
    labels = list(range(table.labels))
    others = list(range(table.labels, len(table.columns)))
    room = console.width if fixed else sys.maxsize
    wide = sum(_width(table, index, wide=True, fixed=fixed) for index in labels + others) <= room
    taken = sum(_width(table, index, wide=wide, fixed=fixed) for index in labels)
    left = max(room - taken, LEAST_WIDTH)
    block: list[int] = []
    used = taken
    for index in others:
        width = _width(table, index, wide=wide, fixed=fixed)
        if block and used + width > room:
            yield _rich_table(table, labels + block, left, wide=wide, fixed=fixed)
            block, used = [], taken
        block.append(index)
        used += width
    yield _rich_table(table, labels + block, left, wide=wide, fixed=fixed)


def _width(table: Table, index: int, *, wide: bool, fixed: bool) -> int:
    from rich.cells import cell_len

    texts = [*_title(table.columns[index]).split("\n"), *(row[index].shown(wide=wide) for row in table.rows)]
    width = max(cell_len(text) for text in texts)
    if fixed and index < table.labels:
        width = min(width, LABEL_WIDTH)
    return width + COLUMN_GAP


def _rich_table(table: Table, indices: Sequence[int], left: int, *, wide: bool, fixed: bool) -> RichTable:
    """The columns at `indices`. `left` is the room beside the labels: a column that is wider is folded."""
    from rich import box
    from rich.table import Table as RichTable
    from rich.text import Text

    drawn = RichTable(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, CELL_PADDING, 0, 0))
    for index in indices:
        column = table.columns[index]
        label = index < table.labels
        if label:
            limit = LABEL_WIDTH if fixed else None
        else:
            limit = left - COLUMN_GAP if _width(table, index, wide=wide, fixed=fixed) > left else None
        drawn.add_column(
            Text(_title(column)), justify=column.align, no_wrap=limit is None, overflow="fold", max_width=limit
        )
    whole = len(indices) == len(table.columns)
    drawn_rows = 0
    for number, row in enumerate(table.rows):
        if number in table.rules and drawn_rows:
            drawn.add_section()
        if whole or not all(row[index].empty for index in indices[table.labels :]):
            drawn.add_row(*(_rich_cell(row[index], wide=wide) for index in indices))
            drawn_rows += 1
    return drawn


def _title(column: Column) -> str:
    return "\n".join(visible(line) for line in column.title.split("\n"))


def _rich_cell(cell: Cell, *, wide: bool) -> Any:
    from rich.text import Text

    return Text(cell.shown(wide=wide), style="bold" if cell.bold else "dim" if cell.faint else "")
