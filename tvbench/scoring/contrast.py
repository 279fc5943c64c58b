"""Two continuations of one prompt: the right one should be the more probable (CoMMuTE, arXiv 2212.10140).

Only the log-probabilities of the continuation's own tokens count. Both their sum and their mean over tokens are given:
the sum is the probability of the text, the mean does not favour the shorter one. A tie is half.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

from tvbench.types import Contrast, Item, Response, Score

BY_CONTRAST = {"contrastive_sum": "logprob_sum", "contrastive_mean": "logprob_mean"}
TIE = 0.5


def score_contrast(item: Item, target: Contrast, response: Response) -> Score:
    """`logprob_sum` and `logprob_mean` of one continuation, natural logarithms."""
    if not response.logprobs:
        return Score(item.id, unscored="no log-probabilities came")
    total = math.fsum(response.logprobs)
    return Score(item.id, {"logprob_sum": total, "logprob_mean": total / len(response.logprobs)})


def settle_pairs(items: Sequence[Item], scores: Sequence[Score]) -> list[Score]:
    """`scores`, with `contrastive_sum` and `contrastive_mean` (1, 0.5 or 0) on the right side of each pair."""
    wrong = {item.target.pair: item.id for item in items
             if isinstance(item.target, Contrast) and not item.target.correct}
    right = {item.id: item.target.pair for item in items if isinstance(item.target, Contrast) and item.target.correct}
    if not right:
        return list(scores)
    by_item = {score.item: score for score in scores}
    return [_settled(score, by_item.get(wrong.get(right[score.item], ""))) if score.item in right else score
            for score in scores]


def _settled(score: Score, other: Score | None) -> Score:
    if score.unscored is not None:
        return score
    if other is None or other.unscored is not None:
        return replace(score, unscored="the other translation has no score")
    return replace(score, values={**score.values, **{
        name: _won(score.values, other.values, by) for name, by in BY_CONTRAST.items()}})


def _won(first: Mapping[str, float | None], second: Mapping[str, float | None], by: str) -> float | None:
    a, b = first.get(by), second.get(by)
    if a is None or b is None:
        return None
    return TIE if a == b else float(a > b)
