"""What is wrong with the options of an item: too few or too many of them, an empty one, a list that was not split, and
letters out of order.

How many are usual is the number that four fifths of the items of one language and question type have; the same question
in other languages tells it too. Knows items; no answer and no score.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from tvbench.scoring.normalise import is_blank, normalise
from tvbench.types import Choice, Item

USUAL_SHARE, USUAL_OF = 0.8, 5
"""A number of options is usual that this share of a kind's items has, from so many items on."""
_LETTERS = re.compile(r"(?:^|[\s(])([A-Ga-g])\)\s|(?:^|\s)([A-G])[.\uff0e]\s?(?=\S)")
_NUMBERS = re.compile(r"(?:^|[\s(])([1-7])[.)]\s|([\u2460-\u2466])")
_CIRCLES = {chr(0x2460 + at): str(at + 1) for at in range(7)}
_SEPARATORS = (" / ", " | ", "\n", "; ", "\uff1b", "\u3001", "\u060c ", "\uff0c", ", ", "/", "|")
_SHOWN = re.compile(r"^\s*\(?([A-Z])\s*[.):\uff0e\uff09]\s*(.*)$")


@dataclass(frozen=True, slots=True)
class OptionCounts:
    """Numbers of options that are usual, by kind of item and by question."""

    kinds: Mapping[tuple[str, ...], int]
    questions: Mapping[str, Mapping[str, int]]


def usual_counts(items: Iterable[Item]) -> OptionCounts:
    """What is usual among the items of one task."""
    kinds: defaultdict[tuple[str, ...], Counter[int]] = defaultdict(Counter)
    questions: defaultdict[str, dict[str, int]] = defaultdict(dict)
    for item in items:
        if not isinstance(item.target, Choice) or not item.target.options or item.problem is not None:
            continue
        count = len(item.target.options)
        kinds[_kind(item)][count] += 1
        if question := _question(item):
            questions[question].setdefault(item.language, count)
    usual = {
        kind: number
        for kind, found in kinds.items()
        for number, times in found.most_common(1)
        if found.total() >= USUAL_OF and times >= USUAL_SHARE * found.total()
    }
    return OptionCounts(usual, questions)


def list_faults(item: Item, choice: Choice, counts: OptionCounts) -> Iterator[tuple[str, str]]:
    """(kind of audit.KINDS, what was seen) for an item with options."""
    usual = counts.kinds.get(_kind(item))
    number = len(choice.options)
    if not number:
        return
    if empty := [place for place, option in enumerate(choice.options, 1) if is_blank(option)]:
        yield "empty_option", f"option {', '.join(map(str, empty))} of {number}: {' | '.join(choice.options)}"
    unsplit = next((option for option in choice.options if _several(option, number, usual)), None)
    if unsplit is not None:
        yield "unsplit", f"one of {number} options: '{unsplit}'"
    if usual is not None and number != usual:
        yield "option_count", f"{number} options, {usual} are usual: {' | '.join(choice.options)}"
    elif others := _otherwise(item, number, counts):
        yield "option_count", f"{number} options, {others}: {' | '.join(choice.options)}"
    if choice.shown and len(choice.shown) != number:
        yield "shown_count", f"{len(choice.shown)} lines for {number} options: {' | '.join(choice.shown)}"
    if letters := _out_of_order(item, choice):
        yield "letters", f"the options stand as {', '.join(letters)}"


def _kind(item: Item) -> tuple[str, ...]:
    return item.language, item.tags.get("question_type", "")


def _question(item: Item) -> str:
    """What is shared by items of several languages that are one question, as `explain` has it: the tag `parallel`, or a
    picture and the id without its language; "" where neither is known."""
    if item.tags.get("parallel"):
        return f"parallel {item.tags['parallel']}"
    plain = item.id.removeprefix(f"{item.language}/")
    return f"{plain} of {item.cluster}" if item.cluster and plain != item.id else ""


def _otherwise(item: Item, number: int, counts: OptionCounts) -> str:
    """What the same question has in most of the other languages, where that is another number."""
    others = Counter(
        count for language, count in counts.questions.get(_question(item), {}).items() if language != item.language
    )
    if not others:
        return ""
    usual, times = others.most_common(1)[0]
    agree = 2 * times > others.total() and others[number] == 0
    return f"{usual} in {times} of {others.total()} other languages" if agree else ""


def _several(option: str, number: int, usual: int | None) -> bool:
    """Whether an option is several: letters that follow each other in it or, where options are missing, numbers that
    do, or as many parts as are missing."""
    if _follow([match[1] or match[2] for match in _LETTERS.finditer(option)]):
        return True
    if number > 1 and (usual is None or number >= usual):
        return False
    if _follow([match[1] or _CIRCLES[match[2]] for match in _NUMBERS.finditer(option)]):
        return True
    if any(match.start() for match in _LETTERS.finditer(option)) and usual is not None:
        return True
    wanted = None if usual in (None, 1) else usual
    parts = [sum(map(bool, map(str.strip, option.split(mark)))) for mark in _SEPARATORS]
    return any(number - 1 + count == wanted for count in parts) or (number == 1 and wanted is None and max(parts) > 1)


def _follow(labels: list[str]) -> bool:
    return any(ord(other) == ord(one) + 1 for one, other in zip(labels, labels[1:], strict=False))


def _out_of_order(item: Item, choice: Choice) -> list[str]:
    """The letters that the prompt has before the options, in the options' order, where they are not A, B, C, ..."""
    if not choice.letters:
        return []
    options = [normalise(option) for option in choice.options]
    if len(set(options)) < len(options):
        return []
    texts = [part for message in item.messages for part in message.parts if isinstance(part, str)]
    found = {text: letter for part in texts for letter, text in _lines(part)}
    letters = [found.get(option, "") for option in options]
    return letters if all(letters) and letters != [chr(65 + place) for place in range(len(letters))] else []


def _lines(text: str) -> Iterator[tuple[str, str]]:
    """(letter, normalised rest) of the lines that begin with one."""
    for line in text.split("\n"):
        if match := _SHOWN.match(line):
            yield match[1], normalise(match[2])
