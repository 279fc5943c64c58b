"""Rows and columns of a leaderboard: which run fills which cell, and what value stands there. Knows no layout."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from tvbench.analysis.entries import ALL, RunEntry, Shown, family, shown_figure
from tvbench.analysis.published import PublishedFigure
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import of_family


@dataclass(frozen=True, slots=True)
class Place:
    """One column: a part of a task, and the family of metrics that it holds."""

    task: str
    part: str
    kind: str

    @property
    def metric(self) -> Metric:
        """What its figures are by name alone: papers' are not tied to one of ours."""
        return of_family(self.kind)

    @property
    def key(self) -> str:
        """What `--sort` calls it."""
        return self.task if self.part == ALL else f"{self.task}:{self.part}"

    @property
    def long_key(self) -> str:
        """With the metric, where one task fills two columns."""
        return f"{self.key}.{self.kind}"

    @property
    def names(self) -> tuple[str, ...]:
        """Everything that `--sort` may call it."""
        return self.key, self.long_key, self.part


@dataclass(slots=True)
class ModelRow:
    """A model: the runs that fill its cells, or published figures."""

    model: str
    source: str
    entries: dict[str, RunEntry] = field(default_factory=dict)
    figures: dict[Place, PublishedFigure] = field(default_factory=dict)
    tables: set[str] = field(default_factory=set)

    @property
    def published(self) -> bool:
        return not self.entries


def own_rows(entries: Sequence[RunEntry], apart: Mapping[str, Hashable] | None = None) -> list[ModelRow]:
    """A row a model and engine. A run that would overwrite a cell opens a further row; the newest stands first. Runs of
    which `apart`, by name, says something else never share one."""
    kinds = apart or {}
    rows: list[ModelRow] = []
    by_answerer: dict[Hashable, _Alike] = {}
    by_model: dict[str, list[ModelRow]] = {}
    runs: dict[str, list[RunEntry]] = {}
    for entry in sorted(entries, key=lambda entry: entry.date, reverse=True):
        runs.setdefault(entry.run, []).append(entry)
    for of_run in runs.values():
        first = of_run[0]
        alike = by_answerer.setdefault((first.model, first.revision, first.engine, kinds.get(first.run)), _Alike())
        row = alike.fitting({entry.result.task for entry in of_run})
        if row is None:
            row = ModelRow(first.model, "run")
            rows.append(row)
            alike.rows.append(row)
            by_model.setdefault(first.model, []).append(row)
        row.entries |= {entry.result.task: entry for entry in of_run}
    for twins in by_model.values():
        _name_sources(twins)
    return rows


class _Alike:
    """The rows of one answerer."""

    def __init__(self) -> None:
        self.rows: list[ModelRow] = []
        self._full: dict[str, int] = {}
        """By task, how many rows at the beginning all have it."""

    def fitting(self, tasks: Set[str]) -> ModelRow | None:
        """The first row that has none of `tasks`."""
        for task in tasks:
            full = self._full.get(task, 0)
            while full < len(self.rows) and task in self.rows[full].entries:
                full += 1
            self._full[task] = full
        begin = max((self._full[task] for task in tasks), default=0)
        others = (self.rows[number] for number in range(begin, len(self.rows)))
        return next((row for row in others if not tasks & row.entries.keys()), None)


def _name_sources(twins: Sequence[ModelRow]) -> None:
    """What tells rows of one name from each other: engine and revision where they differ, else the run itself."""
    firsts = [_first(row) for row in twins]
    answerers = Counter((first.engine, first.revision) for first in firsts)
    engines, revisions = {engine for engine, _ in answerers}, {revision for _, revision in answerers}
    for row, first in zip(twins, firsts, strict=True):
        words = ["run"]
        words += [first.engine] * (len(engines) > 1)
        words += [f"@{short_revision(first.revision)}"] * (len(revisions) > 1)
        words += [f"…{first.run[-8:]}"] * (answerers[first.engine, first.revision] > 1)
        row.source = " ".join(words)


def short_revision(revision: str) -> str:
    """The person's own word for a served model where there is one; of a long digest its beginning."""
    text = revision.rpartition("+served-")[0] or revision
    return text if len(text) <= 24 else f"{text[:12]}…"


def _first(row: ModelRow) -> RunEntry:
    return next(iter(row.entries.values()))


def published_rows(figures: Iterable[PublishedFigure], *, apart: bool = False) -> list[ModelRow]:
    """A row a model, over the tables of a paper (with `apart`: a row a model and table)."""
    rows: dict[tuple[str, ...], ModelRow] = {}
    for figure in figures:
        key = (figure.table.source, figure.model, figure.table.id if apart else "")
        row = rows.setdefault(key, ModelRow(figure.model, "published"))
        row.figures[Place(figure.task, figure.part, family(figure.metric))] = figure
        row.tables.add(figure.table.number)
    for row in rows.values():
        row.source = "published T" + ",".join(sorted(row.tables, key=lambda number: (len(number), number)))
    return list(rows.values())


def value_of(row: ModelRow, place: Place, metric: str | None) -> float | None:
    """The figure in the unit that people read; what is not there sorts last."""
    if row.published:
        return row.figures[place].value if place in row.figures else None
    shown = shown_in(row, place, metric)
    return None if shown is None else shown.metric.shown(shown.value.value)


def order_of(row: ModelRow, place: Place, metric: str | None) -> tuple[bool, float]:
    """A sort key of the row by one column: the best first, what is not there last."""
    shown = shown_in(row, place, metric)
    value = value_of(row, place, metric) if shown is None else shown.metric.shown(shown.value.value)
    if value is None:
        return True, 0.0
    return False, (shown.metric if shown is not None else place.metric).order(value)


def shown_in(row: ModelRow, place: Place, metric: str | None) -> Shown | None:
    """Our figure for a cell; None where there is none, and in published rows."""
    entry = row.entries.get(place.task)
    return None if entry is None else shown_figure(entry.result, place.part, place.kind, metric)
