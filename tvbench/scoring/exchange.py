"""Exchanging two systems cluster by cluster: p-values and intervals that come from the same draws, and so agree.

A comparison is taken apart into what each cluster (a picture with all its questions, in all languages) adds to the
difference, and how much of all items it holds (its share). Under the null hypothesis that the true difference is h,
the systems may change places in any set of clusters once h is taken off the second (approximate randomisation, Noreen
1989). Solved for h this is an interval: its limits are quantiles of the differences within random halves of the
clusters (Hartigan 1969, "typical values"; Garthwaite 1996). It holds its level whatever the clusters' sizes, and no
language can be drawn empty; where p is below the level, and only there, 0 lies outside.

- Scores of a corpus are taken apart by the jackknife.
- Several comparisons of the same clusters (languages) are held together by the smallest p of each draw (Westfall and
  Young 1993): one critical level for all, for p and intervals alike.
- Where few clusters differ, the data say little of how much others might: a limit is no nearer than that of Student's t
  with two clusters more that differ, one each way (Agresti and Min 2005, Bonett and Price 2012; as large as those
  seen), moved by the skewness (Johnson 1978). It never decides whether 0 lies outside.

Arrays of numpy; knows no task, no metric and no file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from tvbench.scoring.student import LEVEL, t_quantile

ALPHA = round(1 - LEVEL, 9)
CHUNK = 1_000
AT_ONCE, FEWEST_DRAWS = 5_000_000, 8
"""So many exchanges are held at a time, in no fewer draws than that: of a million clusters 16 MB a draw."""
TINY = 1e-12
MOST_EXACT = 40
"""Clusters from which 2**clusters is more than anybody draws."""
FEWEST = 2
NORMAL = 2
"""A kurtosis that what differs everywhere has in few clusters; where few of them differ it is larger."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What each cluster adds to a difference, `adds` (clusters, comparisons), and its `shares` of the items, the same
    shape; both sums are over all clusters: the difference, and 1. `scales`: the largest difference that there can be,
    0 where that is not known."""

    adds: np.ndarray
    shares: np.ndarray
    scales: np.ndarray

    @property
    def difference(self) -> np.ndarray:
        return np.asarray(self.adds.sum(0))

    @property
    def deviations(self) -> np.ndarray:
        """What clusters add beyond their share of the difference: (clusters, comparisons), each sum is 0."""
        return np.asarray(self.adds - self.shares * self.difference)

    @property
    def clusters(self) -> np.ndarray:
        """How many clusters each comparison has."""
        return np.asarray((self.shares > 0).sum(0))


@dataclass(frozen=True, slots=True)
class Exchanged:
    """`low`, `high` and `p` of each comparison, p `adjusted` for all of them; `level`: the p below which one of them is
    certain. A limit is infinite where so few clusters cannot show any difference."""

    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    adjusted: np.ndarray
    level: float


def exchanged(parts: Parts, resamples: int, seed: int) -> Exchanged:
    """All comparisons, held together. Every exchange is tried where all are fewer than `resamples`."""
    held = [_halves(parts, keep) for keep in _draws(len(parts.adds), resamples, seed)]
    moved = np.concatenate([np.abs(parts.difference - 2 * adds) for adds, _ in held])
    ratios = np.concatenate([_ratios(parts, adds, shares) for adds, shares in held])
    p = _p(parts.difference, ratios)
    adjusted, level = _together(np.vstack((np.abs(parts.difference), moved)), np.abs(parts.adds).sum(0), p)
    low, high = _limits(ratios, level)
    return Exchanged(*_widened(parts, low, high, level), p, adjusted, level)


def certain(parts: Parts, resamples: int, seed: int) -> np.ndarray:
    """The sign of each difference that is certain among all of them, else 0: by the largest difference of each draw,
    each in units of what its clusters add (Romano and Wolf 2005). Quicker than `exchanged` where many are compared."""
    size = np.sqrt((parts.adds**2).sum(0))
    unit = np.where(size > 0, size, np.inf)
    observed = np.abs(parts.difference) / unit
    largest = np.concatenate(
        [
            (np.abs(parts.difference - 2 * (keep @ parts.adds)) / unit).max(1)
            for keep in _draws(len(parts.adds), resamples, seed)
        ]
    )
    hits = len(largest) - np.searchsorted(np.sort(largest), observed * (1 - TINY), "left")
    found = (1 + hits) / (1 + len(largest)) < ALPHA - TINY
    return np.where(found, np.sign(parts.difference), 0).astype(int)


def fewest(comparisons: int) -> int:
    """The clusters without which not even the same sign in all of them makes one of so many comparisons certain."""
    return math.floor(1 - math.log2(ALPHA / comparisons)) + 1


# ── Draws ─────────────────────────────────────────────────────────────────────────────────────────


def _draws(clusters: int, resamples: int, seed: int) -> Iterator[np.ndarray]:
    """Which clusters change places, (draws, clusters) of 0 and 1; where all are enumerated, all but none of them."""
    if clusters < MOST_EXACT and 2**clusters <= resamples:
        yield ((np.arange(1, 2**clusters)[:, None] >> np.arange(clusters)) & 1).astype(float)
        return
    random = np.random.default_rng((seed, 1))
    step = min(CHUNK, max(FEWEST_DRAWS, AT_ONCE // max(1, clusters)))
    for start in range(0, resamples, step):
        yield random.integers(0, 2, (min(step, resamples - start), clusters)).astype(float)


def _halves(parts: Parts, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What the drawn clusters add, and their shares: (draws, comparisons) each."""
    return keep @ parts.adds, keep @ parts.shares


def _ratios(parts: Parts, adds: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """The differences within the drawn clusters, and within the others; nan where a comparison has none of them."""
    adds = np.concatenate((adds, parts.difference - adds))
    shares = np.concatenate((shares, 1 - shares))
    adds[np.abs(adds) <= TINY * np.abs(parts.adds).sum(0)] = 0.0
    return np.asarray(np.divide(adds, shares, out=np.full_like(adds, np.nan), where=shares > TINY))


# ── What they say ─────────────────────────────────────────────────────────────────────────────────


def _p(difference: np.ndarray, ratios: np.ndarray) -> np.ndarray:
    """Two-sided: how often exchanged systems differ at least as much, the observed one among them."""
    draws = len(ratios) // 2 + 1
    beyond = np.where(difference > 0, ~(ratios > 0), ~(ratios < 0)).sum(0)
    return np.asarray(np.where(difference == 0, 1.0, np.minimum(1.0, (1 + beyond) / draws)))


def _together(moved: np.ndarray, size: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, float]:
    """p adjusted by the smallest p of each draw, and the p that is just not certain. `moved`: the absolute differences
    of all draws, the observed ones first."""
    if moved.shape[1] == 1:
        return p, ALPHA
    draws = len(moved)
    smallest = np.ones(draws)
    for column, most in zip(moved.T, size, strict=True):
        rounded = np.round(column / most, 12) if most > 0 else column
        ordered = np.sort(rounded)
        smallest = np.minimum(smallest, (draws - np.searchsorted(ordered, rounded, "left")) / draws)
    smallest.sort()
    adjusted = np.maximum(p, np.searchsorted(smallest, p + TINY, "right") / draws)
    level = smallest[min(draws, max(1, math.ceil(ALPHA * draws - 1e-9))) - 1]
    return adjusted, min(ALPHA, float(level))


def _limits(ratios: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """The outermost differences whose p is not below `level`."""
    count = math.ceil(level * (len(ratios) // 2 + 1) - 1 - 1e-9)
    if count < 1:
        return np.full(ratios.shape[1], -np.inf), np.full(ratios.shape[1], np.inf)
    lowest = np.partition(np.where(np.isnan(ratios), -np.inf, ratios), count - 1, axis=0)[count - 1]
    highest = np.partition(np.where(np.isnan(ratios), -np.inf, -ratios), count - 1, axis=0)[count - 1]
    return lowest, -highest


def _widened(parts: Parts, low: np.ndarray, high: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
    """Limits no nearer than with two clusters more that differ; 0 stays on the side where it is."""
    deviations, shares = parts.deviations, parts.shares
    even = np.divide(deviations, np.sqrt(shares), out=np.zeros_like(deviations), where=shares > 0)
    squares, clusters = (deviations**2).sum(0), np.maximum(parts.clusters, FEWEST)
    total = (even**2).sum(0)
    differ = total > TINY * np.abs(parts.adds).sum(0) ** 2
    safe, fourth = np.where(differ, total, 1.0), np.where(differ, (even**4).sum(0), 1.0)
    few = np.where(differ, np.maximum(0.0, 1 - NORMAL * safe**2 / (clusters * fourth)), 1.0)
    more = few * np.where(differ, fourth / safe / clusters, (parts.scales / clusters) ** 2)
    skew = few * np.where(differ, (even**3).sum(0) / safe / np.sqrt(clusters), 0.0)
    wide = np.array([t_quantile(1 - level / 2, int(count) - 1) for count in clusters])
    half, moved = wide * np.sqrt(squares + 2 * more), skew * (1 + 2 * wide**2) / 6
    least = parts.difference - half + np.minimum(moved, 0)
    most = parts.difference + half + np.maximum(moved, 0)
    bound = np.where(parts.scales > 0, parts.scales, np.inf)
    low = np.where((low <= 0) | (least > 0), np.minimum(low, np.maximum(least, -bound)), low)
    high = np.where((high >= 0) | (most < 0), np.maximum(high, np.minimum(most, bound)), high)
    return _within(low, bound), _within(high, bound)


def _within(limits: np.ndarray, bound: np.ndarray) -> np.ndarray:
    """Limits that are numbers, rounded back where sums left them a hair beyond what a difference can be."""
    cut = np.clip(limits, -bound, bound)
    return np.where(np.isfinite(limits) & (np.abs(np.nan_to_num(limits) - cut) < 1e-9), cut, limits)
