"""Questions that hold words of the right option, and of no other: "the dish that primarily features bacon", with "Bacon
and eggs" as the right one.

What counts are an option's own words: those that no other option has, and that not many questions of the language have.
Scripts without blanks are held against each other by a few characters in a row. Some are there by chance; how many, the
wrong options tell: how often a question holds own words of one wrong option, and of no other. Knows texts; no item, no
answer and no score.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from tvbench.scoring.normalise import is_number, words, written_without_blanks

SHARE, OTHERS = 1 / 3, 1 / 5
"""An option is in a question with so much of the weight of its own words at least, and the others with no more than the
second."""
FREQUENT, LEAST_FREQUENT = 0.05, 3
"""A word in more than this share of the texts (and in more texts than this) says nothing."""
SHORTEST = 3
GRAM, LONG_GRAM = 2, 4
"""Characters in a row: of Chinese, Japanese and Korean, and of Thai and its neighbours."""
STEM, STEM_SHARE = 5, 0.7
"""Two words are one that begin with as many letters alike, and with this share of the longer one."""


@dataclass(frozen=True, slots=True)
class GiveAways:
    """Of `items` questions with options, those that hold words of the right option alone; `expected` by chance, as the
    wrong options tell; `p`, how probable so many would be if each option were as likely to be held."""

    items: int
    found: int
    expected: float
    p: float

    @property
    def excess(self) -> float:
        return self.found - self.expected


@dataclass(frozen=True)
class PosedQuestion:
    """A question and its options; `whole` are the places of options that stand in it as they are."""

    item: str
    question: str
    options: tuple[str, ...]
    gold: int
    whole: frozenset[int] = frozenset()

    @cached_property
    def held(self) -> frozenset[str]:
        return frozenset(tokens(self.question))


def tokens(text: str) -> list[str]:
    """The words of a text; of words in a script without blanks, what a few characters in a row make."""
    found: list[str] = []
    for word in words(text).split():
        if written_without_blanks(word):
            gram = LONG_GRAM if ord(word[0]) < 0x1100 or 0x1780 <= ord(word[0]) < 0x1800 else GRAM
            found += [word[at : at + gram] for at in range(max(1, len(word) - gram + 1))]
        elif len(word) >= SHORTEST and not is_number(word):
            found.append(word)
    return found


def give_aways(asked: Sequence[PosedQuestion]) -> tuple[dict[str, str], GiveAways]:
    """Of one language: by item what was seen, and the count with what is expected by chance."""
    questions = Counter(word for one in asked for word in one.held)
    frequent = max(LEAST_FREQUENT, FREQUENT * len(asked))
    dull = {word for word, count in questions.items() if count > frequent}
    everywhere = Counter(word for one in asked for word in one.held.union(*map(tokens, one.options)))
    weights = {word: math.log(1 + len(asked) / count) for word, count in everywhere.items()}
    found: dict[str, str] = {}
    expected, chances = 0.0, []
    for one in asked:
        place, seen = _alone(one, weights, dull)
        if place is None or place in one.whole:
            continue
        chances.append(1 / len(one.options))
        if place == one.gold:
            found[one.item] = f"'{one.options[place]}' with {', '.join(seen)}, in: {one.question}"
        else:
            expected += 1 / (len(one.options) - 1)
    return found, GiveAways(len(asked), len(found), expected, at_least(len(found), chances))


def _alone(one: PosedQuestion, weights: Mapping[str, float], dull: set[str]) -> tuple[int | None, tuple[str, ...]]:
    """The place of the only option with own words in the question, enough of them, and these words."""
    sets = [set(tokens(option)) for option in one.options]
    several = Counter(word for option in sets for word in option)
    held: list[tuple[int, float, tuple[str, ...]]] = []
    for place, option in enumerate(sets):
        own = {word for word in option if several[word] == 1 and word not in dull}
        seen = tuple(sorted(word for word in own if _stands(word, one.held)))
        share = math.fsum(weights[word] for word in seen) / math.fsum(weights[word] for word in own) if seen else 0.0
        if share > OTHERS:
            held.append((place, share, seen))
    if len(held) != 1 or held[0][1] < SHARE:
        return None, ()
    return held[0][0], held[0][2]


def _stands(word: str, held: frozenset[str]) -> bool:
    """Whether the word is in the question, in this form or another one with the same beginning."""
    if word in held:
        return True
    if len(word) < STEM:
        return False
    return any(_alike(word, other) for other in held if other[:STEM] == word[:STEM])


def _alike(one: str, other: str) -> bool:
    same = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    return same >= max(STEM, STEM_SHARE * max(len(one), len(other)))


def at_least(count: int, chances: Iterable[float]) -> float:
    """The probability of `count` or more successes of independent trials with these chances."""
    law = [1.0]
    for chance in chances:
        law = [
            (law[at] if at < len(law) else 0.0) * (1 - chance) + (law[at - 1] * chance if at else 0.0)
            for at in range(len(law) + 1)
        ]
    return min(1.0, math.fsum(law[count:]))
