"""Every answer of a run as right or wrong, whatever its task: what is said of languages and words over all tasks.

A choice is right when the right option was read from it, another answer when it has lost no more than half of what can
be lost. Knows the diagnosis and targets; no table.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from tvbench.analysis.diagnosed import Diagnosed
from tvbench.analysis.diagnosis.answers import Answer, gold_texts
from tvbench.scoring.choice import verdict_of
from tvbench.scoring.normalise import normalise, words, written_without_blanks
from tvbench.types import Choice, Contains, Item, OcrText, Short, Translation

HALF = 0.5
SAMPLED = 300
LONGEST_PIECE = 4
"""Characters of a piece of text in a script without blanks."""


@dataclass(frozen=True, slots=True)
class RightCount:
    """`right` of `items` answers."""

    right: int
    items: int


@dataclass(frozen=True)
class Mark:
    """One answer. `unit` is its picture, `chance` the probability of being right by guessing."""

    task: str
    answer: Answer
    right: bool

    @property
    def item(self) -> Item:
        return self.answer.item

    @property
    def key(self) -> tuple[str, str]:
        return self.task, self.item.id

    @property
    def unit(self) -> str:
        return f"{self.task}/{self.item.cluster or self.item.id}"

    @property
    def chance(self) -> float:
        target = self.item.target
        return 1 / len(target.options) if isinstance(target, Choice) and target.options else 0.0

    @cached_property
    def said(self) -> frozenset[str]:
        """The words of the answer."""
        return pieces(self.answer.text)

    @cached_property
    def wanted(self) -> frozenset[str]:
        """The words of the right answer."""
        return pieces(*right_texts(self.item))

    @cached_property
    def asked(self) -> frozenset[str]:
        """The words of the question, without the options; none of a translation, whose source is in another
        language."""
        return frozenset() if isinstance(self.item.target, Translation) else pieces(*_question(self.item))


@dataclass(frozen=True)
class MarkedLanguage:
    """All marked answers in one language."""

    code: str
    marks: Sequence[Mark] = field(default_factory=list)

    @property
    def right(self) -> int:
        return sum(mark.right for mark in self.marks)

    @property
    def rate(self) -> float:
        return self.right / len(self.marks)

    @property
    def chance(self) -> float:
        return sum(mark.chance for mark in self.marks) / len(self.marks)

    def only(self, tasks: Iterable[str]) -> MarkedLanguage:
        """What is of these tasks."""
        names = set(tasks)
        return MarkedLanguage(self.code, [mark for mark in self.marks if mark.task in names])

    def tasks(self) -> dict[str, MarkedLanguage]:
        """The same by task."""
        found: dict[str, list[Mark]] = {}
        for mark in self.marks:
            found.setdefault(mark.task, []).append(mark)
        return {name: MarkedLanguage(self.code, marks) for name, marks in found.items()}

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        """The words of its questions and right answers, of the first SAMPLED; pages of text are left out."""
        marks = [mark for mark in self.marks if not isinstance(mark.item.target, OcrText)][:SAMPLED]
        return frozenset().union(*(mark.wanted | mark.asked for mark in marks))


def marked(tasks: Iterable[Diagnosed]) -> dict[str, MarkedLanguage]:
    """All languages with an answer that is right or wrong."""
    found: dict[str, list[Mark]] = {}
    for task in tasks:
        for code, answers in task.answers.items():
            for answer in answers:
                if (right := is_right(answer)) is not None:
                    found.setdefault(code, []).append(Mark(task.name, answer, right))
    return {code: MarkedLanguage(code, marks) for code, marks in sorted(found.items())}


def is_right(answer: Answer) -> bool | None:
    """None where that is not known: no score yet, no right answer, half of a contrast."""
    target = answer.item.target
    if answer.score.unscored is not None:
        return None
    if isinstance(target, Choice):
        return verdict_of(target, answer.text).aligned if target.gold is not None else None
    if answer.lost is not None:
        return answer.lost <= HALF
    value = answer.score.values.get("accuracy")
    return None if value is None else value >= HALF


def right_texts(item: Item) -> tuple[str, ...]:
    """What would be right, in words: the option, not its letter."""
    target = item.target
    if isinstance(target, Choice):
        return () if target.gold is None or not target.options else (target.options[target.gold],)
    return gold_texts(item)


def is_closed(item: Item) -> bool:
    """Whether the right answer is one of few: an option or a short answer, not a text that can be put otherwise."""
    return isinstance(item.target, Choice | Short | Contains)


def _question(item: Item) -> list[str]:
    """The lines of the prompt that are no options."""
    target = item.target
    shown = (*target.options, *target.shown) if isinstance(target, Choice) else ()
    options = {normalise(option) for option in shown}
    lines = [line for message in item.messages for part in message.parts if isinstance(part, str) for line in
             part.splitlines()]  # fmt: skip
    return [
        line for line in lines if normalise(line) not in options and normalise(_without_letter(line)) not in options
    ]


def _without_letter(line: str) -> str:
    return re.sub(r"^\W?\w\W+", "", line.strip())


def pieces(*texts: str) -> frozenset[str]:
    """The words of the texts; of a script without blanks all pieces of two to LONGEST_PIECE characters."""
    found: set[str] = set()
    for text in texts:
        for word in words(text).split():
            if not word.isascii() and written_without_blanks(word):
                found |= {word[at : at + size] for size in range(2, LONGEST_PIECE + 1) for at in
                          range(len(word) - size + 1)} or {word}  # fmt: skip
            else:
                found.add(word)
    return frozenset(found)
