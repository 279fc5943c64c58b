"""The interval of a mean of values in 0..1 whose items share pictures: a test of a beta-binomial model, turned round.

A picture with m questions of correlation rho gives a beta-binomial number of wrong answers; the figure is a weighted
mean of such numbers. The interval holds every value that a two-sided exact test (Blaker 2000) does not reject, and that
test takes the sum's whole distribution, not its variance alone: where accuracy is near 1, or one picture has half of
the items, that distribution is nowhere near normal, and an effective number of items (Korn and Graubard 1998; Franco
et al. 2019) is not enough. With one item a picture it is Blaker's interval of a binomial; with many, Wilson's with an
effective number of items.

How strongly items of a picture go together is not known. It is learnt from the data (likelihood times the root of the
variance, as REML has it, times a prior), and what remains unknown of it widens the interval as t does. Where nothing is
wrong, or nothing right, nothing can be learnt: then pictures count, not items.

Knows arrays; no item, no metric.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

ALPHA = 0.05
Z = 1.959963984540054
RHOS = np.array([0, 0.01, 0.03, 0.07, 0.13, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1.0])
SPIKE = 0.1
"""How probable it is beforehand that items of a picture are independent."""
TRUST = 0.5
"""The power of the likelihood: pictures' shares of right answers need not be beta distributed, and where they are not,
few pictures seem to tell more of the correlation than they do."""
MOST = 0.999
"""The correlation that stands for 1, where gamma functions would run off."""
EXACT = 4096
"""Up to so many equal items the sum's distribution is on its own lattice."""
GRID = 1024
MANY = 25
"""From so many steps away from both ends the score interval will do."""
SOME = 0.5
"""Wrong answers that are added to those seen, where a share of 0 or 1 would mean certainty."""
MORE = 2.0
"""Items of the largest possible variance that are added where the variance of values is measured."""
NEARLY = 0.95
"""From this part of the largest variance on, values count as right or wrong."""
POINTS = 8
ROUNDS = 4


def _prior() -> np.ndarray:
    """The same for all correlations, and some more for none at all."""
    weights = np.gradient(RHOS)
    weights *= (1 - SPIKE) / weights.sum()
    weights[0] += SPIKE
    return np.asarray(np.log(weights))


LOG_PRIOR = _prior()


@dataclass(frozen=True)
class Clusters:
    """Pictures. `weight`: what each has of the whole (sums to 1); `size`: items that are worth as much as its own;
    `wrong`: how many of those; `expected`: the share wrong that its languages lead one to expect. `observed`: the
    weighted share wrong; `items`: their number where all weigh the same and are right or wrong, else 0;
    `part`: how much of the largest possible variance they have."""

    weight: np.ndarray
    size: np.ndarray
    wrong: np.ndarray
    expected: np.ndarray
    observed: float
    items: int = 0
    part: float = 1.0

    @property
    def one_sided(self) -> bool:
        """Nothing is wrong, or nothing right."""
        return self.observed <= 1e-12 or self.observed >= 1 - 1e-12

    @property
    def all_or_nothing(self) -> bool:
        """On no picture is one thing right and another wrong."""
        return bool((np.minimum(self.wrong, self.size - self.wrong) <= 1e-9).all())

    @cached_property
    def variance(self) -> float:
        """Of the sum: what a normal test needs at 5 % when the correlation is only known as the data tell it."""
        return _variance(self)

    @cached_property
    def rho(self) -> float:
        """The correlation that has this variance; 1 where nothing can be known of it."""
        if self.all_or_nothing:
            return 1.0
        none, full = (_variance_at(self, rho) for rho in (0.0, 1.0))
        return 0.0 if full <= none * (1 + 1e-9) else min(1.0, max(0.0, (self.variance - none) / (full - none)))

    @cached_property
    def kinds(self) -> list[tuple[float, float, float, int]]:
        """Alike pictures together: weight, size and expectation of one, and their number."""
        keys = np.round(np.column_stack((self.size, self.expected * 50)), 6 if self.items else 0)
        _, place, counts = np.unique(keys, axis=0, return_inverse=True, return_counts=True)
        place = place.reshape(-1)
        sums = [np.bincount(place, part) / counts for part in (self.weight, self.size, self.expected)]
        return [(float(w), float(m), float(e), int(n)) for w, m, e, n in zip(*sums, counts, strict=True)]

    @property
    def steps(self) -> float:
        """How many steps of the sum lie between the observed value and the nearer end."""
        rho = min(max(self.rho, 1e-9), MOST)
        s = (1 - rho) / rho
        second = (s + self.size) / (self.size * (s + 1))
        third = second * (s + 2 * self.size) / (self.size * (s + 2))
        step = (self.weight**3 * third).sum() / (self.weight**2 * second).sum()
        return float(min(self.observed, 1 - self.observed) / step)


def clusters_of(lost: np.ndarray, cluster: np.ndarray, group: np.ndarray) -> Clusters:
    """The pictures of items that have `lost` 0 to 1 each, of the mean over groups (languages) of the groups' means.
    `cluster` and `group` number the items' own, from 0 and without gaps."""
    sizes, sums = np.bincount(group), np.bincount(group, lost)
    groups = len(sizes)
    each = 1 / (groups * sizes[group])
    plain, shrunk = (sums / sizes)[group], ((sums + SOME / groups) / (sizes + 1 / groups))[group]
    weight, squares = np.bincount(cluster, each), np.bincount(cluster, each**2)
    part = _part(each, lost - plain, np.bincount(cluster, each * plain) / weight, squares, groups)
    size = weight**2 / squares / part
    whole = part == 1 and float(np.ptp(sizes)) == 0 and bool(((lost == 0) | (lost == 1)).all())
    return Clusters(
        weight,
        np.round(size) if whole else size,
        (np.round(size) if whole else size) * np.bincount(cluster, each * lost) / weight,
        np.bincount(cluster, each * shrunk) / weight,
        min(1.0, float((each * lost).sum())),
        len(lost) if whole else 0,
        part,
    )


def _part(each: np.ndarray, apart: np.ndarray, shares: np.ndarray, squares: np.ndarray, groups: int) -> float:
    """The items' variance within their groups as a part of the largest that their pictures' shares allow: 1 for right
    and wrong answers, less for values in between and for languages that differ."""
    more = MORE * float(squares.sum()) / len(each)
    freedom = len(each) / max(1, len(each) - groups)
    spread = float(((each * apart) ** 2).sum()) * freedom + more
    part = spread / (float((squares * shares * (1 - shares)).sum()) + more)
    return 1.0 if part > NEARLY else part


def limits(clusters: Clusters) -> tuple[float, float]:
    """The lowest and the highest share wrong that the data do not contradict at 5 %."""
    centre = clusters.observed
    low, high = _score(clusters)
    if clusters.steps > MANY:
        return low, high
    below, above = 3 * (centre - low) + 1e-4, 3 * (high - centre)
    if clusters.one_sided:
        below = above = 1 - (ALPHA / 50) ** (1 / len(clusters.weight))
    lows, highs = (centre, max(0.0, centre - below)), (centre, min(1.0, centre + above))
    for _ in range(ROUNDS):
        grids = [np.linspace(*ends, POINTS + 1) for ends in (lows, highs)]
        accepted = np.split(accepts(clusters, np.concatenate(grids)), 2)
        lows, highs = (_narrowed(grid, good) for grid, good in zip(grids, accepted, strict=True))
    return min(centre, lows[1]), max(centre, highs[1])


def _narrowed(grid: np.ndarray, accepted: np.ndarray) -> tuple[float, float]:
    """The stretch between the last accepted value and the next one out."""
    last = int(np.flatnonzero(accepted).max(initial=0))
    return float(grid[last]), float(grid[min(last + 1, len(grid) - 1)])


def accepts(clusters: Clusters, shares: np.ndarray) -> np.ndarray:
    """Which true shares wrong the data do not contradict."""
    if clusters.steps > MANY:
        low, high = _score(clusters)
        return (low <= shares) & (shares <= high)
    inside = (shares > 0) & (shares < 1)
    found = np.abs(shares - clusters.observed) < 1e-12
    if inside.any():
        found[inside] |= p_values(clusters, shares[inside]) > ALPHA
    return found


def p_values(clusters: Clusters, shares: np.ndarray) -> np.ndarray:
    """Blaker's p-value of each true share wrong: the nearer tail, and as much of the other as is no likelier."""
    chances = _chances(clusters, shares)
    length = chances.shape[1] - 1
    exact = bool(clusters.items) and length == clusters.items
    place = clusters.observed * length
    from_below, from_above = chances.cumsum(1), chances[:, ::-1].cumsum(1)
    slack = 1e-6 if exact else 0.5
    below = from_below[:, min(length, math.floor(place + slack))]
    above = from_above[:, min(length, length - math.ceil(place - slack))]
    found = np.empty(len(shares))
    for row, (left, right) in enumerate(zip(below, above, strict=True)):
        tail, other = (left, from_above[row]) if left < right else (right, from_below[row])
        last = int(np.searchsorted(other, tail * (1 + 1e-7), "right"))
        found[row] = tail + (other[last - 1] if last else 0.0)
    return found


# ── The sum's distribution ────────────────────────────────────────────────────────────────────────


def _chances(clusters: Clusters, shares: np.ndarray) -> np.ndarray:
    """The chance of every value of the sum (shares, length + 1): a convolution over the pictures."""
    length = clusters.items if 0 < clusters.items <= EXACT else GRID
    points = 1 << length.bit_length()
    spectrum = np.ones((len(shares), points // 2 + 1), complex)
    mean = float((clusters.weight * clusters.expected).sum())
    for weight, size, expected, count in clusters.kinds:
        moved = _moved(expected, mean, shares)
        one = np.zeros((len(shares), points))
        for whole, part in _sizes(size):
            chances = part * _beta_binomial(whole, moved, clusters.rho)
            _laid_out(one, chances, weight * length / whole)
        spectrum *= np.fft.rfft(one, axis=1) ** count
    return np.clip(np.fft.irfft(spectrum, points, axis=1)[:, : length + 1], 0.0, None)


def _sizes(size: float) -> list[tuple[int, float]]:
    """Whole numbers of items, with their shares, that vary as `size` items do."""
    whole = max(1, math.floor(size + 1e-9))
    part = max(0.0, min(1.0, (1 / whole - 1 / max(size, 1.0)) * whole * (whole + 1)))
    return [(whole, 1 - part), (whole + 1, part)] if part > 1e-6 else [(whole, 1.0)]


def _moved(expected: float, mean: float, shares: np.ndarray) -> np.ndarray:
    """What a picture's share wrong would be if that of the whole were `shares`, and not `mean`."""
    down, up = expected * shares / mean, 1 - (1 - expected) * (1 - shares) / (1 - mean)
    return np.clip(np.where(shares < mean, down, up), 1e-9, 1 - 1e-9)


def _beta_binomial(size: int, shares: np.ndarray, rho: float) -> np.ndarray:
    """The chance of 0 to `size` wrong of `size` (shares, size + 1)."""
    from scipy.special import betaln, gammaln, xlog1py, xlogy

    wrong = np.arange(size + 1.0)
    ways = gammaln(size + 1) - gammaln(wrong + 1) - gammaln(size - wrong + 1)
    share = shares[:, None]
    if rho < 1e-4:
        return np.asarray(np.exp(ways + xlogy(wrong, share) + xlog1py(size - wrong, -share)))
    total = (1 - min(rho, MOST)) / min(rho, MOST)
    first, second = total * share, total * (1 - share)
    return np.asarray(np.exp(ways + betaln(wrong + first, size - wrong + second) - betaln(first, second)))


def _laid_out(one: np.ndarray, chances: np.ndarray, step: float) -> None:
    """Add the chances of 0, 1, 2 ... steps to the places of `one`; between two places, to both."""
    places = np.arange(chances.shape[1]) * step
    left = np.floor(places + 1e-9).astype(int)
    part = np.clip(places - left, 0.0, 1.0)
    part[part < 1e-7] = 0.0
    for row in range(len(one)):
        one[row] += np.bincount(left, chances[row] * (1 - part), one.shape[1])[: one.shape[1]]
        if part.any():
            one[row] += np.bincount(left + 1, chances[row] * part, one.shape[1])[: one.shape[1]]


# ── How strongly items of a picture go together ───────────────────────────────────────────────────


def _variance_at(clusters: Clusters, rho: float) -> float:
    spread = clusters.expected * (1 - clusters.expected)
    return float((clusters.weight**2 * spread * ((1 - rho) / clusters.size + rho)).sum())


def _variance(clusters: Clusters) -> float:
    variances = np.array([_variance_at(clusters, rho) for rho in RHOS])
    if clusters.all_or_nothing or variances[-1] <= variances[0] * (1 + 1e-9):
        return float(variances[-1])
    logs = TRUST * _log_likelihood(clusters) + np.log(variances) / 2 + LOG_PRIOR
    weights = np.exp(logs - logs.max())
    found = _mixed(weights / weights.sum(), np.sqrt(variances)) ** 2
    return found if clusters.part == 1 else max(found, _robust(clusters))


def _robust(clusters: Clusters) -> float:
    """The cluster-robust variance (Liang and Zeger 1986), which asks for no model, with t for the normal."""
    from scipy.special import stdtrit

    apart = clusters.weight * (clusters.wrong / clusters.size - clusters.expected)
    wide = float(stdtrit(len(apart) - 1, 1 - ALPHA / 2) / Z) ** 2
    return wide * float((apart**2 / (1 - clusters.weight)).sum())


def _mixed(weights: np.ndarray, spreads: np.ndarray) -> float:
    """The standard deviation whose normal 95 % hold as much as those of the mixture."""
    from scipy.special import ndtr

    low, high = float(spreads.min()), float(spreads.max())
    for _ in range(30):
        middle = (low + high) / 2
        outside = float((weights * 2 * ndtr(-Z * middle / spreads)).sum())
        low, high = (middle, high) if outside > ALPHA else (low, middle)
    return high


def _log_likelihood(clusters: Clusters) -> np.ndarray:
    """Of each of RHOS, from how the wrong answers lie together; alike pictures are counted once."""
    from scipy.special import betaln

    several = clusters.size > 1 + 1e-9
    rows = np.column_stack((clusters.size, clusters.wrong, clusters.expected))[several]
    rows, counts = np.unique(np.round(rows, 9), axis=0, return_counts=True)
    size, wrong, expected = (column[:, None] for column in rows.T)
    wrong = np.clip(wrong, 0, size)
    rho = np.clip(RHOS, 1e-5, 0.995)
    total = (1 - rho) / rho
    first, second = total * expected, total * (1 - expected)
    return np.asarray((counts[:, None] * (betaln(wrong + first, size - wrong + second) - betaln(first, second))).sum(0))


def _score(clusters: Clusters) -> tuple[float, float]:
    """Wilson's interval with the number of independent items that has the sum's variance."""
    expected = float((clusters.weight * clusters.expected).sum())
    number = expected * (1 - expected) / clusters.variance
    square = Z * Z / number
    centre = (clusters.observed + square / 2) / (1 + square)
    half = math.sqrt(square * (clusters.observed * (1 - clusters.observed) + square / 4)) / (1 + square)
    return max(0.0, centre - half), min(1.0, centre + half)
