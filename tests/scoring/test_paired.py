"""Paired comparison: against exact enumeration, sacreBLEU's own scores, and simulations with clusters."""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import numpy as np
import pytest
from sacrebleu.metrics import BLEU, CHRF, TER
from scipy import stats

from tvbench.scoring import exchange
from tvbench.scoring.intervals import Observation, clustered_stderr, half_width, mean
from tvbench.scoring.metrics import metric as metric_named
from tvbench.scoring.paired import Comparison, Pairs, compare, compare_each, holm, is_certain, means
from tvbench.scoring.student import t_quantile
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
        assert equal.p == 1.0 and equal.difference == 0.0 and equal.detectable is None and equal.identical


def languages(rng: np.random.Generator, pictures: int, missing: float, better: Sequence[float]) -> list[Pairs]:
    """A language for each of `better`: right or wrong by picture, system and item; the second is better by so much."""
    groups = []
    shared = rng.normal(size=pictures)
    for more in better:
        clusters = np.repeat(np.arange(pictures), rng.integers(1, 4, pictures))
        clusters = clusters[rng.random(len(clusters)) >= missing]
        first, second = (
            (0.6 * shared[clusters] + 0.8 * rng.normal(size=len(clusters)) < stats.norm.ppf(0.6 + gain)).astype(float)
            for gain in (0, more)
        )
        groups.append(means(first, second, clusters.tolist()))
    return groups


@pytest.mark.parametrize(("pictures", "count", "missing"), [(200, 14, 0.2), (10, 3, 0.5), (20, 1, 0.0), (40, 14, 0.6)])
def test_intervals_hold_where_pictures_miss_languages(pictures: int, count: int, missing: float) -> None:
    """The bootstrap within strata of equal languages held 68 % in the first of these."""
    rng = np.random.default_rng(8)
    rounds = 300
    found = [compare(languages(rng, pictures, missing, [0.1] * count), resamples=499, seed=n) for n in range(rounds)]
    held = sum(one.low <= 0.1 <= one.high for one in found)
    assert 0.92 <= held / rounds <= 0.99


def test_one_giant_picture_is_no_sample() -> None:
    """Half of the items on one picture, with errors that pictures share: the others say how far it may be off."""
    rng = np.random.default_rng(9)
    rounds, held = 400, 0
    clusters = np.repeat(np.arange(20), [60, *[3] * 19])
    for number in range(rounds):
        second = rng.normal(size=20)[clusters] + 0.5 * rng.normal(size=len(clusters)) + 0.3
        one = compare([means(np.zeros(len(clusters)), second, clusters.tolist())], resamples=499, seed=number)
        held += one.low <= 0.3 <= one.high
    assert 0.93 <= held / rounds <= 0.98


def test_systems_that_hardly_differ_have_no_interval_of_nothing() -> None:
    """Of 200 pictures some four differ: an interval of what was seen alone would be too short."""
    rng = np.random.default_rng(10)
    rounds, held = 400, 0
    for number in range(rounds):
        second = (rng.random(200) < 0.02).astype(float)
        one = compare([means(np.zeros(200), second, list(range(200)))], resamples=499, seed=number)
        held += one.low <= 0.02 <= one.high
    assert held / rounds >= 0.93


def consistent(one: Comparison) -> bool:
    """Whether the interval leaves 0 out exactly where the adjusted p is below 0.05."""
    return (one.low > 0 or one.high < 0) == (one.adjusted < 0.05) == is_certain(one)


def test_interval_and_p_never_contradict_each_other() -> None:
    rng = np.random.default_rng(11)
    certain = 0
    for number in range(150):
        pictures = int(rng.integers(2, 30))
        count = int(rng.integers(1, 6))
        groups = languages(rng, pictures, 0.3 * rng.random(), list(rng.choice([0, 0.2, 0.38], count)))
        groups = [group for group in groups if len(group.first)]
        if groups:
            found = [compare(groups, resamples=499, seed=number), *compare_each(groups, resamples=499, seed=number)]
            assert all(map(consistent, found)), number
            assert all(one.adjusted >= one.p for one in found)
            certain += sum(map(is_certain, found))
    assert certain > 30


def test_languages_are_held_together() -> None:
    """Where nothing differs, one of 14 languages is called certain in 5 % of all cases at most, not in half of them;
    and one true difference of the size that is called detectable is certain in 80 %."""
    rng = np.random.default_rng(12)
    rounds, pictures = 300, list(range(60))
    false = 0
    for number in range(rounds):
        groups = [means(one, two, pictures) for one, two in rng.normal(size=(14, 2, len(pictures)))]
        found = compare_each(groups, resamples=999, seed=number)
        false += any(map(is_certain, found))
    assert 0.02 <= false / rounds <= 0.08
    detectable = float(np.mean([one.detectable for one in found if one.detectable is not None]))
    seen = 0
    for number in range(rounds):
        noise = rng.normal(size=(14, 2, len(pictures)))
        noise[0, 1] += detectable
        seen += is_certain(compare_each([means(one, two, pictures) for one, two in noise], resamples=999)[0])
    assert 0.74 <= seen / rounds <= 0.86


def test_so_few_clusters_can_show_nothing_and_that_is_said() -> None:
    """Five clusters of one sign have p = 2 / 2**5; of 14 languages, nine have p = 2 / 2**9 > 0.05 / 14."""
    for count, needed in ((5, 6), (2, 6), (1, 6)):
        one = compare([means(np.zeros(count), np.ones(count), list(range(count)))])
        assert (one.low, one.high) == (-np.inf, np.inf) and one.detectable is None and one.needed == needed
    six = compare([means(np.zeros(6), np.ones(6), list(range(6)))])
    assert six.needed is None and six.p == 2 / 2**6 and is_certain(six)
    rng = np.random.default_rng(13)
    each = [means(rng.random(count), 2 + rng.random(count), list(range(count))) for count in (5, *[40] * 13)]
    first, *others = compare_each(each, resamples=9999)
    assert first.needed == 10 and first.low == -np.inf and all(one.needed is None for one in others)


def test_the_interval_is_the_test_turned_round() -> None:
    """What lies outside, taken off the second system, is a difference that the test finds; and it is hardly wider than
    that."""
    rng = np.random.default_rng(14)
    clusters = np.repeat(np.arange(11), rng.integers(1, 5, 11))
    first, second = rng.normal(size=(2, len(clusters)))

    def p(difference: float) -> float:
        return compare([means(first, second - difference, clusters.tolist())]).p

    one = compare([means(first, second, clusters.tolist())])
    width = one.high - one.low
    assert p(one.low - 1e-6 * width) < 0.05 and p(one.high + 1e-6 * width) < 0.05
    assert p(one.low + width / 8) >= 0.05 and p(one.high - width / 8) >= 0.05


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


@pytest.mark.parametrize(("clusters", "draws"), [(41, 2_500), (6_000, 1_000), (400_000, 20)])
def test_exchanges_of_very_many_clusters_are_the_same_a_few_at_a_time(clusters: int, draws: int) -> None:
    """A thousand draws of 20,000 items took 320 MB, of a million 16 GB."""
    pieces = list(exchange._draws(clusters, draws, 3))
    assert np.array_equal(np.concatenate(pieces), np.random.default_rng((3, 1)).integers(0, 2, (draws, clusters)))
    assert max(piece.size for piece in pieces) <= max(exchange.AT_ONCE, exchange.FEWEST_DRAWS * clusters)
