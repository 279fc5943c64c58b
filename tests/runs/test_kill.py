"""`kill -9` at random moments, then the same command: every key once, equal answers, nothing paid twice."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from chat_server import chat_server
from sentences_task import sentences

from tvbench.runs.probing import PROBES

pytestmark = pytest.mark.slow

CONCURRENCY = 4
KILLS = 10


def command(results: Path, *extra: str) -> list[str]:
    return [sys.executable, "-m", "tvbench", "run", "--results", str(results), "--quiet", *extra]


def answers(results: Path) -> dict[str, str]:
    """key -> text over the one run folder; asserts that no key stands twice."""
    (run,) = [path for path in results.iterdir() if path.is_dir()]
    lines = [json.loads(line) for line in (run / "responses.jsonl").read_text().splitlines()]
    keys = [line["key"] for line in lines]
    assert len(keys) == len(set(keys))
    return {line["key"]: line["text"] for line in lines}


def kill_often(words: list[str], seconds: tuple[float, float], seed: int) -> int:
    """Start and kill `words` at random moments. Returns how many were killed before they ended by themselves."""
    moments = random.Random(seed)
    killed = 0
    for _ in range(KILLS):
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        try:
            process.wait(moments.uniform(*seconds))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            killed += 1
        process.wait()
    return killed


def test_ten_kills_against_a_server_pay_nothing_twice(tmp_path: Path) -> None:
    with chat_server(delay=0.02) as server:
        ask = [
            "--model",
            server.model,
            "--tasks",
            "multi30k",
            "--no-image",
            "--data",
            str(sentences(tmp_path / "data", 250)),
            "--concurrency",
            str(CONCURRENCY),
        ]
        killed = kill_often(command(tmp_path / "killed", *ask), (1.0, 3.0), seed=1)
        done = subprocess.run(command(tmp_path / "killed", *ask), capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        asked = server.asked.copy()
        server.asked.clear()
        subprocess.run(command(tmp_path / "whole", *ask), capture_output=True, check=True)
    assert killed >= KILLS // 2, "the kills came too late to mean anything"
    assert answers(tmp_path / "killed") == answers(tmp_path / "whole")
    assert asked.keys() == server.asked.keys()
    assert asked.total() - len(asked) <= killed * (CONCURRENCY + PROBES)


@pytest.mark.slow
def test_ten_kills_of_the_embedded_engine_give_the_same_answers(tmp_path: Path) -> None:
    ask = [
        "--model",
        "tower-mini",
        "--tasks",
        "multi30k",
        "--no-image",
        "--engine",
        "transformers",
        "--data",
        str(sentences(tmp_path / "data", 40)),
        "--batch-size",
        "4",
        "--max-new-tokens",
        "16",
    ]
    whole = subprocess.run(command(tmp_path / "whole", *ask), capture_output=True, text=True, check=False)
    assert whole.returncode == 0, whole.stderr
    kill_often(command(tmp_path / "killed", *ask), (1.0, 12.0), seed=2)
    done = subprocess.run(command(tmp_path / "killed", *ask), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert answers(tmp_path / "killed") == answers(tmp_path / "whole")
