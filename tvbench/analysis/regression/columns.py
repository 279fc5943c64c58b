"""A task of a run joined with the baseline's, item by item, and laid out as the columns that are tested.

Per language the metric, and each diagnosis that differs; and the means over languages. Up is better in every column.
Arrays of numpy; knows standings and the policy's bounds; decides nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from tvbench.analysis.regression.policy import Policy
from tvbench.analysis.regression.standing import FAILED, MISSING, SCORED, UNSCORED, Measure, Part, TaskStanding
from tvbench.analysis.regression.verdict import MEAN, Compared, Flip
from tvbench.scoring.falls import Family
from tvbench.scoring.paired import Pairs, TakenApart, apart, means

FALLS, RISES = 0, 1
"""The families of tests: each has half of the level."""
Bits = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class ColumnAsk:
    """What is asked of one column: figures for a metric, `counts` (before, of, after, of) for a diagnosis."""

    task: str
    language: str
    measure: Measure
    diagnosis: str = ""
    margin: float = 0.0
    resolution: float = 0.0
    before: float = 0.0
    after: float = 0.0
    items: int = 0
    fell: int = 0
    rose: int = 0
    flips: tuple[Flip, ...] = ()
    counts: tuple[int, int, int, int] = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Joined:
    """A task with both sides' items. `pairs` and `asked` are columns of single languages; `plain` figures that are not
    resampled. `waiting` items have no answer or score yet; `absent` were never asked, by language."""

    task: str
    pairs: tuple[Pairs, ...]
    asked: tuple[ColumnAsk, ...]
    plain: tuple[Compared, ...]
    absent: dict[str, int]
    waiting: int
    identical: bool
    policy: Policy
    measure: Measure
    notes: tuple[str, ...] = ()


@dataclass(slots=True)
class _Making:
    pairs: list[Pairs] = field(default_factory=list)
    asked: list[ColumnAsk] = field(default_factory=list)
    plain: list[Compared] = field(default_factory=list)
    absent: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    waiting: int = 0
    neither: int = 0
    identical: bool = True


def joined(before: TaskStanding, now: TaskStanding, marks: Sequence[Bits], policy: Policy) -> Joined:
    """The two sides of one task."""
    made = _Making()
    for code, part in before.parts.items():
        if code in now.parts:
            _join(made, before, now, code, _both(part, now.parts[code]), marks, policy)
    if made.neither:
        made.notes.append(f"{before.task}: neither the baseline nor the run has an answer to {made.neither:,} items")
    return Joined(
        before.task,
        tuple(made.pairs),
        tuple(made.asked),
        tuple(made.plain),
        made.absent,
        made.waiting,
        made.identical,
        policy,
        before.measure,
        tuple(made.notes),
    )


@dataclass(frozen=True, slots=True)
class _Both:
    """One language's items that both sides have: places in either, and how many the run lacks."""

    one: Part
    other: Part
    places: np.ndarray
    others: np.ndarray

    def states(self) -> tuple[np.ndarray, np.ndarray]:
        return self.one.states[self.places], self.other.states[self.others]

    def clusters(self, chosen: np.ndarray) -> list[int]:
        return [int(number) for number in self.other.clusters[self.others][chosen]]


def _both(one: Part, other: Part) -> _Both:
    _, places, others = np.intersect1d(one.keys, other.keys, return_indices=True)
    return _Both(one, other, places, others)


def _join(
    made: _Making,
    before: TaskStanding,
    now: TaskStanding,
    code: str,
    both: _Both,
    marks: Sequence[Bits],
    policy: Policy,
) -> None:
    name = before.task
    was, is_ = both.states()
    if lacking := len(both.one.keys) - len(both.places):
        made.absent[code] = lacking
    made.waiting += int((_waits(was, is_)).sum())
    made.neither += int(((was == MISSING) & (is_ == MISSING)).sum())
    scored = (was == SCORED) & (is_ == SCORED)
    if before.measure.id != now.measure.id:
        made.identical = False
    elif scored.any():
        _join_metric(made, before, now, code, both, scored, policy)
    elif (was == SCORED).any() or len(both.places):
        made.notes.append(f"{name}, {code}: no item has a score on both sides, so nothing was compared")
    _join_marks(made, name, code, both, (was != MISSING) & (is_ != MISSING), marks, now.measure, policy)


def _waits(was: np.ndarray, is_: np.ndarray) -> np.ndarray:
    """Items that failed anew, have no answer, or have no score where the baseline has one."""
    return np.asarray(
        ((is_ == FAILED) & (was != FAILED))
        | ((is_ == MISSING) & (was != MISSING))
        | ((is_ == UNSCORED) & (was == SCORED))
    )


def _join_metric(
    made: _Making, before: TaskStanding, now: TaskStanding, code: str, both: _Both, scored: np.ndarray, policy: Policy
) -> None:
    measure = now.measure
    shown = measure.shown
    first, second = both.one.rows[both.places][scored], both.other.rows[both.others][scored]
    if not (before.measure.resampled and measure.resampled and first.shape == second.shape):
        made.plain.append(_plain(before, now, code, both, int(scored.sum()), policy))
        made.identical = False
        return
    clusters = both.clusters(scored)
    pairs = (
        Pairs(first, second, clusters, shown.of_sums, shown.span)
        if measure.corpus
        else means(first[:, 0], second[:, 0], clusters, shown.span)
    )
    figures = [float(pairs.score(side.sum(0))) for side in (pairs.first, pairs.second)]
    if shown.better == "lower":
        pairs = Pairs(pairs.second, pairs.first, clusters, pairs.score, pairs.scale)
    margin, resolution = policy.bounds(before.task, code, measure, figures[0])
    gain = np.zeros(len(first)) if measure.corpus else np.array([-shown.order(v) for v in second[:, 0] - first[:, 0]])
    made.identical = made.identical and bool((first == second).all())
    made.pairs.append(pairs)
    made.asked.append(
        ColumnAsk(
            before.task,
            code,
            measure,
            "",
            margin,
            resolution,
            figures[0],
            figures[1],
            len(first),
            int((gain < 0).sum()),
            int((gain > 0).sum()),
            tuple(_flips(code, both, np.flatnonzero(scored)[gain < 0], first[gain < 0, 0], second[gain < 0, 0])),
        )
    )


def _flips(code: str, both: _Both, places: np.ndarray, first: np.ndarray, second: np.ndarray) -> list[Flip]:
    """The items whose score fell, the largest falls first."""
    found = []
    for number in np.argsort(-np.abs(second - first), kind="stable"):
        place = int(both.others[places[number]])
        if not both.other.names:
            return []
        name = both.other.names[place]
        found.append(
            Flip(
                name,
                code,
                float(first[number]),
                float(second[number]),
                both.other.texts.get(name, ""),
                both.one.texts.get(name) if both.one.texts else None,
            )
        )
    return found


def _plain(before: TaskStanding, now: TaskStanding, code: str, both: _Both, items: int, policy: Policy) -> Compared:
    """A figure that cannot be resampled: what it was and is, and that nothing can be said of it."""
    shown = now.measure.shown
    one, other = both.one.figure or 0.0, both.other.figure or 0.0
    margin, resolution = policy.bounds(before.task, code, now.measure, one)
    change = -shown.order(other - one)
    why = f"{shown.label} cannot be resampled: only its figures are known"
    same = one == other and all(both.one.texts.get(name) == text for name, text in both.other.texts.items())
    return Compared(
        before.task,
        code,
        now.measure.id,
        "pass" if same else "cannot tell",
        one,
        other,
        change,
        margin,
        items=items,
        why=why,
        resolution=resolution,
        facts=dict(now.measure.facts),
    )


def _join_marks(
    made: _Making,
    name: str,
    code: str,
    both: _Both,
    chosen: np.ndarray,
    marks: Sequence[Bits],
    measure: Measure,
    policy: Policy,
) -> None:
    if not chosen.any():
        return
    was, is_ = both.one.marks[both.places][chosen], both.other.marks[both.others][chosen]
    for diagnosis, bit, other in marks:
        first, second = (was >> bit & 1).astype(float), (is_ >> other & 1).astype(float)
        margin = policy.rise(diagnosis)
        if margin is None or (first == second).all():
            continue
        made.identical = False
        counts = (int(first.sum()), len(first), int(second.sum()), len(second))
        made.pairs.append(means(second, first, both.clusters(chosen), 1.0))
        made.asked.append(ColumnAsk(name, code, measure, diagnosis, margin, counts=counts))


# ── Columns ───────────────────────────────────────────────────────────────────────────────────────


def blocks_of(sides: Sequence[Joined]) -> tuple[list[list[ColumnAsk]], list[Family]]:
    """The columns of each task that has any, and what is asked of them."""
    made = [_block(side) for side in sides if side.pairs]
    return [asked for asked, _ in made], [block for _, block in made]


def _block(side: Joined) -> tuple[list[ColumnAsk], Family]:
    asked, mixes = list(side.asked), list(np.eye(len(side.asked)))
    for diagnosis in dict.fromkeys(one.diagnosis for one in side.asked):
        mine = [number for number, one in enumerate(side.asked) if one.diagnosis == diagnosis]
        if len(mine) > 1:
            mixes.append(np.isin(np.arange(len(side.asked)), mine) / len(mine))
            asked.append(_mean(side, [side.asked[number] for number in mine]))
    found = apart(side.pairs, mixes)
    return asked, _of(side, found, asked, mixes)


def _of(side: Joined, found: TakenApart, asked: Sequence[ColumnAsk], mixes: Sequence[np.ndarray]) -> Family:
    weights = np.array(mixes)
    single = (found.parts.shares[:, : weights.shape[1]] ** 2).sum(0)
    return Family(
        found.parts.adds,
        found.parts.shares,
        np.array([one.margin for one in asked]),
        found.parts.scales,
        (weights**2) @ single,
        (weights**2) @ (1 / np.array([len(pairs.first) for pairs in side.pairs])),
        np.array([np.inf if one.diagnosis else one.resolution for one in asked]),
        np.array([RISES if one.diagnosis else FALLS for one in asked]),
    )


def _mean(side: Joined, parts: Sequence[ColumnAsk]) -> ColumnAsk:
    """The mean of several languages."""
    first = parts[0]
    before, after = (float(np.mean([getattr(one, name) for one in parts])) for name in ("before", "after"))
    margin, resolution = (
        side.policy.bounds(side.task, MEAN, side.measure, before) if not first.diagnosis else (first.margin, 0.0)
    )
    counts = [sum(one.counts[place] for one in parts) for place in range(4)]
    return ColumnAsk(
        side.task,
        MEAN,
        first.measure,
        first.diagnosis,
        margin,
        resolution,
        before,
        after,
        sum(one.items for one in parts),
        sum(one.fell for one in parts),
        sum(one.rose for one in parts),
        counts=(counts[0], counts[1], counts[2], counts[3]),
    )
