"""One question in several languages: is it answered alike, and what does a language lose against English?

Questions are parallel that have one picture and, but for the language in front, one id (`de/17`, `hi/17`): so do the
tasks here whose languages are translations of one another. An item's tag `parallel` says it otherwise: items of one
task with one such tag are one question. Gaps are paired figures over such questions (scoring/paired.py), and so is what
a run with pictures has above one without. Knows runs and the diagnosis; no table.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from tvbench.analysis.diagnosed import Diagnosed
from tvbench.analysis.diagnosis.answers import Answer
from tvbench.analysis.marks import is_right
from tvbench.languages import ENGLISH
from tvbench.scoring.choice import verdict_of
from tvbench.scoring.paired import Comparison, compare, compare_each, means
from tvbench.types import Choice, Item

RESAMPLES = 2_000
TAG = "parallel"
LEAST = 5
"""Questions in all languages from which on consistency is told."""


@dataclass(frozen=True, slots=True)
class Gap:
    """What `comparison` measures in one language, the other language or run first. Intervals of several languages hold
    all at once, and so does `p`."""

    language: str
    comparison: Comparison
    p: float


@dataclass(frozen=True, slots=True)
class Consistency:
    """`questions` that were answered in all of `languages`. Shares of them: right in all, wrong in all, and with one
    wrong option in more than half of the languages (None: no choices); each beside what independent errors would give.
    """

    languages: tuple[str, ...]
    questions: int
    right: float
    right_expected: float
    wrong: float
    wrong_expected: float
    same_wrong: float | None
    same_wrong_expected: float | None


@dataclass(frozen=True, slots=True)
class Parallel:
    """One task. `gaps` are against `reference`, English or else the best language; `pictures` against a run without
    pictures, the mean over languages as `all`."""

    task: str
    consistency: Consistency | None
    reference: str
    gaps: tuple[Gap, ...]
    pictures: tuple[Gap, ...]


class _Value(NamedTuple):
    value: float
    cluster: str
    answer: Answer


def parallel(found: Diagnosed, blind: Diagnosed | None = None, *, resamples: int = RESAMPLES) -> Parallel | None:
    """None where no question is in several languages and no run without pictures is at hand."""
    values = {code: made for code, answers in sorted(found.answers.items()) if (made := _values(answers))}
    reference, gaps = _gaps(values, resamples)
    pictures = () if blind is None else _pictures(found, blind, resamples)
    if not gaps and not pictures:
        return None
    return Parallel(found.name, _consistency(values), reference, gaps, pictures)


def question_of(item: Item) -> str:
    """What items in several languages share that are one question."""
    if item.tags.get(TAG):
        return f"{TAG} {item.tags[TAG]}"
    return f"{item.id.removeprefix(f'{item.language}/')} of {item.cluster}"


def _values(answers: Sequence[Answer]) -> dict[str, _Value]:
    """By question: what each answer has reached of the metric that losses are counted in, 0 to 1."""
    return {question_of(value.answer.item): value for value in map(_value, answers) if value is not None}


def _value(answer: Answer) -> _Value | None:
    if answer.lost is None:
        return None
    return _Value(1 - answer.lost, answer.item.cluster or answer.item.id, answer)


def _gaps(values: Mapping[str, Mapping[str, _Value]], resamples: int) -> tuple[str, tuple[Gap, ...]]:
    shared = {
        code for code in values if any(values[code].keys() & values[other].keys() for other in values if other != code)
    }
    if not shared:
        return "", ()
    means_of = {code: math.fsum(one.value for one in values[code].values()) / len(values[code]) for code in shared}
    reference = ENGLISH if ENGLISH in shared else max(sorted(shared), key=means_of.__getitem__)
    return reference, _compared(
        {
            code: [(values[reference][name], values[code][name]) for name in values[reference] if name in values[code]]
            for code in sorted(shared - {reference})
        },
        resamples,
    )


def _pictures(found: Diagnosed, blind: Diagnosed, resamples: int) -> tuple[Gap, ...]:
    """Each language against the run without pictures, and all together."""
    pairs: dict[str, list[tuple[_Value, _Value]]] = {}
    for code, answers in sorted(found.answers.items()):
        seen, unseen = _by_item(answers), _by_item(blind.answers.get(code, ()))
        pairs[code] = [(unseen[name], value) for name, value in seen.items() if name in unseen]
    return _compared(pairs, resamples, overall=True)


def _by_item(answers: Sequence[Answer]) -> dict[str, _Value]:
    return {value.answer.item.id: value for value in map(_value, answers) if value is not None}


def _compared(
    pairs: Mapping[str, Sequence[tuple[_Value, _Value]]], resamples: int, *, overall: bool = False
) -> tuple[Gap, ...]:
    kept = {code: pair for code, pair in pairs.items() if pair}
    groups = {
        code: means([one.value for one, _ in pair], [two.value for _, two in pair], [two.cluster for _, two in pair])
        for code, pair in kept.items()
    }
    if not groups:
        return ()
    each = compare_each(list(groups.values()), resamples=resamples)
    gaps = tuple(Gap(code, made, made.adjusted) for code, made in zip(groups, each, strict=True))
    if not overall or len(groups) < 2:
        return gaps
    together = compare(list(groups.values()), resamples=resamples)
    return (Gap("all", together, together.p), *gaps)


# ── Consistency ───────────────────────────────────────────────────────────────────────────────────


def _consistency(values: Mapping[str, Mapping[str, _Value]]) -> Consistency | None:
    """Over the questions that all languages have which share any."""
    counts: dict[str, int] = {}
    for language in values.values():
        for name in language:
            counts[name] = counts.get(name, 0) + 1
    codes = [code for code in values if any(counts[name] > 1 for name in values[code])]
    questions = [name for name in values[codes[0]] if all(name in values[code] for code in codes)] if codes else []
    if len(questions) < LEAST:
        return None
    rows = [[values[code][name].answer for code in codes] for name in questions]
    right = [[bool(is_right(answer)) for answer in row] for row in rows]
    rates = [sum(column) / len(questions) for column in zip(*right, strict=True)]
    same = _same_wrong(rows)
    return Consistency(
        tuple(codes),
        len(questions),
        sum(map(all, right)) / len(questions),
        math.prod(rates),
        sum(not any(row) for row in right) / len(questions),
        math.prod(1 - rate for rate in rates),
        *(same or (None, None)),
    )


def _same_wrong(rows: Sequence[Sequence[Answer]]) -> tuple[float, float] | None:
    """How many questions have one wrong option in more than half of the languages, and how many would have, were the
    wrong ones drawn independently; over choices whose options stand in one order in all languages."""
    found, expected = 0, 0.0
    alike = [row for row in rows if _one_order(row)]
    if not alike:
        return None
    chosen = [[_wrong_option(answer) for answer in row] for row in alike]
    rates = [sum(option is not None for option in column) / len(alike) for column in zip(*chosen, strict=True)]
    for row, options in zip(alike, chosen, strict=True):
        assert isinstance(row[0].item.target, Choice)
        wrong = len(row[0].item.target.options) - 1
        most = max((options.count(option) for option in set(options) if option is not None), default=0)
        found += 2 * most > len(row)
        expected += wrong * _more_than_half([rate / wrong for rate in rates])
    return found / len(alike), min(1.0, expected / len(alike))


def _one_order(row: Sequence[Answer]) -> bool:
    targets = [answer.item.target for answer in row]
    kinds = {(len(t.options), t.gold) for t in targets if isinstance(t, Choice)}
    return (
        len(kinds) == 1
        and all(isinstance(target, Choice) for target in targets)
        and all(size > 1 and gold is not None for size, gold in kinds)
    )


def _wrong_option(answer: Answer) -> int | None:
    assert isinstance(answer.item.target, Choice)
    verdict = verdict_of(answer.item.target, answer.text)
    return None if verdict.aligned or verdict.option == answer.item.target.gold else verdict.option


def _more_than_half(rates: Sequence[float]) -> float:
    """The probability that more than half of independent events happen."""
    chances = [1.0]
    for rate in rates:
        chances = [
            (chances[k] if k < len(chances) else 0.0) * (1 - rate) + (chances[k - 1] * rate if k else 0.0)
            for k in range(len(chances) + 1)
        ]
    return math.fsum(chance for count, chance in enumerate(chances) if 2 * count > len(rates))
