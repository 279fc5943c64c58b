"""Commands that look through a folder of very many runs: wall and CPU seconds of whole processes.

    python benchmarks/many_runs.py --runs 10000
    python benchmarks/many_runs.py --runs 10000 --models 10000 --beside ../older-checkout

Makes runs that were never asked: each is a manifest and a result of one task in ten languages; `--models` share them,
each with a run a task. Every command runs once to fill what it keeps, and then `--rounds` times, in turns with the
other checkout. `cold` is the first time: nothing is kept yet.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = "en de fr es it pt nl ru ko zh".split()
METRICS = ("strict", "casefold", "aligned", "fragment", "chance")
COMMANDS = ("leaderboard", "leaderboard --format json", "status", "compare run-00000 run-0000", "score nothing")


def main() -> int:
    """Make the runs, time the commands, print a line each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--models", type=int, default=1_000, help="that share them (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--commands", nargs="+", default=list(COMMANDS), metavar="WORDS")
    parser.add_argument("--beside", type=Path, metavar="DIR", help="another checkout, in turns with this one")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="make the runs here, and leave them (or take them)")
    args = parser.parse_args()
    sides = {"here": ROOT, **({"beside": args.beside.resolve()} if args.beside else {})}
    with tempfile.TemporaryDirectory() as folder:
        results = (args.keep or Path(folder)) / f"results-{args.runs}-{args.models}"
        if not results.is_dir():
            make_runs(results, args.runs, args.models)
        for words in args.commands:
            cold = {name: timed(tree, words, results) for name, tree in sides.items()}
            warm = {name: [] for name in sides}  # type: dict[str, list[tuple[float, float]]]
            for _ in range(args.rounds):
                for name, tree in sides.items():
                    warm[name].append(timed(tree, words, results))
            for name, some in warm.items():
                wall, cpu = (statistics.median(times) for times in zip(*some, strict=True))
                print(
                    f"{words:<28}{name:<8} cold {cold[name][0]:7.2f} s, then {wall:6.2f} s ({cpu:.2f} of CPU)",
                    flush=True,
                )
    return 0


def timed(tree: Path, words: str, results: Path) -> tuple[float, float]:
    """(wall, CPU seconds) of one process."""
    env = {**os.environ, "PYTHONPATH": str(tree), "TVBENCH_CACHE": str(results.parent / "cache")}
    command = [sys.executable, "-m", "tvbench", *words.split(), "--results", str(results)]
    begun = time.perf_counter()
    child = subprocess.Popen(command, env=env, cwd=tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    return time.perf_counter() - begun, used.ru_utime + used.ru_stime


def make_runs(results: Path, runs: int, models: int) -> None:
    """Each a folder with a manifest and a result."""
    for number in range(runs):
        write_run(results / f"run-{number:05d}", f"model-{number % models}", f"task-{number // models % 10}", number)


def write_run(folder: Path, model: str, task: str, number: int) -> None:
    """One run of one task, of which nothing is left but its figures."""
    from tvbench.runs.manifest_json import manifest_from_json
    from tvbench.runs.store import RunFolder
    from tvbench.runs.writer import RunWriter
    from tvbench.types import Counts, Figure, Slice, TaskResult

    def figures(shift: float, items: int) -> dict[str, Figure]:
        values = {name: (number * 37 % 1009 / 1009 + at / 7 + shift) % 1 for at, name in enumerate(METRICS)}
        return {name: Figure(v, items, 0.02, items, max(0, v - 0.04), min(1, v + 0.04)) for name, v in values.items()}

    parts = {code: Slice(Counts(50, 50, 0, 50), figures(at / 31, 50)) for at, code in enumerate(LANGUAGES)}
    every = figures(0.0, 500)
    signature = f"task:{task}@1|protocol:tvbench|data:made|items:500|model:{model}@1|engine:made@1|tvbench:0"
    counts = Counts(500, 500, 0, 500)
    result = TaskResult(task, "tvbench", signature, "aligned", counts, every, every, every, {"language": parts})
    entry = {"task": task, "protocol": "tvbench", "primary": "aligned", "signature": signature, "items": 500}
    engine = {"name": "made", "version": "1", "settings": {}}
    about = {"run": folder.name, "model": {"name": model, "revision": "1"}, "engine": engine, "tasks": [entry]}
    with RunWriter(folder) as writer:
        writer.write_manifest(manifest_from_json({**about, "updated": f"2026-01-01T00:00:{number % 60:02d}"}))
    RunFolder(folder).write_result([result], {})


if __name__ == "__main__":
    sys.exit(main())
