"""Paired bootstrap of BLEU and chrF++ beside sacreBLEU's own: the same resamples, the same two systems, in turns.

    python benchmarks/resampling.py

tvbench: `paired.compare` (bootstrap and approximate randomisation, both). sacreBLEU: its PairedTest in one process,
bootstrap and then approximate randomisation. Both include taking the statistics of the segments. For one thread each
set OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence

WORDS = "ein rotes Haus steht am blauen See und der alte Mann schläft im Garten bei den Rosen".split()


def main() -> int:
    """Time both and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--segments", type=int, default=1000)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    rng = random.Random(0)
    references = [" ".join(rng.choice(WORDS) for _ in range(rng.randint(5, 15))) for _ in range(args.segments)]
    first, second = ([spoilt(reference, noise, rng) for reference in references] for noise in (0.3, 0.32))
    for name in ("bleu", "chrfpp"):
        seconds: dict[str, list[float]] = {"tvbench": [], "sacrebleu": []}
        for _ in range(args.rounds):
            for side, run in (("tvbench", with_tvbench), ("sacrebleu", with_sacrebleu)):
                seconds[side].append(timed(run, name, first, second, references, args.resamples))
        ours, theirs = (statistics.median(seconds[side]) for side in ("tvbench", "sacrebleu"))
        print(
            f"{name}: {args.resamples:,} resamples of {args.segments:,} segments, both tests: tvbench {ours:.2f} s, "
            f"sacreBLEU {theirs:.2f} s, ratio {ours / theirs:.3f}",
            flush=True,
        )
    return 0


def spoilt(text: str, noise: float, rng: random.Random) -> str:
    """The reference with some words replaced."""
    return " ".join(word if rng.random() > noise else rng.choice(WORDS) for word in text.split())


def timed(
    run: Callable[[str, Sequence[str], Sequence[str], Sequence[str], int], None],
    name: str,
    first: Sequence[str],
    second: Sequence[str],
    references: Sequence[str],
    resamples: int,
) -> float:
    """Seconds of one run."""
    started = time.perf_counter()
    run(name, first, second, references, resamples)
    return time.perf_counter() - started


def with_tvbench(
    name: str, first: Sequence[str], second: Sequence[str], references: Sequence[str], resamples: int
) -> None:
    """Statistics of the segments, then compare()."""
    from tvbench.scoring.metrics import metric
    from tvbench.scoring.paired import Pairs, compare
    from tvbench.types import Item, Translation

    items = [Item(str(n), "t", "de", (), Translation("", (reference,))) for n, reference in enumerate(references)]
    measured = metric(name)
    rows = [measured.statistics("de", list(zip(items, texts, strict=True))) for texts in (first, second)]
    assert rows[0] is not None and rows[1] is not None
    compare([Pairs(rows[0], rows[1], list(range(len(references))), measured.of_sums)], resamples=resamples)


def with_sacrebleu(
    name: str, first: Sequence[str], second: Sequence[str], references: Sequence[str], resamples: int
) -> None:
    """Both of its paired tests."""
    from sacrebleu.metrics import BLEU, CHRF
    from sacrebleu.significance import PairedTest

    for test in ("bs", "ar"):
        streams = [list(references)]
        metric = BLEU(references=streams) if name == "bleu" else CHRF(word_order=2, references=streams)
        PairedTest(
            [("first", list(first)), ("second", list(second))],
            {name: metric},
            references=None,
            test_type=test,
            n_samples=resamples,
        )()


if __name__ == "__main__":
    sys.exit(main())
