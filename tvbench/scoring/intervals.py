"""How sure a figure is: standard errors and 95 % intervals of means whose items share pictures.

Two questions on one picture are not two independent draws. The standard error of a mean is therefore the
cluster-robust one (Liang and Zeger 1986; for evaluations: Miller 2024, "Adding Error Bars to Evals",
arXiv 2411.00640, eq. 4), with the usual small-sample factor C / (C - 1) for C clusters:

    se² = C / (C - 1) · Σ_c ( Σ_{i in c} (x_i - mean) )² / n²

Where every item is a cluster of its own this is exactly s / √n with s the sample standard deviation.

A mean of values in 0..1 has the interval of `beta_binomial.py`: value ± t · se holds far less than 95 % where accuracy
is near 1, pictures are few, or one has most of the items. Other values have t's interval, by the effective number of
clusters. The arithmetic of these is in samples.py, over arrays.
Knows numbers and cluster names; no tasks, no metrics.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from tvbench.scoring.student import LEVEL, t_quantile

if TYPE_CHECKING:
    from tvbench.types import Figure


class Observation(NamedTuple):
    """One item's figure and the cluster that it belongs to."""

    value: float
    cluster: str


def mean(observations: Sequence[Observation]) -> float:
    """The plain mean. Raises ValueError for no observations."""
    if not observations:
        raise ValueError("the mean of nothing")
    return math.fsum(observation.value for observation in observations) / len(observations)


def cluster_count(observations: Sequence[Observation]) -> int:
    """The number of different clusters."""
    return len({observation.cluster for observation in observations})


def clustered_stderr(observations: Sequence[Observation]) -> float | None:
    """The standard error of the mean, in the values' unit; None with fewer than two clusters."""
    return macro_stderr([observations])


def macro_stderr(groups: Sequence[Sequence[Observation]]) -> float | None:
    """The standard error of the unweighted mean of the groups' means (languages, say).

    Groups without a common cluster are independent, and this is sqrt(Σ se_g²) / G. Where a cluster reaches over
    groups (one picture asked about in ten languages), its deviations are added before they are squared, so that the
    shared picture is not taken for ten. None where a group has fewer than two clusters.
    """
    deviations: defaultdict[str, float] = defaultdict(float)
    for group in groups:
        clusters = cluster_count(group)
        if clusters < 2:
            return None
        centre = mean(group)
        weight = math.sqrt(clusters / (clusters - 1)) / (len(group) * len(groups))
        for observation in group:
            deviations[observation.cluster] += weight * (observation.value - centre)
    return math.sqrt(math.fsum(deviation**2 for deviation in deviations.values())) if groups else None


# ── The interval of a mean ────────────────────────────────────────────────────────────────────────


def mean_interval(
    groups: Sequence[Sequence[Observation]], bounds: tuple[float, float] | None = (0.0, 1.0)
) -> tuple[float, float] | None:
    """The 95 % interval of the unweighted mean of the groups' means. `bounds`: the least and the most that a value can
    be, None where there is no such thing. None for one cluster, and where values without bounds do not vary."""
    if not groups or not all(groups):
        return None
    import numpy as np

    from tvbench.scoring.samples import Samples

    names: dict[str, int] = {}
    places = [np.array([names.setdefault(one.cluster, len(names)) for one in group]) for group in groups]
    values = [np.array([one.value for one in group], float) for group in groups]
    return Samples(places).interval(np.concatenate(values), list(map(mean, groups)), bounds)


def ends(figure: Figure) -> tuple[float, float] | None:
    """The 95 % interval of a figure: its own, or, as earlier versions stored figures, by its standard error."""
    if figure.low is not None and figure.high is not None:
        return figure.low, figure.high
    return interval(figure.value, figure.stderr, figure.clusters) if figure.stderr else None


def combined(
    value: float, figures: Sequence[Figure], factors: Sequence[float], *, together: bool = False
) -> tuple[float, float] | None:
    """The interval of `value`, the sum of the figures times their factors, from the figures' own (Zou and Donner 2008):
    their halves are added as squares where they are independent, and as they are where they may go `together`. None
    where a figure has none."""
    below: list[float] = []
    above: list[float] = []
    for figure, factor in zip(figures, factors, strict=True):
        found = ends(figure)
        if found is None:
            return None
        halves = abs(factor) * (figure.value - found[0]), abs(factor) * (found[1] - figure.value)
        below.append(halves[factor < 0])
        above.append(halves[factor > 0])
    add = math.fsum if together else lambda halves: math.hypot(*halves)
    return value - add(below), value + add(above)


def half_width(stderr: float, clusters: int, level: float = LEVEL) -> float:
    """Half of the two-sided interval of a mean with that standard error, from `clusters` (2 or more) clusters."""
    return t_quantile((1 + level) / 2, clusters - 1) * stderr


def interval(
    value: float, stderr: float | None, clusters: int | None, level: float = LEVEL
) -> tuple[float, float] | None:
    """The two-sided interval of a figure; None where it has no standard error, or fewer than two clusters."""
    if stderr is None or clusters is None or clusters < 2:
        return None
    half = half_width(stderr, clusters, level)
    return value - half, value + half
