"""When a process is killed, what it has started of vLLM's kind ends too, and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import IO

import pytest
from repository import ROOT

pytestmark = pytest.mark.slow

PARENT = """
import multiprocessing, subprocess, sys, time
from multiprocessing.shared_memory import SharedMemory
from tvbench.engines.vllm_guard import Guard

def engine(pipe):
    worker = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    worker.start()
    memory = SharedMemory(create=True, size=4096)
    pipe.send((worker.pid, memory.name))
    time.sleep(600)

if __name__ == "__main__":
    guard = Guard(said=None)
    mine, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=engine, args=(theirs,))
    process.start()
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    worker, memory = mine.recv()
    print("started", process.pid, worker, other.pid, memory, flush=True)
    sys.stdin.readline()
    guard.stop()
    print("stopped", flush=True)
    time.sleep(600)
"""


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def line_with(lines: IO[str], text: str) -> str:
    return next((line for line in lines if text in line), "")


def becomes(wanted: bool, pids: list[int]) -> bool:
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        if all(alive(pid) == wanted for pid in pids):
            return True
        time.sleep(0.1)
    return False


def goes(file: Path) -> bool:
    ends = time.monotonic() + 60
    while file.exists() and time.monotonic() < ends:
        time.sleep(0.1)
    return not file.exists()


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="Linux only, as vLLM")
@pytest.mark.parametrize("stopped", [False, True])
def test_a_killed_process_leaves_nothing_of_vllm_behind(tmp_path: Path, stopped: bool) -> None:
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        *pids, memory = line_with(parent.stdout, "started").split()[1:]
        engine, worker, other = map(int, pids)
        try:
            if stopped:
                parent.stdin.write("\n")
                parent.stdin.flush()
                assert line_with(parent.stdout, "stopped")
            else:
                while not {str(engine), str(worker)} <= set(line_with(parent.stdout, "sees").split()):
                    assert parent.poll() is None
            parent.kill()
            parent.wait()
            shared = Path("/dev/shm", memory.removeprefix("/"))
            if stopped:
                time.sleep(2.5)
                assert all(map(alive, (engine, worker, other)))
            else:
                assert becomes(False, [engine, worker]) and alive(other)
                assert goes(shared), "shared memory of killed processes stays for ever"
        finally:
            for pid in (engine, worker, other):
                if alive(pid):
                    os.kill(pid, signal.SIGKILL)
