"""What metrics return, held against what they may: other people's may fail in any way, and never end a run.

A figure that cannot be computed is a UsageError with the reason. Knows metrics; no task and no file.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from tvbench.errors import UsageError
from tvbench.scoring.metric import FRACTION, Counting, Metric, Pair
from tvbench.scoring.metrics import BUILTIN
from tvbench.types import Figure, Item

if TYPE_CHECKING:
    import numpy as np

P = ParamSpec("P")
T = TypeVar("T")
TINY = 1e-6


def problem_of(metric: Metric, value: object) -> str | None:
    """Why what a metric returned is no figure of it, as one sentence; None where it is one, or None."""
    if value is None:
        return None
    if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool"):
        return f"{metric.id} returned {value}, not a number: return {float(bool(value))} (or float(...) of it)"
    if not isinstance(value, numbers.Real):
        return f"{metric.id} returned {value!r:.60}, a {type(value).__name__}: return a number, or None"
    try:
        number = float(value)
    except (OverflowError, ValueError):
        return f"{metric.id} returned a number that is too large"
    if not math.isfinite(number):
        return f"{metric.id} returned {number}, which is no figure: return a finite number, or None"
    if metric.unit == FRACTION and not 0 <= number <= 1:
        return (
            f"{metric.id} returned {number:g}, but a fraction is 0 to 1: return 1 at most, or declare unit='points' "
            "and return a hundred times as much"
        )
    return None


def cluster_of(item: Item) -> str:
    """The picture or clip that an item shares with others; one of its own where there is none."""
    return item.cluster or f"item {item.id}"


def is_for(metric: Metric, item: Item) -> bool:
    """Whether the metric is for the item. One that cannot say so is: it fails, with its reason, where it is asked."""
    try:
        return bool(metric.applies(item))
    except Exception:  # noqa: BLE001 - somebody's metric; see above
        return True


def figure_of(metric: Metric, language: str, pairs: Sequence[Pair]) -> Figure | None:
    """What `of_corpus` says of `pairs`, a plain number too; None for no pairs. Raises UsageError with the reason where
    it fails in any way, or gives what is no figure."""
    if not pairs:
        return None
    return _checked(metric, _called(metric, metric.of_corpus, language, pairs), len(pairs))


def _called(metric: Metric, method: Callable[P, T], *given: P.args, **named: P.kwargs) -> T:
    """What a method of the metric returns. Raises UsageError with the reason where it fails in any way."""
    try:
        return method(*given, **named)
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(f"{metric.id} failed: {type(error).__name__}: {error}") from error


def _checked(metric: Metric, found: object, pairs: int) -> Figure | None:
    """What a metric returned for `pairs` pairs, if it is a figure. Raises UsageError with the reason."""
    value = found.value if isinstance(found, Figure) else found
    if problem := problem_of(metric, value):
        raise UsageError(problem)
    if isinstance(found, Figure):
        return replace(found, value=float(found.value), n=int(found.n))
    return Figure(float(value), pairs) if isinstance(value, numbers.Real) else None


def counting(metric: Metric) -> Counting | None:
    """The metric as one that counts pairs. Only tvbench's own are taken at their word."""
    return metric if isinstance(metric, Counting) and BUILTIN.get(metric.id) is metric else None


def counts_of(metric: Counting, item: Item, text: str) -> Sequence[int]:
    """Its counts of one pair. Raises UsageError with the reason where it fails in any way."""
    return _called(metric, metric.counts_of, item, text)


def figure_of_counts(metric: Counting, language: str, counts: np.ndarray) -> Figure | None:
    """As `figure_of` has it, of pairs that were counted."""
    if not len(counts):
        return None
    return _checked(metric, _called(metric, metric.of_counts, language, counts), len(counts))


def statistics_of(metric: Metric, language: str, pairs: Sequence[Pair]) -> np.ndarray | None:
    """Its statistics of the pairs, for resampling; None where it has none. Raises UsageError where they fail, or do not
    add up to its figure."""
    import numpy as np

    try:
        found = metric.statistics(language, pairs)
        if found is None or metric.id in BUILTIN:
            return found
        rows = np.asarray(found, dtype=float)
        if rows.ndim != 2 or len(rows) != len(pairs):
            raise ValueError(f"they are of the shape {rows.shape}, not a row for each of {len(pairs)} pairs")
        total = float(metric.of_sums(rows.sum(0)))
    except Exception as error:
        raise UsageError(f"the statistics of {metric.id} failed: {type(error).__name__}: {error}") from error
    figure = figure_of(metric, language, pairs)
    if figure is None or not abs(total - figure.value) <= TINY * max(1.0, abs(total)):
        value = "nothing" if figure is None else f"{figure.value:g}"
        raise UsageError(f"the statistics of {metric.id} add up to {total:g}, and its figure is {value}")
    return rows


def loss_of(metric: Metric, item: Item, text: str, value: float | None) -> float | None:
    """How much of the worst one answer has lost, 0 to 1; None where that is not known, or somebody's metric fails."""
    try:
        lost = metric.loss(item, text, value)
        return lost if lost is None else min(1.0, max(0.0, float(lost)))
    except Exception:
        if metric.id in BUILTIN:
            raise
        return None
