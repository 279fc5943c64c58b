"""How long the quick commands take, beside an empty Python and `import torch`: wall time of whole processes.

    python benchmarks/startup.py --repeats 20

Every round runs each command once, in another order, so that a busy moment of the machine hits all alike. The first
round only warms the disk cache. Ratios are of medians. `leaderboard` reads the runs in --results, and with many runs it
has more to do: what is measured here is a start.
"""

from __future__ import annotations

import argparse
import importlib.util
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

PASS = "python -c pass"
TORCH = "python -c 'import torch'"


def main() -> int:
    """Time every command, print the table. 1 when a command fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=10, metavar="N", help="rounds that count (default %(default)s)")
    parser.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="runs for the leaderboard")
    args = parser.parse_args()
    if args.repeats < 2:
        parser.error("--repeats: quartiles need at least 2")
    commands = commands_of(args.results)
    try:
        seconds = measured(commands, args.repeats)
    except subprocess.CalledProcessError as error:
        print(f"{' '.join(error.cmd)} failed ({error.returncode}):\n{error.stderr[-2000:]}", file=sys.stderr)
        return 1
    report(seconds)
    return 0


def commands_of(results: Path) -> dict[str, list[str]]:
    """What is run, by the name that it has in the table. Without torch there is one line less."""
    tvbench = [sys.executable, "-m", "tvbench"]
    commands = {
        PASS: [sys.executable, "-c", "pass"],
        "tvbench --help": [*tvbench, "--help"],
        "tvbench tasks": [*tvbench, "tasks"],
        "tvbench models": [*tvbench, "models"],
        "tvbench leaderboard": [*tvbench, "leaderboard", "--results", str(results)],
    }
    if importlib.util.find_spec("torch") is not None:
        commands[TORCH] = [sys.executable, "-c", "import torch"]
    return commands


def measured(commands: Mapping[str, Sequence[str]], repeats: int) -> dict[str, list[float]]:
    """Seconds of each command in each round. Raises CalledProcessError for one that fails."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    order = list(commands)
    shuffle = random.Random(0).shuffle
    for number in range(repeats + 1):
        shuffle(order)
        for name in order:
            start = time.perf_counter()
            subprocess.run(commands[name], check=True, capture_output=True, text=True)
            if number:
                seconds[name].append(time.perf_counter() - start)
    return seconds


def report(seconds: Mapping[str, Sequence[float]]) -> None:
    """Median and quartiles in milliseconds, and the median as a multiple of both ends."""
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    rounds = len(next(iter(seconds.values())))
    print(f"{'command, ' + str(rounds) + ' rounds':<26}{'median':>9}{'quartiles':>18}{'x pass':>9}{'x torch':>9}")
    for name, times in seconds.items():
        low, _, high = (1000 * quartile for quartile in statistics.quantiles(times, n=4))
        of_torch = f"{medians[name] / medians[TORCH]:.2f}" if TORCH in medians else "none"
        print(
            f"{name:<26}{1000 * medians[name]:>6.0f} ms{f'{low:.0f} to {high:.0f} ms':>18}"
            f"{medians[name] / medians[PASS]:>9.1f}{of_torch:>9}"
        )


if __name__ == "__main__":
    sys.exit(main())
