"""Position bias: guessers at random are not accused, habits of any place are found, and what cannot be told is not."""

from __future__ import annotations

import numpy as np
import pytest
from repository import benchmark

from tvbench.scoring.places import LAST, MIDDLE, PlacedAnswer, habits

BENCHMARK = benchmark("position_bias")


def test_guessers_at_random_are_accused_in_few_runs() -> None:
    random = np.random.default_rng(7)
    accused = sum(BENCHMARK.accused(BENCHMARK.unbiased(random), random, 199) for _ in range(30))
    assert accused <= 5, "30 at 5 %: more than 5 has a probability of 0.3 %"


@pytest.mark.parametrize("name", [name for name in BENCHMARK.HABITS if "known" not in name])
def test_a_habit_of_any_place_is_found(name: str) -> None:
    random = np.random.default_rng(11)
    assert sum(BENCHMARK.accused(BENCHMARK.HABITS[name], random, 199) for _ in range(5)) >= 4


def of(golds: list[int], chosen: list[int], options: int = 4, language: str = "de") -> list[PlacedAnswer]:
    return [
        PlacedAnswer(language, (language, unit), options, gold, place)
        for unit, (gold, place) in enumerate(zip(golds, chosen, strict=True))
    ]


def test_the_excess_is_chosen_less_expected() -> None:
    """20 items, right options spread evenly, always the third: a quarter of them would have been right to take it."""
    found = habits(of([0, 1, 2, 3] * 5, [2] * 20))
    assert found is not None and found.p < 0.01
    assert found.overall.place == "3" and found.overall.excess["3"] == pytest.approx(0.75)
    assert found.overall.excess["1"] == pytest.approx(-0.25) and sum(found.overall.excess.values()) == pytest.approx(0)
    assert found.languages["de"].excess == pytest.approx(found.overall.excess)


def test_right_answers_to_right_options_in_one_place_are_no_habit() -> None:
    """Everything is known, and the right option stands first in 9 of 10: nothing is left to explain."""
    golds = [0] * 45 + [1, 2, 3, 1, 2]
    found = habits(of(golds, golds))
    assert found is not None and found.p == 1 and set(found.overall.excess.values()) == {0}


def test_one_question_in_many_languages_is_one_question() -> None:
    """Ten questions whose wrong answers stand last, asked in ten languages alike, are not a hundred."""
    golds, chosen = [0, 1, 2] * 2, [3] * 3 + [0, 1, 2]
    copies = [
        PlacedAnswer(str(language), f"picture {unit}", 4, gold, place)
        for language in range(10)
        for unit, (gold, place) in enumerate(zip(golds, chosen, strict=True))
    ]
    alone, together = habits(of(golds, chosen)), habits(copies)
    apart = habits([PlacedAnswer(one.language, (one.language, one.unit), 4, one.gold, one.chosen) for one in copies])
    assert alone is not None and together is not None and apart is not None
    assert together.p == pytest.approx(alone.p, abs=0.05) and together.p > 0.01 and apart.p < 0.001


def test_unequal_numbers_of_options_have_a_last_and_a_middle_one() -> None:
    random = np.random.default_rng(3)
    sizes = [2, 3, 4, 5, 6] * 30
    golds = [int(random.integers(size)) for size in sizes]
    last = [
        PlacedAnswer("de", unit, size, gold, size - 1)
        for unit, (size, gold) in enumerate(zip(sizes, golds, strict=True))
    ]
    found = habits(last)
    assert found is not None and found.overall.place == LAST and MIDDLE in found.overall.excess
    assert found.overall.excess[LAST] == pytest.approx(
        1 - np.mean([gold == size - 1 for size, gold in zip(sizes, golds, strict=True)]), abs=0.1
    )


def test_one_language_of_many_is_named() -> None:
    random = np.random.default_rng(5)
    golds = random.integers(0, 4, (12, 60)).tolist()
    answers = [
        one for code, row in enumerate(golds) for one in of(row, random.integers(0, 4, 60).tolist(), language=str(code))
    ]
    biased = of(golds[0], [3] * 60, language="hi")
    found = habits([*answers, *biased])
    assert found is not None and found.p < 0.01
    assert found.languages["hi"].p == min(habit.p for habit in found.languages.values()) < 0.001
    assert found.languages["hi"].place == "4"


def test_nothing_to_choose_is_nothing_to_test() -> None:
    assert habits([]) is None and habits([PlacedAnswer("de", 1, 1, 0, 0)]) is None
    single = habits([PlacedAnswer("de", 1, 2, 0, 1)])
    assert single is not None and single.p == 1
