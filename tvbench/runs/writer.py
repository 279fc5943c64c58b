"""Writes a run folder: one writer, or one for each part, under locks that die with their process.

An answer is appended and handed to the operating system at once; every other file is written whole. What a killed
writer left (a torn line, half a file, failures) the next one takes away before it begins. Who may write at the same
time is in parts.py; what lies where, in store.py.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO

from tvbench.errors import UsageError
from tvbench.runs import codec
from tvbench.runs.answer_index import AnswerIndex
from tvbench.runs.disk import storage_error, write_atomically
from tvbench.runs.driver_token import take_back
from tvbench.runs.history import joined
from tvbench.runs.lines import Damage, json_line
from tvbench.runs.locks import PATIENCE, BusyError, made_sole, take
from tvbench.runs.manifest import Manifest
from tvbench.runs.manifest_json import manifest_to_json
from tvbench.runs.parts import MUTEX, WAIT, end_torn, live_parts, lock_part, moment, part_path, parts_in
from tvbench.runs.shards import in_words
from tvbench.runs.store import FORMAT, LOCK, MANIFEST, REQUESTS, RESPONSES, RESULT, SCORES, RunFolder
from tvbench.types import Item, Response


class RunWriter:
    """The one writer of a run folder, under a lock that dies with its process; or, with a `part`, the one writer of
    that part of it, which any number of others write the other parts of (see parts.py).

    Use as a context manager. Raises UsageError when another process writes there, StoreError when it cannot write.
    `damaged` are the lines of answers that `start` found damaged; the one writer takes them away.
    """

    def __init__(self, path: Path, part: str | None = None) -> None:
        self.path = path
        self.part = part
        self.damaged: list[Damage] = []
        self._file = path / RESPONSES if part is None else part_path(path, part)
        self._lock: IO[str] | None = None
        self._responses: IO[str] | None = None
        self._started = False

    def __enter__(self) -> RunWriter:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = self._locked()
            if self.part is None:
                self._note_owner()
                take_back(self.path)
            else:
                self._responses = lock_part(self.path, self.part)
        except OSError as error:
            self._close()
            raise storage_error(error, self.path) from error
        except UsageError:
            self._close()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        for file in (self._responses, self._lock):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()

    def _locked(self) -> IO[str]:
        try:
            return take(self.path / LOCK, shared=self.part is not None)
        except BusyError as error:
            if self.part is None and (parts := self._live_parts()):
                told = f"{in_words(parts)} {'is' if len(parts) == 1 else 'are'} writing to {self.path}"
                raise UsageError(told, "wait for all shards, or stop them; `tvbench status` shows the run") from error
            told = f"another tvbench (process {error.said or 'unknown'}) is writing to {self.path}"
            raise UsageError(told, WAIT) from error

    def _live_parts(self) -> list[str]:
        with contextlib.suppress(OSError):
            if parts_in(self.path):
                with moment(self.path):
                    return live_parts(self.path)
        return []

    def withdraw(self) -> None:
        """Take the folder away, where no answer is stored in it, and nobody else writes it: nothing came of the run."""
        files = RunFolder(self.path).response_files()
        if any(path.stat().st_size for path in files) or (self._lock and self.part and not made_sole(self._lock)):
            return
        for path in (*files, *(self.path / name for name in (MANIFEST, REQUESTS, SCORES, RESULT, MUTEX, LOCK))):
            with contextlib.suppress(OSError):
                path.unlink()
        with contextlib.suppress(OSError):  # somebody else's files
            self.path.rmdir()

    def write_manifest(self, manifest: Manifest, patience: float = PATIENCE) -> None:
        """Write it over the one that lies there, whose beginning and unknown fields stay (see Manifest.over); for a
        part, what the others wrote stays too (see history.joined): it waits for them, but `patience` seconds at most.
        """
        with self._alone(patience):
            before = RunFolder(self.path).earlier_manifest()
            manifest = manifest if self.part is None else joined(manifest, before, self.part)
            self.replace_manifest(manifest.over(before))

    def replace_manifest(self, manifest: Manifest) -> None:
        """Write it as it is. Raises StoreError."""
        data = {"format": FORMAT, **manifest_to_json(manifest)}
        write_atomically(self.path / MANIFEST, [json.dumps(data, ensure_ascii=False, indent=1, default=str), "\n"])

    def write_requests(self, requests: Iterable[tuple[str, Item, tuple[str, ...]]]) -> None:
        """`requests`: (key, item, media digests). The writers of parts write them once: equal plans are equal bytes.
        Raises UsageError where others, who still write, ask something else."""
        path = self.path / REQUESTS
        lines = (json_line({"key": key, "item": codec.item_to_json(item, digests)}) for key, item, digests in requests)
        with self._alone():
            if self.part is not None and path.is_file():
                equal, differing = _compared(path, lines)
                if differing is None:
                    return
                if others := [part for part in live_parts(self.path) if part != self.part]:
                    raise UsageError(
                        f"{in_words(others)} of {self.path} asks other questions than this one",
                        "the data, or the version of tvbench, differ between the machines: make them equal",
                    )
                lines = chain(_head(path, equal), differing)  # type: ignore[assignment]
            write_atomically(path, lines)

    def copy_requests(self, path: Path) -> None:
        """Take over the questions of another folder, as they are. Only for who writes alone. Raises StoreError."""
        write_atomically(self.path / REQUESTS, _head(path, path.stat().st_size))

    def replace_responses(self, lines: Iterable[str]) -> None:
        """Write `lines` in place of all parts. Only for who writes alone. Raises StoreError."""
        parts = [part for part in RunFolder(self.path).response_files() if part != self._file]
        write_atomically(self._file, lines)
        try:
            for part in parts:
                part.unlink()
        except OSError as error:
            raise storage_error(error, self.path) from error
        clean_up(self.path)

    def start(self) -> Mapping[str, Response]:
        """Make the file ready for appending. Returns where the answers lie that are kept, of all parts: what failed
        before, or was damaged, is missing, and is asked again.

        The one writer folds everything into responses.jsonl: each key once, with its checksum, no torn or damaged line,
        no failures. The writer of a part cuts off its own torn line.
        """
        run = RunFolder(self.path)
        kept = run.index(self.damaged)
        try:
            if self._responses is not None:
                end_torn(self._responses)
            else:
                kept = self._folded(run, kept)
                self._responses = self._file.open("a", encoding="utf-8", errors="surrogatepass")
        except OSError as error:
            raise storage_error(error, self._file) from error
        self._started = True
        return kept.without_failures

    def _folded(self, run: RunFolder, kept: AnswerIndex) -> AnswerIndex:
        """The answers as they lie in one file, after all were written there where that had to be."""
        parts = [part for part in run.response_files() if part != self._file]
        if parts or self.damaged or not kept.clean:
            self.replace_responses(json_line(codec.response_to_json(response)) for response in kept.answers())
            kept = run.index()
        clean_up(self.path)
        return kept

    def append(self, response: Response) -> None:
        """Add one answer and hand it to the operating system, so that `kill -9` cannot lose it."""
        if self._responses is None or not self._started:
            raise RuntimeError("append before start")
        try:
            self._responses.write(json_line(codec.response_to_json(response)))
            self._responses.flush()
        except OSError as error:
            raise storage_error(error, self._file) from error

    def _alone(self, patience: float = PATIENCE) -> contextlib.AbstractContextManager[None]:
        """Among the writers of parts; who writes alone is."""
        return contextlib.nullcontext() if self.part is None else self._moment(patience)

    @contextlib.contextmanager
    def _moment(self, patience: float) -> Iterator[None]:
        try:
            with moment(self.path, patience):
                yield
        except OSError as error:
            raise storage_error(error, self.path) from error

    def _note_owner(self) -> None:
        assert self._lock is not None
        with contextlib.suppress(OSError):  # the number only makes another process's message friendlier
            self._lock.truncate(0)
            self._lock.write(str(os.getpid()))
            self._lock.flush()


def _compared(path: Path, lines: Iterable[str]) -> tuple[int, Iterator[str] | None]:
    """How many bytes the file and `lines` begin with alike; and the lines from where they differ, None if nowhere."""
    rest = iter(lines)
    with path.open("rb") as file:
        equal = 0
        for line in rest:
            data = line.encode("utf-8", "surrogatepass")
            if file.read(len(data)) != data:
                return equal, chain([line], rest)
            equal += len(data)
        return equal, iter(()) if file.read(1) else None


def _head(path: Path, size: int) -> Iterator[str]:
    """The first `size` bytes of a file, which end with a line."""
    with path.open("rb") as file:
        while size > 0:
            line = file.readline()
            size -= len(line)
            yield line.decode("utf-8", "surrogatepass")


def clean_up(folder: Path) -> None:
    """Take away what killed writers left half-written, and what several of them shared. Only for who writes alone."""
    for name in (MANIFEST, REQUESTS, "responses*.jsonl"):
        for path in folder.glob(f".{name}.*"):
            with contextlib.suppress(OSError):
                path.unlink()
    if not parts_in(folder):
        with contextlib.suppress(OSError):
            (folder / MUTEX).unlink()
