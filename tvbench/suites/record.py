"""`RESULTS/suites/NAME.json`: which runs a suite has, and what each of them asks, written before the first question.

What other models of an earlier command have stays in it. Knows the store's way of writing; knows no catalog.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from tvbench.errors import UsageError
from tvbench.runs.disk import storage_error, write_atomically
from tvbench.runs.lines import checksum
from tvbench.runs.manifest import now
from tvbench.safety.bounded import read_json
from tvbench.suites.combining import Combination
from tvbench.suites.planning import SuiteRun

FOLDER = "suites"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class RecordedTask:
    """What one run asks of one task: items by language."""

    task: str
    protocol: str
    languages: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One run of a suite. `run` is empty where its model could not be asked for anything. `typed`: its model was named
    next to the suite by `command`."""

    run: str
    model: str
    variation: Mapping[str, Any] = field(default_factory=dict)
    tasks: tuple[RecordedTask, ...] = ()
    judge: bool = False
    comet: bool = False
    typed: bool = False
    command: tuple[str, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class SuiteRecord:
    """A suite as it was last asked for."""

    suite: str
    file: str
    updated: str
    runs: tuple[RecordedRun, ...] = ()
    digest: str = ""

    @property
    def outdated(self) -> bool:
        """Whether the file says something else by now than when the runs were written down."""
        return bool(self.digest) and file_digest(Path(self.file)) not in ("", self.digest)


def record_path(results: Path, name: str) -> Path:
    """Where the record of the suite of that name lies."""
    return results / FOLDER / f"{name}.json"


def write_record(
    results: Path, name: str, file: Path, runs: Iterable[SuiteRun], command: tuple[str, ...]
) -> SuiteRecord:
    """Write down the runs of a suite. Of models that were typed, those of earlier commands stay. Raises StoreError."""
    path = record_path(results, name)
    mine = [_recorded(run, command) for run in runs]
    made = SuiteRecord(name, str(file.absolute()), now(), (*_of_others(path, mine), *mine), file_digest(file))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise storage_error(error, path.parent) from error
    data: dict[str, Any] = {"format": FORMAT, **asdict(made)}
    data["sum"] = checksum(data)
    write_atomically(path, [json.dumps(data, ensure_ascii=False, indent=1, default=str), "\n"])
    return made


def file_digest(path: Path) -> str:
    """Of a suite's file; "" where there is none any more."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def _recorded(run: SuiteRun, command: tuple[str, ...]) -> RecordedRun:
    of, ready = run.combination, run.ready
    tasks: list[RecordedTask] = []
    for planned in ready.plan.tasks if ready is not None else ():
        counts = Counter(chosen.item.language for chosen in planned.items)
        tasks.append(RecordedTask(planned.task.name, planned.options.protocol, dict(counts)))
    return RecordedRun(
        run="" if ready is None else ready.plan.run_name,
        model=_called(of, run),
        variation={name: value for name, value in of.variation.items() if name != "model"},
        tasks=tuple(tasks),
        judge=of.options.judge is not None or "judge" in of.later,
        comet=of.options.comet is not None or "comet" in of.later,
        typed=of.given,
        command=command,
        problem=run.problem,
    )


def _called(of: Combination, run: SuiteRun) -> str:
    return of.options.label or (run.card.name if run.ready is None else run.ready.plan.card.name)


def _of_others(path: Path, mine: Sequence[RecordedRun]) -> list[RecordedRun]:
    """What an earlier command noted of other models that were typed."""
    try:
        before = read_record(path)
    except UsageError:
        return []
    models, runs = {run.model for run in mine}, {run.run for run in mine}
    typed = all(run.typed for run in mine)
    return [run for run in before.runs if typed and run.typed and run.model not in models and run.run not in runs]


def find_records(results: Path) -> list[Path]:
    """The records below `results`, by name."""
    return sorted((results / FOLDER).glob("*.json"))


def read_record(path: Path) -> SuiteRecord:
    """A record. Raises UsageError where there is none, or a damaged one."""
    again = "the same `tvbench run` command writes it again; answers are kept"
    try:
        data = read_json(path)
    except OSError as error:
        raise UsageError(f"there is no {path}: {error.strerror or error}", "`tvbench run SUITE` begins one") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is damaged: {error}", again) from error
    if not isinstance(data, dict) or data.get("sum") != checksum(data):
        raise UsageError(f"{path} is damaged: its checksum differs", again)
    if data.get("format") != FORMAT:
        raise UsageError(f"{path} was written by a newer tvbench", "update tvbench")
    try:
        runs = tuple(_run_from(run) for run in data["runs"])
        return SuiteRecord(data["suite"], data["file"], data["updated"], runs, data.get("digest", ""))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UsageError(f"{path} is damaged: {error}", again) from error


def _run_from(data: Mapping[str, Any]) -> RecordedRun:
    known = {one.name for one in fields(RecordedRun)}
    run = RecordedRun(**{name: value for name, value in data.items() if name in known})
    tasks = tuple(RecordedTask(**task) for task in data["tasks"])
    return replace(run, tasks=tasks, command=tuple(run.command))
