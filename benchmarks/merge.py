"""`tvbench merge` at size: how long and how much memory for N answers in 8 parts of one folder, and in 3 folders.

    python benchmarks/merge.py --count 1000000

Each merge is a process of its own, without scoring. Shown are its wall time from start to end, the processor's seconds,
and the peak memory of the whole process. `again` is the same command on what came of it, which changes nothing. The
answers are made here: keys as they are, texts of 3 to 30 words. All are counted afterwards, each key once.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tvbench.runs.codec import item_to_json, response_to_json  # noqa: E402
from tvbench.runs.lines import json_line  # noqa: E402
from tvbench.runs.manifest import Manifest, RunAsk, Session, TaskEntry  # noqa: E402
from tvbench.runs.shards import Shard  # noqa: E402
from tvbench.runs.writer import RunWriter  # noqa: E402
from tvbench.types import EngineInfo, Item, Message, ModelCard, Response, Short  # noqa: E402

WORDS = "ein Hund läuft über die Wiese 犬 が 走る собака бежит the dog runs over green grass".split()
SHARDS = (8, 3)


def main() -> int:
    """Make the folders, merge them, and show what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000, metavar="N", help="answers (default 1,000,000)")
    parser.add_argument("--folder", type=Path, metavar="DIR", help="where to write 2 GB (default: a temporary folder)")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as made:
        folder = Path(made)
        parts = _parts(folder / "parts" / "run", args.count)
        folders = _folders(folder, parts, args.count)
        print(f"{'what':<22}{'seconds':>8}{'CPU':>7}{'peak MB':>9}")
        for name, words in (
            ("3 folders", [*map(str, folders), "--into", str(folder / "all")]),
            ("3 folders, again", [*map(str, folders), "--into", str(folder / "all")]),
            ("8 parts of a folder", [str(parts)]),
            ("8 parts, again", [str(parts)]),
        ):
            seconds, cpu, peak = _measured([sys.executable, "-m", "tvbench", "merge", "--no-score", *words])
            print(f"{name:<22}{seconds:>8.1f}{cpu:>7.1f}{peak:>9.0f}", flush=True)
        for whole in (folder / "all", parts):
            _check(whole, args.count)
    return 0


def _key(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def _item(number: int) -> Item:
    prompt = f"Translate sentence {number} into German. Answer with the translation alone."
    return Item(str(number), "t", "de", (Message("user", (prompt,)),), Short(("x",)))


def _manifest(name: str, count: int, part: str) -> Manifest:
    return Manifest(
        run=name,
        source="tvbench",
        ask=RunAsk({"model": ["folder", "m", "1"], "engine": {"name": "e"}, "tasks": [{"task": "t"}]}),
        model=ModelCard("m", "folder", "x", revision="1"),
        engine=EngineInfo("e", "1"),
        tasks=(TaskEntry("t", "tvbench", "accuracy", "task:t@1", items=count),),
        sessions=(Session("2026-01-01", "here", answered=1, id=part, part=part),),
    )


def _parts(folder: Path, count: int) -> Path:
    """One folder with a part for each of 8 shards."""
    dice = random.Random(1)
    with RunWriter(folder) as writer:
        writer.write_manifest(_manifest(folder.name, count, ""))
    _write(folder / "requests.jsonl", ({"key": _key(n), "item": item_to_json(_item(n))} for n in range(count)))
    shards = [Shard(number, SHARDS[0]) for number in range(1, SHARDS[0] + 1)]
    with ExitStack() as stack:
        files = [stack.enter_context((folder / f"responses.{one.part}.jsonl").open("w")) for one in shards]
        for number in range(count):
            key = _key(number)
            text = " ".join(dice.choices(WORDS, k=dice.randint(3, 30)))
            response = Response(key, text, "stop", 90, 20, dice.random())
            owner = next(place for place, shard in enumerate(shards) if shard.owns(key))
            files[owner].write(json_line(response_to_json(response)))
    return folder


def _folders(folder: Path, parts: Path, count: int) -> list[Path]:
    """The same answers in three folders, of which the second has some that the first has too."""
    found = [folder / f"disk{number}" / "run" for number in range(SHARDS[1])]
    lines = [path.read_bytes().splitlines(keepends=True) for path in sorted(parts.glob("responses.*.jsonl"))]
    for number, path in enumerate(found):
        with RunWriter(path) as writer:
            writer.write_manifest(_manifest(path.name, count, f"{number + 1}of3"))
        shutil.copy(parts / "requests.jsonl", path / "requests.jsonl")
        shares = [share for place, share in enumerate(lines) if place % 3 == number or (place == 0 and number == 1)]
        (path / "responses.jsonl").write_bytes(b"".join(line for share in shares for line in share))
    return found


def _write(path: Path, values: Iterator[dict[str, object]]) -> None:
    with path.open("w") as file:
        file.writelines(map(json_line, values))


def _measured(words: list[str]) -> tuple[float, float, float]:
    """Seconds by the clock and of the processor, and megabytes at most."""
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    began = time.monotonic()
    process = subprocess.Popen(words, env=env, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    told = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(told)
    print(told.strip())
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def _check(folder: Path, count: int) -> None:
    """Every answer is there, each key once, in one file."""
    (path,) = folder.glob("responses*.jsonl")
    with path.open() as file:
        keys = {bytes.fromhex(json.loads(line)["key"]) for line in file}
    with path.open("rb") as file:
        assert len(keys) == count == sum(1 for _ in file), f"{path} holds {len(keys)} keys"


if __name__ == "__main__":
    sys.exit(main())
