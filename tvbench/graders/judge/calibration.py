"""Is the judge right? Measured on items whose truth is known exactly, and used to correct what it says of the others.

- Agreement and Cohen's kappa (Cohen 1960) between the judge (right: half of the scale or more) and the exact score.
- Bias: mean of judge minus truth, on the 0..1 scale, with a clustered standard error; above 0 the judge is generous.
- Open averages by prediction-powered inference (Angelopoulos et al. 2023, arXiv 2301.09633, algorithm 1 for a mean):
  the judge's mean over open answers minus its bias on exact ones, with both variances. The exact items stand in for the
  open ones; that a judge errs on both alike is an assumption which the report states.

Knows verdicts and numbers; no file and no table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from tvbench.graders.judge.record import JudgeVerdict
from tvbench.scoring.intervals import Observation, cluster_count, clustered_stderr, half_width, mean

RIGHT = 0.5
"""A judge's score of at least this share of its scale says `right`."""
FAIR = 0.05
"""A bias that is not seen, within an interval of no more than this, is none."""
FEWEST = 10
"""With fewer exact items nothing is corrected: the interval would say more of chance than of the judge."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Judge against truth (or a second judge) on `n` answers. `kappa` is None where chance alone would agree always.
    `bias` is in 0..1, first minus second; `half_width` is half of its 95 % interval, None with fewer than two pictures.
    """

    n: int
    agreement: float
    kappa: float | None
    bias: float
    half_width: float | None
    correlation: float | None = None

    @property
    def direction(self) -> str:
        """`generous`, `strict`, `fair` or `cannot tell`, by the 95 % interval of the bias."""
        if self.half_width is None:
            return "cannot tell"
        if abs(self.bias) > self.half_width:
            return "generous" if self.bias > 0 else "strict"
        return "fair" if self.half_width <= FAIR else "cannot tell"


@dataclass(frozen=True, slots=True)
class Corrected:
    """An open average as judged, and with the judge's bias taken out: 0..1, 95 % interval cut to the scale."""

    judged: float
    n: int
    value: float
    low: float
    high: float
    exact: int


def check(verdicts: Sequence[JudgeVerdict]) -> Agreement | None:
    """Judge against truth, over the verdicts that have both; None without any."""
    pairs = [
        (verdict.reading.score, verdict.case.truth, _cluster(verdict))
        for verdict in verdicts
        if verdict.reading.score is not None and verdict.case.truth is not None
    ]
    return _agreement(pairs)


def agree(first: Sequence[JudgeVerdict], second: Sequence[JudgeVerdict]) -> Agreement | None:
    """Two judges on the answers that both have scored; bias: first minus second."""
    others = {(verdict.case.item.task, verdict.case.item.id): verdict.reading.score for verdict in second}
    pairs = [
        (verdict.reading.score, other, _cluster(verdict))
        for verdict in first
        if verdict.reading.score is not None
        and (other := others.get((verdict.case.item.task, verdict.case.item.id))) is not None
    ]
    return _agreement(pairs)


def _agreement(pairs: Sequence[tuple[float, float, str]]) -> Agreement | None:
    if not pairs:
        return None
    right = [(a >= RIGHT, b >= RIGHT) for a, b, _ in pairs]
    differences = [Observation(a - b, cluster) for a, b, cluster in pairs]
    return Agreement(
        len(pairs),
        sum(a == b for a, b in right) / len(right),
        cohen_kappa(right),
        mean(differences),
        _half(differences),
        _pearson([a for a, _, _ in pairs], [b for _, b, _ in pairs]),
    )


def cohen_kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Cohen's kappa of two yes/no ratings; None where both always say the same one thing (it is 0/0 there)."""
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    first, second = sum(a for a, _ in pairs) / n, sum(b for _, b in pairs) / n
    expected = first * second + (1 - first) * (1 - second)
    return None if expected == 1 else (observed - expected) / (1 - expected)


def corrected(open_verdicts: Sequence[JudgeVerdict], exact_verdicts: Sequence[JudgeVerdict]) -> Corrected | None:
    """The mean of the open answers with the judge's bias on the exact ones taken out.

    None without open scores, with fewer than FEWEST exact ones, or where a standard error is not defined.
    """
    scores = [
        Observation(verdict.reading.score, _cluster(verdict))
        for verdict in open_verdicts
        if verdict.reading.score is not None
    ]
    errors = [
        Observation(verdict.reading.score - verdict.case.truth, _cluster(verdict))
        for verdict in exact_verdicts
        if verdict.reading.score is not None and verdict.case.truth is not None
    ]
    if not scores or len(errors) < FEWEST:
        return None
    spread, error_spread = _half(scores), _half(errors)
    if spread is None or error_spread is None:
        return None
    judged = mean(scores)
    value = judged - mean(errors)
    half = math.hypot(spread, error_spread)
    return Corrected(judged, len(scores), _clip(value), _clip(value - half), _clip(value + half), len(errors))


def _half(observations: Sequence[Observation]) -> float | None:
    stderr = clustered_stderr(observations)
    return None if stderr is None else half_width(stderr, cluster_count(observations))


def _clip(value: float) -> float:
    return min(1.0, max(0.0, value))


def _cluster(verdict: JudgeVerdict) -> str:
    return verdict.case.item.cluster or f"item {verdict.case.item.id}"


def _pearson(first: Sequence[float], second: Sequence[float]) -> float | None:
    n = len(first)
    centre, other = sum(first) / n, sum(second) / n
    spread = math.sqrt(sum((a - centre) ** 2 for a in first) * sum((b - other) ** 2 for b in second))
    if spread == 0:
        return None
    return sum((a - centre) * (b - other) for a, b in zip(first, second, strict=True)) / spread
