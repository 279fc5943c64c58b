"""Which figures of one column of a leaderboard are certainly better than which, and what ranks that leaves open.

All pairs of a column are compared at once (scoring/paired.py): by the items that both have, where the runs hold them,
else by the figures' standard errors (Bonferroni), as independent ones. A figure's rank lies between 1 + how many are
certainly better, and the number of figures less those that are certainly worse: all these intervals hold at once in
95 % (Al Mohamad, Goeman and van Zwet 2022; Mogstad, Romano, Shaikh and Wilhelm 2024). What is possibly first gets the
star (the best that cannot be told from the best, Hsu 1996), where anything is certain at all.

Knows runs and metrics; no grid.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from tvbench.analysis.entries import ALL, MULTI, RunEntry, Shown, codes_of, family, metric_of, shown_figure
from tvbench.errors import TvbenchError
from tvbench.registry.remembered import remembered
from tvbench.runs.store import REQUESTS, SCORES, RunFolder
from tvbench.scoring.guards import cluster_of, is_for, statistics_of
from tvbench.scoring.metric import CORPUS, Metric
from tvbench.scoring.metrics import computable
from tvbench.scoring.student import LEVEL, t_quantile
from tvbench.types import Figure, Item, Score

RESAMPLES = 10_000
FEW_RESAMPLES = 999
MOST = 200
"""So many figures of a column are ranked, at most: their pairs are half of its square."""
ENGLISH = "en"


@dataclass(frozen=True, slots=True)
class Rank:
    """The ranks that one of `of` figures may have, from `low` (1: best) to `high`; `first`: nothing is certainly
    better, and something is certain."""

    low: int
    high: int
    of: int
    first: bool


@dataclass(frozen=True, slots=True)
class Ranking:
    """Ranks in the order given. `paired`: by the items that figures share; `problem`: why there are no ranks, or why
    they are not by items. `better` holds the pairs of which the first is certainly better."""

    ranks: tuple[Rank, ...] = ()
    paired: bool = False
    problem: str = ""
    better: frozenset[tuple[int, int]] = frozenset()


TOO_MANY = Ranking(problem=f"they are more than {MOST}, too many to compare each with each other")


def may_be_ranked(entry: RunEntry, shown: Shown) -> bool:
    """Not what was copied, what lacks answers, or what describes the data instead of the model."""
    return not shown.logged and entry.result.counts.all_answered and not shown.metric.baseline


def all_ranks(
    entries: Sequence[RunEntry], metric: str | None = None, *, languages: bool = False
) -> dict[tuple[str, str, str, str], Rank]:
    """By run, task, metric and part: the mean over languages, with `languages` each of them too. `metric` None: each
    task's primary one."""
    groups: dict[tuple[str, str], list[tuple[RunEntry, Shown]]] = {}
    for entry in entries:
        kind = family(metric or entry.result.primary, entry.result.declared)
        codes = [MULTI, *entry.result.breakdowns.get("language", {})] if languages else []
        for part in (ALL, *codes):
            shown = shown_figure(entry.result, part, kind, metric)
            if shown is not None and may_be_ranked(entry, shown):
                groups.setdefault((part, shown.group), []).append((entry, shown))
    ranker = Ranker()
    found: dict[tuple[str, str, str, str], Rank] = {}
    for (part, _), group in groups.items():
        if len(group) > 1:
            name = group[0][1].metric.id
            made = ranker.ranking([entry for entry, _ in group], [shown.value for _, shown in group], name, part)
            keys = [(entry.run, entry.result.task, name, part) for entry, _ in group]
            found |= dict(zip(keys, made.ranks, strict=False))
    return found


class Ranker:
    """Ranks the figures of columns; reads each run once."""

    def __init__(self) -> None:
        self._held: dict[str, _Held] = {}

    def ranking(self, entries: Sequence[RunEntry], figures: Sequence[Figure], metric: str, part: str) -> Ranking:
        """Of two or more runs of one task that may be ranked against each other, by `metric` in `part` of it."""
        if len(entries) > MOST:
            return TOO_MANY
        shown = metric_of(entries[0].result, metric)
        signs, problem = self._remembered(entries, shown, part)
        paired = signs is not None
        if signs is None:
            signs = _by_errors(figures)
        if signs is None:
            return Ranking(problem=problem)
        better = _better(len(entries), signs, shown)
        return Ranking(tuple(_ranks(len(entries), better)), paired, problem, better)

    def more_items(self, first: RunEntry, second: RunEntry, metric: str, part: str) -> int | None:
        """How many more items of such a kind it takes to tell two runs apart (in 80 % of cases, where the difference is
        as it is seen); None where they can be told apart, where they do not differ, and where that is not known."""
        folders = [entry.folder for entry in (first, second) if entry.folder is not None]
        shown = metric_of(first.result, metric)
        if len(folders) < 2 or not all((folder.path / REQUESTS).is_file() for folder in folders):
            return None
        corpora = shown.of_corpora or bool(first.result.declared.get(shown.id, {}).get(CORPUS))
        files = [path for folder in folders for path in _files(folder, corpora)]
        task = first.result.task

        def compute() -> tuple[Any, list[object]]:
            return self._more(folders, task, shown, part, corpora), list(files)

        key = ["more", task, shown.id, shown.definition, part, *map(str, files)]
        found = remembered(f"more-{_digest(key)}", key, compute)
        return found if isinstance(found, int) and found > 0 else None

    def _more(self, folders: Sequence[RunFolder], task: str, shown: Metric, part: str, corpora: bool) -> int:
        """0: not known, or not needed."""
        from tvbench.scoring.paired import compare, is_certain

        groups = self._groups(folders, task, shown, part, corpora)
        if isinstance(groups, str) or not groups[0]:
            return 0
        found = compare(groups[0], resamples=FEW_RESAMPLES)
        if is_certain(found) or found.detectable is None or found.difference == 0:
            return 0
        return max(0, math.ceil(found.items * ((found.detectable / found.difference) ** 2 - 1)))

    def _remembered(self, entries: Sequence[RunEntry], shown: Metric, part: str) -> tuple[list[int] | None, str]:
        """The sign of each pair that is certain; None, and why, where items are not at hand."""
        folders = [entry.folder for entry in entries]
        task = entries[0].result.task
        if any(folder is None or not (folder.path / REQUESTS).is_file() for folder in folders):
            return None, "their items are not at hand"
        held = [folder for folder in folders if folder is not None]
        corpora = shown.of_corpora or bool(entries[0].result.declared.get(shown.id, {}).get(CORPUS))
        files = [path for folder in held for path in _files(folder, corpora)]

        def compute() -> tuple[Any, list[object]]:
            return self._signs(held, task, shown, part, corpora), list(files)

        key = [task, shown.id, shown.definition, part, *map(str, files)]
        found = remembered(f"ranks-{_digest(key)}", key, compute)
        return (found, "") if isinstance(found, list) else (None, str(found))

    def _signs(
        self, folders: Sequence[RunFolder], task: str, shown: Metric, part: str, corpora: bool
    ) -> list[int] | str:
        """Worked out; or why that cannot be."""
        from tvbench.scoring.paired import certain_signs

        comparisons = self._groups(folders, task, shown, part, corpora)
        if isinstance(comparisons, str):
            return comparisons
        if not all(comparisons):
            return "they share no items"
        return certain_signs(comparisons, resamples=RESAMPLES)

    def _groups(
        self, folders: Sequence[RunFolder], task: str, shown: Metric, part: str, corpora: bool
    ) -> list[list[Any]] | str:
        """What each pair of runs has in common, by language; or why nothing can be said of it. What is computed of a
        corpus needs the metric's code."""
        try:
            code = computable(shown.id) if corpora else shown
            if code is None:
                return f"{shown.label} is not at hand"
            sides = [self._run(folder).values(task, code, part) for folder in folders]
        except TvbenchError as error:
            return f"{shown.label} cannot be resampled: {error.message}"
        if any(not side for side in sides):
            return f"{shown.label} cannot be resampled"
        comparisons = []
        for first, second in itertools.combinations(sides, 2):
            groups = [_pairs(first[name], second[name], code) for name in sorted(first.keys() & second.keys())]
            comparisons.append([group for group in groups if group is not None])
        return comparisons

    def _run(self, folder: RunFolder) -> _Held:
        return self._held.setdefault(str(folder.path), _Held(folder))


def ranks_text(rank: tuple[int, int] | None) -> str:
    """`1`, or `1–2`; nothing where there is none."""
    if rank is None:
        return ""
    return str(rank[0]) if rank[0] == rank[1] else f"{rank[0]}–{rank[1]}"


Values = dict[str, tuple[str, Any]]
"""By item: its cluster, and its value, or its row of statistics."""


class _Held:
    """What one run holds, read when it is asked for."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._values: dict[tuple[str, str, str], Values] = {}

    @cached_property
    def _items(self) -> dict[str, dict[str, list[tuple[str, Item]]]]:
        """By task and language."""
        found: dict[str, dict[str, list[tuple[str, Item]]]] = {}
        for key, item in self._folder.requests():
            found.setdefault(item.task, {}).setdefault(item.language, []).append((key, item))
        return found

    @cached_property
    def _texts(self) -> dict[str, str]:
        answers = self._folder.responses()
        return {key: answer.text for key, answer in answers.items() if answer.text is not None}

    @cached_property
    def _scores(self) -> dict[str, dict[str, Score]]:
        return self._folder.all_scores()

    def values(self, task: str, shown: Metric, part: str) -> dict[str, Values]:
        """By language; empty where the metric cannot be resampled. Raises TvbenchError for a damaged run."""
        found: dict[str, Values] = {}
        for language in self._items.get(task, {}):
            if part == ALL or language in codes_of(part) or (part == MULTI and language != ENGLISH):
                key = (task, shown.id, language)
                if key not in self._values:
                    self._values[key] = (self._rows if shown.of_corpora else self._scored)(task, language, shown)
                if self._values[key]:
                    found[language] = self._values[key]
        return found

    def _scored(self, task: str, language: str, shown: Metric) -> Values:
        scores = self._scores.get(task, {})
        found: Values = {}
        for _, item in self._items[task][language]:
            score = scores.get(item.id)
            value = None if score is None or score.unscored else score.values.get(shown.id)
            if value is not None:
                found[item.id] = (cluster_of(item), value)
        return found

    def _rows(self, task: str, language: str, shown: Metric) -> Values:
        pairs = self._items[task][language]
        used = [(item, self._texts[key]) for key, item in pairs if key in self._texts and is_for(shown, item)]
        rows = statistics_of(shown, language, used) if used else None
        if rows is None:
            return {}
        return {item.id: (cluster_of(item), row) for (item, _), row in zip(used, rows, strict=True)}


def _pairs(first: Values, second: Values, shown: Metric) -> Any:
    """What both have, as scoring/paired.py takes it; None where they have nothing in common."""
    from tvbench.scoring.paired import means, of_rows

    shared = [name for name in first if name in second]
    if not shared:
        return None
    clusters = [first[name][0] for name in shared]
    one, other = ([side[name][1] for name in shared] for side in (first, second))
    if shown.of_corpora:
        return of_rows(one, other, clusters, shown.of_sums)
    return means(one, other, clusters, shown.span)


def _files(folder: RunFolder, corpora: bool) -> list[object]:
    """What the values of a metric are made of."""
    return [folder.path / REQUESTS, *(folder.response_files() if corpora else [folder.path / SCORES])]


def _digest(key: Sequence[str]) -> str:
    from hashlib import sha256

    return sha256("\0".join(key).encode("utf-8", "surrogateescape")).hexdigest()[:24]


def _by_errors(figures: Sequence[Figure]) -> list[int] | None:
    """The sign of each pair that is certain by standard errors alone; None where a figure has none."""
    pairs = list(itertools.combinations(figures, 2))
    signs: list[int] = []
    quantile = cache(lambda degrees: t_quantile(1 - (1 - LEVEL) / 2 / len(pairs), degrees))
    for first, second in pairs:
        if first.stderr is None or second.stderr is None or min(first.clusters or 0, second.clusters or 0) < 2:
            return None
        degrees = min(first.clusters or 0, second.clusters or 0) - 1
        edge = quantile(degrees) * math.hypot(first.stderr, second.stderr)
        difference = second.value - first.value
        signs.append(0 if abs(difference) <= edge else 1 if difference > 0 else -1)
    return signs


def _better(count: int, signs: Sequence[int], shown: Metric) -> frozenset[tuple[int, int]]:
    pairs = zip(itertools.combinations(range(count), 2), signs, strict=True)
    return frozenset(
        (second, first) if shown.improves(sign) else (first, second) for (first, second), sign in pairs if sign
    )


def _ranks(count: int, better: frozenset[tuple[int, int]]) -> list[Rank]:
    above, below = Counter(pair[1] for pair in better), Counter(pair[0] for pair in better)
    return [
        Rank(1 + above[number], count - below[number], count, bool(better) and not above[number])
        for number in range(count)
    ]
