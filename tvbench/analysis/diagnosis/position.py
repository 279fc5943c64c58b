"""Where the right option stands, where the model looks for it, and what the metric can give at all.

Places are those in which the options were shown, from 0. Where the right option always stands first, a habit of taking
the first cannot be told from knowledge; `gold` shows it, and such languages do not enter the test of habits
(scoring/places.py), which is one over all tasks and languages. Knows choice items only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tvbench.analysis.diagnosis.answers import Answer
from tvbench.scoring import summarise
from tvbench.scoring.choice import judge
from tvbench.scoring.paired import holm
from tvbench.scoring.places import Habit, Habits, PlacedAnswer, habits
from tvbench.types import Choice, Figure, Item

BASELINES = ("always_first", "strict_ceiling", "chance")
DEPTHS = ("strict", "aligned", "fragment")
ONE_SIDED = 0.9
"""From this share of right options in one place on, position bias cannot be told."""
LEVEL = 0.05
"""How often a run that chooses without regard to places may be accused, all its tasks and languages together."""


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


@dataclass(frozen=True, slots=True)
class PlaceBias:
    """Whether a task's options are chosen for where they stand. `p` is of the whole task, adjusted by Holm for the
    number of tasks; below LEVEL, `overall` is the place summed over languages (None: no place stands out in all of them
    together) and `languages` those in which it is certain alone, their p adjusted for tasks and languages. `untold`
    languages have nearly all right options in one place."""

    p: float | None
    overall: Habit | None
    languages: Mapping[str, Habit]
    untold: tuple[str, ...]

    @property
    def certain(self) -> bool:
        """Whether there is a bias at all."""
        return self.p is not None and self.p < LEVEL


def place_biases(tasks: Sequence[Mapping[str, tuple[Position, Sequence[Answer]]]]) -> list[PlaceBias]:
    """The bias of each task, whose languages have positions and answers; tasks are one family of tests."""
    found = [habits(chosen_places({code: pair for code, pair in task.items() if _told(pair)})) for task in tasks]
    tested = [habit for habit in found if habit is not None]
    adjusted = iter(holm([habit.p for habit in tested]))
    untold = [tuple(code for code, pair in task.items() if not _told(pair)) for task in tasks]
    return [
        _bias(habit, None if habit is None else next(adjusted), codes)
        for habit, codes in zip(found, untold, strict=True)
    ]


def _told(pair: tuple[Position, Sequence[Answer]]) -> bool:
    return not pair[0].one_sided


def _bias(found: Habits | None, p: float | None, untold: tuple[str, ...]) -> PlaceBias:
    if found is None or p is None or p >= LEVEL:
        return PlaceBias(p, None, {}, untold)
    codes = sorted(found.languages)
    adjusted = zip(codes, holm([found.languages[code].p for code in codes]), strict=True)
    certain = {code: replace(found.languages[code], p=max(p, each)) for code, each in adjusted if each < LEVEL}
    overall = found.overall if found.overall.p < LEVEL else None
    return PlaceBias(p, overall, certain, untold)


def chosen_places(languages: Mapping[str, tuple[Position, Sequence[Answer]]]) -> list[PlacedAnswer]:
    """The answers that were read as one of several options, of items whose right option is known."""
    found = []
    for code, (_, answers) in languages.items():
        for answer in answers:
            choice = answer.item.target
            if isinstance(choice, Choice) and choice.gold is not None and (place := _chosen(answer)) is not None:
                unit = answer.item.cluster or f"item {answer.item.id}"
                found.append(PlacedAnswer(code, unit, len(choice.options), choice.gold, place))
    return found


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
    verdict = judge(answer.item.target, answer.text, answer.item.language)
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
