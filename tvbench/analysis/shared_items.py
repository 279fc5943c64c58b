"""The items that runs can be compared on: those that the first and the others have a figure for, and their pairs.

Knows runs as they are scored, and metrics; compares nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence

from tvbench.analysis.assess import Scored
from tvbench.scoring.guards import cluster_of, is_for, statistics_of
from tvbench.scoring.metric import Metric, Pair
from tvbench.scoring.paired import Pairs, means
from tvbench.types import Contrast, Item

ByLanguage = dict[str, list[Item]]


def asked_of_both(first: Scored, second: Scored, languages: Collection[str]) -> list[Item]:
    """The first run's items, of these languages (none: all), that the second was asked, too."""
    return [
        item
        for name, item in first.items.items()
        if name in second.items and (not languages or item.language in languages)
    ]


def in_common(
    measured: Metric, first: Scored, others: Sequence[Scored], languages: Collection[str]
) -> list[ByLanguage]:
    """For each of the others, by language: the items that count in every run. A run that has none of a language takes
    nothing from those that have."""
    held: list[defaultdict[str, list[Item]]] = [defaultdict(list) for _ in others]
    for other, side in zip(others, held, strict=True):
        for item in asked_of_both(first, other, languages):
            if _counts(measured, item, first) and _counts(measured, item, other):
                side[item.language].append(item)
    found: list[ByLanguage] = [{} for _ in others]
    for language in sorted({language for side in held for language in side}):
        everywhere = set.intersection(*({item.id for item in side[language]} for side in held if language in side))
        for side, kept in zip(held, found, strict=True):
            if language in side and everywhere:
                kept[language] = [item for item in side[language] if item.id in everywhere]
    return found


def _counts(measured: Metric, item: Item, side: Scored) -> bool:
    if measured.of_corpora:
        return is_for(measured, item) and side.text(item.id) is not None
    return _value(measured, item, side) is not None


def paired_items(measured: Metric, language: str, items: Sequence[Item], first: Scored, second: Scored) -> Pairs | None:
    """The two runs' statistics in one language; None where no item has the metric, or it cannot be resampled."""
    if measured.of_corpora:
        used = both_answered(measured, items, first, second)
        one, other = (
            statistics_of(measured, language, answer_pairs(used, side)) if used else None for side in (first, second)
        )
        if one is None or other is None:
            return None
        return Pairs(one, other, [cluster_of(item) for item in used], measured.of_sums, measured.span)
    values = [(_value(measured, item, first), _value(measured, item, second), item) for item in items]
    kept = [(a, b, item) for a, b, item in values if a is not None and b is not None]
    if not kept:
        return None
    clusters = [cluster_of(item) for _, _, item in kept]
    return means([a for a, _, _ in kept], [b for _, b, _ in kept], clusters, measured.span)


def both_answered(measured: Metric, items: Sequence[Item], first: Scored, second: Scored) -> list[Item]:
    """Those of `items` that the metric is for, and that both have answered in words."""
    return [
        item
        for item in items
        if is_for(measured, item) and first.text(item.id) is not None and second.text(item.id) is not None
    ]


def answer_pairs(items: Sequence[Item], side: Scored) -> list[Pair]:
    """The items, each with its answer."""
    return [(item, side.text(item.id) or "") for item in items]


def _value(measured: Metric, item: Item, side: Scored) -> float | None:
    score = side.scores.get(item.id)
    return None if score is None or score.unscored else score.values.get(measured.id)


def expected(measured: Metric, items: Sequence[Item], first: Scored, second: Scored) -> int:
    """How many items the metric is for: those of the kinds that it has a value for in either run."""
    if measured.of_corpora:
        return sum(
            isinstance(item.target, measured.targets) if measured.targets else is_for(measured, item) for item in items
        )
    kinds = {_kind(item) for item in items for side in (first, second) if _value(measured, item, side) is not None}
    return sum(_kind(item) in kinds for item in items)


def _kind(item: Item) -> tuple[type, bool]:
    """Two-sided targets carry their figure on the right side only."""
    return type(item.target), not isinstance(item.target, Contrast) or item.target.correct
