"""Figures of corpora over some of a task's items, each set of answers in one language computed once.

Where a metric counts each pair in whole numbers (`metric.Counting`), only these are kept; of any other the pairs
themselves are held. Knows metrics; no task and no file.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from hashlib import sha256

import numpy as np

from tvbench.errors import UsageError
from tvbench.scoring.columns import as_array
from tvbench.scoring.guards import counting, counts_of, figure_of, figure_of_counts, is_for
from tvbench.scoring.metric import CorpusFigure, Counting, Metric, Pair
from tvbench.types import Figure, Item


class _Counted:
    """One metric's counts by item; `problems` are items that it could not count."""

    def __init__(self, metric: Counting) -> None:
        self.metric = metric
        self.places, self.counts, self.width = array("i"), array("q"), 0
        self.problems: dict[int, str] = {}

    def add(self, place: int, item: Item, text: str) -> None:
        """The answer to the item at `place`."""
        try:
            counts = counts_of(self.metric, item, text)
        except UsageError as error:
            self.problems[place] = str(error)
            return
        self.places.append(place)
        self.counts.extend(counts)
        self.width = len(counts)

    def figure(self, language: str, places: np.ndarray) -> Figure | None:
        """The figure of the answers at `places`. Raises UsageError where one of them could not be counted."""
        if self.problems and (lost := self.problems.keys() & set(places.tolist())):
            raise UsageError(self.problems[min(lost)])
        rows = as_array(self.counts, np.int64).reshape(-1, max(1, self.width))
        held = np.isin(as_array(self.places, np.int32), places, assume_unique=True)
        return figure_of_counts(self.metric, language, rows[held])


class Corpora:
    """Gathers answers, and then what their figures say: signatures by metric and language, and warnings."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = metrics
        self.counted = {metric.id: _Counted(counts) for metric in metrics if (counts := counting(metric)) is not None}
        self.pairs: dict[str, dict[int, Pair]] = {metric.id: {} for metric in metrics if metric.id not in self.counted}
        self.done: dict[tuple[str, bytes], Mapping[str, Figure]] = {}
        self.signatures: defaultdict[str, dict[str, str]] = defaultdict(dict)
        self.warnings: dict[str, None] = {}

    def add(self, place: int, item: Item, text: str) -> None:
        """The answer to the item at `place`."""
        for metric in self.metrics:
            if is_for(metric, item):
                if metric.id in self.pairs:
                    self.pairs[metric.id][place] = (item, text)
                else:
                    self.counted[metric.id].add(place, item, text)

    def figures(self, language: str, places: np.ndarray) -> Mapping[str, Figure]:
        """Those of the answers at `places`, which ascend."""
        key = language, sha256(places.tobytes()).digest()
        if key not in self.done:
            self.done[key] = {
                metric.id: figure
                for metric in self.metrics
                if (figure := self._figure(metric, language, places)) is not None
            }
        return self.done[key]

    def _figure(self, metric: Metric, language: str, places: np.ndarray) -> Figure | None:
        """One metric's figure; what cannot be computed is a warning, not a zero."""
        try:
            if metric.id in self.counted:
                figure = self.counted[metric.id].figure(language, places)
            else:
                held = self.pairs[metric.id]
                figure = figure_of(metric, language, [held[at] for at in places.tolist() if at in held])
        except UsageError as error:
            self.warnings[f"not computed: {error}"] = None
            return None
        return None if figure is None else self._noted(metric, language, figure)

    def _noted(self, metric: Metric, language: str, figure: Figure) -> Figure:
        """`figure` as it is stored; what else it says is kept."""
        if not isinstance(figure, CorpusFigure):
            return figure
        if figure.definition:
            self.signatures[metric.id][language] = figure.definition
        self.warnings.update(dict.fromkeys(figure.warnings))
        return figure.plain()
