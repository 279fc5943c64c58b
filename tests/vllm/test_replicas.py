"""Two replicas of the real vLLM (its CPU build), each with its engine in a process of its own: the same answers as one
process gives, each key once, also where a replica is killed on the way; and one model shared by two processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from importlib.util import find_spec
from pathlib import Path

import pytest

from tvbench.runs.store import RunFolder, find_runs

_VLLM, _RAY = find_spec("vllm"), find_spec("ray")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(
        _VLLM is None or _VLLM.origin is None or _RAY is None or _RAY.origin is None,
        reason="vLLM or Ray is not installed here",
    ),
]

WAIT_S = 500.0
"""A guard against waiting for ever, many times as long as a busy machine needs."""


def run(results: Path, *more: str, kill: bool = False) -> tuple[RunFolder, str]:
    """A run of 60 questions with pictures, and what was said. `kill`: one replica, when it has answered something."""
    words = ["run", "--model", "tower-mini", "--engine", "vllm", "--dtype", "float32", "--tasks", "mini-alm:de"]
    words += ["--protocol", "tvbench", "--set", "mini-alm.items=12", "--results", str(results), *more]
    environment = {"VLLM_ENABLE_V1_MULTIPROCESSING": "1", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}
    said = results.with_suffix(".said")
    with (
        said.open("wb") as file,
        subprocess.Popen(
            [sys.executable, "-m", "tvbench", *words],
            env={**os.environ, **environment},
            stdout=file,
            stderr=file,
            start_new_session=True,
        ) as process,
    ):
        try:
            if kill:
                os.kill(_answering(results, process), signal.SIGKILL)
            assert process.wait(WAIT_S) == 0, said.read_text(errors="replace")
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    (found,) = find_runs(results)
    return found, said.read_text(errors="replace")


def _answering(results: Path, process: subprocess.Popen[bytes]) -> int:
    """A replica that lives when the first answer is stored, whichever of them was open first."""
    ends = time.monotonic() + WAIT_S
    while time.monotonic() < ends and process.poll() is None:
        if any(path.stat().st_size for path in results.glob("*/responses.r*.jsonl")):
            return next(
                int(path.name)
                for path in Path("/proc").iterdir()
                if path.name.isdigit() and _is_replica(path, process.pid)
            )
        time.sleep(0.01)
    said = results.with_suffix(".said").read_text(errors="replace")
    raise AssertionError(f"no replica has answered before the run ended ({process.poll()}):\n{said}")


def _is_replica(path: Path, session: int) -> bool:
    try:
        line = (path / "cmdline").read_bytes()
        return b"ray::Replica" in line and int((path / "stat").read_text().rpartition(")")[2].split()[3]) == session
    except OSError:
        return False


def answers(run: RunFolder) -> dict[str, str | None]:
    """By key; each stands in one line of all files."""
    written: Counter[str] = Counter()
    for path in run.response_files():
        written.update(json.loads(line)["key"] for line in path.read_text().splitlines())
    assert set(written.values()) == {1}
    return {key: response.text for key, response in run.responses().items()}


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """The same by one process."""
    return run(tmp_path_factory.mktemp("runs") / "alone")[0]


def test_two_replicas_answer_as_one_process_does_and_one_may_be_killed(tmp_path: Path, alone: RunFolder) -> None:
    two, said = run(tmp_path / "two", "--replicas", "2", kill=True)
    assert answers(two) == answers(alone) and len(answers(two)) == 60
    assert "another one takes its place" in said
    mine, whole = two.manifest(), alone.manifest()
    assert (mine.run, mine.engine, mine.tasks) == (whole.run, whole.engine, whole.tasks)


def test_one_model_may_be_shared_by_two_processes(tmp_path: Path, alone: RunFolder) -> None:
    shared, _ = run(tmp_path / "shared", "--gpus", "2", "--replicas", "1")
    assert answers(shared) == answers(alone)
    (session,) = shared.manifest().sessions or ()
    assert session.arguments["tensor_parallel_size"] == 2
