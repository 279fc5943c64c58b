"""Clips decoded in processes that can be timed out: a hang or a crash costs one clip, never the run."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from tvbench.data.media.clips import Clip
from tvbench.data.media.decoders import DEFAULT, WORKER, environment
from tvbench.data.media.room import admit
from tvbench.data.media.shared_clips import SharedClips
from tvbench.errors import MediaError

COMMAND = WORKER
DYING_S = 5.0
CLOSED = "the decoder of clips is closed"
MOST_WORKERS = 16


def cores() -> int:
    """Processors that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


WORKERS = max(2, min(MOST_WORKERS, cores()))
"""Decoding processes at most: one a core. Each is started when all others are busy."""


@dataclass(frozen=True, slots=True)
class ClipJob:
    """What is to be made of a clip."""

    name: str
    frames: int
    size: int | None
    by: str


class Decoder:
    """Decoding processes, started when needed, in an empty folder. Safe to call from many threads.

    Clips that are asked for again while somebody still has them, or just after, are decoded once.
    """

    def __init__(self, *, timeout_s: float = 60.0, workers: int = WORKERS, command: tuple[str, ...] = COMMAND) -> None:
        self.timeout_s = timeout_s
        self._command = command
        self._idle: queue.LifoQueue[subprocess.Popen[bytes] | None] = queue.LifoQueue()
        self._lock = threading.Lock()
        self._started: dict[subprocess.Popen[bytes], str] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._closed = False
        self._shared = SharedClips()
        for _ in range(workers):
            self._idle.put(None)

    def decode(
        self, data: bytes, name: str, frames: int, size: int | None = None, by: str | None = None
    ) -> tuple[Clip, tuple[str, ...]]:
        """See decode.decode_clip; `by` is a decoder's name, and room.admit is waited for. Raises MediaError also when
        the process hangs or dies, and after `close`."""
        how = ClipJob(name, frames, size, by or DEFAULT)
        return self._shared.get(data, how, lambda: self._decoded(data, how))

    def _decoded(self, data: bytes, job: ClipJob) -> tuple[Clip, tuple[str, ...]]:
        # The last that was used first: no more are started than work at a time.
        process = self._idle.get()
        try:
            process = self._running(process, job.by)
            answer = self._ask(process, data, job)
        finally:
            # After `close` too: whoever waits for a process finds one, and is then refused.
            self._idle.put(process)
        if "error" in answer:
            raise MediaError(answer["error"])
        clip = Clip(answer["frames"], tuple(answer["times"]), answer["duration"])
        return clip, tuple(answer["notes"])

    def close(self) -> None:
        """End the processes. A decode under way or still to come ends with a MediaError."""
        with self._lock:
            self._closed = True
            started, self._started = self._started, {}
            folder, self._folder = self._folder, None
        self._shared.forget()
        for process in started:
            _end(process)
        if folder is not None:
            folder.cleanup()

    def _begun(self, folder: str, by: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command if by == DEFAULT else (*self._command, by),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=folder,
            env=environment(),
        )

    def _running(self, process: subprocess.Popen[bytes] | None, by: str) -> subprocess.Popen[bytes]:
        """`process` if it lives and decodes by that, or a new one. Raises MediaError when there can be none."""
        with self._lock:
            if self._closed:
                raise MediaError(CLOSED)
            if process is not None and process.poll() is None and self._started.get(process) == by:
                return process
            if process is not None:
                self._started.pop(process, None)
                _end(process)
            try:
                if self._folder is None:
                    self._folder = tempfile.TemporaryDirectory(prefix="tvbench-", ignore_cleanup_errors=True)
                process = self._begun(self._folder.name, by)
            except OSError as error:
                raise MediaError(f"the decoder of clips cannot be started: {error}") from error
            self._started[process] = by
            return process

    def _ask(self, process: subprocess.Popen[bytes], data: bytes, job: ClipJob) -> dict[str, Any]:
        clock, name = _Clock(process, self.timeout_s), job.name
        try:
            with clock.running():
                asked = {"name": name, "frames": job.frames, "size": job.size, "bytes": len(data)}
                answer = _told(process, json.dumps(asked).encode() + b"\n" + data)
            while "needs" in answer:
                admit(int(answer["needs"]))
                with clock.running():
                    answer = _told(process, b"\n")
            return answer
        except (OSError, ValueError) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(DYING_S)  # how it ended says why
            _stopped(process)
            if self._closed:
                raise MediaError(CLOSED) from error
            if clock.late:
                said = f"{name} took longer than {self.timeout_s:g} s"
                raise MediaError(said, "--video-timeout SECONDS changes the limit") from error
            if process.returncode == 1 and job.by != DEFAULT:
                raise MediaError(f"{name}: the decoder {job.by} does not start on this machine") from error
            raise MediaError(f"{name} crashed the decoder") from error
        except BaseException:  # refused admission: the process waits for an answer that never comes
            _stopped(process)
            raise


class _Clock:
    """Kills a process that has worked for longer than `seconds`; what it waits for room does not count."""

    def __init__(self, process: subprocess.Popen[bytes], seconds: float) -> None:
        self._process = process
        self._left = seconds
        self._late = threading.Event()

    @property
    def late(self) -> bool:
        return self._late.is_set()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Inside the block the time passes."""
        began = time.monotonic()
        timer = threading.Timer(max(0.0, self._left), self._stop)
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
            self._left -= time.monotonic() - began

    def _stop(self) -> None:
        self._late.set()
        self._process.kill()


def _told(process: subprocess.Popen[bytes], said: bytes) -> dict[str, Any]:
    """Tell a process something, and hear what it answers. Raises OSError or ValueError where it is gone."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(said)
    process.stdin.flush()
    answer: dict[str, Any] = json.loads(process.stdout.readline())
    if "shape" in answer:
        shape = tuple(answer["shape"])
        body = process.stdout.read(int(np.prod(shape)))
        answer["frames"] = np.frombuffer(body, dtype=np.uint8).reshape(shape)
    return answer


def _stopped(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _end(process: subprocess.Popen[bytes]) -> None:
    _stopped(process)
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
