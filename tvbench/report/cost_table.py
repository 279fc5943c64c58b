"""What a leaderboard's rows cost: a table, what is said below it, and a chart of cost against score.

Computes nothing but the places of points. Knows rows' costs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tvbench.analysis.row_costs import RowCost, cheapest
from tvbench.registry.prices import GIVE
from tvbench.report.cost import dollars_text, time_text
from tvbench.report.scatter import ASCII, UNICODE, Point, holds, scatter
from tvbench.report.table import Cell, Column, Table

COLUMNS = (
    Column("dollars_per_1000", "$/1k\nquestions"),
    Column("seconds_per_1000", "time/1k\nquestions"),
    Column("answers_per_second", "answers/s"),
)
DASH = "–"


@dataclass(frozen=True, slots=True)
class CostRow:
    """A row as it is shown: its name, its cost, its figure in the column that the table is sorted by, as number and as
    text, and whether nothing is certainly better (None: not ranked)."""

    name: str
    cost: RowCost
    score: float | None = None
    text: str = ""
    first: bool | None = None


@dataclass(frozen=True, slots=True)
class About:
    """What the rows were asked in common, and what their figures are called; `lower`: small ones are good."""

    tasks: Sequence[str]
    languages: Sequence[str] = ()
    score: str = ""
    lower: bool = False


def cost_cells(cost: RowCost) -> tuple[Cell, Cell, Cell]:
    """Under COLUMNS."""
    rate = cost.rate
    speed = rate.answers_per_second
    return (
        Cell(dollars_text(rate.dollars), value=rate.dollars, empty=rate.dollars is None),
        Cell(DASH if rate.seconds is None else time_text(rate.seconds), value=rate.seconds, empty=rate.seconds is None),
        Cell(DASH if speed is None else f"{speed:.3g}", value=speed, empty=speed is None),
    )


def cost_table(rows: Sequence[CostRow], about: About) -> Table:
    """A line a row, in the table's order."""
    scored = any(row.text for row in rows)
    score = [Column("score", about.score or "score")] if scored else []
    columns = (Column("model", "model", "left"), *score, *COLUMNS)
    lines = tuple(
        (Cell(row.name), *([Cell(row.text or DASH, value=row.score)] if scored else []), *cost_cells(row.cost))
        for row in rows
    )
    return Table(columns, lines, "what it costs", tuple(cost_notes(rows, about)))


def cost_notes(rows: Sequence[CostRow], about: About) -> list[str]:
    """What the figures are of, what is not known, what cannot be compared, and which is the cheapest good one."""
    return [*_of_what(rows, about), *_prices(rows), *_places(rows), *_cheapest(rows, about)]


def task_notes(rows: Sequence[CostRow], about: About) -> list[str]:
    """Of one task: what the figures are of, and which row is the cheapest good one."""
    return [*_of_what(rows, about), *_cheapest(rows, about)]


def shared_notes(tables: Iterable[Sequence[CostRow]]) -> list[str]:
    """What is the same for the rows of several tables: prices, and what their times were measured on."""
    rows = list({row.name: row for table in reversed(list(tables)) for row in table}.values())
    return [*_prices(rows), *_places(rows)]


def cost_chart(rows: Sequence[CostRow], about: About, *, width: int, encoding: str | None) -> list[str]:
    """Cost against score, of the rows that have both; nothing where they are fewer than two."""
    points = [
        Point(row.name, row.cost.rate.dollars, row.score)
        for row in rows
        if row.cost.rate.dollars is not None and row.score is not None
    ]
    return scatter(
        points,
        width=width,
        cost_text=dollars_text,
        score_text=lambda score: f"{score:.1f}",
        axis=f"dollars a thousand questions against {_line(about.score) or 'score'}",
        lower=about.lower,
        signs=UNICODE if holds(encoding) else ASCII,
    )


def _of_what(rows: Sequence[CostRow], about: About) -> list[str]:
    if not about.tasks:
        return ["cost: the rows share no task, so there are no questions to compare it by; --tasks chooses one"]
    languages = f", {', '.join(about.languages)}" if about.languages else ""
    counts = {row.cost.rate.questions for row in rows}
    asked = f"{', '.join(about.tasks)}{languages}"
    if len(counts) > 1:
        own = f"{min(counts):,} to {max(counts):,}"
        return [f"cost: a thousand questions of {asked}; the rows were not asked the same ones, but {own} each"]
    return [f"cost: a thousand questions like the {min(counts, default=0):,} of {asked} that all rows have answered"]


def _prices(rows: Sequence[CostRow]) -> list[str]:
    by_price: dict[str, list[str]] = {}
    for row in rows:
        price = "" if row.cost.price is None else str(row.cost.price)
        by_price.setdefault("as the server says" if row.cost.told else price, []).append(row.name)
    said = [f"{_names(names)}: {price}" for price, names in by_price.items() if price]
    unknown = [row.name for row in rows if row.cost.rate.dollars is None]
    lines = [f"prices: {'; '.join(said)}"] if said else []
    if unknown:
        lines.append(f"no price is known of {_names(unknown)}: {GIVE}; of one of them: --price NAME=IN,OUT")
    parts = [row.name for row in rows if 0 < row.cost.rate.priced < row.cost.rate.questions]
    if parts:
        lines.append(f"{_names(parts)}: some answers came without a number of tokens, and are taken for average ones")
    return lines


def _places(rows: Sequence[CostRow]) -> list[str]:
    timed = {row.cost.where for row in rows if row.cost.rate.seconds is not None and row.cost.where}
    lines = [f"time: {next(iter(timed))}"] if len(timed) == 1 else []
    if len(timed) > 1:
        by = {place: [row.name for row in rows if row.cost.where == place] for place in sorted(timed)}
        said = "; ".join(f"{_names(names)} by {place}" for place, names in by.items())
        lines.append(f"times of different engines and machines cannot be compared: {said}")
    untimed = [row.name for row in rows if row.cost.rate.seconds is None and row.cost.rate.questions]
    if untimed:
        lines.append(f"time not known of {_names(untimed)}: asked by an earlier tvbench, or killed early on")
    return lines


def _cheapest(rows: Sequence[CostRow], about: About) -> list[str]:
    ranked = [row.first is not None for row in rows]
    if sum(ranked) < 2:
        return []
    first = [bool(row.first) for row in rows]
    chosen = cheapest([row.cost for row in rows], first)
    if not chosen:
        return []
    dearest = [row.name for row, best in zip(rows, first, strict=True) if best and row.cost.rate.dollars is None]
    but = f" (not known of {_names(dearest)})" if dearest else ""
    price = dollars_text(rows[chosen[0]].cost.rate.dollars)
    score = f" in {_line(about.score)}" if about.score else ""
    names = _names([rows[number].name for number in chosen])
    return [f"cheapest that is not certainly worse{score}: {names}, {price} a thousand questions{but}"]


def _line(title: str) -> str:
    """A column's title in one line."""
    return title.replace("\n", ", ")


def _names(names: Sequence[str], most: int = 4) -> str:
    return ", ".join(names) if len(names) <= most else f"{', '.join(names[:most])} and {len(names) - most} more"
