"""Words that a model has no more: what it gets wrong is gathered in the questions that need one word.

Looked at are closed questions, whose right answer is one of few: a translation can be put otherwise. Of two runs words
count whose questions were right before. Of one run alone only words that no answer has, though right answers of a kind
of question want them that is otherwise mostly answered right: where a whole kind fails, no word is the cause. Tested as
scoring/concentration.py says. Knows marks; knows no run folder and no table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Mapping, Set
from dataclasses import dataclass

from tvbench.analysis.marks import Mark, MarkedLanguage, RightCount, is_closed
from tvbench.scoring.concentration import Universe, gathered
from tvbench.scoring.normalise import words
from tvbench.types import Choice

ASKED = "\0asked"
"""Behind the name of a group: questions with the word are in it, not only those whose right answer has it."""
MOSTLY = 2 / 3
"""What must be right of the other questions of a kind, before a word is the cause."""


@dataclass(frozen=True, slots=True)
class LostWord:
    """A word of the right answers (`answer`), or of these and the questions. `now` and `before` count the questions
    with it, `others` those without it, of the language or, in one run alone, of the same kind, of which `said` answers
    have the word then; `said_before` is of the language."""

    language: str
    word: str
    answer: bool
    now: RightCount
    before: RightCount | None
    others: RightCount
    others_before: RightCount | None
    said: int
    said_before: int | None
    p: float


def lost_words(now: Mapping[str, MarkedLanguage], before: Mapping[str, MarkedLanguage] | None) -> list[LostWord]:
    """Words in closed questions that the loss is gathered in."""
    parts = now if before is None else {code: language for code, language in now.items() if code in before}
    if before is None:
        parts = {name: part for language in now.values() for name, part in _kinds(language).items()}
    universes = {
        name: made
        for name, part in parts.items()
        if (made := _universe(part, None if before is None else before[name])).marked
    }
    whole = {words(text) for language in now.values() for mark in language.marks for text in _whole(mark)}
    found = gathered(universes, lambda group: _rank(group, whole))
    told = [_lost_word(parts[one.universe], now, before, one.group, one.p) for one in found]
    return [word for word in told if before is not None or _is_gone(word)]


def _rank(group: str, whole: Set[str]) -> float:
    """Whole answers before pieces of text, short ones before long, right answers before questions."""
    word = group.removesuffix(ASKED)
    return (0 if word in whole else len(word)) + (0.5 if group.endswith(ASKED) else 0.0)


def _is_gone(word: LostWord) -> bool:
    return not word.said and word.others.right >= MOSTLY * word.others.items


def _whole(mark: Mark) -> tuple[str, ...]:
    target = mark.item.target
    return target.options if isinstance(target, Choice) else ()


def _kinds(language: MarkedLanguage) -> dict[str, MarkedLanguage]:
    """The questions of a language whose answers have to have the words of the right one (a letter has none), by task
    and category."""
    kinds: dict[str, list[Mark]] = {}
    for mark in language.marks:
        target, tags = mark.item.target, mark.item.tags
        if is_closed(mark.item) and not (isinstance(target, Choice) and target.letters):
            kind = tags.get("category") or tags.get("question_type") or ""
            kinds.setdefault(f"{language.code} {mark.task} {kind}", []).append(mark)
    return {name: MarkedLanguage(language.code, marks) for name, marks in kinds.items()}


def _universe(now: MarkedLanguage, before: MarkedLanguage | None) -> Universe:
    was = None if before is None else {mark.key: mark.right for mark in before.marks}
    closed = [mark for mark in now.marks if is_closed(mark.item)]
    marked = {mark.unit for mark in closed if not mark.right and (was is None or was[mark.key])}
    groups: defaultdict[str, set[Hashable]] = defaultdict(set)
    for mark in closed:
        for word in mark.wanted:
            groups[word].add(mark.unit)
        for word in mark.wanted | mark.asked if was is not None else ():
            groups[word + ASKED].add(mark.unit)
    return Universe({mark.unit for mark in closed}, marked, groups)


def _lost_word(
    part: MarkedLanguage,
    now: Mapping[str, MarkedLanguage],
    before: Mapping[str, MarkedLanguage] | None,
    group: str,
    p: float,
) -> LostWord:
    word, asked = group.removesuffix(ASKED), group.endswith(ASKED)
    was = None if before is None else before[part.code]
    sides = [_shares(language, word, asked) for language in (part, was) if language is not None]
    (held, others), (held_before, others_before) = sides[0], sides[1] if len(sides) > 1 else (None, None)
    return LostWord(
        part.code,
        word,
        not asked,
        held,
        held_before,
        others,
        others_before,
        sum(word in mark.said for mark in (part if before is None else now[part.code]).marks),
        None if was is None else sum(word in mark.said for mark in was.marks),
        p,
    )


def _shares(language: MarkedLanguage, word: str, asked: bool) -> tuple[RightCount, RightCount]:
    """Of the closed questions: those with the word, and the others."""
    closed = [mark for mark in language.marks if is_closed(mark.item)]
    held = [mark.right for mark in closed if word in mark.wanted or (asked and word in mark.asked)]
    right = sum(mark.right for mark in closed)
    return RightCount(sum(held), len(held)), RightCount(right - sum(held), len(closed) - len(held))
