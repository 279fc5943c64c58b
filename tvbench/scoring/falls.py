"""Did any of many figures fall by more than a margin, and where can such a fall be ruled out? All of a check's tests.

A figure's change is taken apart by clusters as in exchange.py; columns are figures (or shares of a fault), in blocks
that share clusters, in families that share a level. Every draw turns the sign of random clusters; the largest of a
family's self-normalised sums in each draw gives one critical value for all (Romano and Wolf 2005, Westfall and Young
1993). Where two runs are equally good, any cluster's sign is as likely as the other, so that with a margin of 0 the
level holds exactly, whatever hangs together, and with a margin more than holds.

- `high` and `low`: changes h whose own statistic, (d - h) over the root of the squares left by h, is within the
  critical value: closed, a quadratic. A figure fell where `high` is below minus the margin, and there p is below level.
- `worst`: a larger fall is ruled out for this figure alone, by Student's t with two clusters more that differ, one each
  way (Agresti and Min 2005), moved by the skewness (Johnson 1978). That all of them are small enough may be said
  without a correction, for it takes every one of them (Berger 1982).
- `detectable`: the fall that is found with POWER; falls bring variance of their own, which is counted.

Arrays of numpy; knows no task, no metric and no file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from tvbench.scoring.student import t_quantile

POWER = 0.8
RESAMPLES = 10_000
AT_ONCE = 4_000_000
"""Signs that are drawn at once."""
TINY = 1e-9
FEWEST = 2


@dataclass(frozen=True, slots=True)
class Family:
    """Columns that share clusters: `adds` and `shares` (clusters, columns) as exchange.Parts has them, up is better;
    `margins`, `scales` (the largest change; 0: not known), `units` (the part of a figure that one cluster is) and
    `grains` (that one item is), `limits` (the fall that has to be ruled out; inf: none) and `families` by column."""

    adds: np.ndarray
    shares: np.ndarray
    margins: np.ndarray
    scales: np.ndarray
    units: np.ndarray
    grains: np.ndarray
    limits: np.ndarray
    families: np.ndarray


@dataclass(frozen=True, slots=True)
class Tested:
    """One column. `p` is two-sided and adjusted for its family; `fell`: p is below the level. `low` and `high` are
    infinite, `worst` and `detectable` None, where the clusters are too few. `needed`: how many times the clusters it
    takes to tell no change from a fall of the limit, and this change from either."""

    change: float
    low: float
    high: float
    p: float
    fell: bool
    worst: float | None
    detectable: float | None
    needed: float | None
    clusters: int


def tested(blocks: Sequence[Family], *, level: float, resamples: int = RESAMPLES, seed: int = 0) -> list[list[Tested]]:
    """All columns of all blocks; each family of columns keeps half of the level for falls."""
    families = sorted({int(family) for block in blocks for family in block.families})
    largest = {family: np.zeros(2 * resamples) for family in families}
    for number, block in enumerate(blocks):
        _note_largest(block, largest, resamples, (seed, number))
    ordered = {family: np.sort(found) for family, found in largest.items()}
    counts = {family: sum(int((block.families == family).sum()) for block in blocks) for family in families}
    edges = {family: _edges(ordered[family], counts[family], level) for family in families}
    return [
        [
            _tested(block, column, ordered[family], *edges[family], level)
            for column, family in enumerate(map(int, block.families))
        ]
        for block in blocks
    ]


# ── Draws ─────────────────────────────────────────────────────────────────────────────────────────


def _note_largest(block: Family, largest: dict[int, np.ndarray], resamples: int, seed: tuple[int, int]) -> None:
    """Raise each family's largest statistic of each draw, and of the same draw turned round, to this block's."""
    units = np.sqrt((block.adds**2).sum(0))
    used = units > 0
    scaled = block.adds[:, used] / units[used]
    rows = np.abs(scaled).sum(1) > 0
    scaled, families = scaled[rows], block.families[used]
    if not scaled.size:
        return
    start = 0
    for signs in _signs(len(scaled), resamples, seed):
        moved = signs @ scaled
        for family in np.unique(families):
            mine = moved[:, families == family]
            for place, found in ((start, mine.max(1)), (resamples + start, -mine.min(1))):
                held = largest[int(family)][place : place + len(found)]
                np.maximum(held, found, out=held)
        start += len(signs)


def _signs(clusters: int, resamples: int, seed: tuple[int, int]) -> Iterator[np.ndarray]:
    random = np.random.default_rng(seed)
    chunk = max(1, AT_ONCE // clusters)
    for start in range(0, resamples, chunk):
        yield 2.0 * random.integers(0, 2, (min(chunk, resamples - start), clusters), dtype=np.int8) - 1


def _edges(ordered: np.ndarray, count: int, level: float) -> tuple[float, float]:
    """(The critical value of a family; the same for figures that may begin to differ.)"""
    rank = max(1, math.ceil(level / 2 * (1 + len(ordered)) - 1 - TINY))
    edge = float(ordered[len(ordered) - rank])
    return edge, max(edge, NormalDist().inv_cdf(1 - level / 2 / max(1, count)))


# ── What they say ─────────────────────────────────────────────────────────────────────────────────


def _tested(block: Family, column: int, ordered: np.ndarray, edge: float, wide: float, level: float) -> Tested:
    adds, shares = block.adds[:, column], block.shares[:, column]
    held = shares > 0
    adds, shares = adds[held], shares[held]
    change, clusters = math.fsum(adds), len(adds)
    margin, scale, limit = (float(of[column]) for of in (block.margins, block.scales, block.limits))
    statistic = _statistic(adds, shares, -margin)
    hits = len(ordered) - int(np.searchsorted(ordered, -statistic - TINY, "left"))
    p = min(1.0, 2 * (1 + hits) / (1 + len(ordered)))
    spread = _spread(adds, shares, scale * float(block.units[column]), scale * float(block.grains[column]))
    worst = _worst(change, spread, level)
    low, high = _limits(adds, shares, edge)
    low, high = _shown(change, (low, high), spread, wide, margin)
    bound = scale if scale > 0 else math.inf
    detectable = _detectable(spread, margin, wide)
    return Tested(
        change,
        max(low, -bound),
        min(high, bound),
        p,
        p < level - TINY,
        None if worst is None else min(worst, bound),
        detectable if detectable is not None and detectable <= bound else None,
        _needed(change, spread, margin, limit, wide, level),
        clusters,
    )


def _statistic(adds: np.ndarray, shares: np.ndarray, change: float) -> float:
    """How far the change is above `change`, in units of what is left of the clusters then; 0 where nothing is."""
    left = adds - shares * change
    unit = math.sqrt(float((left**2).sum()))
    return math.fsum(left) / unit if unit > TINY * (np.abs(adds).sum() + abs(change)) and unit > 0 else 0.0


def _limits(adds: np.ndarray, shares: np.ndarray, edge: float) -> tuple[float, float]:
    """The changes whose statistic is as large as `edge`, below and above; infinite where there are none."""
    change = math.fsum(adds)
    squares, mixed, sizes = (float((one * other).sum()) for one, other in _products(adds, shares))
    lead = 1 - edge**2 * sizes
    if lead <= 0:
        return -math.inf, math.inf
    middle = change - edge**2 * mixed
    root = math.sqrt(max(0.0, middle**2 - lead * (change**2 - edge**2 * squares)))
    return (middle - root) / lead, (middle + root) / lead


def _products(adds: np.ndarray, shares: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], ...]:
    return (adds, adds), (adds, shares), (shares, shares)


@dataclass(frozen=True, slots=True)
class _Spread:
    """What a change varies by: the sum of `squares` of its clusters, that of two clusters `more`, what a fall of 1 adds
    (`grows`: one item here, one there), the `skew`, and the number of clusters that count (`degrees` + 1)."""

    squares: float
    more: float
    grows: float
    skew: float
    degrees: int


def _spread(adds: np.ndarray, shares: np.ndarray, unit: float, grain: float) -> _Spread:
    left = adds - shares * math.fsum(adds)
    squares = float((left**2).sum())
    if unit > 0:
        more = 2 * unit**2
    else:
        more = 2 * float((left**4).sum()) / squares if squares > 0 else 0.0
    skew = float((left**3).sum()) / squares if squares > TINY**2 else 0.0
    return _Spread(squares, more, grain, skew, len(adds) - 1)


def _worst(change: float, spread: _Spread, level: float) -> float | None:
    if spread.degrees < FEWEST:
        return None
    edge = t_quantile(1 - level, spread.degrees)
    moved = min(0.0, spread.skew * (1 + 2 * edge**2) / 6)
    return max(0.0, -(change - edge * math.sqrt(spread.squares + spread.more) + moved))


def _shown(
    change: float, limits: tuple[float, float], spread: _Spread, edge: float, margin: float
) -> tuple[float, float]:
    """Limits no nearer than with two clusters more that differ; what is below minus the margin stays there."""
    half = edge * math.sqrt(spread.squares + spread.more)
    moved = spread.skew * (1 + 2 * edge**2) / 6
    low, high = limits
    far = max(high, change + half + max(0.0, moved))
    return min(low, change - half + min(0.0, moved)), (high if high < -margin else far)


def _detectable(spread: _Spread, margin: float, edge: float) -> float | None:
    """The fall beyond the margin that such clusters show with POWER, what it adds to their squares counted."""
    if spread.squares + spread.grows <= TINY**2:
        return None
    reach = (edge + NormalDist().inv_cdf(POWER)) ** 2
    half = reach * spread.grows / 2
    return margin + half + math.sqrt(half**2 + reach * (spread.squares + spread.grows * margin))


def _needed(change: float, spread: _Spread, margin: float, limit: float, edge: float, level: float) -> float | None:
    if not math.isfinite(limit) or limit <= margin:
        return None
    power, alone = NormalDist().inv_cdf(POWER), NormalDist().inv_cdf(1 - level)
    squares = spread.squares + spread.more
    unchanged = (alone + power) ** 2 * squares / limit**2
    fallen = (edge + power) ** 2 * (spread.squares + spread.grows * limit) / (limit - margin) ** 2
    as_seen = []
    if change > -limit:
        as_seen.append(alone**2 * squares / (limit + change) ** 2)
    if change < -margin:
        as_seen.append(edge**2 * squares / (change + margin) ** 2)
    return max(unchanged, fallen, min(as_seen, default=0.0))
