"""Two continuations of one prompt: the right one should be the more probable (CoMMuTE, arXiv 2212.10140).

Only the log-probabilities of the continuation's own tokens count. Both their sum and their mean over tokens are given:
the sum is the probability of the text and so favours the shorter one, the mean does not. A tie is half. What has no
partner has no score: a pair is never right because the other side failed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

from tvbench.scoring.metrics.contrast import METRICS, Contrastive
from tvbench.scoring.reading import Seen
from tvbench.types import Contrast, Item, Response, Score

BY_CONTRAST = {metric.id: metric.of_side for metric in METRICS if isinstance(metric, Contrastive)}
"""The metric of a pair, and the figure of its two sides that it compares."""
TIE = 0.5

PairKey: TypeAlias = tuple[str, int]
"""A pair's name and the repeat: with `--repeats` each repeat is a comparison of its own."""


def contrast_reading(response: Response) -> Seen:
    """Unscored without log-probabilities, and where one is not a finite number."""
    if not response.logprobs:
        return Seen(unscored="no log-probabilities came")
    if not all(map(math.isfinite, response.logprobs)):
        return Seen(unscored="a log-probability is not a finite number")
    return Seen()


def settle_pairs(items: Sequence[Item], scores: Sequence[Score]) -> list[Score]:
    """`scores`, with `contrastive_sum` and `contrastive_mean` (1, 0.5 or 0) on the right side of each pair.

    The wrong side keeps its log-probabilities only. Where it is missing, unscored or there twice, the right side
    becomes unscored, with that as the reason. Scores of other kinds of item pass through.
    """
    right: dict[str, PairKey] = {}
    wrong: dict[PairKey, list[str]] = {}
    for item in items:
        if isinstance(item.target, Contrast):
            key = (item.target.pair, item.repeat)
            if item.target.correct:
                right[item.id] = key
            else:
                wrong.setdefault(key, []).append(item.id)
    if not right:
        return list(scores)
    by_item = {score.item: score for score in scores}
    return [
        _settled(score, [by_item.get(name) for name in wrong.get(right[score.item], ())])
        if score.item in right
        else score
        for score in scores
    ]


def _settled(score: Score, others: Sequence[Score | None]) -> Score:
    """The right side's score, settled against the wrong side's; `others` has exactly one where all is well."""
    if score.unscored is not None:
        return score
    other = others[0] if len(others) == 1 else None
    if other is None:
        reason = "there twice" if len(others) > 1 else "not answered" if others else "not among the items"
        return replace(score, unscored=f"the wrong translation is {reason}")
    if other.unscored is not None:
        return replace(score, unscored=f"the wrong translation has no score: {other.unscored}")
    won = {name: _won(score.values, other.values, by) for name, by in BY_CONTRAST.items()}
    return replace(score, values={**score.values, **won})


def _won(right: Mapping[str, float | None], wrong: Mapping[str, float | None], by: str) -> float | None:
    first, second = right.get(by), wrong.get(by)
    if first is None or second is None:
        return None
    return TIE if first == second else float(first > second)
