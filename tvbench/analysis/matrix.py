"""The fields of a leaderboard: what may be best, what lacks answers, what was measured otherwise.

Figures are ranked among those of ours of equal signature only (ranks.py). Where a column holds several signatures, each
but the most common has a number, and a remark says what differs. Knows rows and places; no layout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

from tvbench.analysis.crowds import Crowd, crowd
from tvbench.analysis.entries import ALL, MULTI, Shown, untrained
from tvbench.analysis.grid import Field, Grid, Heading, Line, Mark, Remark, difference
from tvbench.analysis.ranks import TOO_MANY, Rank, Ranker, Ranking, may_be_ranked, ranks_text
from tvbench.analysis.rows import ModelRow, Place, shown_in, value_of
from tvbench.scoring.metric import INTERVALS, Metric
from tvbench.scoring.metrics import family_label
from tvbench.types import Counts

T = TypeVar("T")
PRINTED = (
    "T = its table; not recomputed; data, prompts and scorer are the authors' own, so do not rank our figures against "
    "them"
)
STARRED = "nothing is certainly better (ours with equal signatures; paired over pictures and clips, all at once, 95 %)"
RANKED = "best and worst that the data leave open, among ours with equal signatures, all at once (95 %)"


class Matrix:
    """Rows x places, marked. Ours stand first, published rows after them.

    With `most`, no more of ours than that have fields, the first; they are ranked among all.
    """

    def __init__(
        self,
        places: Sequence[Place],
        rows: Sequence[ModelRow],
        metric: str | None,
        by: str = "",
        ranker: Ranker | None = None,
        most: int | None = None,
    ) -> None:
        self.places = tuple(places)
        self.by = next((place for place in self.places if by in place.names), self.places[0])
        self._ranker = ranker or Ranker()
        self._uncertain: list[str] = []
        self._whole = tuple(rows)
        own = sum(not row.published for row in rows)
        self._first = own if most is None else min(most, own)
        self._cut = slice(self._first, own)
        self.more = own - self._first
        """So many of ours are left out."""
        self.rows = self._shown(self._whole)
        self.metric = metric
        self._said: dict[Remark, None] = {}
        self.problems: dict[str, list[Place]] = {}
        """Why places have no ranks, or less certain ones."""
        self.better: dict[Place, frozenset[tuple[int, int]]] = {}
        """By place the pairs of rows of which the first is certainly better."""
        self.ranked: dict[Place, frozenset[int]] = {}
        """By place the rows that are ranked among those that are measured as most are, also those left out."""
        self._numbers: dict[str, int] = {}
        self._crowds: dict[tuple[str, str], Crowd] = {}
        columns = [self._column(place) for place in self.places]
        self._fields = tuple(tuple(column[number] for column in columns) for number in range(len(self.rows)))

    def _shown(self, whole: Sequence[T]) -> tuple[T, ...]:
        """What stands in the rows that are not left out."""
        return (*whole[: self._cut.start], *whole[self._cut.stop :])

    @property
    def fields(self) -> tuple[tuple[Field, ...], ...]:
        """By row and place."""
        return self._fields

    @property
    def numbered(self) -> list[Remark]:
        """What the numbers of fields mean."""
        return [Remark(text, number=number) for text, number in self._numbers.items()]

    def by_task(self) -> Grid:
        """Models against tasks; above each the metric that its fields hold."""
        titles = [f"{place.key}\n{self.metric_label(place)}" for place in self.places]
        return self._grid("", titles, down=False)

    def by_language(self) -> Grid:
        """One task: languages down where they are more than the models, else across."""
        place = self.places[0]
        title = f"{place.task} by language: {self.metric_label(place)}"
        down = len(self.places) > len(self.rows)
        return self._grid(title, [place.part for place in self.places], down=down)

    def _grid(self, title: str, titles: Sequence[str], *, down: bool) -> Grid:
        headings = tuple(
            Heading(self._key(place), above, _part_name(place.part), place.part, whole=place.part in (ALL, MULTI))
            for place, above in zip(self.places, titles, strict=True)
        )
        by = self.places.index(self.by)
        lines = tuple(
            Line(row.model, row.source, row.published, ranks_text(fields[by].rank))
            for row, fields in zip(self.rows, self._fields, strict=True)
        )
        return Grid(title, headings, lines, self._fields, tuple(self._remarks()), down)

    def _is_shown(self, number: int) -> bool:
        return not self._cut.start <= number < self._cut.stop

    def _crowd(self, place: Place) -> Crowd | None:
        """Of a table of which rows are left out."""
        if self.more and (place.task, place.kind) not in self._crowds:
            self._crowds[place.task, place.kind] = crowd(self._whole, place, self.metric)
        return self._crowds.get((place.task, place.kind))

    def _column(self, place: Place) -> list[Field]:
        """The fields of one place, top to bottom."""
        held = self._crowd(place)
        figures = [
            shown_in(row, place, self.metric) if held is None or self._is_shown(number) or held.needs(number) else None
            for number, row in enumerate(self._whole)
        ]
        common = held.common if held is not None else _most_common(figures)
        ranks = self._ranks(place, figures, common)
        fields: list[Field] = []
        for number, (row, shown) in enumerate(zip(self.rows, self._shown(figures), strict=True)):
            value = value_of(row, place, self.metric) if shown is None else shown.metric.shown(shown.value.value)
            if value is None:
                asked = not row.published and place.task in row.entries
                fields.append(Field("none" if asked else "–"))
            elif shown is None:
                fields.append(Field(f"{value:.1f}", value))
            else:
                fields.append(self._own(row, place, shown, value, ranks.get(number), common))
        return fields

    def _own(
        self, row: ModelRow, place: Place, shown: Shown, value: float, rank: Rank | None, common: str | None
    ) -> Field:
        marks: tuple[Mark, ...] = ("best",) if rank is not None and rank.first else ()
        more, number = self._marks(row, place, shown, common)
        among = None if rank is None or shown.group != common else (rank.low, rank.high)
        interval = shown.metric.halves(shown.value)
        return Field(shown.metric.text(shown.value.value), value, interval, (*marks, *more), number, among)

    def _ranks(self, place: Place, figures: Sequence[Shown | None], common: str | None) -> dict[int, Rank]:
        """The ranks of rows by number; groups of one have none."""
        held = self._crowd(place)
        groups: dict[str, list[int]] = {}
        for number, shown in enumerate(figures):
            if shown is not None and may_be_ranked(self._whole[number].entries[place.task], shown):
                groups.setdefault(shown.group, []).append(number)
        found: dict[int, Rank] = {}
        for name, numbers in groups.items():
            if len(numbers) > 1:
                entries = [self._whole[number].entries[place.task] for number in numbers]
                shown_figures = [shown for number in numbers if (shown := figures[number]) is not None]
                values = [shown.value for shown in shown_figures]
                too_many = held is not None and name in held.large
                found_metric = shown_figures[0].metric.id
                made = TOO_MANY if too_many else self._ranker.ranking(entries, values, found_metric, place.part)
                self._note_ranking(place, made)
                found |= dict(zip(numbers, made.ranks, strict=False))
                if name == common and made.ranks:
                    self.ranked[place] = frozenset(numbers)
                    better = ((numbers[one], numbers[two]) for one, two in made.better)
                    self.better[place] = frozenset(pair for pair in better if max(pair) < self._first)
        return found

    def _note_ranking(self, place: Place, made: Ranking) -> None:
        key = self._key(place)
        if not made.ranks:
            self.problems.setdefault(f"no star and no ranks: {made.problem}", []).append(place)
            self._say(Remark(f"{key}: no star and no ranks: {made.problem}"))
        elif not made.paired:
            self.problems.setdefault(f"stars and ranks by standard errors alone: {made.problem}", []).append(place)
            self._say(Remark(f"{key}: stars and ranks by standard errors alone: {made.problem}"))
        if made.ranks and not any(rank.first for rank in made.ranks):
            self._uncertain.append(key)

    def _about_ranks(self) -> list[Remark]:
        said = []
        if any(field.rank for fields in self._fields for field in fields):
            said.append(Remark(f"rank: {RANKED}, in {self._key(self.by)}"))
        if self._uncertain:
            said.append(Remark(f"no star in {', '.join(self._uncertain)}: no two figures can be told apart"))
        return said

    def _marks(self, row: ModelRow, place: Place, shown: Shown, common: str | None) -> tuple[tuple[Mark, ...], int]:
        """The marks of a figure of ours, and the number of what differs."""
        counts = row.entries[place.task].result.counts
        if untrained(row.entries[place.task].revision):
            self._say(Remark(f"{row.model} has random weights: its scores are at chance or below"))
        if shown.logged:
            self._say(Remark("copied from the log of another harness, not computed here", "logged"))
            return ("logged",), 0
        marks: tuple[Mark, ...] = () if counts.complete else ("incomplete",)
        if not counts.complete:
            self._say(Remark(f"{row.model}, {place.task}: {counts_text(counts)}", "incomplete"))
        if common is None or shown.group == common:
            return marks, 0
        text = f"{place.task}: {difference(shown.group, common)}"
        return marks, self._numbers.setdefault(text, len(self._numbers) + 1)

    def _say(self, remark: Remark) -> None:
        self._said[remark] = None

    def _key(self, place: Place) -> str:
        twins = [other for other in self.places if other.key == place.key]
        return place.key if len(twins) == 1 else place.long_key

    def metric_label(self, place: Place) -> str:
        """The one metric that our figures hold here, else the name of its family."""
        held = {
            shown.metric.id: shown.metric
            for row in self.rows
            if (shown := shown_in(row, place, self.metric)) and not shown.logged
        }
        return held.popitem()[1].label if len(held) == 1 else family_label(place.kind)

    def _held(self) -> dict[str, Metric]:
        """The metrics of all our fields, by id."""
        return {
            shown.metric.id: shown.metric
            for place in self.places
            for row in self.rows
            if (shown := shown_in(row, place, self.metric)) is not None
        }

    def _remarks(self) -> list[Remark]:
        said = self.numbered
        said += list(self._said)
        if any("best" in field.marks for fields in self._fields for field in fields):
            said.append(Remark(STARRED, "best"))
        said += self._about_ranks()
        if any(field.interval for fields in self._fields for field in fields):
            said.append(Remark(INTERVALS))
        said += [
            Remark(f"{shown.label}: lower is better") for shown in self._held().values() if shown.better == "lower"
        ]
        return said + self.about_papers()

    def about_papers(self) -> list[Remark]:
        figures = [(place, figure) for row in self.rows for place, figure in row.figures.items()]
        sources = {f"{figure.table.source}, {figure.unit}" for _, figure in figures if figure.table.source}
        said = [Remark(f"published: as printed ({'; '.join(sorted(sources))}), {PRINTED}")] if sources else []
        means = sorted({place.key for place, figure in figures if figure.computed and place in self.places})
        if means:
            said.append(Remark(f"published {', '.join(means)}: mean over the printed languages, taken here"))
        if figures and len(self.rows) > 1:
            said.append(Remark("published rows: no star and no ranks: their answers are not at hand"))
        return said


def _most_common(figures: Sequence[Shown | None]) -> str | None:
    """The group that most fields of a column share; the first of equals."""
    groups = Counter(shown.group for shown in figures if shown is not None and not shown.logged)
    return groups.most_common(1)[0][0] if groups else None


def counts_text(counts: Counts) -> str:
    """`7 of 10 answered, 2 failed`."""
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
