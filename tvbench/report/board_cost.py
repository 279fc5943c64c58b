"""`leaderboard --cost`: what the rows of a board cost, below its table, in its CSV and in its JSON.

Knows boards, costs and cards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tvbench.analysis.entries import RunEntry
from tvbench.analysis.grid import Grid
from tvbench.analysis.row_costs import Costs, shared_languages, shared_tasks
from tvbench.analysis.rows import own_rows
from tvbench.analysis.tidy import ALL, MULTI, FigureRow
from tvbench.errors import TvbenchError
from tvbench.registry.prices import Price, price_of
from tvbench.report.cost_table import About, CostRow


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


def _tasks_of(key: str, tasks: Iterable[str]) -> list[str]:
    """The task of a column, by the column's key."""
    found = [task for task in tasks if key == task or key.startswith((f"{task}:", f"{task}."))]
    return [max(found, key=len)] if found else []
