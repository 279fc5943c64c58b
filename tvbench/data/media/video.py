"""Clips decoded in a process that can be timed out: a hang or a crash costs one clip, never the run."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from tvbench.data.media.clips import Clip
from tvbench.errors import MediaError

COMMAND = (sys.executable, "-P", "-m", "tvbench.data.media.decode_worker")
WORKERS = 2
CLOSED = "the decoder of clips is closed"


class Decoder:
    """A few decoding processes, started when first needed, in an empty folder. Safe to call from many threads."""

    def __init__(self, *, timeout_s: float = 60.0, workers: int = WORKERS, command: tuple[str, ...] = COMMAND) -> None:
        self.timeout_s = timeout_s
        self._command = command
        self._idle: queue.SimpleQueue[subprocess.Popen[bytes] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started: set[subprocess.Popen[bytes]] = set()
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._closed = False
        for _ in range(workers):
            self._idle.put(None)

    @property
    def info(self) -> dict[str, str]:
        """Name and version, for the manifest."""
        return {"name": "pyav", "version": metadata.version("av")}

    def decode(self, data: bytes, name: str, frames: int, size: int | None = None) -> tuple[Clip, tuple[str, ...]]:
        """See decode.decode_clip. Raises MediaError also when the process hangs or dies, and after `close`."""
        process = self._idle.get()
        try:
            process = self._running(process)
            answer = self._ask(process, data, name, frames, size)
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
            started, self._started = self._started, set()
            folder, self._folder = self._folder, None
        for process in started:
            _end(process)
        if folder is not None:
            folder.cleanup()

    def _begun(self, folder: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd=folder,
            env=environment(),
        )

    def _running(self, process: subprocess.Popen[bytes] | None) -> subprocess.Popen[bytes]:
        """`process` if it lives, or a new one. Raises MediaError when there can be none."""
        with self._lock:
            if self._closed:
                raise MediaError(CLOSED)
            if process is not None and process.poll() is None:
                return process
            if process is not None:
                self._started.discard(process)
                _end(process)
            try:
                if self._folder is None:
                    self._folder = tempfile.TemporaryDirectory(prefix="tvbench-", ignore_cleanup_errors=True)
                process = self._begun(self._folder.name)
            except OSError as error:
                raise MediaError(f"the decoder of clips cannot be started: {error}") from error
            self._started.add(process)
            return process

    def _ask(
        self, process: subprocess.Popen[bytes], data: bytes, name: str, frames: int, size: int | None
    ) -> dict[str, Any]:
        assert process.stdin is not None and process.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(self.timeout_s, stop)
        timer.start()
        try:
            job = {"name": name, "frames": frames, "size": size, "bytes": len(data)}
            process.stdin.write(json.dumps(job).encode() + b"\n")
            process.stdin.write(data)
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
            if "shape" in answer:
                shape = tuple(answer["shape"])
                body = process.stdout.read(int(np.prod(shape)))
                answer["frames"] = np.frombuffer(body, dtype=np.uint8).reshape(shape)
            return answer
        except (OSError, ValueError) as error:
            process.kill()
            process.wait()
            if self._closed:
                raise MediaError(CLOSED) from error
            if late.is_set():
                said = f"{name} took longer than {self.timeout_s:g} s"
                raise MediaError(said, "--video-timeout SECONDS changes the limit") from error
            raise MediaError(f"{name} crashed the decoder") from error
        finally:
            timer.cancel()


def environment() -> dict[str, str]:
    """The process's variables: it finds this package from its empty folder."""
    given = [str(Path(path).resolve()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    here = str(Path(__file__).resolve().parents[3])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([here, *given])}


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            if pipe is not None:
                pipe.close()
