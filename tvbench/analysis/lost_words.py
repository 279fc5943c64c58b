"""Words that a model has no more: what it gets wrong is gathered in the questions that need one word.

Looked at are closed questions, whose right answer is one of few: a translation can be put otherwise. Of one run alone
only words count that no answer has, though right answers want them; of two runs, words whose questions were right
before. Tested as scoring/concentration.py says. Knows marks; knows no run folder and no table.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Set
from dataclasses import dataclass

from tvbench.analysis.marks import Language, Mark, Share, is_closed
from tvbench.scoring.concentration import Universe, gathered
from tvbench.scoring.normalise import words
from tvbench.types import Choice


@dataclass(frozen=True, slots=True)
class LostWord:
    """A word of the right answers (`answer`) or of the questions. `now` and `before` count the questions with it,
    `others` those of the language without it; `said` and `said_before` how many answers have the word."""

    language: str
    word: str
    answer: bool
    now: Share
    before: Share | None
    others: Share
    others_before: Share | None
    said: int
    said_before: int | None
    p: float


def lost_words(now: Mapping[str, Language], before: Mapping[str, Language] | None) -> list[LostWord]:
    """Words in closed questions that the loss is gathered in. Of one run alone only words that no answer has."""
    universes = {
        code: made
        for code, language in now.items()
        if (made := _universe(language, None if before is None else before[code])).marked
    }
    whole = {words(text) for language in now.values() for mark in language.marks for text in _whole(mark)}
    found = gathered(universes, lambda word: 0.0 if word in whole else float(len(word)))
    told = [_lost_word(now[one.universe], before, one.group, one.p) for one in found]
    return [word for word in told if word.before is not None or (word.answer and not word.said)]


def _whole(mark: Mark) -> tuple[str, ...]:
    target = mark.item.target
    return target.options if isinstance(target, Choice) else ()


def _universe(now: Language, before: Language | None) -> Universe:
    was = None if before is None else {mark.key: mark.right for mark in before.marks}
    closed = [mark for mark in now.marks if _is_told(mark, alone=was is None)]
    marked = {mark.unit for mark in closed if not mark.right and (was is None or was[mark.key])}
    groups: dict[str, Set[Hashable]] = {}
    for mark in closed:
        for word in mark.wanted if was is None else mark.wanted | mark.asked:
            groups[word] = {*groups.get(word, ()), mark.unit}
    return Universe({mark.unit for mark in closed}, marked, groups)


def _is_told(mark: Mark, *, alone: bool) -> bool:
    """Whether the words of a right answer are looked at. Of one run they are where the answer itself has to have them:
    a letter has no words."""
    target = mark.item.target
    return is_closed(mark.item) and not (alone and isinstance(target, Choice) and target.letters)


def _lost_word(now: Language, before: Mapping[str, Language] | None, word: str, p: float) -> LostWord:
    alone = before is None
    was = None if before is None else before[now.code]
    held = [mark for mark in now.marks if _is_told(mark, alone=alone)]
    answer = any(word in mark.wanted for mark in held)
    return LostWord(
        now.code,
        word,
        answer,
        _share(held, word, alone),
        None if was is None else _share(was.marks, word, alone),
        _others(held, word, alone),
        None if was is None else _others([mark for mark in was.marks if is_closed(mark.item)], word, alone),
        sum(word in mark.said for mark in now.marks),
        None if was is None else sum(word in mark.said for mark in was.marks),
        p,
    )


def _has(mark: Mark, word: str, alone: bool) -> bool:
    return is_closed(mark.item) and (word in mark.wanted or (not alone and word in mark.asked))


def _share(marks: Iterable[Mark], word: str, alone: bool) -> Share:
    kept = [mark.right for mark in marks if _has(mark, word, alone)]
    return Share(sum(kept), len(kept))


def _others(marks: Iterable[Mark], word: str, alone: bool) -> Share:
    kept = [mark.right for mark in marks if not _has(mark, word, alone)]
    return Share(sum(kept), len(kept))
