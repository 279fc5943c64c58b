"""The figure of a mean as intervals.py has it, over arrays: a million items take no object each.

Every step is the one that intervals.py describes, in the same order of additions, so that a figure has the same last
bit however its items were held. Knows numbers and numbered clusters; no item, no metric.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import chain, repeat

import numpy as np

from tvbench.scoring.beta_binomial import clusters_of, limits
from tvbench.scoring.student import LEVEL, t_quantile
from tvbench.types import Figure

AT_ONCE = 65_536
"""So many numbers of an array are Python's own at a time."""


def numbers(values: np.ndarray) -> Iterable[float]:
    """The values as Python's own numbers."""
    return chain.from_iterable(values[at : at + AT_ONCE].tolist() for at in range(0, len(values), AT_ONCE))


def mean(values: np.ndarray) -> float:
    """The plain mean of at least one value."""
    return math.fsum(numbers(values)) / len(values)


def sum_of_squares(values: np.ndarray) -> float:
    """Python's own power: an array's may differ in the last bit."""
    return math.fsum(map(pow, numbers(values), repeat(2)))


def renumbered(names: np.ndarray) -> tuple[np.ndarray, int]:
    """Whole numbers from 0 in the order in which `names`, whole numbers too, first occur; and how many there are."""
    if not len(names):
        return np.zeros(0, np.intp), 0
    first = np.empty(int(names.max()) + 1, np.intp)
    first[names[::-1]] = np.arange(len(names) - 1, -1, -1)  # of equal names the last assignment holds
    at = first[names]
    new = at == np.arange(len(names))
    return (np.cumsum(new) - 1)[at], int(new.sum())


class Samples:
    """Groups of items (languages) by the numbers of their clusters. `place` is an item's cluster, in the order in which
    they occur; `number` its group."""

    def __init__(self, clusters: Sequence[np.ndarray]) -> None:
        self.sizes = [len(group) for group in clusters]
        self.clusters = [renumbered(group)[1] for group in clusters]
        joined = np.concatenate(clusters) if len(clusters) > 1 else clusters[0]
        self.place, self.count = renumbered(joined)
        self.bounds = np.cumsum([0, *self.sizes])

    @cached_property
    def number(self) -> np.ndarray:
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    def figure(self, values: Sequence[np.ndarray], bounds: tuple[float, float] | None) -> Figure:
        """The mean of the groups' means, and how sure it is. `bounds`: the least and the most that a value can be."""
        means = [mean(group) for group in values]
        joined = np.concatenate(values) if len(values) > 1 else values[0]
        low, high = self.interval(joined, means, bounds) or (None, None)
        return Figure(sum(means) / len(means), len(joined), self.stderr(joined, means), self.count, low, high)

    def stderr(self, values: np.ndarray, means: Sequence[float]) -> float | None:
        """As intervals.macro_stderr has it."""
        if min(self.clusters) < 2:
            return None
        weights = [
            math.sqrt(count / (count - 1)) / (size * len(means))
            for count, size in zip(self.clusters, self.sizes, strict=True)
        ]
        apart = self._each(values, means)
        for at, weight in enumerate(weights):
            apart[self.bounds[at] : self.bounds[at + 1]] *= weight
        return math.sqrt(sum_of_squares(np.bincount(self.place, apart)))

    def _each(self, values: np.ndarray, means: Sequence[float]) -> np.ndarray:
        """What each value is apart from its group's mean."""
        apart = np.empty(len(values))
        for at, centre in enumerate(means):
            part = slice(self.bounds[at], self.bounds[at + 1])
            np.subtract(values[part], centre, out=apart[part])
        return apart

    def interval(
        self, values: np.ndarray, means: Sequence[float], bounds: tuple[float, float] | None
    ) -> tuple[float, float] | None:
        """As intervals.mean_interval has it."""
        if self.count < 2:
            return None
        if bounds is None or values.min() < bounds[0] or values.max() > bounds[1]:
            return self._unbounded(values, means)
        low, high = bounds
        least, most = limits(clusters_of(1 - (values - low) / (high - low), self.place, self.number))
        return low + (1 - most) * (high - low), low + (1 - least) * (high - low)

    def _unbounded(self, values: np.ndarray, means: Sequence[float]) -> tuple[float, float] | None:
        """t's interval. A cluster with a great part of a group hides its own deviation in the mean: its square is
        divided by what is left (Bell and McCaffrey 2002); degrees of freedom go by the effective number of clusters."""
        if min(self.clusters) < 2:
            return None
        apart, weights = self._each(values, means), np.empty(len(values))
        for at, size in enumerate(self.sizes):
            part = slice(self.bounds[at], self.bounds[at + 1])
            place = self.place[part]
            own = np.bincount(place)[place] / size
            each = 1 / (size * len(means))
            weights[part] = each
            apart[part] = each * apart[part] / np.sqrt(1 - own)
        half = math.sqrt(sum_of_squares(np.bincount(self.place, apart)))
        freedom = round(1 / sum_of_squares(np.bincount(self.place, weights)) - 1)
        half *= t_quantile((1 + LEVEL) / 2, max(1, freedom))
        value = math.fsum(means) / len(means)
        return None if half <= 1e-12 * max(1.0, abs(value)) else (value - half, value + half)
