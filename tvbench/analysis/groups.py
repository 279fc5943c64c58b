"""`tvbench leaderboard --by`: models against groups of languages, or against kinds of categories.

Published rows stand below ours where a paper prints figures by language: their groups are means taken here. A dagger
says that a group's languages are not the same for every model. Knows results and published figures; no run folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tvbench.analysis.by_language import (
    GROUPINGS,
    Group,
    english_gaps,
    group_order,
    grouped,
    language_figures,
    mean_of,
    share_pictures,
)
from tvbench.analysis.categories import CULTURAL, DIFFERENCE, GENERIC, kinds_of_category
from tvbench.analysis.entries import RunEntry, family, group_of, metric_of, untrained
from tvbench.analysis.grid import Field, Grid, Heading, Line, Mark, Remark, difference
from tvbench.analysis.published import PublishedFigure
from tvbench.analysis.rows import own_rows, published_rows
from tvbench.errors import unknown_name
from tvbench.languages import is_language, language
from tvbench.scoring.metric import INTERVALS, POINTS, Metric, Named
from tvbench.scoring.metrics import family_label, of_family
from tvbench.types import Figure

ENGLISH_GAP, CATEGORY_KIND = "english", "category-kind"
WAYS = (*GROUPINGS, ENGLISH_GAP, CATEGORY_KIND)
ALL = "all"
MOST_COLUMNS = 8
SHOWN_MEMBERS = 40


@dataclass(frozen=True, slots=True)
class Standing:
    """One model's groups of one task. `shown` is the metric as its figures are shown; `whole` is the mean over all
    languages, None where there is none. `entry` is None for a published line; `shared`: languages share pictures."""

    model: str
    source: str
    metric: str
    shown: Metric
    groups: Mapping[str, Group]
    whole: Figure | None
    entry: RunEntry | None = None
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """One task: its lines and the union of their groups, name to members, in order."""

    task: str
    title: str
    by: str
    columns: Mapping[str, frozenset[str]]
    lines: tuple[Standing, ...]


def group_sheets(
    entries: Sequence[RunEntry],
    figures: Sequence[PublishedFigure],
    by: str,
    *,
    tasks: Sequence[str] = (),
    metric: str | None = None,
    sort: str | None = None,
) -> list[Sheet]:
    """A sheet a task and family of metrics. `by` is one of WAYS; `metric` None takes each result's primary one.

    `sort` is `model`, `all` or a group's name; UsageError where no sheet has it.
    """
    chosen = [entry for entry in entries if not tasks or entry.result.task in tasks]
    printed = [figure for figure in figures if (not tasks or figure.task in tasks) and is_language(figure.part)]
    sheets: list[Sheet] = []
    for task in dict.fromkeys([*sorted(entry.result.task for entry in chosen), *(figure.task for figure in printed)]):
        lines = _own_lines([entry for entry in chosen if entry.result.task == task], by, metric)
        lines += _published_lines([figure for figure in printed if figure.task == task], by, metric)
        for kind in dict.fromkeys(line.shown.family for line in lines):
            sheets.append(_sheet(task, by, [line for line in lines if line.shown.family == kind]))
    if sort is not None:
        known = {name for sheet in sheets for name in sheet.columns} | {"model", ALL}
        if sort not in known:
            raise unknown_name("column", sort, known, f"--sort takes `model` or a column of --by {by}")
    return [_sorted(sheet, sort) for sheet in sheets]


def _own_lines(entries: Sequence[RunEntry], by: str, metric: str | None) -> list[Standing]:
    lines: list[Standing] = []
    for row in own_rows(entries):
        (entry,) = row.entries.values()
        name = metric or entry.result.primary
        figures = language_figures(entry.result, name)
        shared = share_pictures(entry.result, name)
        groups = kinds_of_category(entry.result, name) if by == CATEGORY_KIND else _groups(figures, by, shared)
        if groups:
            shown = metric_of(entry.result, name)
            named = {group.name: group for group in groups}
            lines.append(
                Standing(row.model, row.source, name, shown, named, entry.result.metrics.get(name), entry, shared)
            )
    return lines


def _published_lines(figures: Sequence[PublishedFigure], by: str, metric: str | None) -> list[Standing]:
    """Rows of papers that have two languages or more; the figures have neither standard error nor number of items."""
    if by == CATEGORY_KIND:
        return []
    lines: list[Standing] = []
    for row in published_rows(figures, apart=True):
        for kind in dict.fromkeys(place.kind for place in row.figures):
            if metric is not None and kind != family(metric):
                continue
            printed = {
                place.part: Figure(figure.value, 0) for place, figure in row.figures.items() if place.kind == kind
            }
            groups = _groups(printed, by, False)
            if groups and len(printed) > 1:
                named = {group.name: group for group in groups}
                shown = Named(id=kind, unit=POINTS, better=of_family(kind).better)
                lines.append(Standing(row.model, row.source, kind, shown, named, mean_of(list(printed.values()))))
    return lines


def _groups(figures: Mapping[str, Figure], by: str, shared: bool) -> tuple[Group, ...]:
    return english_gaps(figures) if by == ENGLISH_GAP else grouped(figures, by, shared=shared)


def _sheet(task: str, by: str, lines: Sequence[Standing]) -> Sheet:
    members: dict[str, frozenset[str]] = {}
    for line in lines:
        for name, group in line.groups.items():
            members[name] = members.get(name, frozenset()) | set(group.members)
    if by == CATEGORY_KIND:
        order = [name for name in (CULTURAL, GENERIC, DIFFERENCE) if name in members]
    elif by == ENGLISH_GAP:
        order = sorted(members)
    else:
        order = sorted(members, key=lambda name: group_order(by, name, len(members[name])))
    held = {line.metric: line.shown for line in lines if line.entry is not None}
    shown = held.popitem()[1].label if len(held) == 1 else family_label(lines[0].shown.family)
    said = "gap to English" if by == ENGLISH_GAP else f"by {by}"
    return Sheet(task, f"{task} {said}: {shown}", by, {name: members[name] for name in order}, tuple(lines))


def _sorted(sheet: Sheet, sort: str | None) -> Sheet:
    """Ours first, then published; by the mean over all, best first, unless `sort` says otherwise."""

    def order(line: Standing) -> tuple[bool, bool, float, str]:
        group = line.groups.get(sort) if sort is not None else None
        metric = group.metric if group is not None else line.whole if sort in (None, ALL) else None
        value = 0.0 if metric is None else line.shown.order(line.shown.shown(metric.value))
        return line.entry is None, metric is None, value, line.model.casefold()

    return replace(sheet, lines=tuple(sorted(sheet.lines, key=order)))


# ── As a grid ─────────────────────────────────────────────────────────────────────────────────────


def group_grids(sheets: Iterable[Sheet]) -> list[Grid]:
    """Models against groups; groups down where they are many, and more than the models."""
    return [_grid(sheet) for sheet in sheets]


def _grid(sheet: Sheet) -> Grid:
    names = [ALL, *sheet.columns]
    return Grid(
        sheet.title,
        tuple(
            Heading(name, _title(sheet, name), _title(sheet, name), name, _size(sheet, name), name == ALL)
            for name in names
        ),
        tuple(Line(standing.model, standing.source, standing.entry is None) for standing in sheet.lines),
        tuple(tuple(_field(sheet, name, standing) for name in names) for standing in sheet.lines),
        tuple(_remarks(sheet)),
        down=len(names) > max(len(sheet.lines), MOST_COLUMNS),
        parts=("group", ""),
        sized=True,
    )


def _title(sheet: Sheet, name: str) -> str:
    if name == ALL:
        return "all (mean)"
    return f"{name} {language(name).name}" if sheet.by == ENGLISH_GAP and is_language(name) else name


def _size(sheet: Sheet, name: str) -> int | None:
    """How many languages or categories a group has; nothing where it is one by nature."""
    if name == ALL or not sheet.columns[name] or sheet.by == ENGLISH_GAP:
        return None
    return len(sheet.columns[name])


def _field(sheet: Sheet, name: str, standing: Standing) -> Field:
    group = None if name == ALL else standing.groups.get(name)
    figure = standing.whole if name == ALL else None if group is None else group.metric
    if figure is None:
        return Field()
    marks: tuple[Mark, ...] = ("partial",) if group is not None and set(group.members) != sheet.columns[name] else ()
    text = standing.shown.text(figure.value, sign=group is not None and group.gap)
    return Field(text, standing.shown.shown(figure.value), standing.shown.halves(figure), marks)


def _remarks(sheet: Sheet) -> Iterator[Remark]:
    if any(_field(sheet, name, line).interval for line in sheet.lines for name in (ALL, *sheet.columns)):
        yield Remark(INTERVALS)
    for name, members in sheet.columns.items():
        if len(members) > 1:
            yield Remark(f"{name}: {_listed(members)}")
    if any(set(group.members) != sheet.columns[name] for line in sheet.lines for name, group in line.groups.items()):
        yield Remark(
            "not over all that the group has here: the model was not asked, or not scored, in every one", "partial"
        )
    if sheet.by in GROUPINGS and any(standing.shared for standing in sheet.lines):
        yield Remark("intervals of groups are upper bounds, since the languages share pictures")
    for standing in sheet.lines:
        if standing.shown.better == "lower":
            yield Remark(f"{standing.shown.label}: lower is better")
    yield from _about_runs([(standing, standing.entry) for standing in sheet.lines if standing.entry is not None])
    if any(standing.entry is None for standing in sheet.lines):
        yield Remark("published: means, taken here, of figures by language as printed; not recomputed")


def _about_runs(ours: Sequence[tuple[Standing, RunEntry]]) -> Iterator[Remark]:
    for _, entry in ours:
        counts = entry.result.counts
        if not (counts.complete or entry.result.copied):
            said = f"{counts.answered} of {counts.expected} answered, {counts.scored} scored"
            yield Remark(f"{entry.model}: {said}")
    for _, entry in ours:
        if untrained(entry.revision):
            yield Remark(f"{entry.model} has random weights: its scores are at chance or below")
    groups = [group_of(entry.result, standing.metric) for standing, entry in ours]
    for (_, entry), group in zip(ours, groups, strict=True):
        if group != groups[0]:
            yield Remark(f"not comparable with the first row: {entry.model}: {difference(group, groups[0])}")


def _listed(members: frozenset[str]) -> str:
    names = sorted(members)
    more = f" and {len(names) - SHOWN_MEMBERS} more" if len(names) > SHOWN_MEMBERS else ""
    return ", ".join(names[:SHOWN_MEMBERS]) + more
