"""The camp of a campaign: its folders, its dice, its tally, and how its processes begin. Knows no order of events."""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.campaigns.given import ENGINE, ENTRY, LINE, MODEL, ROOT, TASK


@dataclass
class Tally:
    """What was done to the run."""

    kills: Counter[str] = field(default_factory=Counter)
    refused: int = 0
    imports: int = 0
    merges: list[tuple[str, float, float]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


class Camp:
    """`home` holds the results where shards and actors write now, `away` those of the machine that takes batches in."""

    def __init__(self, folder: Path, args: argparse.Namespace) -> None:
        self.folder, self.args = folder, args
        self.dice = random.Random(args.seed)
        self.home, self.away = folder / "home", folder / "away"
        self.tally = Tally()
        for name in ("paid", "alone-paid", "waves", "back", "said"):
            (folder / name).mkdir()
        (folder / "rests.py").write_text(TASK, encoding="utf-8")
        (folder / "logged.py").write_text(ENGINE, encoding="utf-8")

    @property
    def run(self) -> Path:
        """The run's folder."""
        (found,) = (path.parent for path in self.home.glob("*/manifest.json"))
        return found

    def paid(self) -> int:
        """How many answers of shards and actors."""
        logs = (self.folder / "paid").iterdir()
        return sum(path.stat().st_size for path in logs if not path.name.startswith("service")) // LINE

    def stored(self, results: Path) -> int:
        with contextlib.suppress(OSError):  # the import puts parts together meanwhile
            return sum(path.stat().st_size for path in results.glob("*/responses*.jsonl"))
        return -1

    def begun(self, words: Sequence[str], name: str) -> subprocess.Popen[bytes]:
        """A process of its own session, whose words are kept."""
        with (self.folder / "said" / name.replace("/", "of")).open("ab") as said:
            return subprocess.Popen(
                words, cwd=self.folder, env=environment(), stdout=said, stderr=said, start_new_session=True
            )

    def worker(self, results: Path, *words: str, pause: float | None = None) -> list[str]:
        """The words of a process that asks what is missing below `results`."""
        told = ["--requests", str(self.args.requests), "--pause", str(self.args.pause if pause is None else pause)]
        return [sys.executable, str(ENTRY), "--work", str(results), *words, *told]

    def command(self, *words: object, codes: Sequence[int] = (0,)) -> tuple[float, float]:
        """A command of tvbench: seconds, and megabytes at most. Raises SystemExit where it ends otherwise."""
        began = time.monotonic()
        process = self.begun(tvbench(*map(str, words)), "commands")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in codes:
            said = (self.folder / "said" / "commands").read_text(encoding="utf-8")
            raise SystemExit(f"{' '.join(map(str, words))}: exit code {process.returncode}\n{said[-3000:]}")
        return time.monotonic() - began, used.ru_maxrss / 1024

    def export(self, *words: object) -> None:
        """Write a wave of a tenth of the questions."""
        size = max(1, self.args.requests // 10)
        self.command("export", "batch", *words, "--to", self.folder / "waves", "--wave", size, "--most", 1)

    def asked(self) -> list[object]:
        """What the first wave is written from: the same run that the processes ask."""
        items = f"rests.items={self.args.requests}"
        return ["--model", MODEL, "--tasks", "./rests.py", "--set", items, "--results", self.home, "--no-reuse"]


def tvbench(*words: str) -> list[str]:
    """A command of tvbench."""
    return [sys.executable, "-m", "tvbench", *words]


def environment() -> dict[str, str]:
    """For every process: this checkout, and a Ray of its own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    return {**kept, "PYTHONPATH": str(ROOT), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
