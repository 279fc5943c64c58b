"""What goes wrong in few groups: the hypergeometric tail, one family of tests, the clearest group first."""

from __future__ import annotations

import math
from random import Random

import pytest

from tvbench.scoring.concentration import Universe, at_most, family, gathered, tail


def universe(total: int, marked: set[int], groups: dict[str, set[int]]) -> Universe:
    return Universe(set(range(total)), set(marked), {name: set(members) for name, members in groups.items()})


@pytest.mark.parametrize(
    ("total", "marked", "size", "hits"), [(10, 3, 4, 2), (40, 2, 2, 2), (30, 5, 6, 0), (9, 9, 3, 3)]
)
def test_the_tail_counts_all_draws(total: int, marked: int, size: int, hits: int) -> None:
    counted = sum(
        math.comb(marked, found) * math.comb(total - marked, size - found)
        for found in range(hits, min(marked, size) + 1)
        if size - found <= total - marked
    )
    assert tail(total, marked, size, hits) == pytest.approx(counted / math.comb(total, size))


def test_binomials_of_any_size() -> None:
    assert at_most(10, 0.5, 2) == pytest.approx(56 / 1024)
    assert at_most(5000, 0.4, 1500) < 1e-40 and at_most(5000, 0.4, 2500) == pytest.approx(1)
    assert at_most(0, 0.5, 0) == at_most(3, 0.0, 0) == 1 and at_most(3, 1.0, 2) == 0


def test_the_clearest_group_comes_first_and_takes_its_units_along() -> None:
    marked = {0, 1, 2, 3, 4}
    groups = {"word": marked, "beside": {3, 4, 20, 21}, "everywhere": set(range(60)), "elsewhere": {30, 31, 32}}
    (found,) = gathered({"de": universe(60, marked, groups)})
    assert (found.universe, found.group, found.size, found.hits) == ("de", "word", 5, 5)
    assert (found.others, found.others_marked) == (55, 0) and found.p < 0.001


def test_two_words_are_two_causes() -> None:
    groups = {"red": {0, 1, 2, 3}, "blue": {10, 11, 12, 13}, "thing": {0, 10, 20, 30}}
    found = gathered({"de": universe(80, {0, 1, 2, 3, 10, 11, 12, 13}, groups)})
    assert {one.group for one in found} == {"red", "blue"}


def test_a_group_that_is_mostly_right_is_no_cause() -> None:
    assert gathered({"de": universe(400, set(range(10)), {"word": set(range(30))})}) == []


def test_groups_that_could_never_be_certain_are_no_tests() -> None:
    """Tarone: singles beside one pair of marked units do not make the family larger."""
    small = universe(40, {0, 1}, {"pair": {0, 1}, **{str(n): {n} for n in range(2, 40)}})
    assert family([(small, group) for group in small.groups.values()]) == 1
    assert [one.group for one in gathered({"de": small})] == ["pair"]


def test_scattered_losses_are_gathered_in_few_runs() -> None:
    random = Random(2)
    false = 0
    for _ in range(200):
        groups = {str(n): set(random.sample(range(60), random.randint(2, 10))) for n in range(30)}
        false += bool(gathered({"de": universe(60, set(random.sample(range(60), random.randint(1, 15))), groups)}))
    assert false <= 18, "200 at 5 %: more than 18 has a probability below 1 %"
