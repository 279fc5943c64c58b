"""A leaderboard as one object: what stands in it, and the ways to show that. Knows runs' entries, papers and tables."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.analysis.entries import RunEntry, family, load_entries, metric_meant
from tvbench.analysis.grid import Grid
from tvbench.analysis.groups import group_grids, group_sheets
from tvbench.analysis.leaderboard import View, leaderboard, order_of_runs
from tvbench.analysis.published import PublishedFigure, published_figures
from tvbench.analysis.ranks import all_ranks
from tvbench.errors import unknown_name
from tvbench.report.board_cost import CostedRow, board_costs, card_price, costed_records, costed_rows
from tvbench.report.painting import painted
from tvbench.report.records import group_records, leaderboard_records
from tvbench.report.table import Table, show
from tvbench.scoring.metrics import of_family

if TYPE_CHECKING:
    from tvbench.analysis.board_lines import BoardSheet
    from tvbench.analysis.row_costs import Costs
    from tvbench.analysis.tidy import FigureRow
    from tvbench.registry.prices import Price
    from tvbench.report.cost_table import About, CostRow
    from tvbench.report.tidy import TidyTable

RUN = "run"
PROTOCOLS = ("tvbench", "paper", "official")


@dataclass(frozen=True)
class Board:
    """`entries` are the results of runs, `figures` those printed in papers; `warnings` name runs and files that are
    left out. `tasks` and `metric` are the ones asked for (none: all of them); `found` results lie there, of any
    protocol."""

    entries: tuple[RunEntry, ...]
    figures: tuple[PublishedFigure, ...]
    warnings: tuple[str, ...] = ()
    tasks: tuple[str, ...] = ()
    metric: str | None = None
    found: int = 0
    costs: Costs | None = None

    @property
    def empty(self) -> bool:
        """Whether no run is scored there."""
        return not self.found

    def table(self, *, sort: str | None = None, languages: bool = False) -> TidyTable[FigureRow]:
        """One row a figure: every metric (or the one asked for) of every task, of the mean and of each language. Runs
        stand in the order of the leaderboard (of that by `languages`), the papers' figures last."""
        from tvbench.analysis.tidy import FigureRow
        from tvbench.report.tidy import TidyTable

        view = View(self.tasks, self.metric, sort, languages)
        order = order_of_runs(self.entries, self.figures, view)
        rows = [*self._own_rows(order, languages), *self._printed_rows()]
        if self.costs is None:
            return TidyTable(FigureRow, rows)
        return TidyTable(CostedRow, costed_rows(rows, self.entries, self.costs))

    def grids(self, *, languages: bool = False, sort: str | None = None) -> list[Grid]:
        """Models by tasks, or a grid a task by language, as computed, for a look of one's own; none where there is
        nothing to show. Raises UsageError."""
        return leaderboard(self.entries, self.figures, View(self.tasks, self.metric, sort, languages))

    def tables(self, *, languages: bool = False, sort: str | None = None) -> list[Table]:
        """The same as they are printed."""
        return painted(self.grids(languages=languages, sort=sort))

    def grouped(self, by: str, *, sort: str | None = None) -> tuple[list[Table], Any]:
        """A table a task by groups of languages or categories, and the same as plain records. Raises UsageError."""
        metric = None if self.metric is None else metric_meant(self.entries, self.metric)
        sheets = group_sheets(self.entries, self.figures, by, tasks=self.tasks, metric=metric, sort=sort)
        return painted(group_grids(sheets)), group_records(sheets)

    def sheets(
        self, *, languages: Sequence[str] = (), sort: str | None = None, printed_alone: bool = False
    ) -> list[BoardSheet]:
        """What the first screen shows: languages first, how each model stands in words; with `printed_alone` also where
        nothing of ours stands. Raises UsageError."""
        from tvbench.analysis.board_sheet import board_sheets

        return board_sheets(
            self.entries, self.figures, View(self.tasks, self.metric, sort), languages, printed_alone=printed_alone
        )

    def among(self, languages: Sequence[str]) -> Board:
        """The same with figures by language of these alone; means over languages stay what they are."""
        from tvbench.analysis.among import entries_among, figures_among

        entries = entries_among(self.entries, languages)
        return replace(self, entries=tuple(entries), figures=tuple(figures_among(self.figures, languages)))

    def records(self) -> list[dict[str, Any]]:
        """Everything that is known of every result, and every printed figure, as plain JSON."""
        records = leaderboard_records(self.entries, self.figures, self.tasks, all_ranks(self._chosen()))
        return records if self.costs is None else costed_records(records, self.entries, self.costs)

    def costed(self, *, sort: str | None = None, languages: Sequence[str] = ()) -> tuple[list[CostRow], About] | None:
        """What each row costs, in the order of the table; None where that was not asked for, or nothing is there."""
        grids = [] if self.costs is None else self.grids(sort=sort)
        if self.costs is None or not grids:
            return None
        return board_costs(grids[0], self._chosen(), self.costs, languages=languages, by=sort)

    def __str__(self) -> str:
        text = io.StringIO()
        show(self.tables(), "table", file=text)
        return text.getvalue()

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()

    def __repr__(self) -> str:
        return str(self)

    def _chosen(self) -> list[RunEntry]:
        return [entry for entry in self.entries if not self.tasks or entry.result.task in self.tasks]

    def _own_rows(self, order: Sequence[str], languages: bool) -> Iterator[FigureRow]:
        from tvbench.analysis.tidy import figure_rows

        place = {name: number for number, name in enumerate(order)}
        metric = None if self.metric is None else self._known_metric(self.metric)
        ranks = all_ranks(self._chosen(), metric, languages=languages)
        for entry in sorted(self._chosen(), key=lambda entry: place.get(entry.run, len(place))):
            for row in figure_rows(entry.result, entry.run, entry.model):
                if metric in (None, row.metric):
                    rank = ranks.get((row.run, row.task, row.metric, row.language))
                    yield row if rank is None else replace(row, rank_low=rank.low, rank_high=rank.high)

    def _printed_rows(self) -> Iterator[FigureRow]:
        from tvbench.analysis.tidy import FigureRow

        for figure in self.figures:
            wanted = self.metric is None or family(figure.metric) == family(self._known_metric(self.metric))
            if wanted and (not self.tasks or figure.task in self.tasks):
                yield FigureRow(
                    "",
                    figure.model,
                    figure.task,
                    "",
                    figure.part,
                    figure.metric,
                    figure.value,
                    None,
                    None,
                    None,
                    figure.unit,
                    of_family(family(figure.metric)).better,
                    f"published: {figure.table.source}, table {figure.table.number}",
                )

    def _known_metric(self, name: str) -> str:
        return name if any(name == figure.metric for figure in self.figures) else metric_meant(self.entries, name)


def board(
    results: Path,
    *,
    tasks: Iterable[str] = (),
    protocol: str | None = None,
    metric: str | None = None,
    published: bool | str = True,
    prices: Mapping[str, Price] | None = None,
) -> Board:
    """What stands below `results`, less what was not asked for. `published`: with every printed figure, with none, or
    (RUN) with those of tasks that were run; `prices` by model ("": of the others) where costs are asked for. Raises
    UsageError for an unknown task, protocol or model."""
    entries, warnings = load_entries(results)
    found = len(entries)
    figures, more = published_figures(results) if published else ([], [])
    if protocol is not None:
        protocols = {entry.result.protocol for entry in entries}
        if protocol not in protocols | set(PROTOCOLS):
            raise unknown_name("protocol", protocol, protocols | set(PROTOCOLS))
        entries = [entry for entry in entries if entry.result.protocol == protocol]
    if published == RUN:
        run = {entry.result.task for entry in entries}
        figures = [figure for figure in figures if figure.task in run]
    known = [entry.result.task for entry in entries] + [figure.task for figure in figures]
    costs = None
    if prices is not None:
        from tvbench.analysis.row_costs import Costs

        costs = Costs(prices, card_price)
        costs.check(entries)
    return Board(tuple(entries), tuple(figures), (*warnings, *more), chosen_tasks(tasks, known), metric, found, costs)


def chosen_tasks(wanted: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Task names, groups spelled out. The catalog is only asked for names that no result has."""
    present = set(known)
    chosen: dict[str, None] = {}
    for name in wanted:
        if name in present:
            chosen[name] = None
            continue
        from tvbench.registry.catalog import groups, tasks

        if name in groups():
            chosen |= dict.fromkeys(groups()[name])
        elif name in tasks():
            chosen[name] = None
        else:
            raise unknown_name("task", name, present | set(tasks()) | set(groups()), "`tvbench tasks` lists them")
    return tuple(chosen)
