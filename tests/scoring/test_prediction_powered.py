"""Human labels with a judge's ratings: equal to the authors' package, never wider than labels alone, and right in
simulation."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from repository import ROOT
from simulated_labels import LANGUAGES, coverage, simulated

from tvbench.scoring.prediction_powered import Rated, cross_fitted, powered, published

REFERENCE: dict[str, Any] = json.loads((ROOT / "tests" / "data" / "ppi_reference.json").read_text(encoding="utf-8"))
ANSWERS = st.lists(
    st.tuples(
        st.sampled_from([0.0, 0.2, 0.5, 0.8, 1.0]),
        st.integers(0, 12),
        st.sampled_from([None, None, 0.0, 0.5, 1.0, 1.0]),
    ),
    min_size=1,
    max_size=60,
)


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: f"{len(case['labels'])}+{len(case['others'])}")
def test_as_published_it_is_the_authors_package(case: dict[str, Any]) -> None:
    data = [np.array(case[name]) for name in ("labels", "ratings", "others")]
    for figure in case["figures"]:
        value, low, high = published(data[0], data[1], data[2], figure["weight"], figure["level"])
        assert value == pytest.approx(figure["value"], abs=1e-9)
        assert (low, high) == pytest.approx(figure["interval"], abs=1e-9)


def test_as_published_it_is_the_installed_package() -> None:
    ppi_py = pytest.importorskip("ppi_py")
    rng = np.random.default_rng(1)
    for _ in range(200):
        n, rest = rng.integers(2, 60, 2)
        labels, ratings, others = rng.random(n), rng.random(n), rng.random(rest)
        for weight in (None, float(rng.random())):
            value, low, high = published(labels, ratings, others, weight)
            assert value == pytest.approx(
                float(np.squeeze(ppi_py.ppi_mean_pointestimate(labels, ratings, others, lam=weight))), abs=1e-9
            )
            ends = ppi_py.ppi_mean_ci(labels, ratings, others, alpha=0.05, lam=weight)
            assert (low, high) == pytest.approx([float(np.squeeze(end)) for end in ends], abs=1e-9)


def rated(labels: list[float], ratings: list[float], others: list[float]) -> list[Rated]:
    known = [Rated(f, f"l{i}", y) for i, (y, f) in enumerate(zip(labels, ratings, strict=True))]
    return [*known, *(Rated(f, f"u{i}") for i, f in enumerate(others))]


@pytest.mark.parametrize("case", REFERENCE["cases"], ids=lambda case: f"{len(case['labels'])}+{len(case['others'])}")
def test_the_value_is_labels_plus_weighted_difference_of_ratings(case: dict[str, Any]) -> None:
    labels, ratings, others = (np.array(case[name]) for name in ("labels", "ratings", "others"))
    found = powered({"de": rated(labels.tolist(), ratings.tolist(), others.tolist())})[0]["de"]
    weights = cross_fitted(labels, ratings, np.arange(len(labels)), len(others)) if found.weight else 0 * labels
    assert found.weight == pytest.approx(weights.mean())
    expected = labels.mean() + (weights * (others.mean() - ratings)).mean()
    assert found.both.value == pytest.approx(expected)
    assert found.judged == pytest.approx(np.concatenate([ratings, others]).mean())


def test_no_answer_takes_part_in_its_own_weight() -> None:
    rng = np.random.default_rng(3)
    labels = rng.random(12)
    ratings = (labels + rng.random(12)) / 2
    clusters = np.array([0, 0, 1, 2, 3, 3, 3, 4, 5, 6, 7, 8])
    before = cross_fitted(labels, ratings, clusters, 50)
    labels[4:7] = labels[4:7] / 2
    after = cross_fitted(labels, ratings, clusters, 50)
    same = np.isclose(after, before, rtol=0, atol=1e-12)
    assert same[4:7].all() and not same[:4].any() and not same[7:].any()


def test_labels_alone_are_agresti_and_coulls_interval_with_one_answer_on_each_side() -> None:
    found = powered({"de": rated([1.0] * 9 + [0.0], [0.5] * 10, [])})[0]["de"]
    middle, n = 10 / 12, 12
    half = 1.959963984540054 * math.sqrt(middle * (1 - middle) / n * 12 / 11)
    assert found.alone == pytest.approx((0.9, middle - half, min(1.0, middle + half)))
    assert found.both == found.alone and found.weight == 0 and found.gain == 1


@settings(max_examples=150, deadline=None)
@given(st.lists(ANSWERS, min_size=1, max_size=5))
def test_it_is_never_wider_than_labels_alone(languages: list[Any]) -> None:
    strata = {str(i): [Rated(f, f"p{c}", y) for f, c, y in answers] for i, answers in enumerate(languages)}
    single, whole = powered(strata)
    for found in [*single.values(), *([whole] if whole else [])]:
        assert found.both.width <= found.alone.width + 1e-12
        for band in (found.alone, found.both):
            assert 0 <= band.low <= band.high <= 1
            assert band.low - 1e-9 <= band.value <= band.high + 1e-9
            assert band.width > 0
        assert 0 <= found.weight <= 1 and found.gain >= 1 - 1e-12
    assert set(single) == {name for name, answers in strata.items() if sum(a.label is not None for a in answers) >= 2}
    if whole:
        assert whole.alone.value == pytest.approx(np.mean([found.alone.value for found in single.values()]))


def test_graded_labels_have_narrower_intervals_than_right_and_wrong() -> None:
    rng = np.random.default_rng(6)
    ratings = rng.random(200).tolist()
    graded = powered({"de": rated((0.5 + 0.1 * rng.normal(size=20).clip(-2, 2)).tolist(), ratings[:20], ratings[20:])})
    binary = powered({"de": rated((rng.random(20) < 0.5).astype(float).tolist(), ratings[:20], ratings[20:])})
    assert graded[0]["de"].alone.width < 0.5 * binary[0]["de"].alone.width
    same = powered({"de": rated([0.6] * 20, ratings[:20], ratings[20:])})[0]["de"]
    assert 0 < same.alone.width < graded[0]["de"].alone.width and same.weight < 0.1


def test_a_judge_who_tells_nothing_and_one_who_lies_change_nothing() -> None:
    rng = np.random.default_rng(5)
    labels = (rng.random(40) < 0.7).astype(float).tolist()
    for ratings in ([0.4] * 40, [1 - y for y in labels]):
        found = powered({"de": rated(labels, ratings, rng.random(100).tolist())})[0]["de"]
        assert found.both == found.alone and found.weight == 0


def test_all_labelled_is_labels_alone() -> None:
    found = powered({"de": rated([1.0, 0.0, 1.0, 1.0], [1.0, 0.0, 1.0, 0.0], [])})[0]["de"]
    assert found.both == found.alone


def test_a_picture_shared_by_all_languages_is_one_picture() -> None:
    rng = np.random.default_rng(7)
    right = rng.random(40) < 0.7
    same = {f"l{i}": [Rated(0.5, f"p{j}", float(y)) for j, y in enumerate(right)] for i in range(5)}
    apart = {f"l{i}": [Rated(0.5, f"{i}-{j}", float(y)) for j, y in enumerate(right)] for i in range(5)}
    one, together, independent = powered({"l0": same["l0"]})[1], powered(same)[1], powered(apart)[1]
    assert one and together and independent
    assert together.alone.width == pytest.approx(one.alone.width, rel=0.05)
    assert independent.alone.width == pytest.approx(one.alone.width / math.sqrt(5), rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("labels", "pictures"), [(20, 1), (40, 3)])
def test_it_covers_in_twenty_languages(labels: int, pictures: int) -> None:
    """A short version of benchmarks/prediction_powered.py; 120 samples tell 95 from 90 %, not from 94."""
    found = coverage(labels, 160, pictures, samples=120, seed=11)
    assert 0.89 <= found.whole <= 0.99
    assert 0.935 <= found.languages <= 0.985
    assert found.width < 0.96 and found.language_width < 0.93 and found.wider == 0


def test_the_simulated_judges_have_the_kappas_they_are_said_to_have() -> None:
    rng = np.random.default_rng(2)
    assert len(LANGUAGES) == 20 and LANGUAGES[0].kappa == 0.2 and LANGUAGES[-1].kappa == 0.9
    for language in (LANGUAGES[0], LANGUAGES[10], LANGUAGES[-1]):
        labels, ratings = simulated(rng, language, 40_000, 1)[:2]
        agreed, chance = (labels == ratings).mean(), labels.mean() * ratings.mean()
        chance += (1 - labels.mean()) * (1 - ratings.mean())
        assert (agreed - chance) / (1 - chance) == pytest.approx(language.kappa, abs=0.03)
        assert labels.mean() == pytest.approx(language.share, abs=0.01)
