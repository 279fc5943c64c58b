"""One table, four ways to show it: terminal (rich), markdown, CSV, JSON.

On a terminal a table is cut to its width (drawn.py). In a pipe every row stays on one line, which needs no rich: its
import takes longer than a quick command may. What a table is made of is in cells.py, and can be had from here.
Knows no model, no metric and no file.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from tvbench.report.cells import CELL_PADDING as CELL_PADDING
from tvbench.report.cells import COLUMN_GAP as COLUMN_GAP
from tvbench.report.cells import LABEL_WIDTH as LABEL_WIDTH
from tvbench.report.cells import Cell as Cell
from tvbench.report.cells import Column as Column
from tvbench.report.cells import Table as Table
from tvbench.safety.visible import csv_cell, json_text, visible

FORMATS = ("table", "markdown", "csv", "json", "latex")


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
        from tvbench.report.drawn import draw

        draw(tables, out)


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


def _title(column: Column) -> str:
    return "\n".join(visible(line) for line in column.title.split("\n"))
