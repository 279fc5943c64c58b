"""A process beside vLLM's that outlives ours by a moment: when ours is killed, it ends what vLLM has started.

vLLM's engine process does not notice that whoever started it was killed (`kill -9`, out of memory). It would wait for
ever and keep the GPU's memory, so that the same command could not go on. Run as a script, with a process id: remembers
that process's vLLM children while its standard input is open, and kills them when it ends without a word. Linux only.
Knows nothing of tvbench.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

LOOK_SECONDS = 1.0
STARTED_BY_VLLM = (b"VLLM::", b"multiprocessing")
"""In the command line of its processes, after they have renamed themselves and before."""
CLEANER = b"resource_tracker"
"""In the command line of Python's process that ends when they have, and gives shared memory that they left back."""

Seen = dict[int, str]
"""Process ids with the time of their start, for ids are used again."""


class Guard:
    """Started before the engine; `stop` when the engine has been closed. What it sees goes to `said`, for tests."""

    def __init__(self, said: int | None = subprocess.DEVNULL) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        with suppress(OSError):  # without a guard everything else works
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(Path(__file__)), str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=said,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )

    def stop(self) -> None:
        """Everything was ended in order: nothing is left to kill."""
        if self._process is not None:
            with suppress(OSError):
                self._process.communicate(b"done")
            self._process = None


def watch(parent: int) -> None:
    """Until standard input ends; then kill what `parent` has left of vLLM, unless a word came first."""
    seen: Seen = {}
    while not select.select([sys.stdin], [], [], LOOK_SECONDS)[0]:
        found = children(parent)
        if found.keys() - seen.keys():
            sys.stdout.write(f"sees {' '.join(map(str, found))}\n")
            sys.stdout.flush()
        seen = found or seen
    if os.read(sys.stdin.fileno(), 1):
        return
    for pid, started in (seen | children(parent)).items():
        if _stat(pid)[1] == started:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def children(parent: int) -> Seen:
    """The processes below `parent` that vLLM has started."""
    parents = {int(entry.name): _stat(int(entry.name)) for entry in Path("/proc").iterdir() if entry.name.isdigit()}
    below, last = {parent}, 0
    while len(below) > last:
        last = len(below)
        below |= {pid for pid, (above, _) in parents.items() if above in below}
    return {pid: parents[pid][1] for pid in below - {parent, os.getpid()} if _is_vllm(pid)}


def _is_vllm(pid: int) -> bool:
    try:
        line = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False
    return CLEANER not in line and any(name in line for name in STARTED_BY_VLLM)


def _stat(pid: int) -> tuple[int, str]:
    """(the parent's id, when it was started); (-1, "") for a process that is gone."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return -1, ""
    return int(fields[1]), fields[19]


if __name__ == "__main__":
    watch(int(sys.argv[1]))
