"""What a model that knows everything would answer to a task's items, and what the task's metrics make of it.

Knows items and scores; builds no task.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tvbench.scoring import score_items, summarise
from tvbench.scoring.metric import FRACTION, POINTS, Metric
from tvbench.scoring.metrics import BUILTIN, known, metric
from tvbench.scoring.task_metrics import chosen, declared_facts, named_metrics, own_metrics
from tvbench.types import Choice, Contains, Contrast, Item, OcrText, Open, Response, Score, Short, Task, Translation

SHOWN, CLIP = 3, 24
"""Items that are named, and characters of a reply that is."""
NEAR = 1e-6
OTHER_REPLIES = ("", "I see a picture, and I am not sure what it shows. " * 4)
"""What models answer too: nothing, and something long that is wrong."""


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
    if failing := next((text for text in _failing(used, scores)), None):
        return Marks(failing)
    figure = summarise(task.name, protocol, primary, "", asked, answers, scores, used).metrics.get(primary)
    if figure is None:
        return _without_value(first, asked, scores)
    found = _compared(first, figure.value, scores, len(answers))
    return found if found.failed else Marks(_fails_on(asked, used), found.said)


def _failing(metrics: Sequence[Metric], scores: Sequence[Score]) -> Iterator[str]:
    """Metrics whose code fails on right answers, the headline metric or not."""
    for one in metrics:
        failed = [score for score in scores if one.id in score.failures]
        names = [score.item for score in failed]
        if failed:
            yield (
                f"{one.id} fails on {len(failed)} of {len(scores)} right answers ({_listed(names)}): "
                f"{failed[0].failures[one.id]}\ncorrect the scorer: it gives a number, or None where there is none"
            )


def _fails_on(items: Sequence[Item], metrics: Sequence[Metric]) -> str:
    """Which metric that is not tvbench's own has no value for a reply that is not right, and why."""
    others = [one for one in metrics if one.id not in BUILTIN]
    items = [item for item in items if item.continuation is None]
    for text in OTHER_REPLIES if others else ():
        replies = {item.id: Response(item.id, text=text) for item in items}
        for score in score_items(items, replies, (), others):
            for name, reason in score.failures.items():
                return (
                    f"{name} has no value for the reply {_clipped(text)!r} to {score.item}: {reason}\n"
                    "give every reply a figure: bad answers without one make a mean look better than it is"
                )
    return ""


def _clipped(text: str) -> str:
    return text if len(text) <= CLIP else f"{text[:CLIP]}..."


def _without_value(first: Metric, items: Sequence[Item], scores: Sequence[Score]) -> Marks:
    if not first.computes:
        return Marks(said=f"{first.label} is not computed from the text alone", tried=False)
    reasons = sorted({score.unscored for score in scores if score.unscored})
    said = f"{first.id} has no value for them" + (f" ({reasons[0]})" if reasons else "")
    fitting = [one.id for one in known() if one.computes and any(map(one.applies, items))]
    kinds = ", ".join(dict.fromkeys(type(item.target).__name__ for item in items))
    return Marks(f"{said}\nmetrics of {kinds}: {', '.join(fitting) or 'none'}")


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
