"""A run that is interrupted in the middle, for tests of who goes on with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path


def run_words(url: str, name: str, data: Path, results: Path, tokens: int) -> list[str]:
    """The words after `tvbench` for 60 made-up sentences."""
    return [
        "run",
        "--model",
        f"openai:{name}@{url}",
        "--tasks",
        "multi30k:de",
        "--no-image",
        "--data",
        str(data),
        "--results",
        str(results),
        "--concurrency",
        "2",
        "--max-new-tokens",
        str(tokens),
        "--quiet",
    ]


def interrupt(words: Sequence[str], results: Path, answers: int) -> int:
    """Start the command, stop it by Ctrl-C when so many answers are stored, and return how many there are then."""
    command = [sys.executable, "-m", "tvbench", *words]
    with subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as running:
        while count_lines(results) < answers:
            assert running.poll() is None, running.communicate()[1]
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=60)[1]
    assert running.returncode == 1 and "same command goes on" in said, said
    return count_lines(results)


def count_lines(results: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in results.glob("*/responses.jsonl"))
