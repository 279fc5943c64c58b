"""SIGKILL of processes that write one folder at once: what was acknowledged is stored, nothing is paid twice, and N may
change between starts."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from chat_server import chat_server
from sentences_task import sentences

from tvbench.runs.merge import merge
from tvbench.runs.probing import PROBES
from tvbench.runs.shards import Shard
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Response

KEYS = [f"{number:064x}" for number in range(3000)]
ROUNDS = int(os.environ.get("KILL_ROUNDS", "25"))
CONCURRENCY = 4


def write_until_killed(folder: Path, shard: Shard, out: int) -> None:
    """In a process of its own: answer what is missing, long lines among it, and acknowledge each answer."""
    with RunWriter(folder, shard.part) as writer:
        kept = writer.start()
        for key in KEYS:
            if shard.owns(key) and key not in kept:
                writer.append(Response(key, text=key * random.choice([1, 1, 1, 500])))
                os.write(out, f"{key}\n".encode())
    time.sleep(60)


def forked(folder: Path, shard: Shard) -> tuple[int, int]:
    """The process, and where it acknowledges."""
    reading, writing = os.pipe()
    process = os.fork()
    if process == 0:
        try:
            write_until_killed(folder, shard, writing)
        finally:
            os._exit(1)
    os.close(writing)
    return process, reading


def acknowledged(reading: int) -> list[str]:
    with os.fdopen(reading) as file:
        return [line.strip() for line in file if len(line) == 65]


def test_a_hundred_kills_of_four_writers_at_once_lose_no_answer(tmp_path: Path) -> None:
    moments = random.Random(1)
    paid: Counter[str] = Counter()
    for number in range(ROUNDS):
        count = moments.choice([2, 3, 4, 5])
        writers = [forked(tmp_path, Shard(place, count)) for place in range(1, count + 1)]
        time.sleep(moments.uniform(0.005, 0.06))
        for process, _ in writers:
            os.kill(process, signal.SIGKILL)
        for process, reading in writers:
            os.waitpid(process, 0)
            paid.update(acknowledged(reading))
        if number % 8 == 3:
            with RunWriter(tmp_path) as whole:
                assert whole.start().keys() >= paid.keys()
        elif number % 8 == 6:
            assert RunFolder(tmp_path).responses([]).keys() >= paid.keys()
    stored = RunFolder(tmp_path).responses([])
    assert len(paid) > ROUNDS and set(paid.values()) == {1}, "an answer was paid twice"
    assert stored.keys() >= paid.keys(), "an answer was lost"
    assert len(stored) - len(paid) <= 5 * ROUNDS, "one a writer was stored, and not told any more"
    assert all(answer.text and set(answer.text) <= set(answer.key) for answer in stored.values())


@pytest.mark.slow
def test_killed_shards_of_the_command_pay_nothing_twice(tmp_path: Path) -> None:
    moments = random.Random(2)
    kills = 0
    with chat_server(delay=0.02) as server:
        words = [sys.executable, "-m", "tvbench", "run", "--quiet", "--model", server.model, "--tasks", "multi30k"]
        words += ["--no-image", "--data", str(sentences(tmp_path / "data", 120)), "--concurrency", str(CONCURRENCY)]
        in_parts = [*words, "--results", str(tmp_path / "parts")]
        for count in (3, 3, 2, 4):
            running = [start([*in_parts, "--shard", f"{number}/{count}"]) for number in range(1, count + 1)]
            time.sleep(moments.uniform(2.0, 5.0))
            for process in running:
                kills += process.poll() is None
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        ends = [start([*in_parts, "--shard", f"{number}/2"]) for number in (1, 2)]
        assert [process.wait() for process in ends] == [0, 0]
        asked, sessions = server.asked.copy(), kills + len(ends)
        assert subprocess.run([*words, "--results", str(tmp_path / "whole")], check=False).returncode == 0
    parts, whole = (run_in(tmp_path / name) for name in ("parts", "whole"))
    assert parts.result() is not None and texts(parts) == texts(whole)
    assert [task.metrics for task in parts.result() or ()] == [task.metrics for task in whole.result() or ()]
    assert asked.keys() == server.asked.keys()
    assert asked.total() - len(asked) <= kills * CONCURRENCY + sessions * PROBES
    merged = merge([parts], parts.path)
    assert merged.complete and len(parts.response_files()) == 1 and texts(parts) == texts(whole)
    assert all(session.answered is not None for session in parts.manifest().sessions or ())


def start(words: list[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)


def run_in(results: Path) -> RunFolder:
    (path,) = (path for path in results.iterdir() if (path / "manifest.json").is_file())
    return RunFolder(path)


def texts(folder: RunFolder) -> dict[str, str | None]:
    return {key: response.text for key, response in folder.responses().items()}
