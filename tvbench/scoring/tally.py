"""From scores to a TaskResult: what an item counts is added to columns, and the figures are computed from those.

`summary.py` says what each figure is. Knows scores and targets; no task, no file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from tvbench.scoring.columns import ANSWERED, FAILED, JUDGED, SCORED, ItemColumns, Observed, counted
from tvbench.scoring.corpora import Corpora
from tvbench.scoring.metric import FRACTION, PERCENT, POINTS, Metric
from tvbench.scoring.metrics import BUILTIN, always
from tvbench.scoring.metrics import metric as metric_of
from tvbench.scoring.samples import Samples
from tvbench.types import Counts, Figure, Item, Response, Score, Slice, TaskResult

ENGLISH = "en"
BOUNDS = {FRACTION: (0.0, 1.0), POINTS: (0.0, float(PERCENT))}
"""The least and the most that a value can be, by unit."""


class FigureTally:
    """The items of one task, as far as its figures need them. `metrics` are those that are computed for it (None: those
    of tvbench)."""

    def __init__(self, metrics: Sequence[Metric] | None = None) -> None:
        self.used = always() if metrics is None else metrics
        self.named = {metric.id: metric for metric in reversed(self.used)}
        self.columns = ItemColumns()
        self.corpora = Corpora([metric for metric in self.used if metric.of_corpora])
        self._last: tuple[list[tuple[Observed, tuple[int, ...]]], Samples] | None = None

    def add(self, item: Item, response: Response | None, score: Score | None) -> None:
        """One item with what became of it; either may be missing."""
        text = self.columns.add(item, response, score)
        if text is not None and self.corpora.metrics:
            self.corpora.add(len(self.columns) - 1, item, text)

    def result(self, task: str, protocol: str, primary: str, signature: str) -> TaskResult:
        """All figures. Nothing can be added any more."""
        every = np.arange(len(self.columns), dtype=np.int32)
        languages = self._by_language(every)
        by_language = {code: self._slice(places) for code, places in languages.items()}
        others = {code: places for code, places in languages.items() if code != ENGLISH}
        breakdowns = {"language": by_language, **self._tag_slices()}
        counts = self._counts(every)
        figures = self._macro(languages, by_language)
        return TaskResult(
            task=task,
            protocol=protocol,
            signature=signature,
            primary=primary,
            counts=counts,
            metrics=figures,
            micro=self._pooled(every),
            macro_without_english=self._macro(others, by_language),
            breakdowns=breakdowns,
            metric_signatures=self._signatures(figures),
            warnings=(*_count_warnings(counts, by_language, primary), *self.corpora.warnings),
        )

    def _by_language(self, places: np.ndarray) -> dict[str, np.ndarray]:
        """The places of each language, by code."""
        numbers, names = self.columns.languages.numbers[places], self.columns.languages.names
        present = np.unique(numbers).tolist() if len(places) else []
        if len(present) == 1:
            return {names[present[0]]: places}
        order = np.argsort(numbers, kind="stable")
        ends = np.cumsum(np.bincount(numbers, minlength=len(names))).tolist()
        found = {names[at]: places[order[(ends[at - 1] if at else 0) : ends[at]]] for at in present}
        return dict(sorted(found.items(), key=lambda group: group[0]))

    def _counts(self, places: np.ndarray) -> Counts:
        columns = self.columns
        answered, scored = (int(columns.has(places, bit).sum()) for bit in (ANSWERED, SCORED))
        judged = places[columns.has(places, JUDGED)]
        flags: Counter[str] = Counter()
        for names, count in counted(columns.flags.numbers[judged], columns.flags.names):
            for flag in names:
                flags[flag] += count
        reasons = {
            reason: count for reason, count in counted(columns.reasons.numbers[judged], columns.reasons.names) if reason
        }
        return Counts(
            expected=len(places),
            answered=answered,
            failed=int(columns.has(places, FAILED).sum()),
            scored=scored,
            unscored=answered - scored,
            flags=dict(sorted(flags.items())),
            reasons=dict(Counter(reasons).most_common()),
        )

    # ── Slices ────────────────────────────────────────────────────────────────────────────────────

    def _slice(self, places: np.ndarray) -> Slice:
        """The figures of some items: item figures pooled, corpus figures averaged over their languages."""
        metrics = self._pooled(places)
        corpus = [
            self.corpora.figures(code, self._answered(group)) for code, group in self._by_language(places).items()
        ]
        for name in dict.fromkeys(name for figures in corpus for name in figures):
            metrics[name] = _mean_figure([figures[name] for figures in corpus if name in figures])
        return Slice(self._counts(places), metrics)

    def _answered(self, places: np.ndarray) -> np.ndarray:
        return np.asarray(places[self.columns.has(places, ANSWERED)])

    def _tag_slices(self) -> dict[str, dict[str, Slice]]:
        tags = self.columns.tags
        return {
            key: {value: self._slice(places) for value, places in tags[key].groups().items()}
            for key in sorted(tags.keys() - {"language"})
        }

    def _pooled(self, places: np.ndarray) -> dict[str, Figure]:
        observed = Observed(self.columns, places)
        return {name: self._figure(name, [observed]) for name in observed.names}

    def _figure(self, name: str, groups: Sequence[Observed]) -> Figure:
        """The mean of the groups' means, and how sure it is."""
        metric = self.named.get(name) or metric_of(name)
        places = [group.places_of(name) for group in groups]
        values = [group.values_of(name, some) for group, some in zip(groups, places, strict=True)]
        return self._samples(name, groups, places).figure(values, BOUNDS.get(metric.unit))

    def _samples(self, name: str, groups: Sequence[Observed], places: Sequence[np.ndarray]) -> Samples:
        """Of two metrics that the same items have, one after the other, the second takes the clusters of the first."""
        held = [(group, group.holding[name]) for group in groups]
        if self._last is None or self._last[0] != held:
            self._last = None
            self._last = held, Samples([self.columns.clusters[some] for some in places])
        return self._last[1]

    # ── Over languages ────────────────────────────────────────────────────────────────────────────

    def _macro(self, languages: Mapping[str, np.ndarray], slices: Mapping[str, Slice]) -> dict[str, Figure]:
        """The unweighted mean over the languages that have the figure, with its standard error and interval."""
        observed = [Observed(self.columns, places) for places in languages.values()]
        macro: dict[str, Figure] = {}
        for name in dict.fromkeys(name for code in languages for name in slices[code].metrics):
            figure = _mean_figure([slices[code].metrics[name] for code in languages if name in slices[code].metrics])
            groups = [group for group in observed if name in group.holding]
            if groups:
                figure = replace(self._figure(name, groups), value=figure.value, n=figure.n)
            macro[name] = figure
        return macro

    def _signatures(self, figures: Mapping[str, Figure]) -> dict[str, str]:
        """What exactly was computed, by metric; by language too where sacreBLEU's signature differs."""
        definitions = {metric.id: metric.definition for metric in (*BUILTIN.values(), *self.used) if metric.definition}
        signatures: dict[str, str] = {}
        for name in figures:
            by_language = self.corpora.signatures.get(name)
            if by_language and len(set(by_language.values())) == 1:
                signatures[name] = next(iter(by_language.values()))
            elif by_language:
                signatures.update({f"{name}[{code}]": signature for code, signature in by_language.items()})
            elif name in definitions:
                signatures[name] = definitions[name]
        return signatures


def _mean_figure(metrics: Sequence[Figure]) -> Figure:
    """The unweighted mean of figures that have no standard error."""
    return Figure(sum(metric.value for metric in metrics) / len(metrics), sum(metric.n for metric in metrics))


def _count_warnings(counts: Counts, by_language: Mapping[str, Slice], primary: str) -> list[str]:
    """What a reader must know before quoting a figure."""
    warnings: list[str] = []
    missing = counts.expected - counts.answered - counts.failed
    if counts.failed or missing:
        warnings.append(
            f"of {counts.expected} items {counts.failed} failed and {missing} have no answer; "
            "the figures cover the others"
        )
    have = [code for code, part in by_language.items() if primary in part.metrics]
    lack = [code for code, part in by_language.items() if primary not in part.metrics and part.counts.expected]
    if have and lack:
        warnings.append(f"no {primary} for {', '.join(lack)}: left out of the mean over languages")
    return warnings
