"""One run, explained: per task and language what the answers look like, what the loss is due to, and examples.

Reads a run folder and scores its stored answers anew; asks no model and needs no data. Knows runs and the diagnosis; no
table and no command line.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tvbench.analysis.assess import scored_tasks
from tvbench.analysis.diagnosed import Diagnosed, diagnosed
from tvbench.analysis.diagnosis.answers import Answer, gold_texts
from tvbench.analysis.diagnosis.confusion import Confusion, confusion
from tvbench.analysis.diagnosis.language_check import LanguageCheck, check_languages
from tvbench.analysis.diagnosis.language_id import Identifiers
from tvbench.analysis.diagnosis.loss import WRONG_LANGUAGE, Losses, attribute, causes_of
from tvbench.analysis.diagnosis.position import PlaceBias, Position, place_biases, positions
from tvbench.runs.store import RunFolder
from tvbench.scoring.metric import FRACTION, POINTS, Metric
from tvbench.types import Choice, Item, Response

CLIP = 160
"""Characters of a text that an example shows."""


@dataclass(frozen=True, slots=True)
class Example:
    """One answer under one cause. `prompt` is the end of what was asked; all texts are clipped to CLIP characters."""

    cause: str
    item: str
    prompt: str
    gold: str
    answer: str
    lost: float | None


@dataclass(frozen=True, slots=True)
class LanguageExplanation:
    """One language of a task. `counts` are answers by cause, an answer under each of its causes; `check` is None where
    the language was not judged, `position` where nothing is multiple choice. `scored` answers have the metric, and
    `value` is its mean over them (None: it has no values of single answers)."""

    language: str
    items: int
    answered: int
    failed: int
    counts: Mapping[str, int]
    losses: Losses
    check: LanguageCheck | None
    position: Position | None
    examples: tuple[Example, ...]
    scored: int = 0
    value: float | None = None
    confusion: Confusion | None = None


@dataclass(frozen=True, slots=True)
class TaskExplanation:
    """One task, its worst language first. `metric` is what the loss is counted in (in words: `counted_in`), `primary`
    the headline metric. `no_loss` says why what an item lost cannot be told, `facts` are those of `metric`. `bias` is
    None where nothing is multiple choice."""

    task: str
    protocol: str
    primary: str
    metric: str
    languages: tuple[LanguageExplanation, ...]
    warnings: tuple[str, ...] = field(default=())
    counted_in: str = ""
    no_loss: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)
    bias: PlaceBias | None = None


def explain_run(
    run: RunFolder,
    identifiers: Identifiers | None,
    *,
    tasks: Sequence[str] = (),
    languages: Sequence[str] = (),
    examples: int = 10,
) -> list[TaskExplanation]:
    """Every chosen task of the run (none named: all of them), in the run's order.

    Raises UsageError for a damaged folder, and for a task or language that the run has not.
    """
    return explain_tasks(
        [diagnosed(task, identifiers) for task in scored_tasks(run, tasks, languages).values()], identifiers, examples
    )


def explain_tasks(found: Sequence[Diagnosed], identifiers: Identifiers | None, examples: int) -> list[TaskExplanation]:
    """The same of tasks whose answers are diagnosed already."""
    explained = [_explain_task(task, identifiers, examples) for task in found]
    biases = place_biases([_places(task, part) for task, part in zip(found, explained, strict=True)])
    return [
        replace(part, bias=bias if any(one.position for one in part.languages) else None)
        for part, bias in zip(explained, biases, strict=True)
    ]


def _places(found: Diagnosed, explained: TaskExplanation) -> dict[str, tuple[Position, Sequence[Answer]]]:
    positioned = {part.language: part.position for part in explained.languages if part.position is not None}
    return {code: (place, found.answers[code]) for code, place in sorted(positioned.items())}


def _explain_task(found: Diagnosed, identifiers: Identifiers | None, examples: int) -> TaskExplanation:
    entry, counted = found.task.entry, found.counted
    parts = [_explain_language(found, code, identifiers, examples) for code in found.items]
    parts.sort(key=lambda part: (-(part.losses.mean or 0.0), -counted.order(part.value or 0.0), part.language))
    return TaskExplanation(
        entry.task,
        entry.protocol,
        entry.primary,
        counted.id,
        tuple(parts),
        entry.warnings,
        counted.loss_label or counted.label,
        _no_loss(counted),
        {name: getattr(counted, name) for name in ("label", "unit", "better")},
    )


def _no_loss(counted: Metric) -> str:
    """Why nothing can be said of what single items lost, whatever they were answered; "" where something can."""
    if type(counted).loss is not Metric.loss:
        return ""
    if counted.of_corpora:
        return f"{counted.label} is a figure of all answers together: what a single answer lost cannot be told"
    if counted.unit not in (FRACTION, POINTS):
        return f"{counted.label} has no scale from worst to best: what an answer lost cannot be told"
    return ""


def _explain_language(
    task: Diagnosed, code: str, identifiers: Identifiers | None, examples: int
) -> LanguageExplanation:
    items, found, counted = task.items[code], task.answers[code], task.counted
    check = None if identifiers is None else check_languages(found, items, identifiers)
    failed = sum(item.problem is not None or _failed(task.task.answers.get(item.id)) for item in items)
    losses = attribute(found, check)
    values = [one for answer in found if (one := _value(answer, counted)) is not None]
    return LanguageExplanation(
        language=items[0].language,
        items=len(items),
        answered=len(found),
        failed=failed,
        counts=_counts(found, check),
        losses=losses,
        check=check,
        position=positions(items, found),
        examples=tuple(_examples(found, check, losses, examples)),
        scored=len(values) or losses.items,
        value=sum(values) / len(values) if values else None,
        confusion=None if identifiers is None else confusion(found, code, identifiers),
    )


def _value(answer: Answer, counted: Metric) -> float | None:
    return None if answer.score.unscored is not None else answer.score.values.get(counted.id)


def _failed(response: Response | None) -> bool:
    return response is not None and response.error is not None


def _counts(answers: Iterable[Answer], check: LanguageCheck | None) -> dict[str, int]:
    counts: dict[str, int] = {}
    for answer in answers:
        for cause in answer.seen:
            counts[cause] = counts.get(cause, 0) + 1
    if check is not None and check.alarms:
        counts[WRONG_LANGUAGE] = len(check.alarms)
    return counts


# ── Examples ──────────────────────────────────────────────────────────────────────────────────────


def _examples(answers: Sequence[Answer], check: LanguageCheck | None, losses: Losses, wanted: int) -> list[Example]:
    """Up to `wanted` answers that lost points, the causes in turn, the costliest cause first.

    Within a cause the answers are drawn by the digest of their id: always the same ones, and no particular ones.
    """
    groups: dict[str, list[Answer]] = {}
    for answer in sorted(answers, key=_draw):
        if answer.lost is None and not answer.seen or answer.lost == 0:
            continue
        groups.setdefault(causes_of(answer, check)[0], []).append(answer)
    order = sorted(groups, key=lambda cause: (-losses.share(cause), cause))
    chosen: list[tuple[str, Answer]] = []
    for turn in range(max(map(len, groups.values()), default=0)):
        chosen += [(cause, groups[cause][turn]) for cause in order if turn < len(groups[cause])]
        if len(chosen) >= wanted:
            break
    chosen = sorted(chosen[:wanted], key=lambda pair: order.index(pair[0]))
    return [_example(cause, answer) for cause, answer in chosen]


def _draw(answer: Answer) -> bytes:
    return hashlib.sha256(answer.item.id.encode("utf-8", "surrogatepass")).digest()


def _example(cause: str, answer: Answer) -> Example:
    return Example(
        cause,
        answer.item.id,
        _end_of_prompt(answer.item),
        clipped(_gold(answer.item)),
        clipped(answer.text or answer.item.continuation or _end_of(answer.thinking)),
        answer.lost,
    )


def _gold(item: Item) -> str:
    choice = item.target
    if not isinstance(choice, Choice):
        return next(iter(gold_texts(item)), "")
    option = choice.options[choice.gold] if choice.gold is not None and choice.options else ""
    if choice.letters:
        return f"{choice.target}. {option}"
    return option if choice.target == option else f"{option} (compared with: {choice.target})"


def _end_of_prompt(item: Item) -> str:
    asked = "\n".join(part for message in item.messages for part in message.parts if isinstance(part, str)).strip()
    return asked if len(asked) <= CLIP else "… " + asked[-CLIP:]


def _end_of(thinking: str) -> str:
    """How far the thinking came, of a reply that is nothing else."""
    return f"(thinking) {thinking}" if thinking else ""


def clipped(text: str) -> str:
    """The beginning of `text`, and of a long one its end as well: loops and missing ends show there."""
    plain = text.strip()
    return plain if len(plain) <= CLIP else f"{plain[: CLIP * 2 // 3]} … {plain[-CLIP // 3 :]}"
