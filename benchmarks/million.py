"""A run of very many items: time and peak memory of `tvbench run` from the first plan to the last answer.

    python benchmarks/million.py --items 10000 100000 1000000
    python benchmarks/million.py --items 100000 --other ../other-checkout      # before and after, in turns

The task is a file with generated text questions in seven languages, which are made as they are asked for; the engine is
a stranger's file that answers at once. Each command is a process of its own; its CPU seconds and its peak memory are
what the kernel says of it when it ends, so that a busy machine changes the wall time alone. Steps: `--dry-run`; `run`,
killed when a third is answered; a dry run of what is left; `run` again, to the end; `run` with nothing to ask; `status`
and `leaderboard`. Only where they are named (`--steps resumed second compare`): `second`, a run by another engine, and
what is asked of both or of the first: `compare`, `check`, `explain`, `audit`, `score`. Scoring is part of `run`: its
share is shown too, as wall seconds from the last answer to the end. `--pictures` measures instead the dry run of so
many picture files in seven languages each, ALM-Bench's layout.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TASK = '''
from collections.abc import Iterator

from tvbench.types import Ask, Item, Message, Opened, Sampling, Setting, Short, Task

LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl")


class Questions:
    """They are made anew whenever somebody goes over them."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.count))


def opened(ask: Ask) -> Opened:
    return Opened(Questions(ask.settings["items"]), f"generated@{ask.settings['items']}")


def item(number: int, ask: Ask) -> Item:
    language = LANGUAGES[number % len(LANGUAGES)]
    text = f"({language}) What is {number} + {number % 97}? Answer with the number alone, and without any other word."
    sampling = Sampling(max_new_tokens=8)
    messages = (Message("user", (text,)),)
    return Item(f"{language}/{number}", ask.task, language, messages, Short((str(number + number % 97),)), sampling)


TASK = Task(
    "sums",
    "1",
    "Sums",
    source=opened,
    item=item,
    primary="accuracy",
    metrics=("accuracy",),
    languages=LANGUAGES,
    modality="text",
    settings={"items": Setting("how many", 1000, least=1)},
)
'''
LATER = ("compare", "check", "explain", "audit", "score")
"""Questions to runs that lie there."""
ENGINE = '''
from collections.abc import Iterator

from tvbench.engines.protocol import EngineInfo, Feed
from tvbench.engines.spec import EngineSpec, Opening
from tvbench.types import Response


class Quick:
    """Answers at once."""

    def __init__(self, opening: Opening) -> None:
        self.info = EngineInfo("quick", "1")

    def serve(self, feed: Feed) -> Iterator[Response]:
        while taken := feed.take(64, wait=True):
            for prepared in taken:
                yield Response(prepared.request.key, text="42", finish="stop", tokens_in=20, tokens_out=1, seconds=0.0)

    def close(self) -> None:
        """Nothing is held."""


ENGINE = EngineSpec("quick", "answers at once", Quick)
'''


LANGUAGES = ("en", "de", "fr", "es", "pt", "it", "nl")
PNG = bytes.fromhex("89504e470d0a1a0a")
PICTURE_BYTES = 500_000


@dataclass(frozen=True, slots=True)
class Step:
    """What one command took, and of it what came after the last answer."""

    name: str
    wall: float
    seconds: float
    memory: float
    code: int
    after: float = 0.0


def main() -> int:
    """Measure, and print a table. 1 where a command fails."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000], metavar="N")
    parser.add_argument("--other", type=Path, metavar="DIR", help="another checkout, measured in turns with this one")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where the runs are written (default: temporary)")
    parser.add_argument("--steps", nargs="+", metavar="STEP", help="only these, in their order")
    parser.add_argument("--pictures", type=int, metavar="N", help="so many picture files in seven languages instead")
    args = parser.parse_args()
    checkouts = {"here": ROOT} | ({"other": args.other.resolve()} if args.other else {})
    print(f"{'items':>9}  {'checkout':<8}  {'step':<12}{'wall s':>9}{'CPU s':>9}{'µs/item':>9}{'peak MB':>9}  after it")
    good = True
    for items in [len(LANGUAGES) * args.pictures] if args.pictures else args.items:
        for name, checkout in checkouts.items():
            with tempfile.TemporaryDirectory(dir=args.folder) as folder:
                place = Path(folder)
                steps = in_languages(checkout, place) if args.pictures else measured(checkout, place, items, args.steps)
                if args.pictures:
                    write_pictures(place, args.pictures)
                for step in steps:
                    good &= report(step, name, items)
    return 0 if good else 1


def report(step: Step, checkout: str, items: int) -> bool:
    """A line of the table; whether the command ended as it should."""
    sound = step.code in (0, 1, 3 if step.name == "check" else 0, -signal.SIGKILL)
    numbers = f"{step.wall:9.1f}{step.seconds:9.1f}{1e6 * step.seconds / items:9.1f}{step.memory:9.0f}"
    after = f"  {step.after:.1f} s" if step.after else ""
    print(
        f"{items:>9}  {checkout:<8}  {step.name:<12}{numbers}{after}{'' if sound else f'  exit {step.code}'}",
        flush=True,
    )
    return sound


def write_pictures(folder: Path, count: int) -> None:
    """A table in which each picture file is asked about in every language. What is in a file nobody looks at here."""
    (folder / "pictures" / "images").mkdir(parents=True)
    for number in range(count):
        (folder / "pictures" / "images" / f"{number}.png").write_bytes(PNG + os.urandom(PICTURE_BYTES))
    rows = [
        {"question": f"({code}) What is it?", "answer": "x", "language": code, "image": f"images/{number}.png"}
        for code in LANGUAGES
        for number in range(count)
    ]
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "pictures" / "metadata.jsonl").write_text(lines, encoding="utf-8")


def in_languages(checkout: Path, folder: Path) -> Iterator[Step]:
    """The dry run of that table, twice: the first time also fills the disk cache."""
    words = ("run", "--model", "tower-mini", "--tasks", "./pictures", "--dry-run", "--results", "results")
    for name in ("first", "second"):
        yield measure(checkout, folder, name, words, None)


def measured(checkout: Path, folder: Path, items: int, wanted: Sequence[str] | None) -> Iterator[Step]:
    """Each step of a run of so many items."""
    (folder / "sums.py").write_text(TASK, encoding="utf-8")
    (folder / "quick.py").write_text(ENGINE, encoding="utf-8")
    results = ("--results", "results")
    asked = ("--model", "tower-mini", "--tasks", "./sums.py", "--set", f"sums.items={items}", "--engine", "./quick.py")
    run = ("run", *asked, "--quiet", *results)
    steps = {
        "dry-run": ("run", *asked, "--dry-run", *results),
        "killed": run,
        "left": ("run", *asked, "--dry-run", *results),
        "resumed": run,
        "again": run,
        "status": ("status", *results),
        "leaderboard": ("leaderboard", *results),
    }
    for name, words in steps.items():
        if not wanted or name in wanted:
            yield measure(checkout, folder, name, words, items // 3 if name == "killed" else None)
    if wanted and "second" in wanted:
        other = ENGINE.replace('"quick"', '"slower"').replace(
            '"42"', '"43" if prepared.request.key < "8" else "It is 42."'
        )
        (folder / "slower.py").write_text(other, encoding="utf-8")
        yield measure(checkout, folder, "second", (*run, "--engine", "./slower.py"), None)
    made = sorted((folder / "results").glob("*/manifest.json"), key=lambda path: path.parent.stat().st_ctime)
    names = [path.parent.name for path in made]
    for name in [name for name in LATER if wanted and name in wanted]:
        asked_of = {"compare": names[:2], "check": [*names[1:2], "--against", *names[:1]]}.get(name, names[:1])
        yield measure(checkout, folder, name, (name, *asked_of, *results), None)
    if not wanted:
        shutil.rmtree(folder / "results", ignore_errors=True)


def measure(checkout: Path, folder: Path, name: str, words: Sequence[str], kill_at: int | None) -> Step:
    """One command, which is killed when it has answered `kill_at`."""
    environment = {**os.environ, "PYTHONPATH": str(checkout), "HF_HUB_OFFLINE": "1"}
    started = time.monotonic()
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tvbench", *words], cwd=folder, env=environment, stdout=log, stderr=log
        )
        if kill_at is not None:
            _kill_at(process, folder / "results", kill_at)
        _, status, usage = os.wait4(process.pid, 0)
    ended = time.monotonic()
    process.returncode = os.waitstatus_to_exitcode(status)
    after = max(0.0, time.time() - _last_answer(folder / "results")) if name == "resumed" else 0.0
    return Step(
        name, ended - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, process.returncode, after
    )


def _kill_at(process: subprocess.Popen[bytes], results: Path, answers: int) -> None:
    while sum(_lines(path) for path in results.glob("*/responses.jsonl")) < answers:
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return
        time.sleep(0.2)
    process.kill()


def _lines(path: Path) -> int:
    """How many, by the size of the file: all lines are about as long."""
    return path.stat().st_size // 170


def _last_answer(results: Path) -> float:
    return max((path.stat().st_mtime for path in results.glob("*/responses.jsonl")), default=time.time())


if __name__ == "__main__":
    sys.exit(main())
