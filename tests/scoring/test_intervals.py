"""The interval of a figure: it holds the truth, stays in its bounds, and is never nothing."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import ROOT
from scipy import stats

sys.path.insert(0, str(ROOT))

from benchmarks.coverage import Cell, cells, cover, forced
from tvbench.scoring.beta_binomial import accepts, clusters_of, limits
from tvbench.scoring.intervals import Observation, combined, ends, mean, mean_interval
from tvbench.scoring.metric import FRACTION, POINTS, Metric
from tvbench.types import Figure


def observed(values: list[float], clusters: list[int] | None = None) -> list[Observation]:
    names = clusters or list(range(len(values)))
    return [Observation(value, str(name)) for value, name in zip(values, names, strict=True)]


# ── Coverage ──────────────────────────────────────────────────────────────────────────────────────

FEW = 200
"""Draws of one cell: the standard error of a coverage is 1.5 points."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "cell",
    [
        Cell(0.9, 10, "5"),
        Cell(0.97, 20, "5"),
        Cell(0.7, 10, "1..8"),
        Cell(0.95, 50, "1..8"),
        Cell(0.8, 50, "heavy"),
        Cell(0.9, 20, "giant"),
        Cell(0.9, 100, "5", icc=1.0),
        Cell(0.8, 20, languages=14, missing=0.2),
        Cell(0.8, 20, languages=6, missing=0.2, figure="pooled"),
        Cell(0.9, 30, languages=6, trait="normal", spread=0.5),
        Cell(0.8, 30, "5", values="thirds"),
    ],
    ids=str,
)
def test_the_interval_holds_the_truth(cell: Cell) -> None:
    """The whole table is benchmarks/coverage.md; Wald's interval has 0.5 to 0.9 in some of these."""
    assert cover(cell, FEW, seed=1, widths=0).coverage >= 0.91


@pytest.mark.parametrize("pictures", [10, 20, 50, 100])
def test_items_with_pictures_of_their_own_are_covered_exactly(pictures: int) -> None:
    """Every number of right answers has its interval: no simulation is needed. The bounds are those of Blaker's and,
    in the middle of many pictures, of Wilson's interval."""
    ends_of = [mean_interval([observed([1.0] * right + [0.0] * (pictures - right))]) for right in range(pictures + 1)]
    lows, highs = np.array(ends_of).T
    for p in (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99):
        held = (lows <= p) & (p <= highs)
        coverage = stats.binom.pmf(np.arange(pictures + 1), pictures, p)[held].sum()
        assert coverage >= 0.93, (p, coverage)
        assert coverage <= 0.985 or forced(Cell(p, pictures)) or pictures * (1 - p) < 2, (p, coverage)


def test_the_table_has_what_was_asked_for() -> None:
    found = cells()
    assert {cell.p for cell in found} >= {0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99}
    assert {cell.pictures for cell in found} == {10, 20, 50, 100, 200}
    assert {cell.sizes for cell in found} >= {"1", "5", "10", "1..8", "heavy", "giant"}
    assert any(cell.languages > 1 and cell.missing for cell in found) and len(set(found)) == len(found)


def test_a_cell_that_no_interval_can_hold_is_known() -> None:
    assert forced(Cell(0.99, 10)) and forced(Cell(0.5, 10)) and not forced(Cell(0.5, 100))


# ── Properties ────────────────────────────────────────────────────────────────────────────────────

values_in = st.lists(st.sampled_from([0.0, 0.0, 1.0, 1.0, 1.0, 0.3, 2 / 3]), min_size=2, max_size=24)


@settings(max_examples=40, deadline=None)
@given(values_in, st.randoms(use_true_random=False), st.integers(2, 8))
def test_it_contains_the_value_stays_inside_and_knows_no_order(values: list[float], rng: object, pictures: int) -> None:
    clusters = [number % pictures for number in range(len(values))]
    rows = observed(values, clusters)
    found = mean_interval([rows])
    if len(set(clusters)) < 2:
        assert found is None
        return
    assert found is not None
    low, high = found
    assert 0 <= low <= mean(rows) + 1e-12 and mean(rows) - 1e-12 <= high <= 1 and high - low > 1e-3
    shuffled = list(rows)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]
    renamed = [Observation(row.value, f"picture {row.cluster}") for row in shuffled]
    assert mean_interval([renamed]) == pytest.approx(found, abs=1e-9)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=2, max_size=24))
def test_right_and_wrong_change_places(values: list[float]) -> None:
    low, high = mean_interval([observed(values)]) or (0.0, 0.0)
    turned = mean_interval([observed([1 - value for value in values])])
    assert turned == pytest.approx((1 - high, 1 - low), abs=2e-3)


@settings(max_examples=30, deadline=None)
@given(values_in)
def test_points_have_the_interval_of_fractions(values: list[float]) -> None:
    found = mean_interval([observed(values)]) or (0.0, 0.0)
    points = mean_interval([observed([100 * value for value in values])], (0.0, 100.0))
    assert points == pytest.approx((100 * found[0], 100 * found[1]), abs=1e-6)


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("items", [1, 5])
def test_values_that_do_not_vary_are_not_certain(value: float, items: int) -> None:
    names = [number // items for number in range(10 * items)]
    low, high = mean_interval([observed([value] * len(names), names)]) or (0.0, 0.0)
    assert high - low > 0.05 and low <= value <= high
    if value == 1.0:
        assert high == 1.0 and 0.6 < low < 0.8, "ten pictures, however many items each has"


def test_there_is_none_of_one_picture_or_of_nothing() -> None:
    assert mean_interval([]) is None and mean_interval([[]]) is None
    assert mean_interval([observed([1.0])]) is None
    assert mean_interval([observed([1.0, 0.0, 1.0], [1, 1, 1])]) is None
    assert mean_interval([observed([1.0, 0.0]), []]) is None


def test_pictures_that_languages_share_count_once() -> None:
    right = [float(number % 4 > 0) for number in range(40)]
    languages = [observed(right)] * 10
    alone, shared = mean_interval([observed(right)]), mean_interval(languages)
    own = [[Observation(row.value, f"{row.cluster} {code}") for row in group] for code, group in enumerate(languages)]
    apart = mean_interval(own)
    assert alone and shared and apart
    assert shared[1] - shared[0] == pytest.approx(alone[1] - alone[0], rel=0.05)
    assert apart[1] - apart[0] < (alone[1] - alone[0]) / 2


def test_other_units_have_the_interval_of_t() -> None:
    values = [3.0, 7.0, 4.5, 120.0, -2.0]
    found = mean_interval([observed(values)], None)
    assert found == pytest.approx(stats.t.interval(0.95, 4, np.mean(values), stats.sem(values)))
    assert mean_interval([observed(values)], (0.0, 100.0)) == pytest.approx(found), "out of its bounds"
    assert mean_interval([observed([5.0] * 9)], None) is None, "not ±0"


def test_the_interval_is_what_the_test_accepts() -> None:
    rng = np.random.default_rng(5)
    for _ in range(10):
        place = np.repeat(np.arange(12), rng.integers(1, 6, 12))
        wrong = (rng.random(len(place)) < 0.3).astype(float)
        clusters = clusters_of(wrong, place, np.zeros(len(place), int))
        low, high = limits(clusters)
        inside, outside = np.linspace(low + 0.002, high - 0.002, 9), np.array([low - 0.003, high + 0.003])
        assert accepts(clusters, inside).mean() > 0.7 and not accepts(clusters, outside[outside > 0]).any()


# ── Shown ─────────────────────────────────────────────────────────────────────────────────────────

ACCURACY, SCORE = Metric(id="mine", unit=FRACTION), Metric(id="mine", unit=POINTS)


@pytest.mark.parametrize(
    ("figure", "text"),
    [
        (Figure(0.8, 10, None, 10, 0.78, 0.82), "±2.0"),
        (Figure(0.8, 10, None, 10, 0.781, 0.82), "±2.0"),
        (Figure(0.98, 10, None, 10, 0.93, 0.99), "+1.0/-5.0"),
        (Figure(1.0, 10, None, 10, 0.741, 1.0), "-25.9"),
        (Figure(0.0, 10, None, 10, 0.0, 0.259), "+25.9"),
        (Figure(0.5, 10**6, None, 10, 0.4998, 0.5002), "±0.02"),
        (Figure(0.5, 10), ""),
        (Figure(1.0, 10, 0.0, 10), ""),
        (Figure(0.5, 10, 0.01, 11), "±2.2"),
    ],
)
def test_halves_as_they_stand_behind_a_figure(figure: Figure, text: str) -> None:
    assert ACCURACY.halves(figure) == text
    if figure.low is not None and figure.high is not None:
        hundred = Figure(figure.value * 100, 10, None, 10, figure.low * 100, figure.high * 100)
        assert SCORE.halves(hundred) == text


def test_figures_of_before_have_the_interval_of_their_error() -> None:
    low, high = ends(Figure(0.5, 20, 0.01, 11)) or (0, 0)
    assert (low, high) == pytest.approx((0.5 - 2.228139 * 0.01, 0.5 + 2.228139 * 0.01))
    assert ends(Figure(1.0, 20, 0.0, 11)) is None and ends(Figure(0.5, 20)) is None


def test_halves_are_added_as_squares_and_change_sides_in_a_difference() -> None:
    first, second = Figure(0.9, 9, low=0.8, high=0.94), Figure(0.5, 9, low=0.47, high=0.54)
    low, high = combined(0.4, (first, second), (1, -1)) or (0, 0)
    assert (0.4 - low, high - 0.4) == pytest.approx((np.hypot(0.1, 0.04), np.hypot(0.04, 0.03)))
    assert combined(0.4, (first, Figure(0.5, 9)), (1, -1)) is None
