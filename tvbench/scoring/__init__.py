"""Scorers: an item and the text that answered it, in; a Score, out. They know types and nothing else.

`score_item` takes the metrics of the item's kind and those that the task names; `score_items` does so for a whole task,
settles what needs two items, and joins the scores that judges and COMET left; `summarise` turns scores into a
TaskResult. The metrics themselves are in scoring/metrics.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

from tvbench.scoring.choice import choice_reading
from tvbench.scoring.contrast import contrast_reading, settle_pairs
from tvbench.scoring.guards import problem_of
from tvbench.scoring.m3exam import exam_reading
from tvbench.scoring.metric import Metric, NotAtHand
from tvbench.scoring.metrics import BUILTIN, always
from tvbench.scoring.reading import Seen, empty_flag
from tvbench.scoring.sides import with_sides
from tvbench.scoring.summary import summarise
from tvbench.scoring.vqa import voted
from tvbench.types import (
    NEEDS_JUDGE,
    NO_GOLD,
    Choice,
    Contains,
    Contrast,
    Exam,
    Item,
    OcrText,
    Open,
    Response,
    Score,
    Short,
    SideScores,
    Translation,
    Voted,
)

__all__ = ["score_item", "score_items", "summarise"]

FAILED = "_failed"
"""How the flag ends of a metric that could not be computed."""


def score_items(
    items: Sequence[Item],
    answers: Mapping[str, Response],
    sides: Sequence[SideScores] = (),
    metrics: Sequence[Metric] | None = None,
    primary: str = "",
) -> list[Score]:
    """The scores of one task's answered items. `answers` by item id; `sides` are what costly scorers left; `metrics`
    are computed (None: those of tvbench), and an item is unscored where the `primary` one fails."""
    scores = [score_item(item, answers[item.id], metrics, primary) for item in items if item.id in answers]
    return [with_sides(score, sides) for score in settle_pairs(items, scores)]


def score_item(item: Item, response: Response, metrics: Sequence[Metric] | None = None, primary: str = "") -> Score:
    """What `response` earns for `item`. A failed response is unscored, with the failure as the reason."""
    problem = item.problem or response.error
    if problem is not None:
        return Score(item.id, unscored=f"failed: {problem}")
    if response.text is None and not isinstance(item.target, Contrast):
        return Score(item.id, unscored="no text was generated")
    kind: Any = type(item.target)
    ours, others = _of_items(always() if metrics is None else tuple(metrics), kind)
    reading = _reading(item, response)
    values: dict[str, float | None] = {}
    if reading.unscored is None:
        values = {metric.id: metric.of_response(item, response) for metric in ours if metric.applies(item)}
    score = Score(item.id, values, reading.flags, reading.unscored)
    return _with_others(score, others, item, response, primary) if others else score


@lru_cache(maxsize=64)
def _of_items(metrics: tuple[Metric, ...], kind: type) -> tuple[list[Metric], list[Metric]]:
    """Those that give values of single items with such a target: tvbench's own, and others."""
    some = [
        metric
        for metric in metrics
        if not metric.of_corpora and (not metric.targets or issubclass(kind, metric.targets))
    ]
    return [metric for metric in some if metric.id in BUILTIN], [metric for metric in some if metric.id not in BUILTIN]


def _reading(item: Item, response: Response) -> Seen:
    text = response.text or ""
    match item.target:
        case Contrast():
            return contrast_reading(response)
        case Exam() as target:
            return exam_reading(target, text, item.language)
        case Choice() as target:
            return choice_reading(target, text, item.language)
        case Open():
            return Seen(empty_flag(text), NEEDS_JUDGE)
        case Voted() as target if not voted(target):
            return Seen(empty_flag(text), NO_GOLD)
        case Short(answers=()) | Contains(answers=()) | Translation(references=()) | OcrText(text=None):
            return Seen(empty_flag(text), NO_GOLD)
        case _:
            return Seen(empty_flag(text))


# ── Metrics that are not tvbench's own ────────────────────────────────────────────────────────────


def _with_others(score: Score, metrics: Sequence[Metric], item: Item, response: Response, primary: str) -> Score:
    """`score` with the values of other people's metrics, which may fail in any way: that metric has no value then, and
    the item a flag; it is unscored where that leaves it without a value, or without the primary one."""
    values, failures = dict(score.values), dict(score.failures)
    for metric in metrics:
        values[metric.id], problem = _value(metric, item, response)
        if problem:
            failures[metric.id] = problem
    scored = any(value is not None for value in values.values())
    unscored = None if scored else score.unscored
    if failures and (not scored or primary in failures):
        unscored = failures.get(primary) or next(iter(failures.values()))
    return replace(
        score,
        values=values,
        flags=(*score.flags, *(f"{name}{FAILED}" for name in failures)),
        unscored=unscored,
        answer=answer_digest(response),
        failures=failures,
    )


def _value(metric: Metric, item: Item, response: Response) -> tuple[float | None, str | None]:
    """Its value of one answer, and what is wrong with it."""
    try:
        value = metric.of_response(item, response) if metric.applies(item) else None
    except NotAtHand as error:
        return None, f"{metric.id}: {error}"
    except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever somebody's scorer raises is that item's reason
        return None, f"{metric.id} failed: {type(error).__name__}: {first_line_of(error)}".removesuffix(": ")
    problem = problem_of(metric, value)
    return (None, problem) if problem or value is None else (float(value), None)


def answer_digest(response: Response) -> str:
    """Sixteen hex digits over what was scored."""
    return hashlib.sha256((response.text or "").encode("utf-8", "surrogatepass")).hexdigest()[:16]


def first_line_of(error: BaseException) -> str:
    """What an error says first, 200 characters at most."""
    return next(iter(str(error).splitlines()), "")[:200]
