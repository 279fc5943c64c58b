"""The screen at the end of a run: tasks down, languages across, and below it what is wrong and what to type next.

    laid out for a width: reference figures go first, then the metric's name, then the languages between best and
    worst; where not even four languages fit, languages go down and tasks across. The interval never goes.

Knows sheets and tables; computes nothing.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence

from tvbench.analysis.alarms import Alarm
from tvbench.analysis.language_columns import ChosenColumns, LanguageColumn, fewer
from tvbench.analysis.references import references_text
from tvbench.analysis.run_sheet import Block, RunSheet, TaskFigures
from tvbench.languages import language_name
from tvbench.report.screens import table_width, wrapped
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.intervals import ends
from tvbench.scoring.metric import FRACTION, POINTS, Metric
from tvbench.types import Figure

LEAST_LANGUAGES = 4
"""As many must fit beside each other, or languages go down."""
NARROW = 2.0
"""An interval that is narrower, in shown units, has a decimal."""
NAMED = 4
"""As many languages are named in a line on what is wrong."""
LEAST_SHOWN = 0.005
SAYS_95 = "95 % intervals"


def ranged(shown: Metric, figure: Figure) -> tuple[str, str]:
    """A figure as it stands on a screen: `81.2`, and `[77–85]`, its 95 % interval ("" where it has none)."""
    found = ends(figure)
    if found is None:
        return shown.text(figure.value), ""
    low, high = found
    coarse = shown.unit in (FRACTION, POINTS) and shown.shown(high) - shown.shown(low) >= NARROW
    return shown.text(figure.value), "[" + "–".join(
        shown.text(end, decimals=0 if coarse else None) for end in (low, high)
    ) + "]"


def header(sheet: RunSheet, width: int | None) -> list[str]:
    """The label and what the run took, and what the brackets are."""
    said = f"{sheet.label}  ·  {', '.join(sheet.facts)}"
    if width is None or len(said) + len(SAYS_95) + 4 <= width:
        return [said + " " * max(4, min(width or 0, 84) - len(said) - len(SAYS_95)) + SAYS_95]
    return [*textwrap.wrap(said, width), SAYS_95]


def tables(sheet: RunSheet, width: int | None) -> list[Table]:
    """The figures, in a table for each set of languages."""
    return [_fitted(block, width) for block in sheet.blocks if block.rows]


# ── Layouts ───────────────────────────────────────────────────────────────────────────────────────


def _fitted(block: Block, width: int | None) -> Table:
    """The first layout that fits."""
    for table in _layouts(block):
        if width is None or table_width(table) <= width:
            return table
    return _down(block)


def _layouts(block: Block) -> Iterator[Table]:
    yield _across(block, block.languages)
    yield _across(block, block.languages, reference=False)
    yield _across(block, block.languages, reference=False, named=False)
    figures = [(row.metric, row.values) for row in block.rows if row.metric is not None]
    shown = len(block.languages.columns)
    for ends_ in range((shown - 1) // 2, LEAST_LANGUAGES // 2 - 1, -1):
        yield _across(block, fewer(block.languages, ends_, figures), reference=False, named=False)


def _across(block: Block, languages: ChosenColumns, *, reference: bool = True, named: bool = True) -> Table:
    """Tasks down, languages across."""
    keys = [column.key for column in languages.columns]
    columns = [Column("task", "task", "left")] + [Column("metric", "metric", "left")] * named
    columns += [Column(column.key, _title(column), "left") for column in languages.columns]
    cells: list[list[Cell]] = []
    for row in block.rows:
        words = [Cell(row.task, bold=True)] + [Cell(_label(row), faint=True)] * named
        cells.append(words + [_cell(row, key) for key in keys])
    at = (2 if named else 1) + languages.best
    if languages.between:
        columns.insert(at, Column("between", f"{len(languages.between)} in\nbetween", "left"))
        for line in cells:
            line.insert(at, Cell("…", faint=True))
    if len(block.languages.columns) + len(block.languages.between) > 1:
        of = f"\nof {len(languages.columns) + len(languages.between)}" if languages.between else ""
        columns.append(Column("mean", f"mean{of}", "left"))
        for line, row in zip(cells, block.rows, strict=True):
            line.append(_figure_cell(row.metric, row.mean, bold=True))
    if reference and any(row.references for row in block.rows):
        columns.append(Column("reference", "", "left"))
        for line, row in zip(cells, block.rows, strict=True):
            line.append(Cell(references_text(row.references), faint=True))
    aligned = _aligned(columns, cells)
    notes = _notes(block, languages, reference=reference, named=named)
    return Table(tuple(columns), aligned, notes=tuple(notes), labels=2 if named else 1)


def _down(block: Block) -> Table:
    """Languages down, tasks across."""
    columns = [
        Column("language", "", "left"),
        *(Column(row.task, f"{row.task}\n{_label(row)}", "left") for row in block.rows),
    ]
    cells = [
        [Cell(_starred(column)), *(_cell(row, column.key) for row in block.rows)] for column in block.languages.columns
    ]
    if block.languages.between:
        cells.insert(
            block.languages.best,
            [Cell(f"… {len(block.languages.between)} in between", faint=True), *[Cell()] * len(block.rows)],
        )
    if len(block.languages.columns) > 1:
        cells.append([Cell("mean", bold=True), *(_figure_cell(row.metric, row.mean, bold=True) for row in block.rows)])
    notes = _notes(block, block.languages, reference=False, named=True)
    return Table(tuple(columns), _aligned(columns, cells), notes=tuple(notes))


def _cell(row: TaskFigures, key: str) -> Cell:
    return _figure_cell(row.metric, row.figures.get(key), row.flags.get(key, ""))


def _figure_cell(shown: Metric | None, figure: Figure | None, flags: str = "", *, bold: bool = False) -> Cell:
    """Value, interval and flags, apart by tabs until their widths are known."""
    if shown is None or figure is None:
        return Cell("–", faint=True, empty=True)
    value, interval = ranged(shown, figure)
    return Cell(f"{value}\t{interval}\t{flags}", value=figure.value, bold=bold)


def _aligned(columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> tuple[tuple[Cell, ...], ...]:
    """The same with the parts of the cells of a column below each other."""
    widths: list[list[int]] = []
    for place in range(len(columns)):
        parts = [row[place].text.split("\t") for row in rows if "\t" in row[place].text]
        widths.append([max(map(len, column)) for column in zip(*parts, strict=True)])
    return tuple(tuple(_spread(cell, widths[place]) for place, cell in enumerate(row)) for row in rows)


def _spread(cell: Cell, widths: Sequence[int]) -> Cell:
    if "\t" not in cell.text:
        return cell
    value, interval, flags = cell.text.split("\t")
    return cell._replace(text=f"{value:>{widths[0]}} {interval:<{widths[1]}} {flags}".rstrip())


# ── Words ─────────────────────────────────────────────────────────────────────────────────────────


def _starred(column: LanguageColumn) -> str:
    return column.name + "*" * column.several


def _title(column: LanguageColumn) -> str:
    return wrapped(_starred(column))


def _label(row: TaskFigures) -> str:
    return "nothing scored" if row.metric is None else row.metric.label


def _notes(block: Block, languages: ChosenColumns, *, reference: bool, named: bool) -> Iterator[str]:
    """What the layout has left out, and what its signs mean."""
    if not named:
        yield _together((_label(row), row.task) for row in block.rows)
    if not reference and any(row.references for row in block.rows):
        yield _together((references_text(row.references), row.task) for row in block.rows if row.references)
    for column in languages.columns:
        if column.several:
            yield f"* {column.name}: {column.members} taken together"
    if languages.between:
        yield (
            f"best and worst of {len(languages.columns) + len(languages.between)} languages; in between: "
            + ", ".join(column.name for column in languages.between[:6])
            + (", …" if len(languages.between) > 6 else "")
            + " (--all shows them)"
        )


def _together(pairs: Iterable[tuple[str, str]]) -> str:
    """`aligned: alm, vimul; chrF++: multi30k`."""
    found: dict[str, list[str]] = {}
    for words, task in pairs:
        found.setdefault(words, []).append(task)
    return "; ".join(f"{', '.join(tasks)}: {words}" for words, tasks in found.items())


MOST_ALARMS = 6


def signs(sheet: RunSheet) -> list[str]:
    """What `!` and `=` mean here: a line for what is wrong in the same way in several languages of a task."""
    groups: dict[tuple[str, str], list[Alarm]] = {}
    for alarm in sheet.alarms:
        groups.setdefault((alarm.task, alarm.words), []).append(alarm)
    order = sorted(groups.values(), key=lambda some: (not some[0].all_items, -max(alarm.share for alarm in some)))
    said = [_said(some) for some in order[:MOST_ALARMS]]
    said += [f"! and {len(order) - MOST_ALARMS} more: `tvbench explain` says them"] * (len(order) > MOST_ALARMS)
    flags = {flag for block in sheet.blocks for row in block.rows for text in row.flags.values() for flag in text}
    return said + ["= no better than chance"] * ("=" in flags)


def _said(some: Sequence[Alarm]) -> str:
    """`! Arabic, alm: 61 % of the answers are in English`."""
    names = [language_name(alarm.language) for alarm in some]
    where = ", ".join(names) if len(names) <= NAMED else f"{', '.join(names[:NAMED])} and {len(names) - NAMED} more"
    low, high = (_percent(edge(alarm.share for alarm in some)) for edge in (min, max))
    share = f"{low} %" if low == high else f"{low}–{high} %"
    return f"! {where}, {some[0].task}: {share} of the {'items' if some[0].all_items else 'answers'} {some[0].words}"


def _percent(share: float) -> str:
    return f"{share * 100:.0f}" if share >= LEAST_SHOWN else "less than 1"
