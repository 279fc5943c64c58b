"""Pictures and clips prepared in processes next to the engine's, so that its thread does not wait for them.

Jobs go out in order and come back as they are done. They never fail here: what a process cannot prepare, and what it
had when it ended, is told to whoever gave it. A process that ends is replaced, and its jobs are given to others; a job
that has ended two of them is not tried again. While there is no process (vLLM is still being imported, or nothing can
be started), `able` is false. Safe for one thread. Knows nothing of vLLM and of models (media_process.py does).
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tvbench.data.media.decoders import environment
from tvbench.engines.media_process import COPY
from tvbench.engines.parcels import CameWithoutMemory, CannotBeSent, possible, receive, send, sockets

log = logging.getLogger(__name__)

COMMAND = (sys.executable, "-P", "-m", "tvbench.engines.media_process")
DEPTH = 16
"""Jobs that one process has at a time: enough for the time in which the engine takes a step."""
TRIES = 3
MOST_ENDS = 8
"""Processes that may end one after the other with no job done between them."""
REPLY_S = 30.0
ONE_THREAD = {"OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "VLLM_CPU_OMP_THREADS_BIND": "nobind"}


@dataclass(slots=True)
class MediaJob:
    """Media to be prepared. `made` is what came of them; else `done` says that nothing will, and `lost` that they
    ended the processes that tried."""

    number: int
    media: Mapping[str, Any]
    made: Mapping[str, Any] | None = None
    done: bool = False
    lost: str = ""
    tries: int = 0


@dataclass(slots=True)
class _Process:
    pid: int
    line: socket.socket
    jobs: deque[MediaJob] = field(default_factory=deque)


class MediaWorkers:
    """`processes` of them, for the model that vLLM would load with `arguments`. They start on their own."""

    def __init__(self, processes: int, arguments: Mapping[str, Any], command: Sequence[str] = COMMAND) -> None:
        self.processes = processes
        self.ends = 0
        self._queue: deque[MediaJob] = deque()
        self._running: list[_Process] = []
        self._number = 0
        self._ends_in_a_row = 0
        self._first: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        if processes and possible():
            self._start(command, arguments)

    def able(self) -> bool:
        """Whether there are processes now."""
        if not self._running and self._control is not None and select.select([self._control], [], [], 0)[0]:
            self._opened()
        return bool(self._running)

    @property
    def ahead(self) -> int:
        """How many jobs keep all processes busy."""
        return DEPTH * len(self._running)

    def submit(self, media: Mapping[str, Any]) -> MediaJob:
        """Have `media` prepared: mappings and lists of arrays and plain values."""
        self._number += 1
        job = MediaJob(self._number, media)
        self._queue.append(job)
        self._hand_out()
        return job

    def poll(self, wait_s: float = 0.0) -> None:
        """Take in what was done meanwhile, waiting so long for the first, and hand out more."""
        lines = {process.line: process for process in self._running}
        if not lines:
            self._give_up_all()
            return
        while there := select.select([one.line for one in self._running], [], [], wait_s)[0]:
            for line in there:
                self._take_in(lines[line])
            wait_s = 0.0
            lines = {process.line: process for process in self._running}
        self._hand_out()

    def close(self) -> None:
        """End the processes. Safe to call twice."""
        for process in self._running:
            process.line.close()
        self._running = []
        self._give_up_all()
        if self._control is not None:
            self._control.close()
        if self._first is not None:
            self._first.kill()
            self._first.wait()
        self._control = self._first = None

    def _start(self, command: Sequence[str], arguments: Mapping[str, Any]) -> None:
        ours, theirs = sockets()
        try:
            with theirs:
                self._first = subprocess.Popen(
                    [*command, str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                    env=environment() | ONE_THREAD,
                )
            send(ours, dict(arguments))
            self._control = ours
        except (OSError, CannotBeSent) as error:
            ours.close()
            self._cannot(str(error))

    def _opened(self) -> None:
        """The first process has something to say: it is ready, or why it never will be."""
        assert self._control is not None
        try:
            failed = receive(self._control)["failed"]
        except EOFError:
            failed = "the process ended while it was started"
        if failed:
            self._cannot(failed)
            return
        self._control.settimeout(REPLY_S)
        while len(self._running) < self.processes and self._add():
            pass

    def _cannot(self, reason: str) -> None:
        log.warning("note: pictures are prepared in the engine's own thread: %s", reason)
        if self._control is not None:
            self._control.close()
        self._control = None

    def _add(self) -> bool:
        """One more process; whether there is one."""
        if self._control is None:
            return False
        ours, theirs = sockets()
        try:
            with theirs:
                socket.send_fds(self._control, [COPY], [theirs.fileno()])
                pid = json.loads(self._control.recv(64))
        except (OSError, ValueError):
            ours.close()
            self._cannot("no further process can be started")
            return False
        self._running.append(_Process(pid, ours))
        return True

    def _hand_out(self) -> None:
        while self._queue and self._running:
            process = min(self._running, key=lambda one: len(one.jobs))
            if len(process.jobs) >= DEPTH:
                return
            job = self._queue.popleft()
            process.jobs.append(job)
            try:
                send(process.line, {"number": job.number, "media": job.media})
            except CannotBeSent:
                process.jobs.pop()
                job.done = True
            except ConnectionError:
                self._queue.appendleft(process.jobs.pop())
                while self._take_in(process):  # what it had done before it ended
                    pass

    def _take_in(self, process: _Process) -> bool:
        """Its next answer; false where there is none, because it has ended."""
        try:
            answer = receive(process.line)
        except CameWithoutMemory:
            process.jobs.popleft().done = True
            return True
        except (EOFError, OSError):
            self._ended(process)
            return False
        job = process.jobs.popleft()
        assert job.number == answer["number"]
        job.made, job.done = answer.get("made"), True
        self._ends_in_a_row = 0
        return True

    def _ended(self, process: _Process) -> None:
        """A process is gone: its first job may be why, the others are given out again."""
        process.line.close()
        self._running.remove(process)
        self.ends += 1
        self._ends_in_a_row += 1
        how = self._how_it_ended(process.pid)
        if process.jobs:
            first = process.jobs[0]
            first.tries += 1
            if first.tries >= TRIES:
                process.jobs.popleft()
                first.done, first.lost = True, f"preparing it ended {TRIES} processes, the last {how}"
        self._queue.extendleft(reversed(process.jobs))
        replaced = self._ends_in_a_row < MOST_ENDS and self._add()
        log.warning(
            "note: a process that prepares pictures was ended %s; %s, and nothing is lost",
            how,
            "another takes its place" if replaced else f"{len(self._running)} are left",
        )
        if not self._running:
            self._give_up_all()

    def _how_it_ended(self, pid: int) -> str:
        code: int | None = None
        if self._control is not None:
            try:
                self._control.sendall(str(pid).encode())
                code = json.loads(self._control.recv(64))
            except (OSError, ValueError):
                self._control.close()
                self._control = None
        if code is None or code >= 0:
            return "by itself" if code is None else f"by itself with exit code {code}"
        memory = " (out of memory?)" if -code == signal.SIGKILL else ""
        return f"by {signal.Signals(-code).name}{memory}"

    def _give_up_all(self) -> None:
        """Nobody is there to prepare what waits: whoever gave it does it."""
        for job in self._queue:
            job.done = True
        self._queue.clear()


def usual_processes(*, on_cpu: bool) -> int:
    """So many as leave the engine its cores: none where the model itself computes on them."""
    return 0 if on_cpu else min(8, len(os.sched_getaffinity(0)) // 4)
