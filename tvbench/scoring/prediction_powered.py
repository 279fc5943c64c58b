"""A mean of human labels, sharpened by a judge who rated every answer: prediction-powered inference with power tuning.

PPI++ (Angelopoulos, Duchi and Zrnic 2023, arXiv 2311.01453), stratified (Fisch et al. 2024, arXiv 2406.04291): in each
stratum, a language, n answers drawn at random have a label y, all have the judge's rating f, and

    value = mean(y) + λ (mean of f over the unlabelled - mean of f over the labelled)

which no judge can bias: at λ = 0 it is the labels alone, and a better judge only earns a greater λ. Estimated is the
mean over the population that the items come from, as in every other interval here, so labelling all leaves an interval.

- λ is cross-fitted: for the answers of one picture it is tuned on all other labels, so that no answer helps to choose
  the weight that it gets, and the value stays unbiased however few labels there are.
- The variance is taken over pictures: what an answer moves is added up within its picture, over labelled, unlabelled
  and languages, and then squared.
- With few labels a judge who agreed on all of them looks perfect, and labels that are all `right` have no variance.
  Variance and λ are therefore taken with half an answer more of each kind (label 1 or 0, rating 1 or 0), Jeffreys'
  prior of a two by two table: for λ = 0 Agresti and Coull's interval (1998) with one answer more on each side, for
  λ = 1 Bonett and Price's for paired proportions (2012). Labels in between vary less, and take as much less of them;
  in a mean over G languages each takes a G-th.
- λ costs a degree of freedom more. The variance is never taken as more than that of the labels alone: to choose between
  the two values after looking would be worse than either. Only an interval that is still wider, because it is cut to
  0..1 in another place, makes way for that of the labels alone.

`published` is PPI++ with the normal interval of its authors' package, for comparison. Knows numbers and cluster names;
no judge, no task, no file.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tvbench.scoring.student import LEVEL, t_quantile

Vector = NDArray[np.float64]

FEWEST = 2
"""With fewer labels a stratum has no figure."""
PRIOR = 0.5
"""How much of an answer is added in each corner, where labels are right or wrong."""
CORNER_LABELS = np.array([1.0, 1.0, 0.0, 0.0])
CORNER_RATINGS = np.array([1.0, 0.0, 1.0, 0.0])


class Rated(NamedTuple):
    """One answer: the judge's rating in 0..1, its picture, and its label in 0..1 where it has one."""

    rating: float
    cluster: str
    label: float | None = None


class Band(NamedTuple):
    """A mean with its interval, all within 0..1."""

    value: float
    low: float
    high: float

    @property
    def width(self) -> float:
        return self.high - self.low


@dataclass(frozen=True, slots=True)
class PoweredMean:
    """One stratum, or the mean over several (`strata`). `judged`: the ratings alone; `alone`: the labels alone; `both`:
    the two together. `weight` is λ; `gain` is how many labels alone one label is worth here."""

    labels: int
    answers: int
    judged: float
    alone: Band
    both: Band
    weight: float
    gain: float
    strata: int = 1


def powered(
    strata: Mapping[str, Sequence[Rated]], level: float = LEVEL
) -> tuple[dict[str, PoweredMean], PoweredMean | None]:
    """Each stratum that has FEWEST labels, and the unweighted mean over those; None without any."""
    names: dict[str, int] = {}
    samples = {name: sample for name, rated in strata.items() if (sample := _sampled(rated, names)) is not None}
    tuned = {name: _tuned(sample) for name, sample in samples.items()}
    single = {name: _mean_over([sample], [tuned[name]], level) for name, sample in samples.items()}
    if len(single) < 2:
        return single, next(iter(single.values()), None)
    return single, _mean_over(list(samples.values()), list(tuned.values()), level)


# ── One stratum ───────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Sample:
    """`labels` and `ratings` of the labelled, `others` are the ratings of the rest; both with the numbers of their
    clusters."""

    labels: Vector
    ratings: Vector
    clusters: NDArray[np.int64]
    others: Vector
    other_clusters: NDArray[np.int64]

    @property
    def n(self) -> int:
        return len(self.labels)

    @property
    def prior(self) -> float:
        """How much of an answer is added in each corner."""
        sums = (np.array([total]) for total in (float(self.n), self.labels.sum(), (self.labels**2).sum()))
        return float(_prior(*sums)[0])

    @property
    def certain(self) -> bool:
        """Whether the labels are right or wrong, each of a picture of its own."""
        return self.pictures == self.n and bool(np.isin(self.labels, (0, 1)).all())

    @property
    def pictures(self) -> int:
        """Different clusters of the labelled."""
        return len(np.unique(self.clusters))


@dataclass(frozen=True, slots=True)
class _Parts:
    """What strata add to a mean: value, centre of its interval, by how much each answer moves it (and its cluster), and
    the variance of the corners."""

    value: float
    centre: float
    moved: Vector
    clusters: NDArray[np.int64]
    corners: float

    @property
    def variance(self) -> float:
        """Added up within each cluster, and squared."""
        return float((np.bincount(self.clusters, self.moved) ** 2).sum()) + self.corners

    def band(self, t: float, most: float = math.inf) -> Band:
        """The interval about the centre, with a variance of `most` at most, cut to 0..1."""
        half = t * math.sqrt(min(most, self.variance))
        return Band(_cut(self.value), _cut(self.centre - half), _cut(self.centre + half))


def _sampled(rated: Sequence[Rated], names: dict[str, int]) -> _Sample | None:
    """The arrays of a stratum; `names` numbers the clusters of all strata. None with too few labels."""
    codes = np.array([names.setdefault(answer.cluster, len(names)) for answer in rated], dtype=np.int64)
    ratings = np.array([answer.rating for answer in rated], dtype=float)
    labels = np.array([math.nan if answer.label is None else answer.label for answer in rated], dtype=float)
    have = ~np.isnan(labels)
    if have.sum() < FEWEST:
        return None
    return _Sample(labels[have], ratings[have], codes[have], ratings[~have], codes[~have])


def _tuned(sample: _Sample) -> Vector:
    """λ for each labelled answer; zeros without other answers to rate."""
    if len(np.unique(sample.other_clusters)) < 2:
        return np.zeros(sample.n)
    return cross_fitted(sample.labels, sample.ratings, sample.clusters, len(sample.others))


def cross_fitted(labels: Vector, ratings: Vector, clusters: NDArray[np.int64], others: int) -> Vector:
    """For each labelled answer the λ of least variance by the labels of all other clusters: the slope of label on
    rating, of which the sampling error of `others` unlabelled ratings takes a part."""
    _, own = np.unique(clusters, return_inverse=True)
    columns = (np.ones_like(labels), labels, ratings, labels * ratings, ratings * ratings, labels * labels)
    n, y, f, yf, ff, yy = (column.sum() - np.bincount(own, column)[own] for column in columns)
    prior = _prior(n, y, yy)
    n, y, f, yf, ff = n + 4 * prior, y + 2 * prior, f + 2 * prior, yf + prior, ff + 2 * prior
    slope = (yf / n - y * f / n**2) / (ff / n - (f / n) ** 2)
    return np.asarray(np.clip(slope / (1 + len(labels) / others), 0.0, 1.0), dtype=float)


def _prior(n: Vector, y: Vector, yy: Vector) -> Vector:
    """How much of an answer each corner is, by the number of labels and the sums of them and of their squares: PRIOR
    where all are 0 or 1, and less as they vary less than right and wrong would."""
    total, mean = n + 4 * PRIOR, (y + 2 * PRIOR) / (n + 4 * PRIOR)
    return np.asarray(PRIOR * ((yy + 2 * PRIOR) / total - mean**2) / (mean * (1 - mean)), dtype=float)


def _parts(sample: _Sample, weights: Vector, prior: float) -> _Parts:
    """The stratum's part with those λ, and with `prior` of an answer in each corner."""
    weight = float(weights.mean())
    estimated = 2 if weight and prior else 1
    left = sample.labels - weights * sample.ratings
    corners = CORNER_LABELS - weight * CORNER_RATINGS
    shift = float(weight * sample.others.mean()) if weight else 0.0
    total = sample.n + 4 * prior
    middle = float(left.sum() + prior * corners.sum()) / total
    clusters = sample.pictures + 4 * prior
    scale = math.sqrt(clusters / (clusters - estimated)) / total
    moved = np.concatenate([scale * (left - middle), _moved_by_others(sample, weight)])
    spread = float(prior * (scale**2 * (corners - middle) ** 2).sum())
    where = np.concatenate([sample.clusters, sample.other_clusters])
    return _Parts(float(left.mean()) + shift, middle + shift, moved, where, spread)


def _moved_by_others(sample: _Sample, weight: float) -> Vector:
    """By how much each unlabelled answer moves the value."""
    if not weight:
        return np.zeros(len(sample.others))
    clusters = len(np.unique(sample.other_clusters))
    scale = weight * math.sqrt(clusters / (clusters - 1)) / len(sample.others)
    return np.asarray(scale * (sample.others - sample.others.mean()), dtype=float)


# ── Over strata ───────────────────────────────────────────────────────────────────────────────────


def _mean_over(samples: Sequence[_Sample], weights: Sequence[Vector], level: float) -> PoweredMean:
    """The unweighted mean of the strata, of the labels alone and with those λ."""
    t = _quantile(samples, level)
    alone, both = _summed(samples, [np.zeros(sample.n) for sample in samples]), _summed(samples, weights)
    without, sharpened = alone.band(t), both.band(t, alone.variance)
    helped = sharpened.width <= without.width
    ratings = [np.concatenate([sample.ratings, sample.others]) for sample in samples]
    return PoweredMean(
        labels=sum(sample.n for sample in samples),
        answers=sum(len(part) for part in ratings),
        judged=float(np.mean([part.mean() for part in ratings])),
        alone=without,
        both=sharpened if helped else without,
        weight=float(np.mean([part.mean() for part in weights])) if helped else 0.0,
        gain=max(1.0, alone.variance / both.variance) if helped else 1.0,
        strata=len(samples),
    )


def _summed(samples: Sequence[_Sample], weights: Sequence[Vector]) -> _Parts:
    """The strata's parts as one mean's; the corners are shared out."""
    count = len(samples)
    parts = [_parts(sample, part, sample.prior / count) for sample, part in zip(samples, weights, strict=True)]
    return _Parts(
        math.fsum(part.value for part in parts) / count,
        math.fsum(part.centre for part in parts) / count,
        np.concatenate([part.moved for part in parts]) / count,
        np.concatenate([part.clusters for part in parts]),
        math.fsum(part.corners for part in parts) / count**2,
    )


def _quantile(samples: Sequence[_Sample], level: float) -> float:
    """How many standard errors the interval takes.

    One stratum whose labels are right or wrong, and of different pictures, takes the normal quantile: their variance is
    no second unknown, as in Agresti and Coull's interval. Else Student's, by Welch and Satterthwaite over the strata,
    but never by more clusters than there are.
    """
    probability = (1 + level) / 2
    if len(samples) == 1 and samples[0].certain:
        return NormalDist().inv_cdf(probability)
    variances = [_parts(sample, np.zeros(sample.n), sample.prior / len(samples)).variance for sample in samples]
    whole = sum(variances) ** 2
    parts = sum(part**2 / max(1, sample.pictures - 1) for part, sample in zip(variances, samples, strict=True))
    clusters = len(np.unique(np.concatenate([sample.clusters for sample in samples])))
    return t_quantile(probability, max(1, int(min(whole / parts, clusters - 1))))


def _cut(value: float) -> float:
    return min(1.0, max(0.0, value))


# ── As published ──────────────────────────────────────────────────────────────────────────────────


def published(
    labels: Vector, ratings: Vector, others: Vector, weight: float | None = None, level: float = LEVEL
) -> tuple[float, float, float]:
    """Value, low and high of `ppi_py` (0.2): one stratum, no clusters, one λ (None: tuned on the same labels)."""
    n, rest = len(labels), len(others)
    if weight is None:
        covariance = float(((labels - labels.mean()) * (ratings - ratings.mean())).mean())
        variance = float(np.concatenate([ratings, others]).var(ddof=1))
        weight = min(1.0, max(0.0, covariance / ((1 + n / rest) * variance))) if variance else 0.0
    own = _Sample(labels, ratings, np.arange(n), others, np.arange(n, n + rest))
    parts = _parts(own, np.full(n, weight), 0.0)
    # Its variances divide by n, not by n - 1.
    sizes = np.concatenate([np.full(n, (n - 1) / n), np.full(rest, (rest - 1) / rest)])
    variance = float((parts.moved**2 * sizes).sum())
    half = NormalDist().inv_cdf((1 + level) / 2) * math.sqrt(variance)
    return parts.value, parts.value - half, parts.value + half
