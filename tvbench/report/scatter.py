"""A scatter plot as text: what costs how much, and how good it is.

Each point has a name beside it where there is room, and a number with the name below where there is none. What nothing
else beats in both ways has a sign of its own. Where an encoding lacks the characters, others stand for them. Knows
points; knows no model and no price.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from textwrap import wrap

from tvbench.safety.visible import visible

LEAST_WIDTH, LEAST_PLOT, MOST_WIDTH, HEIGHT = 30, 16, 100, 12
LONGEST_NAME = 24
DECADES = 8.0
"""Costs that are further apart than this many times stand on a logarithmic scale."""


@dataclass(frozen=True, slots=True)
class Point:
    """`cost` is to be small; `score` great, unless the chart says otherwise."""

    name: str
    cost: float
    score: float


@dataclass(frozen=True, slots=True)
class Signs:
    """What is drawn with."""

    front: str
    other: str
    side: str
    tick: str
    corner: str
    floor: str
    under: str
    cut: str


UNICODE = Signs("◆", "○", "│", "┤", "└", "─", "┬", "…")
ASCII = Signs("*", "o", "|", "+", "+", "-", "+", "~")


def holds(encoding: str | None) -> bool:
    """Whether an encoding has the signs of UNICODE."""
    try:
        "".join(getattr(UNICODE, name) for name in Signs.__slots__).encode(encoding or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return False
    return True


def front(points: Sequence[Point], *, lower: bool = False) -> set[int]:
    """The numbers of the points that no other beats: as cheap or cheaper, as good or better, and one of both for
    certain. `lower`: a small score is good."""

    def beats(one: Point, other: Point) -> bool:
        better = other.score - one.score if lower else one.score - other.score
        return one.cost <= other.cost and better >= 0 and (one.cost < other.cost or better > 0)

    return {number for number, point in enumerate(points) if not any(beats(other, point) for other in points)}


def scatter(
    points: Sequence[Point],
    *,
    width: int,
    cost_text: Callable[[float], str],
    score_text: Callable[[float], str],
    axis: str = "",
    lower: bool = False,
    signs: Signs = UNICODE,
) -> list[str]:
    """The plot in lines of at most `width` cells (from LEAST_WIDTH on); nothing of fewer than two points."""
    if len(points) < 2:
        return []
    width = max(LEAST_WIDTH, min(width, MOST_WIDTH))
    scores = sorted({point.score for point in points})
    gutter = max(_cells(score_text(score)) for score in scores) + 1
    plot = _Plot(max(LEAST_PLOT, width - gutter - 2), HEIGHT, signs)
    along, log = _scale([point.cost for point in points], plot.columns)
    up, _ = _scale([point.score for point in points], plot.rows, spread=1.0)
    best = front(points, lower=lower)
    places = [plot.mark(along(one.cost), up(one.score), number in best) for number, one in enumerate(points)]
    below = [
        f"{number} {_short(point.name, LONGEST_NAME, signs)}"
        for number, point in enumerate(points, 1)
        if not plot.name(places[number - 1], _short(point.name, LONGEST_NAME, signs), str(number))
    ]
    lines = plot.lines(_ticks(points, places, score_text), gutter)
    floor, costs = _floor(points, places, plot.columns, cost_text, signs)
    blank = " " * gutter
    said = [f"{axis}{', logarithmic' if log else ''}", *below, f"{signs.front} nothing is both cheaper and better"]
    folded = [part for line in said for part in wrap(line, width, initial_indent="  ", subsequent_indent="    ")]
    return [*lines, blank + signs.corner + floor, blank + " " + costs, *folded]


class _Plot:
    """A field of cells, row 0 at the bottom."""

    def __init__(self, columns: int, rows: int, signs: Signs) -> None:
        self.columns, self.rows, self.signs = columns, rows, signs
        self._cells = [[" "] * columns for _ in range(rows)]

    def mark(self, column: int, row: int, best: bool) -> tuple[int, int]:
        """Put a point there, or as near as there is room."""
        free = (
            (abs(x - column) + abs(y - row), y, x)
            for y in range(self.rows)
            for x in range(self.columns)
            if self._cells[y][x] == " "
        )
        _, y, x = min(free, default=(0, row, column))
        self._cells[y][x] = self.signs.front if best else self.signs.other
        return x, y

    def name(self, place: tuple[int, int], name: str, number: str) -> bool:
        """Write the name beside the point, else its number. Whether the name is there."""
        for text in (name, number):
            x, y = place
            size = _cells(text)
            for start in (x + 2, x - 1 - size):
                if self._write(start, y, text, size):
                    return text is name
        return False

    def _write(self, start: int, row: int, text: str, size: int) -> bool:
        """With a free cell on either side."""
        around = range(start - 1, start + size + 1)
        if start < 0 or start + size > self.columns:
            return False
        marks = (self.signs.front, self.signs.other)
        taken = [self._cells[row][x] for x in around if 0 <= x < self.columns]
        inside = self._cells[row][start : start + size]
        if any(cell != " " for cell in inside) or any(cell not in (" ", *marks) for cell in taken):
            return False
        end = start
        for char in text:
            wide = _cells(char)
            if not wide and end > start:
                self._cells[row][end - 1] += char
                continue
            self._cells[row][end : end + wide] = [char, *[""] * (wide - 1)][:wide]
            end += wide
        return True

    def lines(self, ticks: dict[int, str], gutter: int) -> list[str]:
        found = []
        for row in reversed(range(self.rows)):
            text = ticks.get(row, "")
            edge = self.signs.tick if text else self.signs.side
            found.append((" " * (gutter - 1 - _cells(text)) + text + " " + edge + "".join(self._cells[row])).rstrip())
        return found


def _ticks(points: Sequence[Point], places: Sequence[tuple[int, int]], text: Callable[[float], str]) -> dict[int, str]:
    """By row: the score of the first point that stands there."""
    found: dict[int, str] = {}
    for point, (_, row) in zip(points, places, strict=True):
        found.setdefault(row, text(point.score))
    return found


def _floor(
    points: Sequence[Point], places: Sequence[tuple[int, int]], columns: int, text: Callable[[float], str], signs: Signs
) -> tuple[str, str]:
    """The line below, and the costs that fit under it: the cheapest, the dearest, then whatever has room."""
    floor, costs = [signs.floor] * columns, [" "] * columns
    order = sorted(range(len(points)), key=lambda number: points[number].cost)
    for number in dict.fromkeys((order[0], order[-1], *order)):
        column, label = places[number][0], text(points[number].cost)
        start = min(max(0, column - len(label) // 2), columns - len(label))
        around = costs[max(0, start - 1) : start + len(label) + 1]
        if start >= 0 and all(cell == " " for cell in around):
            costs[start : start + len(label)] = label
            floor[column] = signs.under
    return "".join(floor), "".join(costs).rstrip()


def _scale(values: Sequence[float], cells: int, *, spread: float = 0.0) -> tuple[Callable[[float], int], bool]:
    """Where a value stands among so many cells, and whether the scale is logarithmic (`spread`: never)."""
    low, high = min(values), max(values)
    log = not spread and low > 0 and high / low > DECADES
    near = math.log if log else float
    first, last = near(low), near(high)

    def place(value: float) -> int:
        if last == first:
            return cells // 2
        return round((near(value) - first) / (last - first) * (cells - 1))

    return place, log


def _short(name: str, cells: int, signs: Signs) -> str:
    """With nothing that steers a terminal, and cut where it is too long."""
    text = visible(name)
    if signs is ASCII:
        text = text.encode("ascii", "backslashreplace").decode()
    if _cells(text) <= cells:
        return text
    while _cells(text) > cells - 1:
        text = text[:-1]
    return text + signs.cut


def _cells(text: str) -> int:
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)
