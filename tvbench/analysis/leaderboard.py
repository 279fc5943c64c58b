"""The leaderboard: models x tasks, or models x languages for each task, with the published rows beside ours.

Decides columns and order; rows.py finds the figures and matrix.py marks them. Knows no layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tvbench.analysis.entries import ALL, MULTI, RunEntry, family, logged_families, metric_meant
from tvbench.analysis.grid import Grid
from tvbench.analysis.matrix import Matrix
from tvbench.analysis.published import PublishedFigure
from tvbench.analysis.ranks import Ranker
from tvbench.analysis.rows import ModelRow, Place, order_of, own_rows, published_rows, value_of
from tvbench.errors import unknown_name
from tvbench.types import TaskResult

GROUPS = frozenset({ALL, MULTI, "core", "added", "unseen"})
"""Parts that are no single language."""


@dataclass(frozen=True, slots=True)
class View:
    """What was asked for. `tasks` empty: all. `metric` None: each task's primary one."""

    tasks: tuple[str, ...] = ()
    metric: str | None = None
    sort: str | None = None
    languages: bool = False


def leaderboard(entries: Sequence[RunEntry], figures: Sequence[PublishedFigure], view: View) -> list[Grid]:
    """The grids of `view`. Raises UsageError for an unknown metric or sort column."""
    entries, figures, view = _in_view(entries, figures, view)
    if view.languages:
        return _language_grids(entries, figures, view)
    figures = headline(figures)
    places = main_places(entries, figures, view.metric)
    rows = own_rows(entries) + published_rows(figures)
    if not places or not rows:
        return []
    by, ascending = sort_key([(places, rows)], view.sort)
    rows = sorted_rows(rows, by or places[0].key, places, view.metric, ascending=ascending)
    return [Matrix(places, rows, view.metric, by or "").by_task()]


def order_of_runs(entries: Sequence[RunEntry], figures: Sequence[PublishedFigure], view: View) -> list[str]:
    """The runs in the order in which the (first) table of `view` has them. Raises UsageError as `leaderboard` does."""
    entries, figures, view = _in_view(entries, figures, view)
    if view.languages:
        sheets = _language_sheets(entries, figures, view)
    else:
        figures = headline(figures)
        places = main_places(entries, figures, view.metric)
        sheets = [(places, own_rows(entries))] if places else []
    by, ascending = sort_key(sheets, view.sort) if sheets else (None, False)
    found: dict[str, None] = {}
    for places, rows in sheets:
        chosen = by if any(by in place.names for place in places) or ascending else places[0].key
        for row in sorted_rows(rows, chosen or places[0].key, places, view.metric, ascending=ascending):
            found |= dict.fromkeys(entry.run for entry in row.entries.values())
    return list(found)


def _in_view(
    entries: Sequence[RunEntry], figures: Sequence[PublishedFigure], view: View
) -> tuple[list[RunEntry], list[PublishedFigure], View]:
    """What is of the view's tasks, and the view with its metric's own name. Raises UsageError for an unknown metric."""
    view = replace(view, metric=known_metric(entries, figures, view.metric))
    entries = [entry for entry in entries if not view.tasks or entry.result.task in view.tasks]
    figures = [figure for figure in figures if not view.tasks or figure.task in view.tasks]
    return entries, figures, view


def _language_sheets(
    entries: Sequence[RunEntry], figures: Sequence[PublishedFigure], view: View
) -> list[tuple[list[Place], list[ModelRow]]]:
    """What stands in each table by language."""
    sheets: list[tuple[list[Place], list[ModelRow]]] = []
    for task in dict.fromkeys([*sorted(entry.result.task for entry in entries), *(figure.task for figure in figures)]):
        own = [entry for entry in entries if entry.result.task == task]
        printed = printed_by_language(figure for figure in figures if figure.task == task)
        for kind in kinds_of(own, printed, view.metric):
            places = _language_places(task, kind, own, printed)
            rows = [
                row
                for row in own_rows(own) + published_rows(printed, apart=True)
                if any(value_of(row, place, view.metric) is not None for place in places)
            ]
            if rows and any(place.part not in GROUPS for place in places):
                sheets.append((places, rows))
    return sheets


def _language_grids(entries: Sequence[RunEntry], figures: Sequence[PublishedFigure], view: View) -> list[Grid]:
    """One a task and kind of metric: languages down where they are more than the models, else across."""
    sheets = _language_sheets(entries, figures, view)
    by, ascending = sort_key(sheets, view.sort)
    grids: list[Grid] = []
    ranker = Ranker()
    for places, rows in sheets:
        chosen = by if any(by in place.names for place in places) else places[0].key
        rows = sorted_rows(rows, chosen or "", places, view.metric, ascending=ascending)
        grids.append(Matrix(places, rows, view.metric, chosen or "", ranker).by_language())
    return grids


# ── Columns ───────────────────────────────────────────────────────────────────────────────────────


def main_places(entries: Sequence[RunEntry], figures: Sequence[PublishedFigure], metric: str | None) -> list[Place]:
    """Our tasks by name, each with the parts that papers print of it; then what only papers have."""
    own: list[Place] = []
    for entry in sorted(entries, key=lambda entry: entry.result.task):
        result = entry.result
        if metric is None:
            kinds = [family(result.primary, result.declared)] if result.metrics else []
            own_kinds = {family(name, result.declared) for name in result.metrics}
            kinds += [kind for kind in logged_families(result) if kind not in own_kinds]
        else:
            kinds = [family(metric, result.declared)] if metric in result.metrics else []
        own += [Place(result.task, ALL, kind) for kind in kinds]
    printed = [
        Place(figure.task, figure.part, figure.metric)
        for figure in figures
        if metric is None or family(figure.metric) == family(metric)
    ]
    printed = [Place(place.task, place.part, family(place.kind)) for place in printed]
    tasks = list(dict.fromkeys(place.task for place in [*own, *printed]))
    return sorted(dict.fromkeys([*own, *printed]), key=lambda place: tasks.index(place.task))


def kinds_of(entries: Sequence[RunEntry], figures: Sequence[PublishedFigure], metric: str | None) -> list[str]:
    """The families of metrics that a task has figures of, ours first."""
    if metric is not None:
        return list(dict.fromkeys([family(metric, entry.result.declared) for entry in entries] or [family(metric)]))
    ours = [family(entry.result.primary, entry.result.declared) for entry in entries if entry.result.metrics]
    logged = [kind for entry in entries for kind in logged_families(entry.result)]
    return list(dict.fromkeys([*ours, *logged, *(family(figure.metric) for figure in figures)]))


def languages_of(result: TaskResult) -> tuple[str, ...]:
    """The codes of the languages that it has figures of, scored here or copied from a log."""
    logged = [str(log["language"]) for log in result.logged.values() if "language" in log]
    return tuple(dict.fromkeys([*result.breakdowns.get("language", {}), *logged]))


def _language_places(
    task: str, kind: str, entries: Sequence[RunEntry], figures: Sequence[PublishedFigure]
) -> list[Place]:
    parts = {part for entry in entries for part in languages_of(entry.result)}
    parts |= {figure.part for figure in figures if family(figure.metric) == kind}
    groups = [ALL, MULTI] if entries and "en" in parts and len(parts) > 1 else [ALL] if entries else []
    return [Place(task, part, kind) for part in [*groups, *sorted(parts - GROUPS)]]


def printed_by_language(figures: Iterable[PublishedFigure]) -> list[PublishedFigure]:
    """The figures of tables that go by language; a table of English against the rest does not."""
    cells: dict[tuple[str, str, str], list[PublishedFigure]] = {}
    for figure in figures:
        cells.setdefault((figure.table.id, figure.model, figure.metric), []).append(figure)
    return [
        figure for some in cells.values() if sum(figure.part not in GROUPS for figure in some) > 1 for figure in some
    ]


def headline(figures: Iterable[PublishedFigure]) -> list[PublishedFigure]:
    """The figures of the main tables. Where a task is only printed by language, the mean stands for them all."""
    cells: dict[tuple[str, str, str, str], list[PublishedFigure]] = {}
    for figure in figures:
        if figure.table.headline:
            cells.setdefault((figure.table.id, figure.model, figure.task, figure.metric), []).append(figure)
    chosen: list[PublishedFigure] = []
    for group in cells.values():
        if any(figure.part in GROUPS for figure in group):
            chosen += group
            continue
        mean = sum(figure.value for figure in group) / len(group)
        chosen.append(replace(group[0], part=ALL, value=mean, computed=True))
    return chosen


# ── Order and names ───────────────────────────────────────────────────────────────────────────────


def sort_key(sheets: Sequence[tuple[list[Place], list[ModelRow]]], sort: str | None) -> tuple[str | None, bool]:
    """The column that `sort` names, and whether it is the models' names. Raises UsageError."""
    if sort is None:
        return None, False
    keys = {"model"} | {name for places, _ in sheets for place in places for name in (place.key, place.long_key)}
    parts = {place.part for places, _ in sheets for place in places}
    if sort not in keys | parts:
        hint = "--sort takes `model` or a column's name, such as alm, or alm:de with --languages"
        raise unknown_name("column", sort, keys, hint)
    return sort, sort == "model"


def sorted_rows(
    rows: list[ModelRow], by: str, places: Sequence[Place], metric: str | None, *, ascending: bool
) -> list[ModelRow]:
    """Ours first, then published; each by figure, best first, or by the model's name."""
    if ascending:
        return sorted(rows, key=lambda row: (row.published, row.model.casefold()))
    place = next(place for place in places if by in place.names)

    def order(row: ModelRow) -> tuple[bool, bool, float, str]:
        return row.published, *order_of(row, place, metric), row.model.casefold()

    return sorted(rows, key=order)


def known_metric(entries: Iterable[RunEntry], figures: Iterable[PublishedFigure], name: str | None) -> str | None:
    """The id of a metric that is in the results, in a paper, or known to the scorers. Raises UsageError."""
    if name is None:
        return None
    return name if any(name == figure.metric for figure in figures) else metric_meant(entries, name)
