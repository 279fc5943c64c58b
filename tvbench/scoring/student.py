"""Student's t without SciPy, and the level of every interval. Knows nothing else."""

from __future__ import annotations

import math
from statistics import NormalDist

LEVEL = 0.95
MANY = 200
"""Degrees of freedom from which the series for Student's quantile is exact to 1e-9."""


def t_quantile(probability: float, df: int) -> float:
    """The quantile of Student's t with `df` (1 or more) degrees of freedom, to 1e-9.

    For `df` up to MANY the distribution function is a finite sum (Abramowitz and Stegun 1964, 26.7.3 and 26.7.4) and is
    inverted by bisection; beyond, Fisher's expansion (26.7.5) from the normal quantile. Raises ValueError outside of
    0 < probability < 1.
    """
    if not 0 < probability < 1 or df < 1:
        raise ValueError(f"no quantile {probability} of t with {df} degrees of freedom")
    if probability < 0.5:
        return -t_quantile(1 - probability, df)
    if df > MANY:
        return _t_series(NormalDist().inv_cdf(probability), df)
    low, high = 0.0, 1.0
    while t_cdf(high, df) < probability:
        high *= 2
    while high - low > 1e-12 * high:
        middle = (low + high) / 2
        if not low < middle < high:
            break
        low, high = (middle, high) if t_cdf(middle, df) < probability else (low, middle)
    return (low + high) / 2


def t_cdf(value: float, df: int) -> float:
    """P(T <= value) for `value` of 0 or more and a whole number of degrees of freedom."""
    angle = math.atan2(value, math.sqrt(df))
    square = math.cos(angle) ** 2
    term = math.cos(angle) if df % 2 else 1.0
    total = term if df > 1 else 0.0
    for order in range(3 if df % 2 else 2, df - 1, 2):
        term *= square * (order - 1) / order
        total += term
    two_sided = math.sin(angle) * total
    if df % 2:
        two_sided = (angle + two_sided) * 2 / math.pi
    return 0.5 + two_sided / 2


def _t_series(z: float, df: int) -> float:
    terms = (
        z,
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return math.fsum(term / df**power for power, term in enumerate(terms))
