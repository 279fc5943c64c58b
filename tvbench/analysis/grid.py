"""A leaderboard as it is computed: models against columns, what stands in each field, and what is said below.

Marks have names here; report/painting.py knows their signs. Knows no file, no run and no layout.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from tvbench.runs.signature import read_signature

Mark = Literal["best", "incomplete", "logged", "partial"]
ABSENT = {"media": "shown", "repeats": "1"}
"""What it means when a signature does not have the field."""


@dataclass(frozen=True, slots=True)
class Field:
    """`text` is the figure, or what stands where there is none (`value` None); `interval` its 95 % interval as shown
    with it, "" where unknown. `number`: the remark that says how it was measured otherwise than the rest of its column;
    0: not so. `rank`: the ranks that it may have among the figures of its column with equal signatures."""

    text: str = "–"
    value: float | None = None
    interval: str = ""
    marks: tuple[Mark, ...] = ()
    number: int = 0
    rank: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Heading:
    """A column. `key` is what CSV and `--sort` call it, `title` stands above it, `name` beside it where columns go
    down; `part` is the language or group itself, `size` its members, where they are counted. `whole`: over all."""

    key: str
    title: str
    name: str = ""
    part: str = ""
    size: int | None = None
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """Who answered; `rank` is that of the column by which the lines are sorted, such as `1–2`."""

    model: str
    source: str
    published: bool = False
    rank: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """Something to be said below, after a mark or a number that stands in a field."""

    text: str
    mark: Mark | None = None
    number: int = 0


@dataclass(frozen=True, slots=True)
class Grid:
    """`fields` by line. `down`: columns go down and models across. `parts` is what columns are, as CSV and people call
    it; `sized`: how many members each has is shown."""

    title: str
    headings: tuple[Heading, ...]
    lines: tuple[Line, ...]
    fields: tuple[tuple[Field, ...], ...]
    remarks: tuple[Remark, ...] = ()
    down: bool = False
    parts: tuple[str, str] = ("language", "")
    sized: bool = False


def difference(group: str, common: str) -> str:
    """In words, how two signatures differ: `protocol paper, metric strict (others: protocol tvbench, ...)`."""
    here, there = read_signature(group), read_signature(common)
    names = [name for name in dict.fromkeys([*here, *there]) if here.get(name) != there.get(name)]
    ours = ", ".join(f"{name} {here.get(name, ABSENT.get(name, 'none'))}" for name in names)
    others = ", ".join(f"{name} {there.get(name, ABSENT.get(name, 'none'))}" for name in names)
    return f"{ours} (others: {others})"
