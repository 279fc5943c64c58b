"""The run folder as it lies on disk, and where runs are found: plain files, nothing lost.

    manifest.json      what was asked, versions, hardware, signatures
    requests.jsonl     one line an item: {"key", "item"}; all that scoring needs
    responses.jsonl    one line an answer, appended and flushed as it arrives (of several writers: responses.PART.jsonl)
    scores.jsonl       one line an item, written by scoring
    result.json        the figures

A killed writer (writer.py) can leave a torn last line: readers drop it, the next writer removes it. Every line has a
checksum (lines.py): one that was damaged counts as missing. A failure is a line with `error`; it is sent again, and its
line replaced, when the run is continued. Knows types, the codecs and lines only.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tvbench.errors import UsageError
from tvbench.runs import codec
from tvbench.runs.answer_index import AnswerIndex
from tvbench.runs.disk import write_atomically
from tvbench.runs.lines import Damage, checksum, json_line, lines_at, read_lines
from tvbench.runs.manifest import Manifest
from tvbench.runs.manifest_json import manifest_from_json
from tvbench.runs.manifest_shape import count_problem
from tvbench.runs.parts import parts_in
from tvbench.runs.spent import Spent, spent_on, total
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

    def numbers_in(self, index: AnswerIndex) -> Iterator[tuple[int, str]]:
        """Of each question that has a line in `index`: the number of its key there, and its task. None is held."""
        for _, line in read_lines(self.path / REQUESTS, [], appended=False):
            try:
                number, task = index.number(str(line["key"])), str(line["item"]["task"])
            except (LookupError, TypeError):
                continue
            if number is not None:
                yield number, task

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
        try:
            names = names_in(self.path)
        except (FileNotFoundError, PermissionError):
            return []
        return [self.path / name for name in names if name.startswith("responses") and name.endswith(".jsonl")]

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
