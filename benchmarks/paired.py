"""Do the intervals and p-values of `compare` keep their promise? Simulated runs whose true difference is known.

    python benchmarks/paired.py                      # every cell: an hour
    python benchmarks/paired.py --only giant         # only these; benchmarks/paired.csv keeps the others

A cell is a number of pictures, of languages, of questions a picture (one; 1 to 8; heavy: Pareto; giant: a third of all
on one picture), a share of missing questions, and two systems. `coverage`: how many intervals hold the true difference.
`found`: how many p are below 0.05, where there is no difference: the type-I error. `contradictions`: intervals that
leave 0 out although p is not below 0.05, or the other way round. Answers hang together within a picture, and between
the systems. `bootstrap` is the coverage of a Bayesian bootstrap of the same data with expanded percentiles, for
comparison.
"""

from __future__ import annotations

import argparse
import csv
import math
import random
import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from statistics import NormalDist

import numpy as np

from tvbench.scoring.metrics import metric
from tvbench.scoring.paired import Comparison, Pairs, compare, compare_each, is_certain, means
from tvbench.scoring.student import t_quantile
from tvbench.types import Item, Translation

TABLE = Path(__file__).with_suffix(".csv")
WORDS = "ein rotes Haus steht am blauen See und der alte Mann schläft im Garten bei den Rosen".split()
POOL = 20_000
BOOTSTRAP = 500


@dataclass(frozen=True)
class Systems:
    """Two systems: chances of a right answer, or means of normal values; how alike the two are, and how strongly
    answers on one picture hang together."""

    name: str
    first: float
    second: float
    alike: float = 0.5
    within: float = 0.4
    kind: str = "right or wrong"


@dataclass(frozen=True)
class Cell:
    """What is simulated."""

    pictures: int
    languages: int
    sizes: str
    missing: float
    systems: Systems


SAME = Systems("equal, .7", 0.7, 0.7)
LARGE = Systems("large, .5 and .9", 0.5, 0.9, alike=0.3)
NEAR = Systems("hardly different, .93 and .95", 0.93, 0.95, alike=0.9)
VALUES = Systems("values, equal", 0.0, 0.0, kind="values")
TEXTS = Systems("BLEU, equal", 0.3, 0.3, kind="bleu")
FAR_TEXTS = Systems("BLEU, apart", 0.3, 0.4, kind="bleu")


def cells() -> Iterator[Cell]:
    """All of them."""
    for systems in (SAME, LARGE, NEAR, VALUES):
        for pictures in (10, 20, 60, 200):
            for sizes in ("one", "1..8", "heavy", "giant"):
                for languages, missing in ((1, 0.0), (4, 0.6), (14, 0.2)):
                    yield Cell(pictures, languages, sizes, missing, systems)
    for systems in (TEXTS, FAR_TEXTS):
        for pictures in (10, 20, 60):
            for languages, missing in ((1, 0.0), (4, 0.3)):
                yield Cell(pictures, languages, "1..8", missing, systems)


def main() -> int:
    """Simulate the cells, print each, and write them into the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=499)
    parser.add_argument("--only", default="", help="cells whose words have this in them")
    args = parser.parse_args()
    chosen = [cell for cell in cells() if args.only in " ".join(words(cell))]
    for number, cell in enumerate(chosen):
        row = [*words(cell), str(args.rounds), *tried(cell, args.rounds, args.resamples, number)]
        print(*row, sep="\t", flush=True)
        kept(row)
    if not args.only or "together".startswith(args.only):
        for line in (power(args.rounds), family(args.rounds)):
            print(line)
    return 0


def kept(row: list[str]) -> None:
    """Write a cell into the table, in the order of all cells."""
    known = list(csv.reader(TABLE.open(encoding="utf-8")))[1:] if TABLE.is_file() else []
    rows = {tuple(line[:5]): line for line in [*known, row]}
    ordered = [rows[key] for cell in cells() if (key := tuple(words(cell))) in rows]
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([HEADER, *ordered])


HEADER = (
    "pictures,languages,questions,missing,systems,rounds,coverage,found at 0.05,contradictions,median width,"
    "coverage of the bootstrap"
).split(",")


def words(cell: Cell) -> list[str]:
    """The cell as it stands in the table."""
    return [str(cell.pictures), str(cell.languages), cell.sizes, f"{cell.missing:g}", cell.systems.name]


def tried(cell: Cell, rounds: int, resamples: int, seed: int) -> tuple[str, ...]:
    """Coverage, share of p below 0.05, contradictions, median width, and the bootstrap's coverage."""
    rng = np.random.default_rng(seed)
    held = found = contradictions = other = 0
    widths: list[float] = []
    truth = true_difference(cell.systems)
    for number in range(rounds):
        groups = drawn(cell, rng)
        one = compare(groups, resamples=resamples, seed=number)
        held += one.low <= truth + 1e-9 and truth - 1e-9 <= one.high
        found += one.p <= 0.05
        contradictions += contradicts(one)
        low, high = bootstrap(groups, cell.pictures, rng)
        other += low <= truth <= high
        widths.append(one.high - one.low)
    shares = (f"{count / rounds:.3f}" for count in (held, found))
    return *shares, str(contradictions), f"{statistics.median(widths):.3g}", f"{other / rounds:.3f}"


def contradicts(one: Comparison) -> bool:
    """Whether interval and p say two things."""
    return (one.low > 0 or one.high < 0) != is_certain(one)


def power(rounds: int, languages: int = 14, pictures: int = 60) -> str:
    """How often a true difference of the size that is called detectable is certain beside 13 other languages."""
    rng = np.random.default_rng(1)
    names = list(range(pictures))
    sizes = [
        one.detectable or 0.0
        for _ in range(20)
        for one in compare_each([means(a, b, names) for a, b in rng.normal(size=(languages, 2, pictures))])
    ]
    found = 0
    for number in range(rounds):
        values = rng.normal(size=(languages, 2, pictures))
        values[0, 1] += statistics.mean(sizes)
        found += is_certain(compare_each([means(a, b, names) for a, b in values], resamples=1999, seed=number)[0])
    return f"detectable, {languages} languages, {pictures} pictures: certain in {found / rounds:.3f}"


def family(rounds: int, languages: int = 14, pictures: int = 60) -> str:
    """How often some language is called certain where none differs."""
    rng = np.random.default_rng(2)
    names = list(range(pictures))
    false = 0
    for number in range(rounds):
        values = rng.normal(size=(languages, 2, pictures))
        false += any(map(is_certain, compare_each([means(a, b, names) for a, b in values], resamples=999, seed=number)))
    return f"nothing differs, {languages} languages, {pictures} pictures: some language certain in {false / rounds:.3f}"


# ── Simulated runs ────────────────────────────────────────────────────────────────────────────────


def question_counts(cell: Cell, rng: np.random.Generator) -> np.ndarray:
    """How many questions each picture has."""
    if cell.sizes == "one":
        return np.ones(cell.pictures, int)
    if cell.sizes == "heavy":
        return np.minimum(np.ceil(rng.pareto(1.2, cell.pictures) + 0.01), 100).astype(int)
    counts = rng.integers(1, 9, cell.pictures)
    if cell.sizes == "giant":
        counts[0] = counts[1:].sum() // 2 + 1
    return counts


def drawn(cell: Cell, rng: np.random.Generator) -> list[Pairs]:
    """Both systems in each language, on the same pictures."""
    clusters = np.repeat(np.arange(cell.pictures), question_counts(cell, rng))
    effects = rng.normal(size=(3, cell.pictures))[:, clusters]
    groups = []
    for _ in range(cell.languages):
        there = rng.random(len(clusters)) >= cell.missing
        there[rng.integers(len(clusters), size=2)] = True
        groups.append(pairs(cell.systems, clusters[there], effects[:, there], rng))
    return groups


def pairs(systems: Systems, clusters: np.ndarray, effects: np.ndarray, rng: np.random.Generator) -> Pairs:
    """One language. `effects` are of the pictures: for both systems, the first and the second."""
    if systems.kind == "bleu":
        return texts(systems, clusters, rng)
    items = rng.normal(size=(3, len(clusters)))
    both, own = math.sqrt(systems.alike), math.sqrt(1 - systems.alike)
    picture, item = math.sqrt(systems.within), math.sqrt(1 - systems.within)
    sides = [
        picture * (both * effects[0] + own * effects[side]) + item * (both * items[0] + own * items[side])
        for side in (1, 2)
    ]
    if systems.kind == "values":
        return means(sides[0] + systems.first, sides[1] + systems.second, clusters.tolist())
    edges = [NormalDist().inv_cdf(chance) for chance in (systems.first, systems.second)]
    first, second = ((side < edge).astype(float) for side, edge in zip(sides, edges, strict=True))
    return means(first, second, clusters.tolist())


@cache
def statistics_of_texts(noise: float, seed: int) -> np.ndarray:
    """BLEU's statistics of many sentences in which some words were replaced."""
    rng, other = random.Random(0), random.Random(seed)
    references = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(3, 15))) for _ in range(POOL)]
    said = (" ".join(w if other.random() > noise else other.choice(WORDS) for w in text.split()) for text in references)
    made = [
        (Item(str(number), "t", "de", (), Translation("", (reference,))), text)
        for number, (reference, text) in enumerate(zip(references, said, strict=True))
    ]
    found = metric("bleu").statistics("de", made)
    assert found is not None
    return found


def texts(systems: Systems, clusters: np.ndarray, rng: np.random.Generator) -> Pairs:
    """Sentences of both systems; where they are equally good, each picture's are exchanged at random."""
    chosen = rng.integers(0, POOL, len(clusters))
    first, second = statistics_of_texts(systems.first, 1)[chosen], statistics_of_texts(systems.second, 2)[chosen]
    if systems.first == systems.second:
        keep = (rng.random(clusters.max() + 1) < 0.5)[clusters][:, None]
        first, second = np.where(keep, first, second), np.where(keep, second, first)
    return Pairs(first, second, clusters.tolist(), metric("bleu").of_sums, 100.0)


def true_difference(systems: Systems) -> float:
    """The second less the first, in the population."""
    if systems.kind != "bleu" or systems.first == systems.second:
        return systems.second - systems.first
    score = metric("bleu").of_sums
    return float(
        score(statistics_of_texts(systems.second, 2).sum(0)) - score(statistics_of_texts(systems.first, 1).sum(0))
    )


def bootstrap(groups: list[Pairs], pictures: int, rng: np.random.Generator) -> tuple[float, float]:
    """The expanded percentiles (Hesterberg 2015) of a Bayesian bootstrap (Rubin 1981) over the same clusters."""
    weights = rng.exponential(size=(BOOTSTRAP, pictures))
    differences = np.mean([_difference(group, weights) for group in groups], axis=0)
    edge = NormalDist().cdf(-math.sqrt(pictures / (pictures - 1)) * t_quantile(0.975, pictures - 1))
    low, high = np.quantile(differences, (edge, 1 - edge))
    return float(low), float(high)


def _difference(group: Pairs, weights: np.ndarray) -> np.ndarray:
    chosen = weights[:, np.array(group.clusters)]
    return np.asarray(group.score(chosen @ group.second) - group.score(chosen @ group.first))


if __name__ == "__main__":
    sys.exit(main())
