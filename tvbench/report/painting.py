"""The one painter of leaderboards: a grid as a table, models down, or columns down where they are many.

★ nothing is certainly better among figures that may be compared, * not every item answered and scored, ° copied from a
foreign log, † not over all that a group has; a small number says what differs. Computes nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tvbench.analysis.grid import Field, Grid, Heading, Line, Mark, Remark
from tvbench.report.table import Cell, Column, Table

SIGNS: dict[Mark, str] = {"best": "★", "incomplete": "*", "logged": "°", "partial": "†"}
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
TITLE_WIDTH = 18


def painted(grids: Sequence[Grid]) -> list[Table]:
    """A table each."""
    return [_columns_down(grid) if grid.down else _models_down(grid) for grid in grids]


def _models_down(grid: Grid) -> Table:
    above = [f"{head.title}\n{_size(head).text}" if grid.sized else head.title for head in grid.headings]
    heads = [Column(head.key, title) for head, title in zip(grid.headings, above, strict=True)]
    ranked = any(line.rank for line in grid.lines)
    rows = tuple(
        (
            Cell(line.model, bold=not line.published),
            *((_rank(line),) if ranked else ()),
            Cell(line.source, faint=True),
            *map(_cell, fields),
        )
        for line, fields in zip(grid.lines, grid.fields, strict=True)
    )
    own = sum(not line.published for line in grid.lines)
    ranks = (Column("rank", "rank"),) if ranked else ()
    columns = (Column("model", "model", "left"), *ranks, Column("source", "source", "left"), *heads)
    return Table(columns, rows, grid.title, _notes(grid), labels=2 + ranked, rules=(own,) if own else ())


def _columns_down(grid: Grid) -> Table:
    sizes = (Column("size", "size"),) if grid.sized else ()
    heads = [Column(f"{line.model} ({line.source})", _wrapped(line)) for line in grid.lines]
    rows = tuple(
        (
            Cell(head.name, value=head.part),
            *((_size(head),) if grid.sized else ()),
            *(_cell(fields[number]) for fields in grid.fields),
        )
        for number, head in enumerate(grid.headings)
    )
    whole = sum(head.whole for head in grid.headings)
    if any(line.rank for line in grid.lines):
        size = (Cell("", value=""),) if grid.sized else ()
        rows = ((Cell("rank"), *size, *map(_rank, grid.lines)), *rows)
        whole += 1
    columns = (Column(*grid.parts, "left"), *sizes, *heads)
    return Table(columns, rows, grid.title, _notes(grid), rules=(whole,))


def _cell(field: Field) -> Cell:
    if field.value is None:
        return Cell(field.text, value="", faint=True, empty=True)
    marks = "".join(SIGNS[mark] for mark in field.marks) + _numbered(field.number)
    wide = f"{field.text} {field.interval}{marks}" if field.interval else ""
    return Cell(f"{field.text}{marks}", wide, field.value, bold="best" in field.marks)


def _rank(line: Line) -> Cell:
    return Cell(line.rank) if line.rank else Cell("–", value="", faint=True, empty=True)


def _size(head: Heading) -> Cell:
    return Cell("", value="") if head.size is None else Cell(str(head.size), value=head.size)


def _notes(grid: Grid) -> tuple[str, ...]:
    return tuple(dict.fromkeys(map(_note, grid.remarks)))


def _note(remark: Remark) -> str:
    sign = _numbered(remark.number) or (SIGNS[remark.mark] if remark.mark else "")
    return f"{sign} {remark.text}" if sign else remark.text


def _numbered(number: int) -> str:
    return str(number).translate(SUPERSCRIPT) if number else ""


def _wrapped(line: Line) -> str:
    lines = textwrap.wrap(line.model, TITLE_WIDTH, break_long_words=True, break_on_hyphens=True)
    return "\n".join([*lines, *textwrap.wrap(line.source, TITLE_WIDTH)])
