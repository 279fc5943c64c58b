"""Quick commands next to a bare interpreter: wall time of whole processes, each with a `python -I -c pass` of its own.

    python benchmarks/quick_commands.py --rounds 20

In every round each command runs once, right after a bare interpreter; its ratio is of these two, so that a busy moment
of the machine hits both. The table shows the median ratio with its quartiles, and the median milliseconds. The first
round fills the caches (Python's bytecode, tvbench's lists) and does not count; `--cold` keeps tvbench's lists empty.
`leaderboard` reads four runs that are made for it, and the published numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BARE = [sys.executable, "-I", "-c", "pass"]
COMMANDS = (
    "--help",
    "--version",
    "tasks",
    "tasks show ocrbench",
    "tasks show alm",
    "models",
    "models show towervision-9b",
    "languages",
    "leaderboard",
)
LIMIT = 4.0


def main() -> int:
    """Time every command, print the table. 1 when a command fails, or with `--check` is above the limit."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="rounds that count (default %(default)s)")
    parser.add_argument("--cold", action="store_true", help="without what tvbench remembers of earlier listings")
    parser.add_argument("--check", action="store_true", help=f"exit with 1 if a list is above {LIMIT:g} times")
    args = parser.parse_args()
    if args.rounds < 2:
        parser.error("--rounds: quartiles need at least 2")
    with tempfile.TemporaryDirectory() as folder:
        make_runs(Path(folder) / "results")
        try:
            measured = {words: ratios(words, Path(folder), args.rounds, cold=args.cold) for words in COMMANDS}
        except subprocess.CalledProcessError as error:
            print(f"{' '.join(error.cmd)} failed ({error.returncode}):\n{error.stderr[-2000:]}", file=sys.stderr)
            return 1
    report(measured)
    above = [words for words, some in measured.items() if median_ratio(some) > LIMIT and words != "leaderboard"]
    return 1 if args.check and above else 0


def make_runs(results: Path) -> None:
    """Four scored runs, copies of one that the built-in model makes."""
    words = ["run", "--model", "tower-mini", "--tasks", "mini-alm:en", "--set", "mini-alm.items=2", "--quiet"]
    run(["-m", "tvbench", *words, "--results", str(results / "one")], results.parent)
    first = next(path.parent for path in (results / "one").rglob("manifest.json"))
    for number in range(4):
        copy = results / f"{first.name}-{number}"
        copy.mkdir()
        for path in first.iterdir():
            if path.is_file():
                text = path.read_text(encoding="utf-8")
                (copy / path.name).write_text(text.replace(first.name, copy.name), encoding="utf-8")
        manifest = json.loads((copy / "manifest.json").read_text(encoding="utf-8"))
        (copy / "manifest.json").write_text(json.dumps(manifest | {"run": copy.name}), encoding="utf-8")


def ratios(words: str, folder: Path, rounds: int, *, cold: bool) -> list[tuple[float, float]]:
    """(seconds, seconds of the bare interpreter before it) of each round that counts."""
    command = ["-m", "tvbench", *words.split(), *(["--results", "results"] if words == "leaderboard" else [])]
    found = []
    for number in range(rounds + 1):
        bare = timed(BARE, folder)
        seconds = timed([sys.executable, *command], folder)
        if cold:
            for path in (folder / "cache").rglob("*.json"):
                path.unlink()
        if number:
            found.append((seconds, bare))
    return found


def timed(command: Sequence[str], folder: Path) -> float:
    """Wall seconds of the process. Raises CalledProcessError."""
    begun = time.perf_counter()
    run(command[1:], folder)
    return time.perf_counter() - begun


def run(words: Sequence[str], folder: Path) -> None:
    """One process of this Python, with bytecode and with a cache of its own."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    env |= {"PYTHONPATH": str(ROOT), "TVBENCH_CACHE": str(folder / "cache")}
    subprocess.run([sys.executable, *words], check=True, capture_output=True, text=True, cwd=folder, env=env)


def median_ratio(measured: Sequence[tuple[float, float]]) -> float:
    """The median of the ratios."""
    return statistics.median(seconds / bare for seconds, bare in measured)


def report(measured: Mapping[str, Sequence[tuple[float, float]]]) -> None:
    """The table."""
    rounds = len(next(iter(measured.values())))
    print(f"{f'command, {rounds} rounds':<28}{'x bare':>8}{'quartiles':>16}{'median':>10}{'bare':>10}")
    for words, some in measured.items():
        low, middle, high = statistics.quantiles([seconds / bare for seconds, bare in some], n=4)
        seconds, bare = (statistics.median(times) * 1000 for times in zip(*some, strict=True))
        print(f"{words:<28}{middle:>8.2f}{f'{low:.2f} to {high:.2f}':>16}{seconds:>7.0f} ms{bare:>7.0f} ms")


if __name__ == "__main__":
    sys.exit(main())
