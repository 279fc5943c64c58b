"""Is the judge right? Measured on items whose truth is known exactly, and carried over to what it says of the others.

- Agreement and Cohen's kappa (Cohen 1960) between the judge (right: half of the scale or more) and the exact score.
- Bias: mean of judge minus truth, on the 0..1 scale, with a clustered standard error; above 0 the judge is generous.
- Bias carried over from exact items: the judge's mean over open answers minus its bias on exact ones, with both
  variances. That a judge errs on both alike is an assumption, and exact items are the easier ones: planted.py looks at
  open answers themselves.

Over several languages every figure is the mean over languages, as the headline is, and its variance is that of the
clusters, which may reach over languages. A language is corrected by its own exact items, or not at all.
Knows verdicts and numbers; no file and no table.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from tvbench.graders.judge.record import JudgeVerdict
from tvbench.scoring.intervals import Observation, cluster_count, clustered_stderr, half_width, macro_stderr, mean

T = TypeVar("T")
RIGHT = 0.5
"""A judge's score of at least this share of its scale says `right`."""
Z = 1.959963984540054
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


class _Pair(NamedTuple):
    """Two scores of one answer."""

    first: float
    second: float
    cluster: str
    language: str


@dataclass(frozen=True, slots=True)
class CarriedOver:
    """An open average as judged, and with the judge's bias on exact items taken out: 0..1, 95 % interval cut to the
    scale. `corrected` and `uncorrected` are languages: the latter have too few exact items, and stand as judged."""

    judged: float
    n: int
    value: float
    low: float
    high: float
    exact: int
    corrected: tuple[str, ...] = ()
    uncorrected: tuple[str, ...] = ()


def check(verdicts: Sequence[JudgeVerdict]) -> Agreement | None:
    """Judge against truth, over the verdicts that have both; None without any. Over languages: the mean of theirs."""
    return _agreement(
        [
            _Pair(verdict.reading.score, verdict.case.truth, _cluster(verdict), verdict.case.item.language)
            for verdict in verdicts
            if verdict.reading.score is not None and verdict.case.truth is not None
        ]
    )


def agree(first: Sequence[JudgeVerdict], second: Sequence[JudgeVerdict]) -> Agreement | None:
    """Two judges on the answers that both have scored; bias: first minus second."""
    others = {
        (verdict.case.item.task, verdict.case.item.id): verdict.reading.score
        for verdict in second
        if verdict.case.planted is None
    }
    return _agreement(
        [
            _Pair(verdict.reading.score, other, _cluster(verdict), verdict.case.item.language)
            for verdict in first
            if verdict.reading.score is not None
            and verdict.case.planted is None
            and (other := others.get((verdict.case.item.task, verdict.case.item.id))) is not None
        ]
    )


def _agreement(pairs: Sequence[_Pair]) -> Agreement | None:
    """The unweighted mean over the languages that have pairs."""
    if not pairs:
        return None
    groups = _by_language((pair.language, pair) for pair in pairs)
    right = [[(pair.first >= RIGHT, pair.second >= RIGHT) for pair in group] for group in groups.values()]
    differences = [[Observation(p.first - p.second, p.cluster) for p in group] for group in groups.values()]
    correlations = [_pearson([p.first for p in group], [p.second for p in group]) for group in groups.values()]
    return Agreement(
        len(pairs),
        _average([sum(a == b for a, b in group) / len(group) for group in right]),
        _average_of_known([cohen_kappa(group) for group in right]),
        _average([mean(group) for group in differences]),
        _half(differences),
        _average_of_known(correlations),
    )


def cohen_kappa(pairs: Sequence[tuple[bool, bool]]) -> float | None:
    """Cohen's kappa of two yes/no ratings; None where both always say the same one thing (it is 0/0 there)."""
    n = len(pairs)
    observed = sum(a == b for a, b in pairs) / n
    first, second = sum(a for a, _ in pairs) / n, sum(b for _, b in pairs) / n
    expected = first * second + (1 - first) * (1 - second)
    return None if expected == 1 else (observed - expected) / (1 - expected)


def carried_over(open_verdicts: Sequence[JudgeVerdict], exact_verdicts: Sequence[JudgeVerdict]) -> CarriedOver | None:
    """The mean over languages of the open answers, with the judge's bias on each language's exact items taken out.

    None without open scores, where no language has FEWEST exact ones, or where a standard error is not defined.
    """
    scores = _by_language(
        (verdict.case.item.language, Observation(verdict.reading.score, _cluster(verdict)))
        for verdict in open_verdicts
        if verdict.reading.score is not None
    )
    errors = _by_language(
        (verdict.case.item.language, Observation(verdict.reading.score - verdict.case.truth, _cluster(verdict)))
        for verdict in exact_verdicts
        if verdict.reading.score is not None and verdict.case.truth is not None
    )
    errors = {code: group for code, group in errors.items() if code in scores and len(group) >= FEWEST}
    if not errors:
        return None
    parts = [*scores.values(), *([Observation(-error.value, error.cluster) for error in e] for e in errors.values())]
    half = _half(parts)
    if half is None:
        return None
    half *= len(parts) / len(scores)
    value = sum(mean(group) for group in parts) / len(scores)
    return CarriedOver(
        _average([mean(group) for group in scores.values()]),
        sum(map(len, scores.values())),
        _clip(value),
        _clip(value - half),
        _clip(value + half),
        sum(map(len, errors.values())),
        tuple(errors),
        tuple(code for code in scores if code not in errors),
    )


def average(verdicts: Sequence[JudgeVerdict]) -> float | None:
    """The judge's mean score, over languages as the headline; None without scores."""
    scores = _by_language(
        (verdict.case.item.language, verdict.reading.score) for verdict in verdicts if verdict.reading.score is not None
    )
    return _average([sum(group) / len(group) for group in scores.values()]) if scores else None


def _by_language(named: Iterable[tuple[str, T]]) -> dict[str, list[T]]:
    groups: defaultdict[str, list[T]] = defaultdict(list)
    for code, value in named:
        groups[code].append(value)
    return dict(sorted(groups.items()))


def _average(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _average_of_known(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return _average(known) if known else None


def _half(groups: Sequence[Sequence[Observation]]) -> float | None:
    """Half of the 95 % interval of the mean of the groups' means; a cluster may reach over groups. Where nothing varies
    in any, the largest share of clusters that may be otherwise for all that was seen (Wilson): no figure is certain."""
    stderr = macro_stderr(groups)
    if stderr is not None and all(len({observation.value for observation in group}) == 1 for group in groups):
        return Z * Z / (Z * Z + len({observation.cluster for group in groups for observation in group}))
    return None if stderr is None else half_width(stderr, 1 + _freedom(groups))


def _freedom(groups: Sequence[Sequence[Observation]]) -> int:
    """Degrees of freedom after Welch and Satterthwaite: ten exact items next to a thousand open ones are ten."""
    variances = [((clustered_stderr(group) or 0.0) ** 2, cluster_count(group) - 1) for group in groups]
    spread = sum(variance**2 / df for variance, df in variances)
    total = sum(variance for variance, _ in variances)
    return max(1, int(total**2 / spread)) if spread else max(1, sum(df for _, df in variances))


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
