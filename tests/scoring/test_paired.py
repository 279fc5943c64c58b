"""Paired comparison: against exact enumeration, sacreBLEU's own scores, and simulations with clusters."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER
from scipy import stats

from tvbench.scoring.intervals import Observation, clustered_stderr, half_width, mean, t_quantile
from tvbench.scoring.metrics import metric as metric_named
from tvbench.scoring.paired import Pairs, compare, holm, means
from tvbench.types import Item, Translation

WORDS = "ein rotes Haus steht am blauen See und der alte Mann schläft im Garten".split()


def corpus(count: int, noise: float, seed: int) -> tuple[list[Translation], list[str]]:
    rng = random.Random(seed)
    references = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 12))) for _ in range(count)]
    texts = [
        " ".join(word if rng.random() > noise else rng.choice(WORDS) for word in one.split()) for one in references
    ]
    return [Translation("s", (one,)) for one in references], texts


def segment_statistics(name: str, targets: list[Translation], texts: list[str]) -> np.ndarray:
    pairs = [
        (Item(str(n), "t", "de", (), target), text) for n, (target, text) in enumerate(zip(targets, texts, strict=True))
    ]
    rows = metric_named(name).statistics("de", pairs)
    assert rows is not None
    return rows


@pytest.mark.parametrize(("name", "metric"), [("bleu", BLEU()), ("chrfpp", CHRF(word_order=2)), ("ter", TER())])
@pytest.mark.parametrize("noise", [0.0, 0.3, 0.9, 1.0])
def test_sums_give_sacrebleus_score(name: str, metric: BLEU | CHRF | TER, noise: float) -> None:
    for count in (1, 2, 40):
        targets, texts = corpus(count, noise, 3)
        rows = segment_statistics(name, targets, texts)
        expected = metric.corpus_score(texts, [[one.references[0] for one in targets]]).score
        assert float(metric_named(name).of_sums(rows.sum(0))) == pytest.approx(expected, abs=1e-6)
        empty = segment_statistics(name, targets, ["" for _ in texts])
        assert float(metric_named(name).of_sums(empty.sum(0))) == (100.0 if name == "ter" else 0.0)


def test_p_is_the_exact_one_where_it_can_be_enumerated() -> None:
    first, second = [0.0, 1, 0, 0, 1, 0, 1, 0], [1.0, 1, 1, 0, 1, 1, 1, 1]
    clusters = ["a", "a", "b", "c", "c", "d", "e", "f"]
    sums: dict[str, float] = {}
    for name, a, b in zip(clusters, first, second, strict=True):
        sums[name] = sums.get(name, 0) + b - a
    flips = [
        abs(sum(sign * value for sign, value in zip(signs, sums.values(), strict=True)))
        for signs in itertools.product((1, -1), repeat=len(sums))
    ]
    exact = sum(flip >= abs(sum(sums.values())) - 1e-9 for flip in flips) / len(flips)
    found = compare([means(first, second, clusters)])
    assert found.p == exact
    assert found.difference == pytest.approx(np.mean(second) - np.mean(first))
    drawn = compare([means(first, second, clusters)], resamples=2**6 - 1)
    assert drawn.p == pytest.approx(exact, abs=0.2) and drawn.p > 0


@pytest.mark.slow
@pytest.mark.parametrize("pictures", [20, 60])
def test_intervals_and_tests_keep_their_promise_with_clusters(pictures: int) -> None:
    """95 % of the intervals hold the truth, and 5 % of the tests find a difference where there is none."""
    numbers = np.random.default_rng(0)
    covered = bare = found = 0
    rounds = 8000
    for number in range(rounds):
        clusters = np.repeat(np.arange(pictures), numbers.integers(1, 5, pictures))
        shared = numbers.normal(size=pictures)[clusters]
        first = numbers.normal(size=len(clusters))
        second = first + 0.2 + shared + 0.3 * numbers.normal(size=len(clusters))
        one = compare([means(first, second, clusters.tolist())], resamples=399, seed=number)
        covered += one.low <= 0.2 <= one.high
        null = compare([means(first, second - 0.2, clusters.tolist())], resamples=399, seed=number)
        found += null.p <= 0.05
        observed = [Observation(*pair) for pair in zip(second - first, map(str, clusters), strict=True)]
        stderr = clustered_stderr(observed)
        assert stderr is not None
        bare += abs(mean(observed) - 0.2) <= half_width(stderr, pictures)
    assert 0.94 <= covered / rounds <= 0.96
    assert 0.94 <= bare / rounds <= 0.96
    assert 0.045 <= found / rounds <= 0.055


def test_items_that_share_a_picture_are_not_independent() -> None:
    """The same 40 differences, once as 40 pictures, once each asked ten times: the interval must not shrink."""
    rng = np.random.default_rng(1)
    first, second = rng.normal(size=40), rng.normal(size=40)
    alone = compare([means(first, second, list(range(40)))])
    tenfold = compare([means(np.tile(first, 10), np.tile(second, 10), list(range(40)) * 10)])
    assert tenfold.high - tenfold.low == pytest.approx(alone.high - alone.low, rel=0.05)
    by_language = compare([means(first, second, list(range(40))) for _ in range(10)])
    assert by_language.high - by_language.low == pytest.approx(alone.high - alone.low, rel=0.05)


def test_corpus_scores_are_compared_as_corpus_scores() -> None:
    targets, good = corpus(200, 0.2, 5)
    _, same = corpus(200, 0.2, 5)
    _, bad = corpus(200, 0.5, 5)
    for name in ("bleu", "chrfpp"):
        formula = metric_named(name).of_sums
        rows = {
            key: segment_statistics(name, targets, texts)
            for key, texts in (("good", good), ("same", same), ("bad", bad))
        }
        worse = compare([Pairs(rows["good"], rows["bad"], list(range(200)), formula)], resamples=999)
        assert worse.p == pytest.approx(0.001) and worse.high < 0 and worse.low < worse.difference < worse.high
        equal = compare([Pairs(rows["good"], rows["same"], list(range(200)), formula)], resamples=999)
        assert equal.p == 1.0 and equal.difference == 0.0 and equal.detectable is None


def test_holm() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == [] and holm([0.9, 0.8]) == [1.0, 1.0]


def test_nothing_to_compare() -> None:
    with pytest.raises(ValueError, match="nothing"):
        compare([])
    with pytest.raises(ValueError, match="nothing"):
        compare([means([], [], [])])


@pytest.mark.parametrize("df", [1, 2, 3, 4, 5, 10, 31, 200, 201, 1000])
@pytest.mark.parametrize("probability", [0.025, 0.5, 0.6, 0.9, 0.975, 0.995])
def test_students_quantile_is_scipys(probability: float, df: int) -> None:
    assert t_quantile(probability, df) == pytest.approx(stats.t.ppf(probability, df), rel=1e-9, abs=1e-9)


def test_what_scipy_computes_too_is_the_same() -> None:
    """Without clusters the standard error is s/sqrt(n), the interval Student's, and the test that of scipy."""
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=9), rng.normal(size=9) + 0.7
    apart = [Observation(float(value), str(number)) for number, value in enumerate(second - first)]
    stderr = clustered_stderr(apart)
    assert stderr is not None
    assert stderr == pytest.approx(stats.sem(second - first), abs=1e-12)
    low, high = stats.ttest_rel(second, first).confidence_interval()
    assert (mean(apart) - half_width(stderr, 9), mean(apart) + half_width(stderr, 9)) == pytest.approx((low, high))
    exact = stats.permutation_test(
        (second, first),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    assert compare([means(first, second, list(range(9)))]).p == pytest.approx(exact.pvalue, abs=1e-6)


def test_many_draws_are_near_scipys_exact_test_and_bootstrap() -> None:
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=13), rng.normal(size=13) + 0.5
    exact = stats.permutation_test(
        (second, first),
        lambda a, b, axis: np.mean(a - b, axis=axis),
        permutation_type="samples",
        n_resamples=np.inf,
        vectorized=True,
    )
    drawn = compare([means(first, second, list(range(13)))], resamples=2**13 - 1)
    assert drawn.p == pytest.approx(exact.pvalue, abs=4 * (exact.pvalue / 2**13) ** 0.5 + 1e-3)


def test_holm_is_the_one_of_the_definition() -> None:
    """Holm 1979: the adjusted p is the largest of (m - rank + 1) p over the ranks up to its own."""
    rng = np.random.default_rng(5)
    values = rng.random(12) / 8
    order = np.argsort(values)
    expected = np.empty(12)
    expected[order] = np.minimum(1, np.maximum.accumulate(values[order] * (12 - np.arange(12))))
    assert holm(values.tolist()) == pytest.approx(expected.tolist(), abs=1e-12)
