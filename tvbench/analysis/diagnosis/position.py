"""Where the right option stands, where the model looks for it, and what the metric can give at all.

Places are those in which the options were shown, from 0. Where the right option always stands first, a habit of taking
the first cannot be told from knowledge; `gold` shows it. Knows choice items only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tvbench.analysis.diagnosis.answers import Answer
from tvbench.scoring import summarise
from tvbench.scoring.choice import judge
from tvbench.types import Choice, Figure, Item

BASELINES = ("always_first", "strict_ceiling", "chance")
DEPTHS = ("strict", "aligned", "fragment")
ONE_SIDED = 0.9
"""From this share of right options in one place on, position bias cannot be told."""


@dataclass(frozen=True, slots=True)
class Position:
    """Choice items of one language. By place: `gold` right options, `chosen` answers read as it, `score` the mean of
    the metric where the right option stands there. `unread` answers chose nothing that could be read.

    `always_first` and `strict_ceiling` are what copying lines can score under the strict metric; `strict`, `aligned`
    and `fragment` the means of those metrics over the answers. All fractions; None where undefined.
    """

    items: int
    gold: tuple[int, ...]
    chosen: tuple[int, ...]
    score: tuple[float | None, ...]
    unread: int
    always_first: float | None
    strict_ceiling: float | None
    chance: float | None
    strict: float | None
    aligned: float | None
    fragment: float | None

    @property
    def one_sided(self) -> bool:
        """Whether nearly all right options stand in one place."""
        return sum(self.gold) > 0 and max(self.gold) >= ONE_SIDED * sum(self.gold)

    @property
    def excess_first(self) -> float | None:
        """How much more often the first option is chosen than it is right (share of the answers that were read)."""
        if not sum(self.chosen) or not sum(self.gold):
            return None
        return self.chosen[0] / sum(self.chosen) - self.gold[0] / sum(self.gold)


def positions(items: Sequence[Item], answers: Sequence[Answer]) -> Position | None:
    """The positions of one task in one language; None where no item is multiple choice."""
    choices = [item.target for item in items if isinstance(item.target, Choice) and item.problem is None]
    places = max((len(choice.options) for choice in choices), default=0)
    if not places:
        return None
    asked = [answer for answer in answers if isinstance(answer.item.target, Choice)]
    read = [_chosen(answer) for answer in asked]
    baselines = data_baselines(items)
    return Position(
        items=len(choices),
        gold=tuple(sum(choice.gold == place for choice in choices) for place in range(places)),
        chosen=tuple(read.count(place) for place in range(places)),
        score=tuple(_mean_score(asked, place) for place in range(places)),
        unread=read.count(None),
        **{name: _value(baselines.get(name)) for name in BASELINES},
        **{name: _mean([answer.score.values.get(name) for answer in asked]) for name in DEPTHS},
    )


def data_baselines(items: Sequence[Item]) -> dict[str, Figure]:
    """`always_first`, `strict_ceiling` and `chance` of choice items, all together."""
    return dict(summarise("", "", "", "", items, {}, []).micro)


def _chosen(answer: Answer) -> int | None:
    assert isinstance(answer.item.target, Choice)
    verdict = judge(answer.item.target, answer.text)
    if verdict.option is None and verdict.aligned:
        return answer.item.target.gold
    return verdict.option


def _mean_score(answers: Sequence[Answer], place: int) -> float | None:
    return _mean(
        [
            1 - answer.lost
            for answer in answers
            if answer.lost is not None and isinstance(answer.item.target, Choice) and answer.item.target.gold == place
        ]
    )


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _value(metric: Figure | None) -> float | None:
    return None if metric is None else metric.value
