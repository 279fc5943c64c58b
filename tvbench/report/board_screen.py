"""The leaderboard's screen: models down, languages (or tasks) across, and how each stands in words.

    laid out for a width: run names go to lines below first, then the words; columns that do not fit stand in a further
    block; where not even one fits beside the names, models stand across. The interval never goes.

Others add columns at the right (Beside). Knows sheets and tables; computes nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from tvbench.analysis.board_lines import BoardLine, BoardSheet
from tvbench.analysis.grid import Field, Remark
from tvbench.analysis.matrix import counts_text
from tvbench.analysis.references import references_text
from tvbench.report.painting import SUPERSCRIPT
from tvbench.report.screens import table_width, wrapped
from tvbench.report.table import COLUMN_GAP, LABEL_WIDTH, Cell, Column, Table

SIGNS = {"best": "★", "logged": "°", "partial": "†"}
WRONG = "!"
LEAST_COLUMNS = 2
"""As many must fit beside the models' names, or models stand across."""
NAME_WIDTH = 16
"""Of a model's name where models stand across."""


@dataclass(frozen=True, slots=True)
class Beside:
    """Columns that stand right of the figures: `cells` gives those of a row, `notes` stand below."""

    columns: tuple[Column, ...]
    cells: Callable[[BoardLine], Sequence[Cell]]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Screen:
    """A table, and the lines below it that did not fit in: each to be copied, so none is ever folded."""

    table: Table
    runs: tuple[tuple[str, str], ...] = ()


def board_screen(sheet: BoardSheet, width: int | None, beside: Sequence[Beside] = ()) -> Screen:
    """One sheet for a width (None: endless)."""
    for words, runs in ((True, True), (True, False), (False, False)):
        table = _across(sheet, beside, words=words, runs=runs)
        if width is None or table_width(table) <= width:
            return Screen(table, () if runs else _runs(sheet))
    sheet = _mean_first(sheet)
    blocks = _across(sheet, beside, words=False, runs=False)
    labels = sum(min(LABEL_WIDTH, _widest(blocks, place)) + COLUMN_GAP for place in range(blocks.labels))
    widest = max((_widest(blocks, place) for place in range(blocks.labels, len(blocks.columns))), default=0)
    fits = width is None or labels + min(LEAST_COLUMNS, len(sheet.columns)) * (widest + COLUMN_GAP) <= width
    return Screen(blocks if fits else _down(sheet, beside), _runs(sheet))


def _mean_first(sheet: BoardSheet) -> BoardSheet:
    """The same with the means before the languages: what is cut into blocks begins with them."""
    order = sorted(range(len(sheet.columns)), key=lambda place: not sheet.columns[place].whole)
    lines = [replace(line, fields=tuple(line.fields[place] for place in order)) for line in sheet.lines]
    return replace(sheet, columns=tuple(sheet.columns[place] for place in order), lines=tuple(lines))


def _widest(table: Table, place: int) -> int:
    alone = table._replace(columns=(table.columns[place],), rows=tuple((row[place],) for row in table.rows))
    return table_width(alone) - COLUMN_GAP


def _runs(sheet: BoardSheet) -> tuple[tuple[str, str], ...]:
    return tuple((line.name, run) for line in sheet.lines for run in line.runs)


# ── Layouts ───────────────────────────────────────────────────────────────────────────────────────


def _across(sheet: BoardSheet, beside: Sequence[Beside], *, words: bool, runs: bool) -> Table:
    """Models down."""
    ranked = any(line.rank for line in sheet.lines)
    said = words and any(line.words for line in sheet.lines)
    named = runs and any(line.runs for line in sheet.lines)
    columns = [Column("rank", "", "right")] * ranked + [Column("model", "", "left")]
    columns += [Column(column.key, wrapped(column.name), "left") for column in sheet.columns]
    columns += [column for one in beside for column in one.columns]
    columns += [Column("standing", "", "left")] * said + [Column("run", "run", "left")] * named
    rows = []
    for line in sheet.lines:
        row = [_rank(line)] * ranked + [_name(line)]
        row += [_cell(field, line, place) for place, field in enumerate(line.fields)]
        row += [cell for one in beside for cell in one.cells(line)]
        row += [Cell(line.words)] * said + [Cell(" + ".join(line.runs), faint=True)] * named
        rows.append(row)
    own = sum(not line.published for line in sheet.lines)
    notes = tuple(_notes(sheet, beside, words=words))
    return Table(tuple(columns), _aligned(rows), sheet.title, notes, labels=1 + ranked, rules=(own,) if own else ())


def _down(sheet: BoardSheet, beside: Sequence[Beside]) -> Table:
    """Models across, whose names are folded; what is in the columns goes down."""
    columns = [Column("column", "", "left")]
    columns += [Column(line.name, "\n".join(textwrap.wrap(line.name, NAME_WIDTH)), "left") for line in sheet.lines]
    rows = [[Cell("rank"), *map(_rank, sheet.lines)]] if any(line.rank for line in sheet.lines) else []
    for place, column in enumerate(sheet.columns):
        name = column.name.replace("\n", ", ")
        rows.append([Cell(name), *(_cell(line.fields[place], line, place) for line in sheet.lines)])
    for one in beside:
        by_line = [list(one.cells(line)) for line in sheet.lines]
        for place, head in enumerate(one.columns):
            rows.append([Cell(head.title.replace("\n", " ")), *(some[place] for some in by_line)])
    flat = tuple(tuple(cell._replace(text=cell.text.replace("\t", "")) for cell in row) for row in rows)
    return Table(tuple(columns), flat, sheet.title, tuple(_notes(sheet, beside, words=False)))


def _rank(line: BoardLine) -> Cell:
    return Cell(line.rank) if line.rank else Cell("–", value="", faint=True, empty=True)


def _name(line: BoardLine) -> Cell:
    return Cell(line.name, bold=not line.published, faint=line.published)


def _cell(field: Field, line: BoardLine, place: int) -> Cell:
    """Value and interval, apart by a tab until their widths are known."""
    if field.value is None:
        return Cell(field.text, value="", faint=True, empty=True)
    marks = "".join(SIGNS.get(mark, "") for mark in field.marks) + WRONG * _is_wrong(field, line, place)
    number = str(field.number).translate(SUPERSCRIPT) if field.number else ""
    text = f"{field.text}\t{' ' * bool(field.interval)}{field.interval}{marks}{number}"
    return Cell(text, value=field.value, bold="best" in field.marks, faint=line.published)


def _is_wrong(field: Field, line: BoardLine, place: int) -> bool:
    return "incomplete" in field.marks and any(not entry.result.counts.all_answered for entry in line.entries)


def _aligned(rows: Sequence[Sequence[Cell]]) -> tuple[tuple[Cell, ...], ...]:
    """The same with figures of a column below each other at their points."""
    widths = [max((len(text.split("\t")[0]) for cell in column if "\t" in (text := cell.text)), default=0)
              for column in zip(*rows, strict=True)]  # fmt: skip
    return tuple(tuple(_spread(cell, widths[place]) for place, cell in enumerate(row)) for row in rows)


def _spread(cell: Cell, width: int) -> Cell:
    if "\t" not in cell.text:
        return cell
    value, rest = cell.text.split("\t")
    return cell._replace(text=f"{value:>{width}}{rest}")


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────


def _notes(sheet: BoardSheet, beside: Sequence[Beside], *, words: bool) -> Iterator[str]:
    if not words:
        yield from _standings(sheet)
    if sheet.more:
        first = sum(not line.published for line in sheet.lines)
        yield f"first {first:,} of {first + sheet.more:,} rows (all of them: --all)"
    if sheet.left_out:
        yield sheet.left_out
    yield from _wrong(sheet)
    if sheet.told:
        yield sheet.told
    yield from (note for one in beside for note in one.notes)
    if sheet.references and (text := references_text(sheet.references)):
        yield text
    if signs := "; ".join(_signs(sheet)):
        yield signs
    yield from map(_remark, sheet.remarks)


def _standings(sheet: BoardSheet) -> Iterator[str]:
    """What stands in the rows where there is room."""
    by_words: dict[str, list[BoardLine]] = {}
    for line in sheet.lines:
        if line.words:
            by_words.setdefault(line.words, []).append(line)
    for words, lines in by_words.items():
        yield f"{'; '.join(' '.join(filter(None, (line.rank, line.name))) for line in lines)}: {words}"


def _wrong(sheet: BoardSheet) -> Iterator[str]:
    for line in sheet.lines:
        for entry in line.entries:
            if not entry.result.counts.all_answered and not entry.result.copied:
                yield f"{WRONG} {line.name}, {entry.result.task}: {counts_text(entry.result.counts)}"


def _signs(sheet: BoardSheet) -> Iterator[str]:
    fields = [field for line in sheet.lines for field in line.fields]
    if any(field.interval for field in fields):
        yield "±: 95 % interval"
    if any("best" in field.marks for field in fields):
        yield "★ nothing is certainly better"
    if any(line.rank for line in sheet.lines):
        yield f"rank in {sheet.ranked}: best and worst that the data leave open"
    if any("logged" in field.marks for field in fields):
        yield "° copied from the log of another harness"
    yield from sheet.joint


def _remark(remark: Remark) -> str:
    number = str(remark.number).translate(SUPERSCRIPT) if remark.number else ""
    return f"{number} {remark.text}".strip()
