"""The run folder: plain files, one writer, nothing lost.

    manifest.json      what was asked, versions, hardware, signatures
    requests.jsonl     one line an item: {"key", "item"}; all that scoring needs
    responses.jsonl    one line an answer, appended and flushed as it arrives (shards: responses.N.jsonl)
    scores.jsonl       one line an item, written by scoring
    result.json        the figures

A killed writer can leave a torn last line: readers drop it, the next writer removes it. A failure is a line with
`error`; it is sent again, and its line replaced, when the run is continued. Knows types and the codec only.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tvbench import codec
from tvbench.errors import TvbenchError, UsageError
from tvbench.types import Item, Response, Score, TaskResult

FORMAT = 1
MANIFEST, REQUESTS, RESPONSES, SCORES, RESULT, LOCK = (
    "manifest.json",
    "requests.jsonl",
    "responses.jsonl",
    "scores.jsonl",
    "result.json",
    ".lock",
)


class StoreError(TvbenchError):
    """The run folder cannot be written (disk full, read-only). What was written stays."""


def storage_error(error: OSError, path: Path) -> StoreError:
    """An OSError in a person's words, with what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = "free some space and run the same command again: it continues where it stopped"
        return StoreError(f"no space left for {path}", hint)
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return StoreError(f"{path} cannot be written: {error.strerror}", "choose another folder with --results DIR")
    return StoreError(f"{path}: {error.strerror or error}", "choose another folder with --results DIR")


def write_atomically(path: Path, chunks: Iterable[str]) -> None:
    """Write beside, sync, then rename: readers see the old file or the new one, never half. Raises StoreError."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with beside.open("w", encoding="utf-8", errors="surrogatepass") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        raise storage_error(error, path) from error


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n"


def _json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """Every readable line as (number, value). A torn or damaged line is left out: its key counts as missing."""
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.endswith(b"\n"):
                return
            try:
                yield number, json.loads(line.decode("utf-8", "surrogatepass"))
            except ValueError:
                continue


class RunFolder:
    """A run as it lies on disk. Reading never writes, and needs no lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    def exists(self) -> bool:
        return (self.path / MANIFEST).is_file()

    def manifest(self) -> dict[str, Any]:
        """Raises UsageError where there is no run, or one of a later format."""
        return self._read_json(MANIFEST)

    def result(self) -> list[TaskResult] | None:
        """The figures as they were last computed; None before the first scoring. Raises UsageError if damaged."""
        if not (self.path / RESULT).is_file():
            return None
        data = self._read_json(RESULT)
        try:
            return [codec.result_from_json(task) for task in data["tasks"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise UsageError(
                f"{self.path / RESULT} is not a result ({error})", f"`tvbench score {self.path}` writes it again"
            ) from error

    def requests(self) -> list[tuple[str, Item]]:
        """Every item with its key, in the order in which it was asked. Raises UsageError where a line is damaged."""
        path = self.path / REQUESTS
        if not path.is_file():
            raise UsageError(f"{path} is missing", "run the same `tvbench run` command again: answers are kept")
        pairs: list[tuple[str, Item]] = []
        with path.open(encoding="utf-8", errors="surrogatepass") as file:
            for number, line in enumerate(file, 1):
                try:
                    data = json.loads(line)
                    pairs.append((data["key"], codec.item_from_json(data["item"])))
                except (ValueError, KeyError, TypeError) as error:
                    raise UsageError(
                        f"{path}:{number} is damaged ({type(error).__name__}: {error})",
                        "run the same `tvbench run` command again: answers are kept",
                    ) from error
        return pairs

    def responses(self) -> dict[str, Response]:
        """The answer for each key over all shards. An answer beats a failure; else the later line holds."""
        found: dict[str, Response] = {}
        for path in self.response_files():
            for _, data in _json_lines(path):
                try:
                    response = codec.response_from_json(data)
                except (KeyError, TypeError):
                    continue
                before = found.get(response.key)
                if before is None or before.error is not None or response.error is None:
                    found[response.key] = response
        return found

    def answered(self) -> set[str]:
        """The keys that have an answer; none where there is no run."""
        return {key for key, response in self.responses().items() if response.error is None}

    def response_files(self) -> list[Path]:
        """`responses.jsonl` and its shards `responses.N.jsonl`."""
        return sorted(self.path.glob("responses*.jsonl"))

    def write_result(self, results: Iterable[TaskResult], scores: Mapping[str, Iterable[Score]]) -> None:
        """Write scores.jsonl (by task) and result.json. Raises StoreError."""
        write_atomically(
            self.path / SCORES,
            (_line({"task": task, **codec.score_to_json(score)}) for task, some in scores.items() for score in some),
        )
        data = {"format": FORMAT, "run": self.name, "tasks": [codec.result_to_json(result) for result in results]}
        write_atomically(self.path / RESULT, [json.dumps(data, ensure_ascii=False, indent=1), "\n"])

    def _read_json(self, name: str) -> dict[str, Any]:
        path = self.path / name
        try:
            data = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise UsageError(f"{self.path} holds no run ({name} is missing)", "`tvbench leaderboard` lists the runs") \
                from None
        except (OSError, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from error
        if not isinstance(data, dict) or not isinstance(data.get("format"), int):
            raise UsageError(f"{path} is not a tvbench file")
        if data["format"] > FORMAT:
            raise UsageError(f"{path} was written by a newer tvbench (format {data['format']})", "update tvbench")
        return data


class RunWriter:
    """The one writer of a run folder, under a lock that dies with its process.

    Use as a context manager. Raises UsageError when another process writes there, StoreError when it cannot write.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: IO[str] | None = None
        self._responses: IO[str] | None = None

    def __enter__(self) -> RunWriter:
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = (self.path / LOCK).open("a+")
        except OSError as error:
            raise storage_error(error, self.path) from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._lock.seek(0)
            owner = self._lock.read().strip() or "unknown"
            self._lock.close()
            raise UsageError(
                f"another tvbench (process {owner}) is writing to {self.path}",
                "wait for it, or stop it; or choose another folder with --results DIR",
            ) from error
        self._note_owner()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for file in (self._responses, self._lock):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()

    def write_manifest(self, manifest: Mapping[str, Any]) -> None:
        data = {"format": FORMAT, **manifest}
        write_atomically(self.path / MANIFEST, [json.dumps(data, ensure_ascii=False, indent=1, default=str), "\n"])

    def write_requests(self, requests: Iterable[tuple[str, Item, tuple[str, ...]]]) -> None:
        """`requests`: (key, item, media digests)."""
        write_atomically(
            self.path / REQUESTS,
            (_line({"key": key, "item": codec.item_to_json(item, digests)}) for key, item, digests in requests),
        )

    def start(self) -> dict[str, Response]:
        """Make responses.jsonl ready for appending: each key once, no torn line, no failures.

        Returns the answers that are kept. What failed before is thereby missing, and is asked again.
        """
        kept = {key: response for key, response in RunFolder(self.path).responses().items() if response.error is None}
        path = self.path / RESPONSES
        shards = [shard for shard in RunFolder(self.path).response_files() if shard != path]
        if shards or not self._is_clean(path, len(kept)):
            write_atomically(path, (_line(codec.response_to_json(response)) for response in kept.values()))
            for shard in shards:
                shard.unlink()
        try:
            self._responses = path.open("a", encoding="utf-8", errors="surrogatepass")
        except OSError as error:
            raise storage_error(error, path) from error
        return kept

    def append(self, response: Response) -> None:
        """Add one answer and hand it to the operating system, so that `kill -9` cannot lose it."""
        if self._responses is None:
            raise RuntimeError("append before start")
        try:
            self._responses.write(_line(codec.response_to_json(response)))
            self._responses.flush()
        except OSError as error:
            raise storage_error(error, self.path / RESPONSES) from error

    def _is_clean(self, path: Path, answers: int) -> bool:
        if not path.is_file():
            return answers == 0
        data = path.read_bytes()
        return (not data or data.endswith(b"\n")) and data.count(b"\n") == answers

    def _note_owner(self) -> None:
        assert self._lock is not None
        with contextlib.suppress(OSError):  # the number only makes another process's message friendlier
            self._lock.truncate(0)
            self._lock.write(str(os.getpid()))
            self._lock.flush()


def find_runs(results: Path) -> list[RunFolder]:
    """Every run directly below `results`, by name. A missing folder has none."""
    if not results.is_dir():
        return []
    return [RunFolder(path) for path in sorted(results.iterdir()) if (path / MANIFEST).is_file()]


def find_run(results: Path, name: str) -> RunFolder:
    """A run by its path, its name below `results`, or an unambiguous beginning of that name. Raises UsageError."""
    for path in (Path(name), results / name):
        if (path / MANIFEST).is_file():
            return RunFolder(path)
    runs = {run.name: run for run in find_runs(results)}
    starting = [run for run_name, run in runs.items() if run_name.startswith(name)]
    if len(starting) == 1:
        return starting[0]
    if starting:
        raise UsageError(f"'{name}' may be any of: {', '.join(run.name for run in starting)}")
    from tvbench.errors import unknown_name

    raise unknown_name("run", name, runs, f"looked in {results}; another folder: --results DIR")
