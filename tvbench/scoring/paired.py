"""Whether two systems differ on the same items: paired tests and intervals that know of shared pictures.

What is resampled is the cluster (a picture with all its questions, in all languages), never the item. The statistic is
always the second system's minus the first's, macro-averaged over groups (languages).

- p: approximate randomisation (Noreen 1989; for corpus scores Riezler and Maxwell 2005). Under the null hypothesis the
  two systems' outputs may be exchanged cluster by cluster. Enumerated where all exchanges are fewer than `resamples`.
- interval: percentiles of the bootstrap over clusters (Efron 1979; for corpus scores Koehn 2004), drawn within strata
  of clusters that occur in the same groups, and expanded for few clusters (Hesterberg 2015, arXiv 1411.5279, 5.3): a
  plain percentile interval is too short as the normal one is, by sqrt((C-1)/C) and by z against Student's t.
- Holm's correction (1979) over languages.

Two kinds of figures: means of item values, and functions of summed statistics (BLEU, chrF++). Arrays of numpy; knows no
task, no metric and no file.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tvbench.scoring.intervals import LEVEL, t_quantile

RESAMPLES = 10_000
CHUNK = 1_000
POWER = 0.8
TINY = 1e-12

Score = Callable[[np.ndarray], np.ndarray]
"""Summed statistics (..., S) to scores (...)."""


@dataclass(frozen=True, slots=True)
class Pairs:
    """One group's items: `first` and `second` hold a row of statistics for each item, float (items, S); `clusters` its
    cluster. `score` turns sums over items into a figure. `means` makes one for plain values."""

    first: np.ndarray
    second: np.ndarray
    clusters: Sequence[Hashable]
    score: Score


@dataclass(frozen=True, slots=True)
class Comparison:
    """`difference` is second minus first, with its interval at LEVEL and its p-value. `detectable` is the smallest
    difference that such data would show at 5 % two-sided with POWER; None where that cannot be told."""

    first: float
    second: float
    difference: float
    low: float
    high: float
    p: float
    items: int
    clusters: int
    detectable: float | None


def means(
    first: Sequence[float] | np.ndarray, second: Sequence[float] | np.ndarray, clusters: Sequence[Hashable]
) -> Pairs:
    """Pairs for the mean of item values."""
    ones = np.ones(len(first))
    return Pairs(np.column_stack((first, ones)), np.column_stack((second, ones)), clusters, _mean)


def compare(groups: Sequence[Pairs], *, resamples: int = RESAMPLES, seed: int = 0) -> Comparison:
    """The two systems over all groups. Raises ValueError for no items, or groups whose systems differ in length."""
    if not groups or any(len(group.first) == 0 or group.first.shape != group.second.shape for group in groups):
        raise ValueError("nothing to compare")
    names = list(dict.fromkeys(name for group in groups for name in group.clusters))
    place = {name: number for number, name in enumerate(names)}
    sums = [_by_cluster(group, place) for group in groups]
    scores = [group.score for group in groups]
    first, second = (
        _macro([score(pair[side].sum(0)) for score, pair in zip(scores, sums, strict=True)]) for side in (0, 1)
    )
    difference = float(second - first)
    p = _randomisation(sums, scores, difference, resamples, seed)
    strata = _strata(groups, place)
    drawn = _bootstrap(sums, scores, strata, resamples, seed)
    low, high = np.quantile(drawn, _expanded(len(names) - len(strata) + 1))
    spread = float(drawn.std())
    normal = NormalDist()
    detectable = (normal.inv_cdf((1 + LEVEL) / 2) + normal.inv_cdf(POWER)) * spread if spread > TINY else None
    return Comparison(
        float(first),
        float(second),
        difference,
        float(low),
        float(high),
        p,
        sum(len(group.first) for group in groups),
        len(names),
        detectable,
    )


def _expanded(clusters: int) -> tuple[float, float]:
    """The two quantiles of the bootstrap that hold LEVEL of the truth with so few clusters; with one, all of it."""
    if clusters < 2:
        return 0.0, 1.0
    wide = math.sqrt(clusters / (clusters - 1)) * t_quantile((1 + LEVEL) / 2, clusters - 1)
    low = NormalDist().cdf(-wide)
    return low, 1 - low


def holm(values: Sequence[float]) -> list[float]:
    """p-values adjusted for being several, in the order given."""
    adjusted = [0.0] * len(values)
    highest = 0.0
    for rank, number in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[number]))
        adjusted[number] = highest
    return adjusted


# ── Resampling ────────────────────────────────────────────────────────────────────────────────────


def _randomisation(
    sums: Sequence[np.ndarray], scores: Sequence[Score], observed: float, resamples: int, seed: int
) -> float:
    """Two-sided p: how often exchanged systems differ at least as much. (1 + hits) / (1 + draws) where drawn."""
    clusters = sums[0].shape[1]
    limit = abs(observed) - TINY * max(1.0, abs(observed))
    if clusters < 62 and 2**clusters <= resamples:
        keep = (np.arange(2**clusters)[:, None] >> np.arange(clusters)) & 1
        return float((np.abs(_exchanged(sums, scores, keep.astype(float))) >= limit).mean())
    random = np.random.default_rng((seed, 1))
    hits = 0
    for size in _chunks(resamples):
        keep = random.integers(0, 2, (size, clusters)).astype(float)
        hits += int((np.abs(_exchanged(sums, scores, keep)) >= limit).sum())
    return (1 + hits) / (1 + resamples)


def _exchanged(sums: Sequence[np.ndarray], scores: Sequence[Score], keep: np.ndarray) -> np.ndarray:
    """Differences (draws) when the systems change places in the clusters where `keep` (draws, clusters) is 0."""
    found = []
    for pair, score in zip(sums, scores, strict=True):
        pooled = pair[0].sum(0) + pair[1].sum(0)
        first = keep @ (pair[0] - pair[1]) + pair[1].sum(0)
        found.append(score(pooled - first) - score(first))
    return _macro(found)


def _bootstrap(
    sums: Sequence[np.ndarray], scores: Sequence[Score], strata: Sequence[np.ndarray], resamples: int, seed: int
) -> np.ndarray:
    """Differences (draws) over clusters drawn with replacement, within each stratum."""
    random = np.random.default_rng((seed, 2))
    drawn = []
    for size in _chunks(resamples):
        times = np.zeros((size, sums[0].shape[1]))
        for members in strata:
            count = len(members)
            times[:, members] = random.multinomial(count, np.full(count, 1 / count), size)
        drawn.append(
            _macro([score(times @ pair[1]) - score(times @ pair[0]) for pair, score in zip(sums, scores, strict=True)])
        )
    return np.concatenate(drawn)


def _by_cluster(group: Pairs, place: dict[Hashable, int]) -> np.ndarray:
    """Statistics of both systems summed by cluster: (2, clusters, S)."""
    numbers = np.array([place[name] for name in group.clusters])
    sums = np.zeros((2, len(place), group.first.shape[1]))
    for side, rows in enumerate((group.first, group.second)):
        np.add.at(sums[side], numbers, rows)
    return sums


def _strata(groups: Sequence[Pairs], place: dict[Hashable, int]) -> list[np.ndarray]:
    """Clusters that occur in the same groups, so that no draw leaves a group empty."""
    where: dict[Hashable, list[int]] = {}
    for number, group in enumerate(groups):
        for name in dict.fromkeys(group.clusters):
            where.setdefault(name, []).append(number)
    strata: dict[tuple[int, ...], list[int]] = {}
    for name, numbers in where.items():
        strata.setdefault(tuple(numbers), []).append(place[name])
    return [np.array(members) for members in strata.values()]


def _chunks(total: int) -> list[int]:
    return [min(CHUNK, total - start) for start in range(0, total, CHUNK)]


def _macro(figures: Sequence[np.ndarray]) -> np.ndarray:
    return np.asarray(np.sum(figures, axis=0)) / len(figures)


def _mean(sums: np.ndarray) -> np.ndarray:
    return np.asarray(sums[..., 0] / sums[..., 1])


def is_certain(comparison: Comparison, p: float, level: float = 1 - LEVEL) -> bool:
    """Whether the two can be told apart: the (adjusted) p is below `level`, and the difference is a number."""
    return p < level and math.isfinite(comparison.difference)
