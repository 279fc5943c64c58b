"""Cells, marks and footnotes of a leaderboard.

Best figures (★) are marked among figures of equal signature only, ours and published ones apart. Where a column holds
several signatures, each but the most common carries a small number, and a line below says what differs. A star (*)
says that not every item was answered and scored, a ring (°) that a figure was copied from a foreign log.
"""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Sequence

from tvbench.analysis.entries import ALL, MULTI, Shown
from tvbench.analysis.rows import ModelRow, Place, shown_in, value_of
from tvbench.report.run_table import untrained
from tvbench.report.table import Cell, Column, Table
from tvbench.runs.signature import read_signature
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import family_label
from tvbench.types import Counts

BEST, INCOMPLETE, LOGGED = "★", "*", "°"
SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
TITLE_WIDTH = 18
PUBLISHED_GROUP = "published"


class Matrix:
    """Rows x places, marked. Ours stand first, published rows after them."""

    def __init__(self, places: Sequence[Place], rows: Sequence[ModelRow], metric: str | None) -> None:
        self.places = tuple(places)
        self.rows = tuple(rows)
        self.metric = metric
        self._notes: dict[str, None] = {}
        self._numbers: dict[str, int] = {}
        columns = [self._column(place) for place in self.places]
        self._cells = tuple(tuple(column[number] for column in columns) for number in range(len(self.rows)))

    def table(self) -> Table:
        """Models down, tasks across."""
        return self._models_down("", [self._title(place) for place in self.places])

    def by_language(self) -> Table:
        """One task: languages down where they are more than the models, else across."""
        place = self.places[0]
        title = f"{place.task} by language: {self._metric_label(place)}"
        if len(self.places) > len(self.rows):
            return self._languages_down(title)
        return self._models_down(title, [place.part for place in self.places])

    def _models_down(self, title: str, titles: Sequence[str]) -> Table:
        keys = [Column(self._key(place), name) for place, name in zip(self.places, titles, strict=True)]
        columns = (Column("model", "model", "left"), Column("source", "source", "left"), *keys)
        rows = tuple(
            (Cell(row.model, bold=not row.published), Cell(row.source, faint=True), *cells)
            for row, cells in zip(self.rows, self._cells, strict=True)
        )
        own = sum(not row.published for row in self.rows)
        return Table(columns, rows, title, self._all_notes(), labels=2, rules=(own,) if own else ())

    def _languages_down(self, title: str) -> Table:
        heads = [Column(f"{row.model} ({row.source})", _wrapped(row)) for row in self.rows]
        rows = tuple(
            (Cell(_part_name(place.part), value=place.part), *(cells[number] for cells in self._cells))
            for number, place in enumerate(self.places)
        )
        groups = sum(place.part in (ALL, MULTI) for place in self.places)
        return Table((Column("language", "", "left"), *heads), rows, title, self._all_notes(), rules=(groups,))

    def _column(self, place: Place) -> list[Cell]:
        """The cells of one place, top to bottom."""
        figures = [shown_in(row, place, self.metric) for row in self.rows]
        common = _most_common(figures)
        best = self._best(place, figures)
        cells: list[Cell] = []
        for number, (row, shown) in enumerate(zip(self.rows, figures, strict=True)):
            value = value_of(row, place, self.metric)
            if value is None:
                asked = not row.published and place.task in row.entries
                cells.append(Cell("none" if asked else "–", value="", faint=True, empty=True))
                continue
            marks = BEST if number in best else ""
            stderr = None
            if shown is not None:
                marks += self._marks(row, place, shown, common)
                stderr = shown.value.stderr
            plain = f"{value:.1f}" if shown is None else shown.metric.text(shown.value.value)
            wide = (
                f"{plain}{marks}"
                if shown is None or stderr is None
                else (f"{plain} ±{shown.metric.text(stderr)}{marks}")
            )
            cells.append(Cell(f"{plain}{marks}", wide, value, bold=number in best))
        return cells

    def _best(self, place: Place, figures: Sequence[Shown | None]) -> set[int]:
        """Row numbers that hold the best of their group; groups of one have no best."""
        groups: dict[str, list[tuple[float, int]]] = {}
        metrics: dict[str, Metric] = {}
        for number, (row, shown) in enumerate(zip(self.rows, figures, strict=True)):
            value = value_of(row, place, self.metric)
            if value is None or (shown is not None and not _may_be_best(row, place, shown)):
                continue
            groups.setdefault(PUBLISHED_GROUP if shown is None else shown.group, []).append((value, number))
            metrics[PUBLISHED_GROUP if shown is None else shown.group] = place.metric if shown is None else shown.metric
        best: set[int] = set()
        for name, some in groups.items():
            if len(some) > 1:
                top = metrics[name].best(value for value, _ in some)
                best |= {number for value, number in some if value == top}
        return best

    def _marks(self, row: ModelRow, place: Place, shown: Shown, common: str | None) -> str:
        counts = row.entries[place.task].result.counts
        if untrained(row.entries[place.task].revision):
            self._notes[f"{row.model} has random weights: its scores are at chance or below"] = None
        if shown.logged:
            self._notes[f"{LOGGED} copied from the log of another harness, not computed here"] = None
            return LOGGED
        marks = ""
        if not counts.complete:
            marks = INCOMPLETE
            self._notes[f"{INCOMPLETE} {row.model}, {place.task}: {_counts_text(counts)}"] = None
        if common is not None and shown.group != common:
            text = f"{place.task}: {difference(shown.group, common)}"
            number = self._numbers.setdefault(text, len(self._numbers) + 1)
            marks += str(number).translate(SUPERSCRIPT)
        return marks

    def _key(self, place: Place) -> str:
        twins = [other for other in self.places if other.key == place.key]
        return place.key if len(twins) == 1 else place.long_key

    def _title(self, place: Place) -> str:
        """Two lines: the task (and part), and the metric that its cells hold."""
        return f"{place.key}\n{self._metric_label(place)}"

    def _metric_label(self, place: Place) -> str:
        """The one metric that our figures hold here, else the name of its family."""
        held = {
            shown.metric.id: shown.metric
            for row in self.rows
            if (shown := shown_in(row, place, self.metric)) and not shown.logged
        }
        return held.popitem()[1].label if len(held) == 1 else family_label(place.kind)

    def _held(self) -> dict[str, Metric]:
        """The metrics of all our cells, by id."""
        return {
            shown.metric.id: shown.metric
            for place in self.places
            for row in self.rows
            if (shown := shown_in(row, place, self.metric)) is not None
        }

    def _all_notes(self) -> tuple[str, ...]:
        notes = [f"{str(number).translate(SUPERSCRIPT)} {text}" for text, number in self._numbers.items()]
        notes += list(self._notes)
        if any(cell.bold for cells in self._cells for cell in cells):
            notes.append(f"{BEST} best of ours with equal signatures, and best of the published rows")
        notes += [f"{shown.label}: lower is better" for shown in self._held().values() if shown.better == "lower"]
        sources = {
            f"{figure.table.source}, {figure.unit}"
            for row in self.rows
            for figure in row.figures.values()
            if figure.table.source
        }
        if sources:
            notes.append(
                f"published: as printed ({'; '.join(sorted(sources))}), T = its table; not recomputed; data, "
                "prompts and scorer are the authors' own, so do not rank our figures against them"
            )
        means = sorted(
            {
                place.key
                for row in self.rows
                for place, figure in row.figures.items()
                if figure.computed and place in self.places
            }
        )
        if means:
            notes.append(f"published {', '.join(means)}: mean over the printed languages, taken here")
        return tuple(notes)


ABSENT = {"media": "shown", "repeats": "1"}
"""What it means when a signature does not have the field."""


def difference(group: str, common: str) -> str:
    """In words, how two signatures differ: `protocol paper, metric strict (others: protocol tvbench, ...)`."""
    here, there = read_signature(group), read_signature(common)
    names = [name for name in dict.fromkeys([*here, *there]) if here.get(name) != there.get(name)]
    ours = ", ".join(f"{name} {here.get(name, ABSENT.get(name, 'none'))}" for name in names)
    others = ", ".join(f"{name} {there.get(name, ABSENT.get(name, 'none'))}" for name in names)
    return f"{ours} (others: {others})"


def _most_common(figures: Sequence[Shown | None]) -> str | None:
    """The group that most cells of a column share; the first of equals."""
    groups = Counter(shown.group for shown in figures if shown is not None and not shown.logged)
    return groups.most_common(1)[0][0] if groups else None


def _may_be_best(row: ModelRow, place: Place, shown: Shown) -> bool:
    """Not what was copied, what lacks answers, or what describes the data instead of the model."""
    counts = row.entries[place.task].result.counts
    return not shown.logged and counts.all_answered and not shown.metric.baseline


def _counts_text(counts: Counts) -> str:
    parts = [f"{counts.answered} of {counts.expected} answered"]
    if counts.failed:
        parts.append(f"{counts.failed} failed")
    if counts.unscored:
        parts.append(f"{counts.unscored} unscored")
    if counts.damaged:
        parts.append(f"{counts.damaged} lines damaged")
    return ", ".join(parts)


def _part_name(part: str) -> str:
    from tvbench.errors import UsageError
    from tvbench.languages import language

    if part == ALL:
        return "all (mean)"
    if part == MULTI:
        return "multi (without en)"
    try:
        return f"{part} {language(part).name}"
    except UsageError:
        return part


def _wrapped(row: ModelRow) -> str:
    lines = textwrap.wrap(row.model, TITLE_WIDTH, break_long_words=True, break_on_hyphens=True)
    return "\n".join([*lines, *textwrap.wrap(row.source, TITLE_WIDTH)])
