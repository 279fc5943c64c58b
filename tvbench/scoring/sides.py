"""Joins the scores of costly scorers (judges, COMET) to what was scored from the text alone. Knows neither of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tvbench.types import NEEDS_JUDGE, Score, SideScores

REASONS = {
    "judge_refusal": "the judge refused",
    "judge_unparsable": "the judge's reply could not be read",
    "judge_empty": "the judge's reply was empty",
    "not_judged": "open-ended: not judged yet",
}
"""Why an open answer has no score, by the flag that its judge left."""


def with_sides(score: Score, sides: Sequence[SideScores]) -> Score:
    """`score` with every side's value and flags. An open answer is scored as soon as any judge has scored it."""
    for side in sides:
        if score.item not in side.values:
            continue
        value = side.values[score.item]
        flags = side.flags.get(score.item, ())
        score = replace(
            score,
            values={**score.values, side.metric: value},
            flags=(*score.flags, *(flag for flag in flags if flag not in score.flags)),
        )
        if _waits(score):
            reason = next((REASONS[flag] for flag in flags if flag in REASONS), score.unscored)
            score = replace(score, unscored=None if value is not None else reason)
    return score


def _waits(score: Score) -> bool:
    return score.unscored == NEEDS_JUDGE or score.unscored in REASONS.values()
