"""vLLM with its engine in a process of its own, as on every GPU: nothing touches CUDA before, nobody waits for ever.

What cannot be shown without a GPU is that CUDA starts in that process. What it depends on can: how the process is
started, and that nobody has asked the driver before.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import tvbench
from tvbench.runs.store import find_runs

_SPEC = find_spec("vllm")
pytestmark = [
    pytest.mark.vllm,
    pytest.mark.skipif(_SPEC is None or _SPEC.origin is None, reason="vllm is not installed here"),
]

PACKAGE = Path(tvbench.__file__).parent
ITEMS = 500
"""So many that a run is far from its end when its first answer is stored."""
WAIT_S = 400.0
"""A guard against waiting for ever, many times as long as a busy machine needs."""

CONSOLE_SCRIPT = """
import sys
from tvbench.cli.main import main
if __name__ == "__main__":
    sys.exit(main())
"""
"""What pip writes for an entry point; the engine's process imports it again under another name."""

WATCHER = """
import json, os, sys
from importlib.machinery import PathFinder

NAMES = ("VLLM_WORKER_MULTIPROC_METHOD", "PYTORCH_NVML_BASED_CUDA_CHECK", "VLLM_ENABLE_V1_MULTIPROCESSING")

def note(what, caller=""):
    values = {name: os.environ.get(name) for name in NAMES}
    with open(os.environ["WATCHED"], "a") as file:
        file.write(json.dumps({"pid": os.getpid(), "what": what, "caller": caller, **values}) + "\\n")

def watched(name, function):
    def call(*args, **kwargs):
        note("torch.cuda." + name, sys._getframe(1).f_code.co_filename)
        return function(*args, **kwargs)
    return call

class Finder:
    @staticmethod
    def find_spec(name, path=None, target=None):
        spec = PathFinder.find_spec(name, path, target) if name in ("torch", "vllm", "torch.cuda") else None
        if spec is None:
            return None
        run = spec.loader.exec_module
        def exec_module(module):
            note(name)
            run(module)
            if name != "torch.cuda":
                return
            for asked in ("is_available", "device_count", "init", "_lazy_init", "current_device", "mem_get_info"):
                setattr(module, asked, watched(asked, getattr(module, asked)))
        spec.loader.exec_module = exec_module
        return spec

sys.meta_path.insert(0, Finder)
"""
"""As sitecustomize.py: every process writes down who imports torch and vllm and who asks for a GPU, and what the
environment said then."""


def command(results: Path, start: Sequence[str]) -> list[str]:
    return [
        sys.executable,
        *start,
        "run",
        "--model",
        "tower-mini",
        "--engine",
        "vllm",
        "--dtype",
        "float32",
        "--tasks",
        "mini-alm",
        "--languages",
        "de",
        "--set",
        f"mini-alm.items={ITEMS}",
        "--results",
        str(results),
    ]


def environment(**more: str) -> dict[str, str]:
    """The user's own value keeps the engine in a process of its own; everything else is left to tvbench."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VLLM_", "PYTORCH_"))}
    return {**kept, "VLLM_ENABLE_V1_MULTIPROCESSING": "1", "PYTHONUNBUFFERED": "1", "PYTHONFAULTHANDLER": "1", **more}


@contextmanager
def running(words: Sequence[str], said: Path, env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    with (
        said.open("wb") as file,
        subprocess.Popen(words, env=env, stdout=file, stderr=file, start_new_session=True) as process,
    ):
        try:
            yield process
        finally:
            for pid in (process.pid, *children(process.pid)):
                kill(pid)


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def children(pid: int) -> list[int]:
    """The living descendants of a process."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(")")[2].split()[:2]
            except OSError:
                continue
            if int(parent) == pid and state != "Z":
                found += [int(entry.name), *children(int(entry.name))]
    return found


def engines(pid: int) -> list[int]:
    """The processes that vLLM has started below `pid`, the engine's own first."""
    return [child for child in children(pid) if any(word in called(child) for word in (b"VLLM::", b"spawn_main"))]


def called(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def wait_until(process: subprocess.Popen[bytes], said: Path, ready: Any) -> None:
    ends = time.monotonic() + WAIT_S
    while not ready():
        assert process.poll() is None and time.monotonic() < ends, said.read_text()[-3000:]
        time.sleep(0.05)


def ended(process: subprocess.Popen[bytes], said: Path) -> int:
    """The exit code. A process that does not end says where it waits."""
    try:
        return process.wait(WAIT_S)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        process.wait()
        pytest.fail(f"it did not end:\n{said.read_text()[-6000:]}")


def gone(pids: Sequence[int]) -> bool:
    ends = time.monotonic() + 60
    while alive := [pid for pid in pids if Path(f"/proc/{pid}").exists() and called(pid)]:
        if time.monotonic() > ends:
            return not alive
        time.sleep(0.1)
    return True


def answers(results: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for run in find_runs(results)
        if (run.path / "responses.jsonl").exists()
        for line in (run.path / "responses.jsonl").read_text(encoding="utf-8").splitlines()
    ]


def has_answers(results: Path) -> bool:
    return any(path.stat().st_size for path in results.glob("*/responses.jsonl"))


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of a run whose engine process was killed, and beside them what it said."""
    folder = tmp_path_factory.mktemp("killed")
    said = folder / "said"
    with running(command(folder / "results", ["-m", "tvbench"]), said, environment()) as process:
        wait_until(process, said, lambda: engines(process.pid))
        wait_until(process, said, lambda: has_answers(folder / "results"))
        started = engines(process.pid)
        kill(started[0])
        assert ended(process, said) == 1
        assert gone(started)
    return folder


def test_a_killed_engine_process_ends_the_run_with_a_reason_and_loses_nothing(interrupted: Path) -> None:
    said = (interrupted / "said").read_text()
    assert "vLLM stopped: its engine process was ended by SIGKILL; out of memory?" in said
    assert "the same command goes on" in said and "Traceback" not in said
    stored = answers(interrupted / "results")
    (run,) = find_runs(interrupted / "results")
    assert 0 < len(stored) < (run.manifest().tasks[0].items or 0) and all(answer["text"] for answer in stored)


def test_the_console_command_goes_on_and_nobody_asks_for_cuda(interrupted: Path, tmp_path: Path) -> None:
    script, sites, log = tmp_path / "tvbench", tmp_path / "sites", tmp_path / "log"
    script.write_text(CONSOLE_SCRIPT)
    sites.mkdir()
    (sites / "sitecustomize.py").write_text(WATCHER)
    path = os.pathsep.join([str(sites), str(PACKAGE.parent)])
    done = subprocess.run(
        command(interrupted / "results", [str(script)]),
        check=False,
        capture_output=True,
        text=True,
        timeout=WAIT_S,
        env=environment(WATCHED=str(log), PYTHONPATH=path),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    stored = answers(interrupted / "results")
    assert len({answer["key"] for answer in stored}) == len(stored) > 0 and all(answer["text"] for answer in stored)
    (run,) = find_runs(interrupted / "results")
    assert all(result.counts.complete for result in run.result() or ()) and len(stored) == (
        run.manifest().tasks[0].items
    )

    seen = [json.loads(line) for line in log.read_text().splitlines()]
    assert {"torch", "vllm"} <= {one["what"] for one in seen}
    assert len({one["pid"] for one in seen if one["what"] == "vllm"}) > 1, "the engine had no process of its own"
    assert {one["VLLM_WORKER_MULTIPROC_METHOD"] for one in seen} == {"spawn"}
    assert {one["PYTORCH_NVML_BASED_CUDA_CHECK"] for one in seen} == {"1"}
    ours = [one for one in seen if Path(one["caller"]).is_relative_to(PACKAGE)]
    assert any(one["what"] == "torch.cuda.is_available" for one in seen) and not ours


def test_ctrl_c_while_the_engine_loads_ends_everything(tmp_path: Path) -> None:
    said = tmp_path / "said"
    with running(command(tmp_path / "results", ["-m", "tvbench"]), said, environment()) as process:
        wait_until(process, said, lambda: engines(process.pid))
        started = engines(process.pid)
        os.killpg(process.pid, signal.SIGINT)
        assert ended(process, said) == 1
        assert gone(started)
    assert "stopped by Ctrl-C" in said.read_text() and not answers(tmp_path / "results")
