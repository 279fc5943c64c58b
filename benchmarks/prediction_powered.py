"""Do the intervals of human labels hold the truth, in twenty simulated languages with judges of kappa .2 to .9?

    python benchmarks/prediction_powered.py                      # the table of benchmarks/README.md
    python benchmarks/prediction_powered.py --samples 200 --labels 40

The simulation is tests/support/simulated_labels.py: half of the pictures are the same in all languages where a picture
has several answers, and half of the judges lean. `mean`: how often the mean over the languages lies in its interval;
`languages`: the same for the languages, with the lowest and the highest; `as published`: for the interval of the
authors' package, ppi_py. Widths, of the mean and of the languages, are shares of those of labels alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "support")]

from simulated_labels import coverage  # noqa: E402

ANSWERS = 240
HEAD = "| labels | answers a picture | mean | labels alone | languages | lowest, highest | as published | widths |"


def main() -> int:
    """Print a row for each cell, as it is done."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=1000)
    parser.add_argument("--labels", type=int, nargs="+", default=[10, 20, 40, 100])
    parser.add_argument("--pictures", type=int, nargs="+", default=[1, 3])
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    print(HEAD)
    print("|---|---|---|---|---|---|---|---|")
    wider = 0
    for pictures in args.pictures:
        for labels in args.labels:
            found = coverage(labels, ANSWERS, pictures, args.samples, args.seed)
            wider += found.wider
            print(
                f"| {labels} of {ANSWERS} | {pictures} | {found.whole:.3f} | {found.alone:.3f} | {found.languages:.3f} "
                f"| {found.least:.3f}, {found.most:.3f} | {found.published:.3f} "
                f"| {found.width:.2f}, {found.language_width:.2f} |",
                flush=True,
            )
    print(f"wider than labels alone: {wider}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
