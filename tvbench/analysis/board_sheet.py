"""The leaderboard as a person sees it first: who is better, in which language, and whether that is certain.

    entries + View + languages ──board_sheets──▶ BoardSheets ──report/board_screen.py──▶ a screen

A sheet a task by language where languages are chosen or few, or where there is one task, of whose many languages the
best and the worst stand there; else one sheet of means by task. Knows runs and figures; no layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from tvbench.analysis.among import check_languages_of
from tvbench.analysis.board_lines import BoardColumn, BoardSheet, sheet_of
from tvbench.analysis.entries import ALL, MULTI, RunEntry, family, shown_figure
from tvbench.analysis.language_columns import JOINT, MOST, ChosenColumns, LanguageColumn, chosen, columns_of, meant_by
from tvbench.analysis.leaderboard import (
    GROUPS,
    View,
    headline,
    kinds_of,
    known_metric,
    languages_of,
    main_places,
    printed_by_language,
    sort_key,
    sorted_rows,
)
from tvbench.analysis.matrix import Matrix
from tvbench.analysis.published import PublishedFigure
from tvbench.analysis.ranks import Ranker
from tvbench.analysis.rows import ModelRow, Place, own_rows, published_rows, value_of
from tvbench.analysis.variants import variants
from tvbench.languages import language_name
from tvbench.scoring.metric import Metric

Kind = str
MEAN = "mean"
MOST_ROWS = 100
"""So many rows of ours stand on a sheet, the best."""


def board_sheets(
    entries: Sequence[RunEntry],
    figures: Sequence[PublishedFigure],
    view: View,
    languages: Sequence[str] = (),
    *,
    printed_alone: bool = False,
) -> list[BoardSheet]:
    """The sheets of `view`; of the `languages` alone where some are named. `printed_alone`: with those on which nothing
    of ours stands. Raises UsageError for an unknown metric, sort column or language."""
    view = replace(view, metric=known_metric(entries, figures, view.metric))
    entries = [entry for entry in entries if not view.tasks or entry.result.task in view.tasks]
    figures = [figure for figure in figures if not view.tasks or figure.task in view.tasks]
    check_languages_of([entry.result for entry in entries], languages)
    told_apart = variants(entries)
    if languages or _few(entries) or len({entry.result.task for entry in entries}) == 1:
        sheets = _by_language(entries, figures, view, languages, told_apart)
        return [sheet for sheet in sheets if printed_alone or not all(line.published for line in sheet.lines)]
    return _by_task(entries, figures, view, told_apart)


def _few(entries: Sequence[RunEntry]) -> bool:
    """Whether the languages of each task are few enough to stand beside each other."""
    tasks: dict[str, set[str]] = {}
    for entry in entries:
        tasks.setdefault(entry.result.task, set()).update(languages_of(entry.result))
    return bool(tasks) and all(len(codes) <= MOST for codes in tasks.values())


# ── By language ───────────────────────────────────────────────────────────────────────────────────


def _by_language(
    entries: Sequence[RunEntry],
    figures: Sequence[PublishedFigure],
    view: View,
    names: Sequence[str],
    told_apart: Mapping[tuple[str, str], tuple[str, ...]],
) -> list[BoardSheet]:
    """A sheet a task (and kind of metric); `--sort` may name a column of one of them."""
    parts: list[tuple[list[Place], list[BoardColumn], list[ModelRow]]] = []
    left_out: dict[str, str] = {}
    tasks = dict.fromkeys([*sorted(entry.result.task for entry in entries), *(figure.task for figure in figures)])
    for task in tasks:
        own = [entry for entry in entries if entry.result.task == task]
        printed = printed_by_language([figure for figure in figures if figure.task == task])
        columns = _columns(own, printed, names)
        for kind in kinds_of(own, printed, view.metric):
            picked = ChosenColumns(columns) if names else chosen(columns, _values(own, columns, kind, view.metric))
            left_out[f"{task} {kind}"] = _left_out(picked)
            places, heads = _language_places(task, kind, own, picked.columns, whole=not names)
            rows = own_rows(own) + published_rows(printed, apart=True)
            shown = [row for row in rows if _belongs(row, places, view.metric)]
            if shown and places:
                parts.append((places, heads, shown))
    by, ascending = sort_key([(places, rows) for places, _, rows in parts], view.sort) if parts else (None, False)
    ranker = Ranker()
    sheets = []
    for places, heads, rows in parts:
        key = by if any(by in place.names for place in places) else places[-1].key
        rows = sorted_rows(rows, key or "", places, view.metric, ascending=ascending)
        matrix = Matrix(places, rows, view.metric, key or "", ranker, MOST_ROWS)
        title = f"{places[0].task}, {matrix.metric_label(places[-1])}"
        sheet = sheet_of(title, matrix, heads, told_apart, ranker)
        sheets.append(replace(sheet, left_out=left_out[f"{places[0].task} {places[0].kind}"]))
    return sheets


def _belongs(row: ModelRow, places: Sequence[Place], metric: str | None) -> bool:
    """Whether a row has a figure there, or should: its headline figure is of that kind, and is not there yet."""
    if any(value_of(row, place, metric) is not None for place in places):
        return True
    results = [entry.result for entry in row.entries.values()]
    return metric is None and any(
        family(one.primary, one.declared) == place.kind for one in results for place in places
    )


def _values(
    entries: Sequence[RunEntry], columns: Sequence[LanguageColumn], kind: Kind, metric: str | None
) -> Iterator[tuple[Metric, dict[str, float]]]:
    """Each run's figures by column."""
    for entry in entries:
        shown = {column.key: shown_figure(entry.result, column.key, kind, metric) for column in columns}
        figures = {key: figure for key, figure in shown.items() if figure is not None}
        if figures:
            some = next(iter(figures.values()))
            yield some.metric, {key: figure.value.value for key, figure in figures.items()}


def _left_out(picked: ChosenColumns) -> str:
    if not picked.between:
        return ""
    count = len(picked.columns) + len(picked.between)
    ends = f"best {picked.best} and worst {len(picked.columns) - picked.best} of {count} languages, by these runs"
    return f"{ends}; mean of all {count} (all of them: --languages)"


def _columns(
    entries: Sequence[RunEntry], figures: Sequence[PublishedFigure], names: Sequence[str]
) -> tuple[LanguageColumn, ...]:
    """The languages that stand beside each other: those named, or all that there are."""
    sets = [languages_of(entry.result) for entry in entries]
    sets = sets or [tuple({figure.part: None for figure in figures if figure.part not in GROUPS})]
    columns = columns_of([dict.fromkeys(code for codes in sets for code in codes)], names)
    meant = {code for codes in sets for name in names for code in meant_by(name, codes)}
    return tuple(column for column in columns if not names or set(column.codes) & meant)


def _language_places(
    task: str, kind: Kind, entries: Sequence[RunEntry], columns: Sequence[LanguageColumn], *, whole: bool
) -> tuple[list[Place], list[BoardColumn]]:
    """A place a column, and the mean over them: over all languages (`whole`), or over those that were named."""
    places = [Place(task, column.key, kind) for column in columns]
    heads = [
        BoardColumn(place.key, column.name + "*" * column.several, members=column.members if column.several else "")
        for place, column in zip(places, columns, strict=True)
    ]
    if not columns and entries:
        return [Place(task, ALL, kind)], [BoardColumn(task, "figure", whole=True)]
    if len(columns) > 1 and entries:
        codes = [code for column in columns for code in column.codes]
        places.append(Place(task, ALL if whole else JOINT.join(codes), kind))
        heads.append(BoardColumn(places[-1].key, MEAN, whole=True))
    return places, heads


# ── By task ───────────────────────────────────────────────────────────────────────────────────────


def _by_task(
    entries: Sequence[RunEntry],
    figures: Sequence[PublishedFigure],
    view: View,
    told_apart: Mapping[tuple[str, str], tuple[str, ...]],
) -> list[BoardSheet]:
    """One sheet of means over languages."""
    figures = headline(figures)
    places = main_places(entries, figures, view.metric)
    apart: dict[str, frozenset[str]] = {}
    for (run, _), words in told_apart.items():
        apart[run] = apart.get(run, frozenset()) | frozenset(words)
    rows = own_rows(entries, apart) + published_rows(figures)
    if not places or not rows:
        return []
    by, ascending = sort_key([(places, rows)], view.sort)
    key = by or places[0].key
    rows = sorted_rows(rows, key, places, view.metric, ascending=ascending)
    ranker = Ranker()
    matrix = Matrix(places, rows, view.metric, key, ranker, MOST_ROWS)
    heads = [
        BoardColumn(place.key, f"{_place_name(place)}\n{matrix.metric_label(place)}", whole=place.part == ALL)
        for place in places
    ]
    return [sheet_of("mean over languages", matrix, heads, told_apart, ranker)]


def _place_name(place: Place) -> str:
    """`alm`, `alm, without English`."""
    if place.part == ALL:
        return place.task
    return f"{place.task}, {'without English' if place.part == MULTI else language_name(place.part)}"
