"""A task's result in a short form that is read in parts: a figure when somebody asks for it.

    TaskResult ──shortened──▶ JSON ──restored──▶ an equal TaskResult

Whoever looks through ten thousand runs reads one metric of each: the figures of a metric, of the whole task and of each
part, are one JSON text inside the JSON, which is read when the metric is asked for. Knows the vocabulary; no file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from tvbench.types import Counts, Figure, Slice, TaskResult

Json = dict[str, Any]
WHOLE = 3
"""The tables of the whole task stand before those of its parts."""


def shortened(result: TaskResult) -> Json:
    """`result` as JSON can hold it."""
    parts = [part for of_tag in result.breakdowns.values() for part in of_tag.values()]
    tables = [result.metrics, result.micro, result.macro_without_english, *(part.metrics for part in parts)]
    kinds = list(dict.fromkeys(tuple(table) for table in tables))
    names = dict.fromkeys(name for kind in kinds for name in kind)
    return {
        "task": result.task,
        "protocol": result.protocol,
        "signature": result.signature,
        "primary": result.primary,
        "counts": _compact([_counts_to_json(counts) for counts in (result.counts, *(part.counts for part in parts))]),
        "parts": {tag: list(of_tag) for tag, of_tag in result.breakdowns.items()},
        "kinds": kinds,
        "tables": [kinds.index(tuple(table)) for table in tables],
        "figures": {name: _compact([_figure_to_json(table.get(name)) for table in tables]) for name in names},
        "metric_signatures": result.metric_signatures,
        "logged": result.logged,
        "warnings": result.warnings,
        "declared": result.declared,
    }


def restored(data: Json) -> TaskResult:
    """The result that `shortened` was given. Raises KeyError, TypeError or ValueError for anything else."""
    figures = _Figures(data["figures"], data["kinds"], data["tables"])
    breakdowns = {}
    begin = WHOLE
    for tag, values in data["parts"].items():
        breakdowns[tag] = _Parts(figures, data["counts"], {value: begin + at for at, value in enumerate(values)})
        begin += len(values)
    return TaskResult(
        data["task"],
        data["protocol"],
        data["signature"],
        data["primary"],
        _counts(data["counts"])[0],
        _Table(figures, 0),
        _Table(figures, 1),
        _Table(figures, 2),
        breakdowns,
        data["metric_signatures"],
        data["logged"],
        tuple(data["warnings"]),
        data["declared"],
    )


class _Figures:
    """The figures of a result, by metric and table."""

    __slots__ = ("_columns", "_kinds", "_tables", "_texts")

    def __init__(self, texts: Mapping[str, str], kinds: list[list[str]], tables: list[int]) -> None:
        self._texts = texts
        self._kinds = kinds
        self._tables = tables
        self._columns: dict[str, list[Any]] = {}

    def names(self, table: int) -> list[str]:
        return self._kinds[self._tables[table]]

    def figure(self, name: str, table: int) -> Figure | None:
        """None where that table does not have it."""
        column = self._columns.get(name)
        if column is None:
            if name not in self._texts:
                return None
            column = self._columns[name] = json.loads(self._texts[name])
        found = column[table]
        if type(found) is list:
            found = column[table] = Figure(*found)
        return found  # type: ignore[no-any-return]


class _Table(Mapping[str, Figure]):
    """Figures by metric."""

    __slots__ = ("_figures", "_table")

    def __init__(self, figures: _Figures, table: int) -> None:
        self._figures = figures
        self._table = table

    def __getitem__(self, name: str) -> Figure:
        found = self._figures.figure(name, self._table)
        if found is None:
            raise KeyError(name)
        return found

    def get(self, name: str, default: Any = None) -> Any:
        found = self._figures.figure(name, self._table)
        return default if found is None else found

    def __iter__(self) -> Iterator[str]:
        return iter(self._figures.names(self._table))

    def __len__(self) -> int:
        return len(self._figures.names(self._table))

    def __contains__(self, name: object) -> bool:
        return name in self._figures.names(self._table)

    def __repr__(self) -> str:
        return repr(dict(self))


class _Parts(Mapping[str, Slice]):
    """The parts of a result by language, or by another tag."""

    __slots__ = ("_counts", "_figures", "_held", "_places")

    def __init__(self, figures: _Figures, counts: str, places: dict[str, int]) -> None:
        self._figures = figures
        self._counts = counts
        self._places = places
        self._held: dict[str, Slice] = {}

    def __getitem__(self, value: str) -> Slice:
        found = self._held.get(value)
        if found is None:
            place = self._places[value]
            counts = _counts(self._counts)[place - WHOLE + 1]
            found = self._held[value] = Slice(counts, _Table(self._figures, place))
        return found

    def get(self, value: str, default: Any = None) -> Any:
        return self[value] if value in self._places else default

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __contains__(self, value: object) -> bool:
        return value in self._places

    def __repr__(self) -> str:
        return repr(dict(self))


def _figure_to_json(figure: Figure | None) -> list[Any] | None:
    if figure is None:
        return None
    return [figure.value, figure.n, figure.stderr, figure.clusters, figure.low, figure.high]


def _counts_to_json(counts: Counts) -> list[Any]:
    numbers = [counts.expected, counts.answered, counts.failed, counts.scored, counts.unscored]
    return [*numbers, counts.flags, counts.damaged, counts.reasons]


@lru_cache(maxsize=1024)
def _counts(text: str) -> tuple[Counts, ...]:
    """Of the whole, and of each part. Runs of one task mostly share them."""
    return tuple(Counts(*one) for one in json.loads(text))


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
