"""Wrong language in the answers of one language, less what the same check says of the right answers.

The false-alarm rate is the share of references (and options) of the same items that the identifiers reject; the
estimate is the observed share minus it, and never below 0. Loops, copies of an option and texts read from pictures are
not judged: their language is not the model's choice.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tvbench.analysis.diagnosis.answers import Answer, gold_texts
from tvbench.analysis.diagnosis.language_id import Identifiers
from tvbench.scoring.normalise import normalise, without_markdown
from tvbench.types import Choice, Item, Open, Short, Translation

NOISE = 1.96
"""Standard errors of the difference of two shares that an estimate must exceed to be called clear."""
_NOT_JUDGED = frozenset({"empty", "repetition", "stuck", "copied"})


@dataclass(frozen=True, slots=True)
class LanguageCheck:
    """`judged` answers, of which `alarms` (item id to the language found, "" for unclear) were rejected; and
    `references` right texts, of which `false_alarms` were."""

    judged: int = 0
    alarms: Mapping[str, str] = field(default_factory=dict)
    references: int = 0
    false_alarms: int = 0

    @property
    def observed(self) -> float:
        """The share of judged answers that were rejected."""
        return len(self.alarms) / self.judged if self.judged else 0.0

    @property
    def false_alarm_rate(self) -> float:
        """The share of references that were rejected; 0 where none could be judged."""
        return self.false_alarms / self.references if self.references else 0.0

    @property
    def estimate(self) -> float:
        """The share of judged answers in the wrong language, false alarms subtracted."""
        return max(0.0, self.observed - self.false_alarm_rate)

    @property
    def weight(self) -> float:
        """How much of an alarm to believe: the estimate over the observed share."""
        return self.estimate / self.observed if self.alarms else 0.0

    @property
    def clear(self) -> bool:
        """Whether the estimate is above the noise of the two shares; never without references to hold it against."""
        if not self.alarms or not self.references:
            return False
        pooled = (len(self.alarms) + self.false_alarms) / (self.judged + self.references)
        spread = math.sqrt(pooled * (1 - pooled) * (1 / self.judged + 1 / self.references))
        return self.estimate > NOISE * spread

    @property
    def mostly(self) -> str:
        """The language that most alarms found, "" where that is unclear."""
        named = Counter(code for code in self.alarms.values() if code)
        return min(named, key=lambda code: (-named[code], code)) if named else ""


def check_languages(answers: Iterable[Answer], items: Iterable[Item], identifiers: Identifiers) -> LanguageCheck:
    """The check over `answers`, calibrated on the right texts of `items`: all of one task and one language."""
    judged, alarms = 0, {}
    for answer in answers:
        if not is_judged(answer):
            continue
        judgement = identifiers.judge(answer.text, answer.item.language)
        if judgement is not None:
            judged += 1
            if not judgement.accepted:
                alarms[answer.item.id] = judgement.found
    if not judged:
        return LanguageCheck()
    right = [identifiers.judge(text, item.language) for item in items for text in _right_texts(item)]
    known = [judgement for judgement in right if judgement is not None]
    return LanguageCheck(judged, alarms, len(known), sum(not judgement.accepted for judgement in known))


def is_judged(answer: Answer) -> bool:
    """Whether the language of an answer is the model's choice: no loop, no copy of the source or of an option."""
    if _NOT_JUDGED & set(answer.seen):
        return False
    if isinstance(answer.item.target, Choice):
        return not _from_options(answer.text, answer.item.target)
    return isinstance(answer.item.target, Translation | Open | Short)


def _from_options(text: str, choice: Choice) -> bool:
    """Whether the reply is an option, or a piece of one: words that the prompt put there."""
    reply = normalise(without_markdown(text))
    return any(reply in normalise(without_markdown(line)) for line in (*choice.options, *choice.shown))


def _right_texts(item: Item) -> tuple[str, ...]:
    return gold_texts(item) if isinstance(item.target, Choice | Translation | Open | Short) else ()
