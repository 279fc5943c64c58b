"""`leaderboard --cost`: what the rows of a board cost, below its table, in its CSV and in its JSON.

Knows boards, costs and cards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tvbench.analysis.board_lines import BoardLine, BoardSheet
from tvbench.analysis.entries import RunEntry, metric_of
from tvbench.analysis.grid import Grid
from tvbench.analysis.language_columns import meant_by
from tvbench.analysis.leaderboard import languages_of
from tvbench.analysis.row_costs import Costs, RowCost, shared_languages, shared_tasks
from tvbench.analysis.rows import own_rows
from tvbench.analysis.tidy import ALL, MULTI, FigureRow
from tvbench.errors import TvbenchError
from tvbench.registry.prices import Price, price_of
from tvbench.report.board_screen import Beside
from tvbench.report.cost_table import COLUMNS, About, CostRow, cost_cells


@dataclass(frozen=True, slots=True)
class CostedRow(FigureRow):
    """A figure, and what a thousand questions of its task and language cost: dollars and seconds (None: not known)."""

    dollars_per_1000: float | None = None
    seconds_per_1000: float | None = None
    answers_per_second: float | None = None


def card_price(model: str) -> Price | None:
    """What the model's card says today, where it has one."""
    from tvbench.registry.catalog import models

    try:
        card = models().get(model)
        return None if card is None else price_of(card)
    except TvbenchError:
        return None


def costed_rows(rows: Iterable[FigureRow], entries: Sequence[RunEntry], costs: Costs) -> list[FigureRow]:
    """The rows of a tidy table with their costs."""
    by_name = {(entry.run, entry.result.task): entry for entry in entries}
    return [_costed(row, by_name.get((row.run, row.task)), costs) for row in rows]


def _costed(row: FigureRow, entry: RunEntry | None, costs: Costs) -> CostedRow:
    values = asdict(row)
    if entry is None:
        return CostedRow(**values)
    codes = entry.result.breakdowns.get("language", {})
    asked = {ALL: (), MULTI: tuple(code for code in codes if code != "en")}.get(row.language, (row.language,))
    rate = costs.of_entry(entry, asked).rate
    return CostedRow(
        **values,
        dollars_per_1000=rate.dollars,
        seconds_per_1000=rate.seconds,
        answers_per_second=rate.answers_per_second,
    )


def costed_records(records: Iterable[Mapping[str, Any]], entries: Sequence[RunEntry], costs: Costs) -> list[Any]:
    """JSON records of results with their costs, whole and by language."""
    by_name = {(entry.run, entry.result.task): entry for entry in entries}
    found = []
    for record in records:
        entry = by_name.get((str(record.get("run")), str(record.get("task"))))
        if entry is None:
            found.append(dict(record))
            continue
        languages = {
            code: costs.of_entry(entry, (code,)).as_json() for code in entry.result.breakdowns.get("language", {})
        }
        found.append({**record, "cost": {**costs.of_entry(entry).as_json(), "languages": languages}})
    return found


def board_costs(
    grid: Grid, entries: Sequence[RunEntry], costs: Costs, *, languages: Sequence[str] = (), by: str | None = None
) -> tuple[list[CostRow], About]:
    """The rows of ours in a table of models by tasks, each with its cost over the questions of the column `by`."""
    rows = {(row.model, row.source): row for row in own_rows(entries)}
    column = next((place for place, heading in enumerate(grid.headings) if by in (heading.key, heading.part)), 0)
    lines = [
        (line, fields[column], rows[line.model, line.source].entries)
        for line, fields in zip(grid.lines, grid.fields, strict=True)
        if not line.published and (line.model, line.source) in rows
    ]
    held = [of_row for _, _, of_row in lines]
    heading = grid.headings[column]
    tasks = _tasks_of(heading.key, {task for of_row in held for task in of_row})
    tasks = shared_tasks([of_row for of_row in held if any(task in of_row for task in tasks)], tasks)
    kept = [(line, field, of_row) for line, field, of_row in lines if all(task in of_row for task in tasks)]
    found = costs.of_rows([of_row for _, _, of_row in kept], tasks, languages)
    names = [line.model for line, _, _ in kept]
    shown = [
        CostRow(
            line.model if names.count(line.model) == 1 else f"{line.model} ({line.source})",
            cost,
            field.value,
            field.text if field.value is not None else "",
            None if field.rank is None else field.rank[0] == 1,
        )
        for (line, field, _), cost in zip(kept, found, strict=True)
    ]
    codes = {code for task in tasks for code in shared_languages(held, task, languages)} if tasks else set()
    return shown, About(tasks, tuple(sorted(codes)) if languages else (), heading.title)


def sheet_costs(
    sheet: BoardSheet, costs: Costs, languages: Sequence[str] = (), metric: str | None = None
) -> tuple[dict[int, CostRow], About]:
    """What the rows of a sheet cost, by the row's number, over the questions of the column that is ranked."""
    at = next(n for n, column in enumerate(sheet.columns) if column.name.partition("\n")[0] == sheet.ranked)
    column = sheet.columns[at]
    by_line = [{entry.result.task: entry for entry in line.entries} for line in sheet.lines]
    tasks = _tasks_of(column.key, {task for of_line in by_line for task in of_line})
    kept = [number for number, of_line in enumerate(by_line) if tasks and tasks[0] in of_line]
    held = [by_line[number] for number in kept]
    codes = {code for row in held for name in languages for code in meant_by(name, languages_of(row[tasks[0]].result))}
    found = costs.of_rows(held, tasks, sorted(codes))
    rows = {}
    for number, cost in zip(kept, found, strict=True):
        line, field = sheet.lines[number], sheet.lines[number].fields[at]
        first = line.rank.partition("–")[0] == "1" if line.rank else None
        rows[number] = CostRow(line.name, cost, field.value, field.text if field.value is not None else "", first)
    title = column.name if "\n" in column.name else f"{', '.join(tasks)}\n{column.name}"
    return rows, About(tasks, tuple(sorted(codes)), title, bool(held) and _lower(held[0][tasks[0]], metric))


def beside(sheets: Sequence[BoardSheet], found: Sequence[Mapping[int, CostRow]]) -> Beside:
    """The columns of costs, right of the figures."""
    cells = {
        _who(sheet.lines[number]): cost_cells(row.cost)
        for sheet, rows in zip(sheets, found, strict=True)
        for number, row in rows.items()
    }
    return Beside(COLUMNS, lambda line: cells.get(_who(line), cost_cells(RowCost())))


def _who(line: BoardLine) -> tuple[tuple[str, str], ...]:
    """What tells the rows of all sheets apart: their runs and tasks."""
    return tuple((entry.run, entry.result.task) for entry in line.entries)


def _lower(entry: RunEntry, metric: str | None) -> bool:
    """Whether small figures are good ones."""
    name = metric if metric in entry.result.metrics else entry.result.primary
    return metric_of(entry.result, name or entry.result.primary).better == "lower"


def _tasks_of(key: str, tasks: Iterable[str]) -> list[str]:
    """The task of a column, by the column's key."""
    found = [task for task in tasks if key == task or key.startswith((f"{task}:", f"{task}."))]
    return [max(found, key=len)] if found else []
