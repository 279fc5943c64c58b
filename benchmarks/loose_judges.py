"""Does `tvbench judge --planted N` name the one language of five in which a judge is loose, and no other?

    python benchmarks/loose_judges.py                     # the table of benchmarks/README.md
    python benchmarks/loose_judges.py --tries 200 --planted 20

The answers are planted as in a run (tests/support/planted_answers.py); whether the judge accepts one is drawn. `found`:
how often the language is named; `others named`: how often another one is; in the rows without a loose language, how
often any is.
"""

from __future__ import annotations

import argparse
import random
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from planted_answers import LANGUAGES, items, named  # noqa: E402

from tvbench.graders.judge.planted import plant  # noqa: E402

LOOSE = ((0.1, 0.5), (0.05, 0.4), (0.1, 0.4), (0.02, 0.3), (0.02, None), (0.1, None), (0.3, None), (0.5, None))
REJECTED = 0.05


def main() -> int:
    """Print a row for each judge, as it is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tries", type=int, default=1000)
    parser.add_argument("--planted", type=int, nargs="+", default=[20, 40, 80])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print("| planted | wrong ones accepted | in the loose language | found | others named |")
    print("|---|---|---|---|---|")
    for size in args.planted:
        plants = plant(items(120), size, answers={})
        for usual, loose in LOOSE:
            rng = random.Random(args.seed)
            chances = dict.fromkeys(LANGUAGES, (usual, REJECTED))
            if loose is not None:
                chances["hi"] = (loose, REJECTED)
            found = [named(chances, rng, plants) for _ in range(args.tries)]
            hits = f"{sum('loose' in one.get('hi', '') for one in found)} of {args.tries}" if loose is not None else "–"
            others = sum(bool(one.keys() - ({"hi"} if loose is not None else set())) for one in found)
            print(f"| {size} | {usual} | {loose or '–'} | {hits} | {others} of {args.tries} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
