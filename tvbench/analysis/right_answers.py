"""What a model that knows everything would answer to a task's items, and what the task's metrics make of it.

Knows items and scores; builds no task.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvbench.scoring import score_items, summarise
from tvbench.scoring.metric import FRACTION, POINTS, Metric
from tvbench.scoring.metrics import metric
from tvbench.scoring.task_metrics import chosen, declared_facts, named_metrics, own_metrics
from tvbench.types import Choice, Contains, Contrast, Item, OcrText, Open, Response, Score, Short, Task, Translation

SHOWN = 3
"""Items that are named."""
NEAR = 1e-6


@dataclass(frozen=True, slots=True)
class Marks:
    """`failed`: what is wrong, "" for nothing; `said`: what was seen; `tried`: whether a reply could show anything."""

    failed: str = ""
    said: str = ""
    tried: bool = True


def marks_of(task: Task, protocol: str, items: Sequence[Item]) -> Marks:
    """What the right answers get by the primary metric of `protocol`."""
    if wrong := [item.id for item in items if contradicts(item)]:
        said = f"`target` is another option than `gold`: {_listed(wrong)}"
        return Marks(f"{said}\ngive the text of the right option, or its letter where letters are shown")
    answers = {item.id: answer for item in items if (answer := right_answer(item)) is not None}
    if not answers:
        return Marks(said="no item has a right answer that could be given as a reply", tried=False)
    own, facts = own_metrics(task.scorers), declared_facts(task)
    primary = task.primary_of(protocol)
    first = own.get(primary) or metric(primary, facts)
    used = tuple(chosen(named_metrics(task), own, facts))
    asked = [item for item in items if item.id in answers]
    scores = score_items(asked, answers, (), used, primary)
    figure = summarise(task.name, protocol, primary, "", asked, answers, scores, used).metrics.get(primary)
    if figure is None:
        return _without_value(first, scores)
    return _compared(first, figure.value, scores, len(answers))


def _without_value(first: Metric, scores: Sequence[Score]) -> Marks:
    if not first.computes:
        return Marks(said=f"{first.label} is not computed from the text alone", tried=False)
    reasons = sorted({score.unscored for score in scores if score.unscored})
    said = f"{first.id} has no value for them" + (f" ({reasons[0]})" if reasons else "")
    return Marks(f"{said}\nis it a metric of such targets?")


def _compared(first: Metric, value: float, scores: Sequence[Score], count: int) -> Marks:
    said = f"{first.id} {value:g} for {count} answers"
    if first.unit not in (FRACTION, POINTS):
        return Marks(said=said)
    best = first.of_loss(0.0)
    if abs(value - best) <= NEAR * max(1.0, abs(best)):
        return Marks(said=said)
    short = [score.item for score in scores if score.values.get(first.id) not in (best, None)]
    named = f" ({_listed(short)})" if short else ""
    return Marks(
        f"the right answers get {first.id} {value:g} of {best:g}{named}\n"
        "the target, or the form of the answer that the prompt asks for, does not fit the metric"
    )


def right_answer(item: Item) -> Response | None:
    """What a model would answer that knows everything; None where a reply cannot show it."""
    if item.problem is not None:
        return None
    match item.target:
        case Contrast(correct=correct):
            return Response(item.id, text="", logprobs=(-1.0 if correct else -2.0,))
        case Choice(gold=None) | Open() | Short(answers=()) | OcrText(text=None) | Contains(answers=()):
            return None
        case Short(answers=(text, *_)) | Contains(answers=(text, *_)) | Translation(references=(text, *_)):
            return Response(item.id, text=text)
        case Choice(target=text) | OcrText(text=text):
            return Response(item.id, text=text)
        case _:
            return None


def contradicts(item: Item) -> bool:
    """Whether a choice compares with the letter or the words of another option than the right one."""
    choice = item.target
    if not isinstance(choice, Choice) or choice.gold is None:
        return False
    names = [chr(ord("A") + place) for place in range(len(choice.options))] if choice.letters else choice.options
    return choice.target in names and names[choice.gold] != choice.target


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (", ..." if names[SHOWN:] else "")
