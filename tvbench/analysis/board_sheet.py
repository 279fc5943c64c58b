"""The leaderboard as a person sees it first: who is better, in which language, and whether that is certain.

    entries + View + languages ──board_sheets──▶ BoardSheets ──report/board_screen.py──▶ a screen

A sheet a task by language where languages are chosen or few, else one sheet of means by task. Figures, ranks and marks
are the matrix's (matrix.py); here are the words. Knows runs and figures; no layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tvbench.analysis.entries import ALL, MULTI, RunEntry, shown_figure
from tvbench.analysis.grid import Field, Remark
from tvbench.analysis.language_columns import JOINT, MOST, LanguageColumn, columns_of, meant_by
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
from tvbench.analysis.ranks import Ranker, ranks_text
from tvbench.analysis.references import references
from tvbench.analysis.row_words import row_standing
from tvbench.analysis.rows import ModelRow, Place, own_rows, published_rows, value_of
from tvbench.analysis.variants import row_words, variants
from tvbench.languages import language_name
from tvbench.runs.answered import languages_called

Kind = str
MEAN = "mean"


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """`key` is what `--sort` calls it, `name` what people read; `whole`: a mean over languages; `members`: the
    varieties that are taken together."""

    key: str
    name: str
    whole: bool = False
    members: str = ""


@dataclass(frozen=True, slots=True)
class BoardLine:
    """Who answered, as people call it (`tower-mini, without pictures`), with its fields, and how it stands in words.
    `runs` are their names; none: published."""

    name: str
    rank: str
    fields: tuple[Field, ...]
    words: str = ""
    runs: tuple[str, ...] = ()
    entries: tuple[RunEntry, ...] = ()

    @property
    def published(self) -> bool:
        return not self.runs


@dataclass(frozen=True, slots=True)
class BoardSheet:
    """`ranked` names the column of the ranks. `references` are figures of the data; `told` says what would tell the
    first two apart, `joint` which varieties are taken together; `remarks` stand below."""

    title: str
    columns: tuple[BoardColumn, ...]
    lines: tuple[BoardLine, ...]
    ranked: str
    references: Mapping[str, float]
    told: str = ""
    joint: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()


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
    _check_languages(entries, languages)
    told_apart = variants(entries)
    if languages or _few(entries):
        sheets = _by_language(entries, figures, view, languages, told_apart)
        return [sheet for sheet in sheets if printed_alone or not all(line.published for line in sheet.lines)]
    return _by_task(entries, figures, view, told_apart)


def _check_languages(entries: Sequence[RunEntry], names: Sequence[str]) -> None:
    """Raises UsageError for one that no result has."""
    sets = [languages_of(entry.result) for entry in entries]
    for name in names if entries else ():
        if not any(meant_by(name, codes) for codes in sets):
            languages_called([name], {code for codes in sets for code in codes}, "these runs")


def entries_among(entries: Sequence[RunEntry], names: Sequence[str]) -> list[RunEntry]:
    """The same with the parts of the languages that are meant. Raises UsageError for one that no result has."""
    _check_languages(entries, names)
    found: list[RunEntry] = []
    for entry in entries:
        parts = entry.result.breakdowns.get("language", {})
        meant = {code: parts[code] for name in names for code in meant_by(name, parts)}
        if meant:
            found.append(
                replace(entry, result=replace(entry.result, breakdowns={**entry.result.breakdowns, "language": meant}))
            )
    return found


def figures_among(figures: Sequence[PublishedFigure], names: Sequence[str]) -> list[PublishedFigure]:
    """Those of the languages that are meant, and of groups of languages."""
    codes = {figure.part for figure in figures} - GROUPS
    meant = {code for name in names for code in meant_by(name, codes)}
    return [figure for figure in figures if figure.part in meant | GROUPS]


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
    tasks = dict.fromkeys([*sorted(entry.result.task for entry in entries), *(figure.task for figure in figures)])
    for task in tasks:
        own = [entry for entry in entries if entry.result.task == task]
        printed = printed_by_language([figure for figure in figures if figure.task == task])
        columns = _columns(own, printed, names)
        for kind in kinds_of(own, printed, view.metric):
            places, heads = _language_places(task, kind, own, columns, whole=not names)
            rows = own_rows(own) + published_rows(printed, apart=True)
            shown = [row for row in rows if any(value_of(row, place, view.metric) is not None for place in places)]
            if shown and places:
                parts.append((places, heads, shown))
    by, ascending = sort_key([(places, rows) for places, _, rows in parts], view.sort) if parts else (None, False)
    ranker = Ranker()
    sheets = []
    for places, heads, rows in parts:
        key = by if any(by in place.names for place in places) else places[-1].key
        rows = sorted_rows(rows, key or "", places, view.metric, ascending=ascending)
        matrix = Matrix(places, rows, view.metric, key or "", ranker)
        title = f"{places[0].task}, {matrix.metric_label(places[-1])}"
        sheets.append(_sheet(title, matrix, heads, told_apart, ranker))
    return sheets


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
    matrix = Matrix(places, rows, view.metric, key, ranker)
    heads = [
        BoardColumn(place.key, f"{_place_name(place)}\n{matrix.metric_label(place)}", whole=place.part == ALL)
        for place in places
    ]
    return [_sheet("mean over languages", matrix, heads, told_apart, ranker)]


def _place_name(place: Place) -> str:
    """`alm`, `alm, without English`."""
    if place.part == ALL:
        return place.task
    return f"{place.task}, {'without English' if place.part == MULTI else language_name(place.part)}"


# ── A sheet ───────────────────────────────────────────────────────────────────────────────────────


def _sheet(
    title: str,
    matrix: Matrix,
    heads: Sequence[BoardColumn],
    told_apart: Mapping[tuple[str, str], tuple[str, ...]],
    ranker: Ranker,
) -> BoardSheet:
    at = matrix.places.index(matrix.by)
    words = [
        row_words({task: told_apart[entry.run, task] for task, entry in row.entries.items()}) for row in matrix.rows
    ]
    shared = _shared(matrix.rows, words)
    words = [tuple(word for word in some if word not in shared) for some in words]
    names, titles = _names(matrix.rows, words), [head.name for head in heads]
    lines = tuple(
        BoardLine(
            names[number],
            ranks_text(fields[at].rank),
            tuple(replace(field, number=0) if words[number] else field for field in fields),
            "" if row.published else row_standing(matrix, number, names, titles, at, otherwise=bool(words[number])),
            tuple(dict.fromkeys(entry.run for entry in row.entries.values())),
            tuple(row.entries.values()),
        )
        for number, (row, fields) in enumerate(zip(matrix.rows, matrix.fields, strict=True))
    )
    numbers = {field.number for line in lines for field in line.fields if field.number}
    remarks = [remark for remark in matrix.numbered if remark.number in numbers]
    own = next((row for row in matrix.rows if not row.published), None)
    entry = own.entries.get(matrix.places[at].task) if own is not None else None
    return BoardSheet(
        ", ".join([title, *shared]),
        tuple(heads),
        lines,
        heads[at].name.partition("\n")[0],
        references(entry.result) if entry is not None else {},
        _told(matrix, lines, heads, at, ranker),
        tuple(f"{head.name}: {head.members} taken together" for head in heads if head.members),
        (*remarks, *_problems(matrix, heads), *matrix.about_papers()),
    )


def _shared(rows: Sequence[ModelRow], words: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """What is said of each of several rows of ours: it is said once, above them."""
    own = [some for row, some in zip(rows, words, strict=True) if not row.published]
    return tuple(word for word in own[0] if all(word in some for some in own)) if len(own) > 1 else ()


def _problems(matrix: Matrix, heads: Sequence[BoardColumn]) -> Iterator[Remark]:
    """Why there are no ranks, or less certain ones; of which columns, where not of all."""
    for text, places in matrix.problems.items():
        names = [
            head.name.partition("\n")[0] for head, place in zip(heads, matrix.places, strict=True) if place in places
        ]
        yield Remark(text if len(names) == len(heads) else f"{', '.join(names)}: {text}")


def _names(rows: Sequence[ModelRow], words: Sequence[Sequence[str]]) -> list[str]:
    """What people call each row; twins are told apart by engine, revision or run."""
    names = [", ".join([row.model, *some]) for row, some in zip(rows, words, strict=True)]
    twins = [names.count(name) > 1 for name in names]
    sources = [row.source if row.published else row.source.removeprefix("run").strip() for row in rows]
    named = [
        f"{name}, {source}" if source and (twin or row.published) else name
        for name, source, twin, row in zip(names, sources, twins, rows, strict=True)
    ]
    return [
        f"{name}, …{next(iter(row.entries.values())).run[-8:]}" if named.count(name) > 1 and not row.published else name
        for name, row in zip(named, rows, strict=True)
    ]


def _told(matrix: Matrix, lines: Sequence[BoardLine], heads: Sequence[BoardColumn], at: int, ranker: Ranker) -> str:
    """`to tell A from B in Hindi you need about 2,900 more questions`, where the first two cannot be told apart."""
    ranked = [number for number in range(len(lines)) if number in matrix.ranked.get(matrix.places[at], ())]
    if len(ranked) < 2 or ranks_text(matrix.fields[ranked[0]][at].rank) == "1":
        return ""
    first, second = ranked[:2]
    alone = all(head.whole for head in heads)
    found: list[tuple[int, str]] = []
    for place, head in zip(matrix.places, heads, strict=True):
        one, other = (matrix.rows[number].entries.get(place.task) for number in (first, second))
        if one is None or other is None or (head.whole and not alone):
            continue
        shown = shown_figure(one.result, place.part, place.kind, matrix.metric)
        more = None if shown is None else ranker.more_items(one, other, shown.metric.id, place.part)
        found += [(more, head.name.partition("\n")[0])] if more else []
    if not found:
        return ""
    more, where = min(found)
    both = f"{lines[first].name} from {lines[second].name}"
    return f"to tell {both} in {where} you need about {_rounded(more)} more questions"


def _rounded(count: int) -> str:
    """To two digits."""
    digits = max(0, len(str(count)) - 2)
    return f"{round(count, -digits):,}"
