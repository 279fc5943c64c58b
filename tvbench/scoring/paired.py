"""Whether two systems differ on the same items: paired tests and intervals that know of shared pictures.

What is exchanged is the cluster (a picture with all its questions, in all languages), never the item. The statistic is
always the second system's minus the first's, macro-averaged over groups (languages). p and interval come from the same
draws (exchange.py), so that 0 lies outside of an interval exactly where its p is below the level.

`compare` makes one comparison of all groups. `compare_each` makes one of each group, and `compare_several` those that
it is given, which may be of several pairs of systems; both hold them together: their intervals hold all at once, and
their adjusted p are those of the same draws.

Two kinds of figures: means of item values, and functions of summed statistics (BLEU, chrF++; Riezler and Maxwell 2005).
Arrays of numpy; knows no task, no metric and no file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tvbench.scoring.exchange import ALPHA, Exchanged, Parts, certain, exchanged, fewest
from tvbench.scoring.student import t_quantile

RESAMPLES = 10_000
POWER = 0.8
TINY = 1e-12

Score = Callable[[np.ndarray], np.ndarray]
"""Summed statistics (..., S) to scores (...)."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """One group's items: `first` and `second` hold a row of statistics for each item, float (items, S); `clusters` its
    cluster. `score` turns sums over items into a figure. `scale`: the most by which two figures can differ, 0 where
    that is not known. `means` makes one for plain values."""

    first: np.ndarray
    second: np.ndarray
    clusters: Sequence[Hashable]
    score: Score
    scale: float = 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """`difference` is second minus first, with its 95 % interval and its p-value. `together` comparisons hold at
    once: the interval is for all of them, `p` for this one alone, `adjusted` for all. `identical`: no item differs.
    `detectable` is the smallest true difference that such data would make certain with POWER; None where that cannot be
    told. Where so few clusters can make nothing certain, the interval is infinite, and `needed` says how many it takes.
    """

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    items: int
    clusters: int
    detectable: float | None
    adjusted: float
    together: int = 1
    identical: bool = False
    needed: int | None = None

    @property
    def interval(self) -> tuple[float, float] | None:
        """None where it is infinite."""
        return (self.low, self.high) if math.isfinite(self.low) and math.isfinite(self.high) else None


def means(
    first: Sequence[float] | np.ndarray,
    second: Sequence[float] | np.ndarray,
    clusters: Sequence[Hashable],
    scale: float | None = None,
) -> Pairs:
    """Pairs for the mean of item values. Without a `scale`, values from 0 to 1 are taken for fractions."""
    ones = np.ones(len(first))
    one, other = np.column_stack((first, ones)), np.column_stack((second, ones))
    if scale is None:
        scale = float(all(side.size > 0 and side.min() >= 0 and side.max() <= 1 for side in (one, other)))
    return Pairs(one, other, clusters, _mean, scale)


def of_rows(
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    clusters: Sequence[Hashable],
    score: Score,
    scale: float = 0.0,
) -> Pairs:
    """Pairs for a function of summed statistics, a row an item."""
    return Pairs(np.array(first, dtype=float), np.array(second, dtype=float), clusters, score, scale)


def compare(groups: Sequence[Pairs], *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """The two systems over all groups. Raises ValueError for no items, or groups whose systems differ in length."""
    return compare_several([groups], resamples=resamples, seed=seed)[0]


def compare_each(groups: Sequence[Pairs], *, resamples: int = RESAMPLES, seed: int = 0) -> list[Comparison]:
    """The two systems in each group, all held together. Raises ValueError as `compare` does."""
    return compare_several([[group] for group in groups], resamples=resamples, seed=seed)


def compare_several(
    comparisons: Sequence[Sequence[Pairs]], *, resamples: int = RESAMPLES, seed: int = 0
) -> list[Comparison]:
    """Several comparisons, each over groups as in `compare`, all held together. Where more than two systems are set
    against the first, an exchange changes it with all of them at once, so that what hangs together stays together.
    Raises ValueError as `compare` does."""
    if not all(comparisons):
        raise ValueError("nothing to compare")
    groups = [group for one in comparisons for group in one]
    mixes, start = [], 0
    for one in comparisons:
        mix = np.zeros(len(groups))
        mix[start : start + len(one)] = 1 / len(one)
        mixes.append(mix)
        start += len(one)
    return _compared(groups, mixes, resamples, seed)


def _compared(groups: Sequence[Pairs], mixes: Sequence[np.ndarray], resamples: int, seed: int) -> list[Comparison]:
    """A comparison for each of `mixes`: what each group weighs in it."""
    taken = _all_apart(groups)
    parts = _mixed(groups, taken, mixes)
    found = exchanged(parts, resamples, seed)
    return [_comparison(number, mix, groups, taken, parts, found) for number, mix in enumerate(mixes)]


@dataclass(frozen=True, slots=True)
class TakenApart:
    """Groups taken apart by clusters: `parts` has a column for each mix of them; `figures` are both systems' by group,
    `identical` the groups in which no item differs."""

    parts: Parts
    figures: tuple[tuple[float, float], ...]
    identical: tuple[bool, ...]


def apart(groups: Sequence[Pairs], mixes: Sequence[np.ndarray]) -> TakenApart:
    """For other tests (falls.py); `mixes` say what each group weighs in each column. Raises ValueError as `compare`."""
    taken = _all_apart(groups)
    figures = tuple((group.first, group.second) for group in taken)
    return TakenApart(_mixed(groups, taken, mixes), figures, tuple(group.identical for group in taken))


def _all_apart(groups: Sequence[Pairs]) -> list[_Group]:
    """Each group taken apart by the clusters of all. Raises ValueError where one holds no pairs."""
    if not groups or any(len(group.first) == 0 or group.first.shape != group.second.shape for group in groups):
        raise ValueError("nothing to compare")
    names = dict.fromkeys(name for group in groups for name in group.clusters)
    place = {name: number for number, name in enumerate(names)}
    return [_taken_apart(group, place) for group in groups]


def certain_signs(comparisons: Sequence[Sequence[Pairs]], *, resamples: int = RESAMPLES, seed: int = 0) -> list[int]:
    """For each of several comparisons, each over groups as in `compare`: 1 where the second system's figure is higher
    with certainty, -1 where it is lower, else 0. All hold at once."""
    names = dict.fromkeys(name for groups in comparisons for group in groups for name in group.clusters)
    place = {name: number for number, name in enumerate(names)}
    taken = [[_taken_apart(group, place) for group in groups] for groups in comparisons]
    parts = Parts(
        np.column_stack([np.mean([group.adds for group in groups], axis=0) for groups in taken]),
        np.column_stack([np.mean([group.shares for group in groups], axis=0) for groups in taken]),
        np.zeros(len(taken)),
    )
    return [int(sign) for sign in certain(parts, resamples, seed)]


@dataclass(frozen=True, slots=True)
class _Group:
    """One group's two figures, and what each cluster adds to their difference; `identical`: no item differs."""

    first: float
    second: float
    adds: np.ndarray
    shares: np.ndarray
    identical: bool


def _taken_apart(group: Pairs, place: dict[Hashable, int]) -> _Group:
    """By the jackknife of both systems' corpora put together: what they lose without a cluster of the one, or of the
    other. Whoever exchanges the systems changes the signs, and nothing else. For means this is exact."""
    numbers = np.array([place[name] for name in group.clusters])
    shares = np.bincount(numbers, minlength=len(place)) / len(numbers)
    sums = [_by_cluster(rows, numbers, len(place)) for rows in (group.first, group.second)]
    first, second = (float(group.score(side.sum(0))) for side in sums)
    both = sums[0].sum(0) + sums[1].sum(0)
    adds = (2 - shares) * (group.score(both - sums[0]) - group.score(both - sums[1]))
    adds = _summing_to(second - first, np.where(shares > 0, adds, 0.0), shares)
    return _Group(first, second, adds, shares, bool((group.first == group.second).all()))


def _summing_to(difference: float, adds: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """`adds` stretched to the difference; where they are far from it (a score with a bend) moved there."""
    total = float(adds.sum())
    if difference * total > 0 and abs(math.log(difference / total)) < math.log(2):
        return adds * (difference / total)
    return adds + shares * (difference - total)


def _by_cluster(rows: np.ndarray, numbers: np.ndarray, clusters: int) -> np.ndarray:
    """Statistics summed by cluster: (clusters, S)."""
    sums = np.zeros((clusters, rows.shape[1]))
    np.add.at(sums, numbers, rows)
    return sums


def _mixed(groups: Sequence[Pairs], taken: Sequence[_Group], mixes: Sequence[np.ndarray]) -> Parts:
    weights = np.array(mixes).T
    return Parts(
        np.column_stack([group.adds for group in taken]) @ weights,
        np.column_stack([group.shares for group in taken]) @ weights,
        np.array([group.scale for group in groups]) @ weights,
    )


def _comparison(
    number: int, mix: np.ndarray, groups: Sequence[Pairs], taken: Sequence[_Group], parts: Parts, found: Exchanged
) -> Comparison:
    held = [group for group, weight in zip(taken, mix, strict=True) if weight > 0]
    first, second = (math.fsum(getattr(group, side) for group in held) / len(held) for side in ("first", "second"))
    together = parts.adds.shape[1]
    low, high = float(found.low[number]), float(found.high[number])
    able = math.isfinite(low) and math.isfinite(high)
    return Comparison(
        first,
        second,
        second - first,
        low if able else -math.inf,
        high if able else math.inf,
        float(found.p[number]),
        sum(len(group.first) for group, weight in zip(groups, mix, strict=True) if weight > 0),
        int(parts.clusters[number]),
        _detectable(parts, number, found.level) if able else None,
        float(found.adjusted[number]),
        together,
        all(group.identical for group in held),
        None if able else fewest(together),
    )


def _detectable(parts: Parts, number: int, level: float) -> float | None:
    """The true difference whose p, which goes in steps, is below `level` with POWER, by the noncentral t (Johnson and
    Welch 1940); None where nothing differs."""
    clusters = int(parts.clusters[number])
    error = math.sqrt(float((parts.deviations[:, number] ** 2).sum()) * clusters / (clusters - 1))
    if error <= TINY:
        return None
    below = max(level / 2, level - 2.0 ** (1 - clusters))
    edge, degrees = t_quantile(1 - below / 2, clusters - 1), clusters - 1
    spread = math.sqrt(1 + edge**2 / (2 * degrees))
    return (edge * (1 - 1 / (4 * degrees)) + NormalDist().inv_cdf(POWER) * spread) * error


def holm(values: Sequence[float]) -> list[float]:
    """p-values adjusted for being several, in the order given."""
    adjusted = [0.0] * len(values)
    highest = 0.0
    for rank, number in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[number]))
        adjusted[number] = highest
    return adjusted


def _mean(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., 0] / sums[..., 1])


def is_certain(comparison: Comparison, level: float = ALPHA) -> bool:
    """Whether the two can be told apart: the adjusted p is below `level`, so that the interval excludes 0."""
    return comparison.adjusted < level - TINY and math.isfinite(comparison.difference)
