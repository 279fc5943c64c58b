"""Whether options are chosen for where they stand: one randomisation test over all places, and over all languages.

What is held against what: how often each place was chosen, and how often it should have been, given where the right
options stand and how often the right one was found. Under the null hypothesis an option is chosen for what it says, and
what stands where is chance: right options may then change their places with one another (among questions with as many
options), and wrong ones of one question go round. A question in several languages on one picture is one unit and moves
as one, so that a habit of the translations is not counted as many times as there are languages.

The run is held against three statistics at once, each standardised by the draws: the places summed over languages (a
habit that all languages share), the sum over languages of each one's largest (several habits), and the largest of all
(one language). Their smallest p, compared with its own distribution over the draws, is the one p-value of the whole
(Westfall and Young 1993). Places are counted from the start, and where the numbers of options differ also as `last` and
`middle` (neither the first nor the last). Arrays of numpy; knows no task and no file.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 1_999
CHUNK = 2_000_000
"""Draws times answers that are held in memory together."""
TINY = 1e-9
LAST, MIDDLE = "last", "middle"


@dataclass(frozen=True, slots=True)
class PlacedAnswer:
    """One answer that was read as an option: `gold` and `chosen` are places from 0, of `options`; answers of one `unit`
    with the same right place are not independent."""

    language: str
    unit: Hashable
    options: int
    gold: int
    chosen: int


@dataclass(frozen=True, slots=True)
class Habit:
    """`excess` by place (`1`, `2`, .., and `last` and `middle` where the numbers of options differ): the share of
    `answers` in which it was chosen, less the share in which it should have been. `place` stands out most; `p` is of
    all places together."""

    answers: int
    excess: Mapping[str, float]
    place: str
    p: float


@dataclass(frozen=True, slots=True)
class Habits:
    """`p` is of everything together; `overall` of the places summed over languages; `languages` each alone, not yet
    adjusted for being several."""

    p: float
    overall: Habit
    languages: Mapping[str, Habit]


@dataclass(frozen=True, slots=True)
class _Coded:
    """The answers as arrays. `rank` is the place among the wrong options (-1: the right one was chosen), `units` the
    number of options and the right place of each unit."""

    languages: tuple[str, ...]
    language: np.ndarray
    unit: np.ndarray
    rank: np.ndarray
    options: np.ndarray
    accuracy: np.ndarray
    unit_options: np.ndarray
    unit_gold: np.ndarray
    names: tuple[str, ...]

    @property
    def places(self) -> int:
        return int(self.options.max())


def habits(answers: Iterable[PlacedAnswer], *, draws: int = DRAWS, seed: int = 0) -> Habits | None:
    """The test over `answers` with two options or more; None where there is none."""
    kept = [answer for answer in answers if answer.options > 1]
    if not kept:
        return None
    coded = _code(kept)
    observed = _excess(coded, coded.unit_gold[None, :], np.zeros((1, len(coded.unit_gold)), int))
    drawn = np.concatenate([observed, *_draw(coded, draws, np.random.default_rng((seed, 3)))])
    single = _standardised(drawn)
    summed = _standardised(drawn.sum(1, keepdims=True))
    largest = np.abs(single).max(2)
    pooled = np.abs(summed[:, 0]).max(1)
    each = np.stack([_p(values) for values in largest.T], 1)
    together = np.stack([_p(pooled), _p((largest**2).sum(1)), _p(-each.min(1))], 1)
    counts = np.bincount(coded.language, minlength=len(coded.languages))
    return Habits(
        float(_p(-together.min(1))[0]),
        _habit(coded.names, observed[0].sum(0), summed[0, 0], int(counts.sum()), float(together[0, 0])),
        {
            language: _habit(
                coded.names, observed[0, number], single[0, number], int(counts[number]), float(each[0, number])
            )
            for number, language in enumerate(coded.languages)
        },
    )


def _habit(names: Sequence[str], excess: np.ndarray, scaled: np.ndarray, answers: int, p: float) -> Habit:
    shares = {name: float(value) / answers for name, value in zip(names, excess, strict=True)}
    return Habit(answers, shares, names[int(np.abs(scaled).argmax())], p)


def _code(answers: Sequence[PlacedAnswer]) -> _Coded:
    languages = {name: number for number, name in enumerate(dict.fromkeys(answer.language for answer in answers))}
    units = {key: number for number, key in enumerate(dict.fromkeys(map(_unit, answers)))}
    language = np.array([languages[answer.language] for answer in answers])
    options = np.array([answer.options for answer in answers])
    right = np.array([answer.chosen == answer.gold for answer in answers])
    rank = np.array([answer.chosen - (answer.chosen > answer.gold) for answer in answers])
    kind = language * (options.max() + 1) + options
    counts = np.bincount(kind)
    accuracy = np.bincount(kind, weights=right) / np.maximum(counts, 1)
    names = tuple(str(place + 1) for place in range(options.max()))
    return _Coded(
        tuple(languages),
        language,
        np.array([units[_unit(answer)] for answer in answers]),
        np.where(right, -1, rank),
        options,
        accuracy[kind],
        np.array([key[2] for key in units]),
        np.array([key[1] for key in units]),
        (*names, LAST, MIDDLE) if len(set(options.tolist())) > 1 else names,
    )


def _unit(answer: PlacedAnswer) -> tuple[Hashable, int, int]:
    return answer.unit, answer.gold, answer.options


def _draw(coded: _Coded, draws: int, random: np.random.Generator) -> Iterable[np.ndarray]:
    """Excesses of draws under the null hypothesis: (draws, languages, places), in pieces."""
    step = max(1, CHUNK // len(coded.unit))
    groups = [np.flatnonzero(coded.unit_options == options) for options in np.unique(coded.unit_options)]
    for start in range(0, draws, step):
        size = min(step, draws - start)
        gold = np.empty((size, len(coded.unit_gold)), int)
        for members in groups:
            gold[:, members] = random.permuted(np.tile(coded.unit_gold[members], (size, 1)), axis=1)
        turns = random.integers(0, coded.unit_options - 1, (size, len(coded.unit_gold)))
        yield _excess(coded, gold, turns)


def _excess(coded: _Coded, unit_gold: np.ndarray, turns: np.ndarray) -> np.ndarray:
    """How many more answers than expected chose each place: (draws, languages, places), with right options at
    `unit_gold` and the wrong ones turned by `turns` (both draws, units)."""
    gold, wrong = unit_gold[:, coded.unit], np.maximum(coded.options - 1, 1)
    turned = (coded.rank + turns[:, coded.unit]) % wrong
    chosen = np.where(coded.rank < 0, gold, turned + (turned >= gold))
    other = (1 - coded.accuracy) / wrong
    weight = coded.accuracy - other
    found = _by_place(coded, chosen, None) - _by_place(coded, gold, weight)
    for place in range(coded.places):
        members = coded.options > place
        found[:, :, place] -= np.bincount(
            coded.language[members], weights=other[members], minlength=len(coded.languages)
        )
    if len(coded.names) == coded.places:
        return np.asarray(found)
    end = coded.options - 1
    last = _by_language(coded, (chosen == end) - weight * (gold == end) - other)
    middle = -found[:, :, 0] - last
    return np.concatenate([found, last[:, :, None], middle[:, :, None]], 2)


def _by_place(coded: _Coded, place: np.ndarray, weight: np.ndarray | None) -> np.ndarray:
    draws, shape = len(place), (len(coded.languages), coded.places)
    cells = shape[0] * shape[1]
    index = np.arange(draws)[:, None] * cells + coded.language * coded.places + place
    weights = None if weight is None else np.broadcast_to(weight, place.shape).ravel()
    counts = np.bincount(index.ravel(), weights=weights, minlength=draws * cells)
    return np.asarray(counts.reshape(draws, *shape), float)


def _by_language(coded: _Coded, values: np.ndarray) -> np.ndarray:
    draws, count = len(values), len(coded.languages)
    index = np.arange(draws)[:, None] * count + coded.language
    return np.asarray(np.bincount(index.ravel(), values.ravel(), draws * count).reshape(draws, count), float)


def _standardised(drawn: np.ndarray) -> np.ndarray:
    """Each place less its mean over the draws, in their standard deviations; 0 where nothing varies."""
    spread = drawn.std(0)
    return np.asarray(np.where(spread > TINY, (drawn - drawn.mean(0)) / np.maximum(spread, TINY), 0.0))


def _p(values: np.ndarray) -> np.ndarray:
    """The share of all draws that are as large as each or larger (the observed one is the first of them)."""
    rounded = np.round(values, 9)
    ordered = np.sort(rounded)
    return np.asarray((len(values) - np.searchsorted(ordered, rounded, "left")) / len(values))
