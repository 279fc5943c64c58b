"""The near side of a worker: a process in a session of its own that speaks JSON lines (see worker.py).

Waits without ever hanging: a worker that says nothing for `silence_s` seconds is killed with its whole process group.
What is not a line of the protocol is ignored, and its end kept for the error message. Knows no task and no scorer.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import IO, Any

from tvbench.errors import TvbenchError

SILENCE_S = 600.0
TAIL_LINES = 15
LONGEST_LINE = 1 << 24
"""Characters. A longer one is garbage, and is read in pieces."""
LOOK_SECONDS = 1.0
"""How often a silent worker is looked at, and how long one that has closed its output may take to end."""
END = None


class WorkerError(TvbenchError):
    """The worker died, fell silent or said something impossible. It is gone when this is raised."""


class WorkerProcess:
    """One worker, started on entering the context and surely gone, with all its children, after it.

    `on_beat` gets what a heartbeat says the worker is doing. `name` is for messages.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        name: str,
        silence_s: float = SILENCE_S,
        env: Mapping[str, str] | None = None,
        on_beat: Callable[[str], None] | None = None,
    ) -> None:
        self.command = list(command)
        self.name = name
        self.silence_s = silence_s
        self.env = env
        self.on_beat = on_beat
        self._messages: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._outgoing: queue.Queue[str | None] = queue.Queue()
        self._said: deque[str] = deque(maxlen=TAIL_LINES)
        self._garbage: deque[str] = deque(maxlen=TAIL_LINES)
        self._doing = "starting"
        self._process: subprocess.Popen[str] | None = None
        self._threads: list[threading.Thread] = []

    def _begun(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            self.command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=self.env,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def __enter__(self) -> WorkerProcess:
        try:
            process = self._begun()
        except OSError as error:
            raise WorkerError(f"{self.name} cannot be started: {self.command[0]}: {error.strerror}") from error
        self._process = process
        assert process.stdin and process.stdout and process.stderr
        for work, file in (
            (self._read_messages, process.stdout),
            (self._read_words, process.stderr),
            (self._write, process.stdin),
        ):
            thread = threading.Thread(target=work, args=(file,), daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()

    @property
    def pid(self) -> int:
        """The process's id, which is its group's too."""
        assert self._process is not None
        return self._process.pid

    def send(self, message: Mapping[str, Any]) -> None:
        """Hand over one message. Never waits; a worker that does not read is found out by `receive`."""
        self._outgoing.put(json.dumps(message) + "\n")

    def receive(self) -> dict[str, Any]:
        """The next message that is not a heartbeat.

        Raises WorkerError when the worker ends, or says neither a message nor a heartbeat for `silence_s` seconds.
        """
        while True:
            message = self._next()
            if message["tvbench"] != "beat":
                return message
            self._doing = str(message.get("doing", self._doing))
            if self.on_beat is not None:
                self.on_beat(self._doing)

    def _next(self) -> dict[str, Any]:
        """The next message of any kind. Looks now and then whether the worker lives: its children may hold the pipe."""
        heard = time.monotonic()
        gone = False
        while True:
            try:
                message = self._messages.get(timeout=min(LOOK_SECONDS, self.silence_s))
            except queue.Empty:
                if gone:
                    raise self._ended() from None
                if time.monotonic() - heard >= self.silence_s:
                    raise self._silent() from None
                gone = self._process is None or _has_ended(self._process.pid)
                continue
            if message is END:
                raise self._ended()
            return message

    def _ended(self) -> WorkerError:
        code = self.kill()
        return WorkerError(f"{self.name} ended ({_in_words(code)}) while {self._doing}{self._tail()}")

    def _silent(self) -> WorkerError:
        self.kill()
        return WorkerError(
            f"{self.name} said nothing for {self.silence_s:g} s while {self._doing}, and was stopped{self._tail()}",
            "a slow machine may need a longer --silence SECONDS",
        )

    def finish(self) -> None:
        """Close the input and wait for the worker's `bye`. Raises what `receive` raises."""
        self._outgoing.put(END)
        while self.receive()["tvbench"] != "bye":
            pass

    def kill(self) -> int | None:
        """End the whole process group. Returns the worker's exit code (None: there is no worker any more)."""
        process = self._process
        if process is None:
            return None
        if not self._threads[0].is_alive():
            # The output closes a moment before the process is gone, and its own exit code tells more than our signal.
            patience = time.monotonic() + LOOK_SECONDS
            while not _has_ended(process.pid) and time.monotonic() < patience:
                time.sleep(0.01)
        # The group's id cannot have become somebody else's: the worker is not waited for before the next line.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        code = process.wait()
        self._process = None
        self._outgoing.put(END)
        for thread in self._threads:
            thread.join(timeout=1.0)
        for file in (process.stdout, process.stderr):
            if file is not None and not any(thread.is_alive() for thread in self._threads):
                file.close()
        return code

    def _read_messages(self, file: IO[str]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := file.readline(LONGEST_LINE):
                message = _message(line)
                if message is not None:
                    self._messages.put(message)
                elif line.strip():
                    self._garbage.append(line.strip()[:500])
        self._messages.put(END)

    def _read_words(self, file: IO[str]) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := file.readline(LONGEST_LINE):
                if line.strip():
                    self._said.append(line.rstrip()[:500])

    def _write(self, file: IO[str]) -> None:
        # A broken pipe is a dead worker: its closed output says so.
        with contextlib.suppress(OSError, ValueError):
            while (line := self._outgoing.get()) is not END:
                file.write(line)
                file.flush()
        with contextlib.suppress(OSError, ValueError):
            file.close()

    def _tail(self) -> str:
        lines = [*self._said] + [f"(on its output) {line}" for line in self._garbage]
        return "".join(f"\n    {line}" for line in lines[-TAIL_LINES:])


def _message(line: str) -> dict[str, Any] | None:
    """A line of the protocol, or None for anything else that was printed."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and isinstance(value.get("tvbench"), str) else None


def _has_ended(pid: int) -> bool:
    """Whether our child has ended; it is not reaped."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None


def _in_words(code: int | None) -> str:
    if code is not None and code < 0:
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"killed by {name}" + ("; out of memory?" if name == "SIGKILL" else "")
    return f"exit code {code}"
