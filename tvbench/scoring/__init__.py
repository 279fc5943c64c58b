"""Scorers: an item and the text that answered it, in; a Score, out. They know types and nothing else.

`score_item` picks the scorer by the kind of the item's target; `score_items` does so for a whole task, settles
what needs two items, and joins the scores that judges and COMET left; `summarise` turns scores into a TaskResult.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tvbench.scoring.choice import score_choice
from tvbench.scoring.contrast import score_contrast, settle_pairs
from tvbench.scoring.ocr import score_contains, score_ocr
from tvbench.scoring.sides import with_sides
from tvbench.scoring.summary import summarise
from tvbench.scoring.text import score_open, score_short
from tvbench.scoring.translation import score_translation
from tvbench.types import (
    Choice,
    Contains,
    Contrast,
    Item,
    OcrText,
    Open,
    Response,
    Score,
    Short,
    SideScores,
    Translation,
)

__all__ = ["score_item", "score_items", "summarise"]


def score_items(
    items: Sequence[Item], answers: Mapping[str, Response], sides: Sequence[SideScores] = ()
) -> list[Score]:
    """The scores of one task's answered items. `answers` by item id; `sides` are what costly scorers left."""
    scores = [score_item(item, answers[item.id]) for item in items if item.id in answers]
    return [with_sides(score, sides) for score in settle_pairs(items, scores)]


def score_item(item: Item, response: Response) -> Score:
    """What `response` earns for `item`. A failed response is unscored, with the failure as the reason."""
    problem = item.problem or response.error
    if problem is not None:
        return Score(item.id, unscored=f"failed: {problem}")
    if isinstance(item.target, Contrast):
        return score_contrast(item, item.target, response)
    if response.text is None:
        return Score(item.id, unscored="no text was generated")
    return _score_text(item, response.text)


def _score_text(item: Item, text: str) -> Score:
    match item.target:
        case Choice() as target:
            return score_choice(item, target, text)
        case Short() as target:
            return score_short(item, target, text)
        case Translation() as target:
            return score_translation(item, target, text)
        case OcrText() as target:
            return score_ocr(item, target, text)
        case Contains() as target:
            return score_contains(item, target, text)
        case Open() as target:
            return score_open(item, target, text)
        case Contrast():
            raise AssertionError("a contrast has no text")
