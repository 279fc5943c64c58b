"""Position bias in `explain`: no guesser is accused, habits are said in points, what cannot be told is not tested."""

from __future__ import annotations

import re
from random import Random

import pytest

from tvbench.analysis.diagnosis.answers import diagnose
from tvbench.analysis.diagnosis.position import PlaceBias, place_biases, positions
from tvbench.analysis.explain import TaskExplanation
from tvbench.report.explanation import findings
from tvbench.scoring import score_item
from tvbench.scoring.metrics import metric
from tvbench.types import Choice, Item, Response


def guessed(tasks: int, languages: int, count: int, *, last: float, one_sided: bool = False) -> list[PlaceBias]:
    """Biases of tasks whose answers are letters at random, `last` of them the last one whatever is asked."""
    random = Random(4)
    found = []
    for task in range(tasks):
        by_language = {}
        for code in ("ar", "cs", "de", "en", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ru", "zh")[:languages]:
            golds = [0 if one_sided else random.randrange(4) for _ in range(count)]
            items = [
                Item(
                    f"{task}/{code}/{n}",
                    "made",
                    code,
                    (),
                    Choice(("w", "x", "y", "z"), gold, "ABCD"[gold], letters=True),
                )
                for n, gold in enumerate(golds)
            ]
            replies = ["D" if random.random() < last else random.choice("ABCD") for _ in items]
            answers = [
                diagnose(one, response := Response("k", text=reply), score_item(one, response), metric("aligned"))
                for one, reply in zip(items, replies, strict=True)
            ]
            place = positions(items, answers)
            assert place is not None
            by_language[code] = (place, answers)
        found.append(by_language)
    return place_biases(found)


def test_a_habit_of_the_last_option_is_said_in_points() -> None:
    (bias,) = guessed(1, 14, 60, last=0.2)
    assert bias.certain and bias.overall is not None and bias.overall.place == "4"
    assert bias.overall.excess["4"] == pytest.approx(0.15, abs=0.04)
    task = TaskExplanation("alm", "tvbench", "aligned", "aligned", (), bias=bias)
    said = [line for line in findings(task) if "position bias" in line]
    assert re.match(r"position bias: option 4 is chosen 1\d\.\d points more often than it should be", said[0])
    assert len(said) == 1 + len(bias.languages)


def test_guessers_are_not_accused_and_one_sided_languages_are_not_tested() -> None:
    biases = guessed(3, 14, 16, last=0.0)
    assert not any(bias.certain or bias.languages for bias in biases)
    assert all(bias.p is not None for bias in biases)
    (hidden,) = guessed(1, 2, 40, last=0.5, one_sided=True)
    assert hidden.p is None and not hidden.certain and hidden.untold == ("ar", "cs")
