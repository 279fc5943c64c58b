"""Is a difference found among systems that are all the same? Each is set against the first, in some languages.

    python benchmarks/family.py                      # every cell: ten minutes

`false`: the share of comparisons in which any language of any system is said to differ (the family-wise type-I error),
and `false means`: any macro average; both may be at most 5 %. `alone`: the same when each pair is compared by itself,
as if the others were not there. Answers hang together within a picture, over its languages, and between the systems;
they are right or wrong, or values of a skewed distribution (log-normal).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tvbench.scoring.paired import Comparison, Pairs, compare_each, compare_several, is_certain, means

TABLE = Path(__file__).with_suffix(".csv")
COLUMNS = ("systems", "languages", "pictures", "values", "trials", "false", "false means", "alone")


@dataclass(frozen=True)
class Cell:
    """What is simulated: systems that are the same, the first among them."""

    systems: int
    languages: int
    pictures: int
    values: str


def cells() -> Iterator[Cell]:
    """All of them."""
    for systems in (3, 5):
        for languages, pictures in ((1, 40), (4, 150), (10, 60)):
            for values in ("right or wrong", "skewed"):
                yield Cell(systems, languages, pictures, values)


def main() -> int:
    """Simulate the cells, print each, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1_000)
    parser.add_argument("--resamples", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number, cell in enumerate(cells()):
            found = simulate(cell, args.trials, args.resamples, (args.seed, number))
            row = (cell.systems, cell.languages, cell.pictures, cell.values, args.trials, *(f"{x:.3f}" for x in found))
            writer.writerow(row)
            file.flush()
            print(*row, sep="\t", flush=True)
    return 0


def simulate(cell: Cell, trials: int, resamples: int, seed: tuple[int, ...]) -> tuple[float, float, float]:
    """The shares of trials in which something is found: in a language, in a mean, and by pairs alone."""
    random = np.random.default_rng(seed)
    hits = np.zeros(3)
    for trial in range(trials):
        groups = _pairs(_systems(cell, random))
        each = compare_several([[one] for pair in groups for one in pair], resamples=resamples, seed=trial)
        whole = compare_several(groups, resamples=resamples, seed=trial)
        alone = [one for pair in groups for one in compare_each(pair, resamples=resamples, seed=trial)]
        hits += [_any(each), _any(whole), _any(alone)]
    every, mean, apart = (hits / trials).tolist()
    return every, mean, apart


def _any(found: Sequence[Comparison]) -> bool:
    return any(map(is_certain, found))


def _systems(cell: Cell, random: np.random.Generator) -> np.ndarray:
    """Scores (systems, languages, pictures): how hard a picture is, what a system makes of it, and chance."""
    shape = (cell.systems, cell.languages, cell.pictures)
    hard = random.normal(size=(1, 1, cell.pictures))
    own = random.normal(size=(cell.systems, 1, cell.pictures))
    values = 0.6 * hard + 0.5 * own + 0.62 * random.normal(size=shape)
    return np.asarray(values > -0.5, dtype=float) if cell.values == "right or wrong" else np.exp(values)


def _pairs(scores: np.ndarray) -> list[list[Pairs]]:
    """By system: each language of it against the first system's. Pictures are the same in all languages."""
    pictures = list(range(scores.shape[2]))
    return [
        [means(first, second, pictures, 0.0) for first, second in zip(scores[0], other, strict=True)]
        for other in scores[1:]
    ]


if __name__ == "__main__":
    raise SystemExit(main())
