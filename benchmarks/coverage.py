"""How often the 95 % intervals of figures hold the truth: simulated runs of known accuracy, and the interval of each.

    python benchmarks/coverage.py [--draws 2000] [--write] [--random 300]

A run has pictures with questions, in one language or several; each answer is right with the accuracy `p`, and answers
on one picture go together with the correlation `icc` (beta-binomial, or a normal trait of the picture). `--write` puts
the table into benchmarks/coverage.md. `--random N` tries N settings at random instead.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

import numpy as np

from tvbench.scoring.beta_binomial import Clusters, accepts, clusters_of, limits

ACCURACIES = (0.5, 0.7, 0.8, 0.9, 0.95, 0.97, 0.99)
PICTURES = (10, 20, 50, 100, 200)
SIZES = ("1", "5", "10", "1..8", "heavy", "giant")
WIDTHS = 8
TABLE = Path(__file__).with_name("coverage.md")


@dataclass(frozen=True)
class Cell:
    """One setting. `sizes`: questions on a picture; `missing`: the share of items without an answer; `values`: right or
    wrong, or thirds; `figure`: the mean over languages, or all items pooled; `trait`: beta or normal; `spread` of the
    languages' accuracies in standard deviations of the trait."""

    p: float
    pictures: int
    sizes: str = "1"
    icc: float = 0.3
    languages: int = 1
    missing: float = 0.0
    values: str = "right or wrong"
    figure: str = "macro"
    trait: str = "beta"
    spread: float = 0.0


def drawn_sizes(cell: Cell, rng: np.random.Generator) -> np.ndarray:
    """Questions on each picture (in each language)."""
    count = cell.pictures
    if cell.sizes == "1..8":
        return rng.integers(1, 9, count)
    if cell.sizes == "heavy":
        return np.minimum(np.ceil(rng.lognormal(0.7, 1.2, count)), 300).astype(int)
    if cell.sizes == "zipf":
        return np.minimum(rng.zipf(1.8, count), 200)
    if cell.sizes == "giant":
        sizes = rng.integers(1, 6, count)
        sizes[0] = sizes[1:].sum()
        return sizes
    return np.full(count, int(cell.sizes))


def drawn(cell: Cell, rng: np.random.Generator) -> tuple[Clusters, float]:
    """One simulated figure, and the share wrong that is true of it."""
    from scipy.special import ndtr, ndtri

    sizes = drawn_sizes(cell, rng)
    pictures = np.tile(np.repeat(np.arange(cell.pictures), sizes), cell.languages)
    languages = np.repeat(np.arange(cell.languages), sizes.sum())
    levels = ndtri(1 - cell.p) + cell.spread * np.linspace(-1, 1, cell.languages) * (cell.languages > 1)
    truth = ndtr(levels)
    if cell.trait == "normal":
        trait = rng.normal(size=cell.pictures)[pictures] * np.sqrt(cell.icc)
        wrong = ndtr((levels[languages] + trait) / np.sqrt(max(1 - cell.icc, 1e-9)))
    else:
        wrong = _beta(1 - cell.p, cell.icc, cell.pictures, rng)[pictures]
    if cell.values == "thirds":
        values = rng.binomial(3, rng.beta(np.maximum(2 * wrong, 1e-9), np.maximum(2 - 2 * wrong, 1e-9))) / 3
    else:
        values = (rng.random(len(wrong)) < wrong).astype(float)
    kept = rng.random(len(values)) >= cell.missing
    kept[[int(np.argmax(languages == language)) for language in range(cell.languages)]] = True
    pictures = np.unique(pictures[kept], return_inverse=True)[1].reshape(-1)
    groups = languages[kept] if cell.figure == "macro" else np.zeros(kept.sum(), int)
    true = float(truth.mean() if cell.figure == "macro" else truth[languages[kept]].mean())
    return clusters_of(values[kept], pictures, groups), true


def _beta(mean: float, icc: float, count: int, rng: np.random.Generator) -> np.ndarray:
    if icc <= 0:
        return np.full(count, mean)
    if icc >= 1:
        return (rng.random(count) < mean).astype(float)
    total = (1 - icc) / icc
    return rng.beta(total * mean, total * (1 - mean), count)


@dataclass(frozen=True)
class Covered:
    """What came of one cell: the share of intervals that hold the truth, and how wide they are beside Wald's."""

    cell: Cell
    coverage: float
    width: float


def cover(cell: Cell, draws: int, seed: int, widths: int = WIDTHS) -> Covered:
    """Simulate one cell; the first `widths` intervals are measured."""
    rng = np.random.default_rng(seed)
    hits = 0
    ratios: list[float] = []
    for number in range(draws):
        clusters, true = drawn(cell, rng)
        hits += bool(accepts(clusters, np.array([true]))[0])
        if number < widths and not clusters.one_sided:
            low, high = limits(clusters)
            ratios.append((high - low) / _wald(clusters))
    return Covered(cell, hits / draws, median(ratios) if ratios else float("nan"))


def _wald(clusters: Clusters) -> float:
    """The width of value ± t · clustered standard error."""
    from scipy.special import stdtrit

    count = len(clusters.weight)
    apart = clusters.weight * (clusters.wrong / clusters.size - clusters.observed)
    return float(2 * stdtrit(count - 1, 0.975) * np.sqrt(count / (count - 1) * (apart**2).sum())) or float("nan")


def cells() -> list[Cell]:
    """The table's settings."""
    found = [Cell(p, count, sizes) for sizes in SIZES for count in PICTURES for p in ACCURACIES]
    found += [
        Cell(p, count, sizes, icc)
        for icc in (0.1, 0.6, 1.0)
        for sizes in SIZES[1:]
        for count in (10, 50, 200)
        for p in (0.7, 0.9, 0.97)
    ]
    several = Cell(0.5, 10, languages=14)
    shapes = [several, replace(several, missing=0.2), replace(several, missing=0.2, figure="pooled")]
    shapes += [replace(several, trait="normal", spread=0.5), Cell(0.5, 10, "5", values="thirds")]
    return found + [
        replace(shape, p=p, pictures=count)
        for shape in shapes
        for count in PICTURES
        for p in (0.5, 0.7, 0.9, 0.95, 0.97)
    ]


def at_random(rng: np.random.Generator) -> Cell:
    """A setting that nobody chose."""
    cell = Cell(
        p=float(1 - np.exp(rng.uniform(np.log(0.01), np.log(0.5)))),
        pictures=int(np.exp(rng.uniform(np.log(10), np.log(200)))),
        sizes=str(rng.choice(["1", "2", "4", "8", "1..8", "heavy", "zipf", "giant"])),
        icc=float(rng.uniform(0.05, 1)),
        trait=str(rng.choice(["beta", "normal"])),
    )
    if rng.random() < 0.6:
        return cell
    return replace(
        cell,
        sizes=str(rng.choice(["1", "1", "1..8"])),
        languages=int(rng.integers(2, 15)),
        missing=float(rng.choice([0, 0.2])),
        figure=str(rng.choice(["macro", "pooled"])),
        trait="normal",
        spread=float(rng.choice([0, 0.5])),
    )


def forced(cell: Cell) -> bool:
    """Whether no interval that treats right and wrong alike can cover 93 to 97 %, with one item a picture: it holds the
    truth for all numbers of right answers from one to another, and no such stretch is as probable as that."""
    from scipy.stats import binom

    if cell.sizes != "1" or cell.languages > 1 or cell.values != "right or wrong":
        return False
    chances = np.concatenate([[0.0], binom.cdf(np.arange(cell.pictures + 1), cell.pictures, 1 - cell.p)])
    stretches = chances[None, :] - chances[:, None]
    if cell.p == 0.5:
        stretches = np.array([1 - 2 * chances[: cell.pictures // 2 + 1]])
    return not bool(((stretches >= 0.93) & (stretches <= 0.97)).any())


def table(found: Sequence[Covered], draws: int) -> str:
    """The table as markdown: a row a shape and number of pictures, a column an accuracy."""
    rows: dict[tuple[str, int], dict[float, Covered]] = {}
    for covered in found:
        rows.setdefault((shape_of(covered.cell), covered.cell.pictures), {})[covered.cell.p] = covered
    lines = [
        "# Coverage of the 95 % intervals",
        "",
        f"Written by `python benchmarks/coverage.py --draws {draws} --write`: {draws:,} draws a cell (standard error "
        f"{np.sqrt(0.05 * 0.95 / draws):.3f}). `*`: no interval could do with 93 to 97 % here (see `forced`).",
        "Width: median of ours beside that of value ± t · clustered standard error, at accuracies of 0.9 and less.",
        "",
        summary(found),
        "",
        "| questions on a picture | pictures | " + " | ".join(map(str, ACCURACIES)) + " | width |",
        "| :-- | --: |" + " --: |" * (len(ACCURACIES) + 1),
    ]
    for (shape, pictures), by_p in rows.items():
        shown = [_shown(by_p.get(p)) for p in ACCURACIES]
        widths = [covered.width for p, covered in by_p.items() if p <= 0.9]
        width = f"{median(widths):.2f}" if widths else ""
        lines.append(f"| {shape} | {pictures} | {' | '.join(shown)} | {width} |")
    return "\n".join(lines) + "\n"


def _shown(covered: Covered | None) -> str:
    return "" if covered is None else f"{covered.coverage:.3f}{'*' * forced(covered.cell)}"


def shape_of(cell: Cell) -> str:
    """A setting in words, without accuracy and number of pictures."""
    words = [cell.sizes] + [f"icc {cell.icc:.2g}"] * (cell.sizes != "1" or cell.languages > 1)
    words += [cell.values] * (cell.values != "right or wrong")
    words += [f"{cell.languages} languages, {cell.figure}"] * (cell.languages > 1)
    words += [f"{cell.missing:.0%} missing"] * bool(cell.missing) + ["accuracies differ"] * bool(cell.spread)
    return ", ".join(words + [cell.trait] * (cell.trait != "beta"))


def summary(found: Sequence[Covered]) -> str:
    """All of it in a line."""
    coverages = np.array([covered.coverage for covered in found])
    low, high = int((coverages < 0.93).sum()), int((coverages > 0.97).sum())
    least, middle, most = coverages.min(), np.median(coverages), coverages.max()
    return (
        f"{len(found)} cells: least {least:.3f}, median {middle:.3f}, most {most:.3f}; "
        f"below 93 %: {low}, above 97 %: {high}."
    )


def main() -> int:
    """Simulate, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--random", type=int, default=0, metavar="N")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    asked = [at_random(rng) for _ in range(args.random)] or cells()
    with ProcessPoolExecutor(args.processes) as pool:
        found = list(pool.map(cover, asked, [args.draws] * len(asked), range(len(asked))))
    for covered in sorted(found, key=lambda covered: covered.coverage):
        if args.random or not args.write:
            cell = covered.cell
            print(f"{covered.coverage:.3f}  p {cell.p:.3f}, {cell.pictures} pictures, {shape_of(cell)}")
    print(summary(found))
    if args.write and not args.random:
        TABLE.write_text(table(found, args.draws), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
