"""Judges against truth: over languages the mean of theirs, with the variance of pictures that languages share."""

from __future__ import annotations

import random
from collections.abc import Sequence
from statistics import fmean

import pytest

from tvbench.graders.judge.calibration import CarriedOver, agree, average, carried_over, check
from tvbench.graders.judge.cases import Case
from tvbench.graders.judge.record import JudgeVerdict
from tvbench.graders.judge.reply import ReplyReading
from tvbench.scoring.intervals import Observation, macro_stderr
from tvbench.types import Item, Open


def verdict(
    language: str, name: str, score: float | None, truth: float | None = None, cluster: str = ""
) -> JudgeVerdict:
    item = Item(f"{language}-{name}", "t", language, (), Open("?", "!"), cluster=cluster or f"{language}-{name}")
    reading = ReplyReading(score, None if score is not None else "unparsable")
    return JudgeVerdict(Case(item, "", "open", "?", "!", truth, truth is None), reading, 1)


def exact(language: str, bias: Sequence[float]) -> list[JudgeVerdict]:
    return [
        verdict(language, f"exact-{place}", truth + bias_, truth)
        for place, bias_ in enumerate(bias)
        for truth in (0.0,)
    ]


def opened(language: str, scores: Sequence[float]) -> list[JudgeVerdict]:
    return [verdict(language, f"open-{place}", score) for place, score in enumerate(scores)]


def test_every_language_weighs_the_same_whatever_it_has() -> None:
    verdicts = exact("de", [1.0, 0.0] * 50) + exact("fr", [0.0] * 10)
    found = check(verdicts)
    assert found is not None
    assert (found.n, found.agreement, found.bias) == (110, 0.75, 0.25)
    assert average(opened("de", [1.0] * 30) + opened("fr", [0.0] * 3)) == 0.5
    assert average([verdict("de", "x", None)]) is None


def test_kappa_is_the_mean_of_the_languages_that_have_one() -> None:
    german = [verdict("de", str(place), float(place % 2), float(place % 2)) for place in range(10)]
    french = [verdict("fr", str(place), 1.0, 1.0) for place in range(10)]
    found = check(german + french)
    assert found is not None and found.kappa == 1.0
    assert (lonely := check(french)) is not None and lonely.kappa is None
    assert check([]) is None


def test_a_picture_that_languages_share_is_one_picture() -> None:
    rng = random.Random(0)
    errors = [rng.random() for _ in range(20)]
    shared = [
        verdict(code, str(at), error, 0.0, f"picture-{at}") for at, error in enumerate(errors) for code in "abcde"
    ]
    apart = [verdict(code, str(at), error, 0.0, f"{code}-{at}") for at, error in enumerate(errors) for code in "abcde"]
    alone = [verdict("a", str(at), error, 0.0, f"picture-{at}") for at, error in enumerate(errors)]
    widths = [found.half_width for verdicts in (shared, apart, alone) if (found := check(verdicts)) is not None]
    together, as_if_five, single = (width for width in widths if width is not None)
    assert together > 2 * as_if_five
    assert together <= single


def test_no_language_is_corrected_by_the_bias_of_another() -> None:
    answers = opened("de", [0.8, 0.6] * 10) + opened("fr", [0.4, 0.2] * 10) + opened("hi", [0.9, 0.7] * 10)
    checks = exact("de", [0.5, 0.1] * 10) + exact("fr", [0.1] * 9) + exact("sw", [1.0] * 30)
    found = carried_over(answers, checks)
    assert isinstance(found, CarriedOver)
    assert found.value == pytest.approx(fmean([0.7 - 0.3, 0.3, 0.8]))
    assert found.judged == pytest.approx(0.6)
    assert (found.corrected, found.uncorrected, found.exact) == (("de",), ("fr", "hi"), 20)
    assert carried_over(answers, exact("fr", [0.1] * 9)) is None, "nothing to carry over"
    assert carried_over([], checks) is None


def test_open_and_exact_items_on_one_picture_are_not_independent() -> None:
    rng = random.Random(1)
    moods = [rng.uniform(0, 0.8) for _ in range(40)]
    answers = [verdict("de", f"o{at}", mood, cluster=f"p{at}") for at, mood in enumerate(moods)]
    checks = [verdict("de", f"e{at}", mood, 0.0, f"p{at}") for at, mood in enumerate(moods)]
    found = carried_over(answers, checks)
    assert found is not None and found.high - found.low < 1e-9, "the difference is the same on every picture"


def test_the_standard_error_is_the_headlines() -> None:
    verdicts = opened("de", [0.1, 0.5, 0.9] * 5) + opened("fr", [0.2, 0.3] * 9)
    checks = exact("de", [0.0] * 20) + exact("fr", [0.0] * 20)
    found = carried_over(verdicts, checks)
    groups = [
        [Observation(v.reading.score or 0.0, v.case.item.cluster) for v in verdicts if v.case.item.language == code]
        for code in ("de", "fr")
    ]
    stderr = macro_stderr(groups)
    assert found is not None and stderr is not None
    assert 1.96 * stderr < (found.high - found.low) / 2 < 2.15 * stderr


@pytest.mark.parametrize("exact_items", [10, 40])
def test_the_interval_covers_where_the_bias_is_the_same(exact_items: int) -> None:
    """Five languages, each with a bias of its own that open and exact items share."""
    rng = random.Random(exact_items)
    covered, tries = 0, 300
    for _ in range(tries):
        answers: list[JudgeVerdict] = []
        checks: list[JudgeVerdict] = []
        for place, code in enumerate("abcde"):
            bias = 0.05 * place
            answers += opened(code, [rng.betavariate(2, 3) + bias for _ in range(60)])
            checks += exact(code, [bias + rng.gauss(0, 0.3) for _ in range(exact_items)])
        found = carried_over(answers, checks)
        covered += found is not None and found.low <= 0.4 <= found.high
    assert 0.92 <= covered / tries <= 0.98


def test_two_judges_are_compared_within_languages() -> None:
    """A judge that is higher on one language only does not seem to agree with another for that."""
    rng = random.Random(2)
    first = opened("de", [0.9 + rng.uniform(0, 0.1) for _ in range(50)]) + opened(
        "fr", [rng.uniform(0, 0.1) for _ in range(50)]
    )
    second = opened("de", [0.9 + rng.uniform(0, 0.1) for _ in range(50)]) + opened(
        "fr", [rng.uniform(0, 0.1) for _ in range(50)]
    )
    found = agree(first, second)
    assert found is not None and found.correlation is not None
    assert abs(found.correlation) < 0.4


def test_a_judge_that_never_erred_is_not_certain_never_to() -> None:
    few, many = (
        check([verdict("de", str(place), float(place % 2), float(place % 2)) for place in range(n)]) for n in (20, 200)
    )
    assert few is not None and many is not None
    assert (few.bias, round(few.half_width or 0, 3), few.direction) == (0.0, 0.161, "cannot tell")
    assert (many.bias, round(many.half_width or 0, 3), many.direction) == (0.0, 0.019, "fair")
