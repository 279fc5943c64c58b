"""The run folder: plain files, one writer (or one for each part), nothing lost.

    manifest.json      what was asked, versions, hardware, signatures
    requests.jsonl     one line an item: {"key", "item"}; all that scoring needs
    responses.jsonl    one line an answer, appended and flushed as it arrives (of several writers: responses.PART.jsonl)
    scores.jsonl       one line an item, written by scoring
    result.json        the figures

A killed writer can leave a torn last line: readers drop it, the next writer removes it. Every line has a checksum
(lines.py): one that was damaged counts as missing. A failure is a line with `error`; it is sent again, and its line
replaced, when the run is continued. Who may write at the same time is in parts.py. Knows types, the codecs and lines
only.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tvbench.errors import TvbenchError, UsageError
from tvbench.runs import codec
from tvbench.runs.answer_index import AnswerIndex
from tvbench.runs.history import joined
from tvbench.runs.lines import Damage, checksum, json_line, lines_at, read_lines
from tvbench.runs.locks import PATIENCE, BusyError, made_sole, take
from tvbench.runs.manifest import Manifest
from tvbench.runs.manifest_json import manifest_from_json, manifest_to_json
from tvbench.runs.manifests import count_problem
from tvbench.runs.parts import MUTEX, WAIT, end_torn, live_parts, lock_part, moment, part_path, parts_in
from tvbench.runs.shards import in_words
from tvbench.runs.spent import Spent, spent_on, total
from tvbench.runs.tokens import take_back
from tvbench.safety.bounded import read_json
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


AGAIN = (
    "run the same `tvbench run` command again (or `tvbench import`, or `tvbench judge`): it writes the file, and "
    "answers are kept"
)


class DamagedError(UsageError):
    """A file of the run folder is not as it was written."""


class StoreError(TvbenchError):
    """The run folder cannot be written (disk full, read-only). What was written stays."""


def storage_error(error: OSError, path: Path) -> StoreError:
    """An OSError in a person's words, with what to do."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        hint = "free some space and run the same command again: it continues where it stopped"
        return StoreError(f"no space left for {path}", hint)
    if error.errno in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
        hint = "choose a folder on another disk with --results DIR; `tvbench merge` joins folders of several disks"
        return StoreError(f"{path} cannot be locked: its file system has no locks ({error.strerror})", hint)
    if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM):
        return StoreError(f"{path} cannot be written: {error.strerror}", "choose another folder with --results DIR")
    return StoreError(f"{path}: {error.strerror or error}", "choose another folder with --results DIR")


def write_atomically(path: Path, chunks: Iterable[str]) -> None:
    """Write beside, sync, then rename: readers see the old file or the new one, never half. Raises StoreError."""
    # Two machines may have processes of the same number, and write the same folder.
    beside = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
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


def write_report(path: Path, text: str) -> None:
    """The same for a file that a person named, with the folders above it."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path) from error
    write_atomically(path, [text])


class RunFolder:
    """A run as it lies on disk. Reading never writes, and needs no lock."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def name(self) -> str:
        return self.path.name

    def exists(self) -> bool:
        return (self.path / MANIFEST).is_file()

    def manifest(self) -> Manifest:
        """Raises UsageError where there is no run, or one of a later format, DamagedError where it is no manifest."""
        hint = f"lost are dates, versions and the command that it held; {AGAIN}"
        data = self._read_json(MANIFEST, hint)
        try:
            return manifest_from_json(data)
        except ValueError as error:
            raise DamagedError(f"{self.path / MANIFEST} is damaged: {error}", hint) from error

    def earlier_manifest(self) -> Manifest | None:
        """The manifest for a writer that writes it anew: None where there is none yet, or a damaged one."""
        try:
            return self.manifest() if self.exists() else None
        except DamagedError:
            return None

    def result(self) -> list[TaskResult] | None:
        """The figures as they were last computed; None before the first scoring. Raises UsageError if damaged."""
        if not (self.path / RESULT).is_file():
            return None
        hint = f"`tvbench score {self.path}` writes it again"
        data = self._read_json(RESULT, hint)
        if data.get("sum", "") not in ("", checksum(data)):
            raise DamagedError(f"{self.path / RESULT} is damaged: its checksum differs", hint)
        try:
            return [codec.result_from_json(task) for task in data["tasks"]]
        except (KeyError, TypeError, AttributeError) as error:
            raise DamagedError(f"{self.path / RESULT} is not a result ({error})", hint) from error

    def requests(self, damaged: list[Damage] | None = None) -> list[tuple[str, Item]]:
        """Every item with its key, in the order in which it was asked.

        Damaged lines are added to `damaged`; without it they raise DamagedError, and so do fewer or more items than
        the manifest speaks of. Raises UsageError without the file.
        """
        found: list[Damage] = []
        pairs = [(key, item) for _, key, item in self.each_request(found)]
        if damaged is not None:
            damaged += found
        elif found:
            raise DamagedError(str(found[0]), AGAIN)
        elif self.exists() and (problem := self._count_problem(pairs)):
            raise DamagedError(f"{self.path / REQUESTS} {problem}", AGAIN)
        return pairs

    def each_request(self, damaged: list[Damage]) -> Iterator[tuple[int, str, Item]]:
        """The same one by one: (offset of its line, key, item). Raises UsageError without the file."""
        path = self.path / REQUESTS
        if not path.is_file():
            raise UsageError(f"{path} is missing", AGAIN)
        for number, offset, data in lines_at(path, damaged, appended=False):
            try:
                found = str(data["key"]), codec.item_from_json(data["item"])
            except (ValueError, LookupError, TypeError, AttributeError) as error:
                damaged.append(Damage(path, number, f"{type(error).__name__}: {error}"))
                continue
            yield offset, *found

    def responses(self, damaged: list[Damage] | None = None) -> dict[str, Response]:
        """The answer for each key over all shards. An answer beats a failure; else the later line holds.

        A damaged line is left out, so that its key counts as missing. Such lines are added to `damaged`, and so are
        second answers in one file.
        """
        found: dict[str, Response] = {}
        faults = [] if damaged is None else damaged
        answered: set[tuple[Path, str]] = set()
        for path in self.response_files():
            for number, data in read_lines(path, faults):
                try:
                    response = codec.response_from_json(data)
                except (KeyError, TypeError) as error:
                    faults.append(Damage(path, number, f"{type(error).__name__}: {error}"))
                    continue
                before = found.get(response.key)
                if before is None or before.error is not None or response.error is None:
                    found[response.key] = response
                if response.error is None:
                    if (path, response.key) in answered:
                        faults.append(Damage(path, number, "a second answer to one request", lost=False))
                    answered.add((path, response.key))
        return found

    def index(self, damaged: list[Damage] | None = None) -> AnswerIndex:
        """The same, read one by one when they are asked for: for very many."""
        return AnswerIndex(self.response_files(), damaged)

    def _count_problem(self, pairs: Iterable[tuple[str, Item]]) -> str | None:
        asked = {entry.task: entry.items for entry in self.manifest().tasks}
        return count_problem(asked, ((item.task, item.id) for _, item in pairs))

    def scores(self, task: str) -> dict[str, Score]:
        """What was last written of a task's scores, by item; lines that are no scores are left out."""
        found: dict[str, Score] = {}
        path = self.path / SCORES
        for _, data in read_lines(path, []) if path.is_file() else ():
            if data.get("task") == task and isinstance(data.get("item"), str):
                found[data["item"]] = codec.score_from_json(data)
        return found

    def all_scores(self) -> dict[str, dict[str, Score]]:
        """The same of every task."""
        found: dict[str, dict[str, Score]] = {}
        path = self.path / SCORES
        for _, data in read_lines(path, []) if path.is_file() else ():
            if isinstance(data.get("task"), str) and isinstance(data.get("item"), str):
                found.setdefault(data["task"], {})[data["item"]] = codec.score_from_json(data)
        return found

    def answered_keys(self) -> set[str]:
        """The keys that have an answer; none where there is no run."""
        index = self.index()
        return {key for key in index if index.answered(key)}

    def counted(self, part: str) -> tuple[int, Spent]:
        """How many answers a part holds, each key once, and what those took that were not copied from another run. The
        parts of its replicas (`2of8-r0`) are its own."""
        found: dict[str, Spent] = {}
        for name, path in parts_in(self.path).items():
            for _, data in read_lines(path, []) if name == part or name.startswith(f"{part}-") else ():
                with contextlib.suppress(KeyError, TypeError):
                    answer = codec.response_from_json(data)
                    if answer.error is None:
                        found[answer.key] = Spent() if answer.reused_from else spent_on(answer)
        return len(found), total(found.values())

    def response_files(self) -> list[Path]:
        """`responses.jsonl` and its shards `responses.N.jsonl`."""
        return sorted(self.path.glob("responses*.jsonl"))

    def write_result(self, results: Iterable[TaskResult], scores: Mapping[str, Iterable[Score]]) -> None:
        """Write scores.jsonl (by task) and result.json. Raises StoreError."""
        self.write_scored(results, (score_line(task, score) for task, of_task in scores.items() for score in of_task))

    def write_scored(self, results: Iterable[TaskResult], lines: Iterable[str]) -> None:
        """The same with the lines of scores.jsonl as `score_line` makes them. Raises StoreError."""
        write_atomically(self.path / SCORES, lines)
        data = {"format": FORMAT, "run": self.name, "tasks": [codec.result_to_json(result) for result in results]}
        data["sum"] = checksum(data)
        write_atomically(self.path / RESULT, [json.dumps(data, ensure_ascii=False, indent=1), "\n"])

    def _read_json(self, name: str, hint: str) -> dict[str, Any]:
        path = self.path / name
        try:
            data = read_json(path)
        except FileNotFoundError:
            raise UsageError(
                f"{self.path} holds no run ({name} is missing)",
                hint if self.response_files() else "`tvbench leaderboard` lists the runs",
            ) from None
        except OSError as error:
            raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
        except (ValueError, RecursionError) as error:
            empty = path.stat().st_size == 0
            raise DamagedError(f"{path} is damaged: {'it is empty' if empty else error}", hint) from error
        if not isinstance(data, dict) or type(data.get("format")) is not int:
            raise DamagedError(f"{path} is damaged: it is not a tvbench file", hint)
        if data["format"] > FORMAT:
            raise UsageError(f"{path} was written by a newer tvbench (format {data['format']})", "update tvbench")
        return data


def score_line(task: str, score: Score) -> str:
    """A score as scores.jsonl holds it."""
    return json_line({"task": task, **codec.score_to_json(score)})


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


def check_results(results: Path) -> None:
    """Before anything is read or asked: raises UsageError where runs cannot lie."""
    if results.exists() and not results.is_dir():
        raise UsageError(f"{results} is not a folder", "choose another folder with --results DIR")


def find_runs(results: Path) -> list[RunFolder]:
    """Every run directly below `results`, by name. A missing folder has none."""
    return [run for name in names_in(results) if (run := RunFolder(results / name)).exists()]


def names_in(results: Path) -> list[str]:
    """What lies directly below `results`, sorted."""
    return sorted(os.listdir(results)) if results.is_dir() else []  # noqa: PTH208 - names are all that is needed


def find_run(results: Path, name: str) -> RunFolder:
    """A run by its path, its name below `results`, or an unambiguous beginning of that name. Raises UsageError."""
    if not name.strip():
        raise UsageError("no run is named", f"the runs in {results}: `tvbench leaderboard` lists them")
    for path in (Path(name), results / name):
        if (path / MANIFEST).is_file() or any(path.glob("responses*.jsonl")):
            return RunFolder(path)
    runs = {run.name: run for run in find_runs(results)}
    starting = [run for run_name, run in runs.items() if run_name.startswith(name)]
    if len(starting) == 1:
        return starting[0]
    if starting:
        raise UsageError(f"'{name}' may be any of: {', '.join(run.name for run in starting)}")
    from tvbench.errors import unknown_name

    raise unknown_name("run", name, runs, f"looked in {results}; another folder: --results DIR")
