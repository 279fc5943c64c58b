"""Reads the log folders of lmms-eval: `STAMP_results.json` and `STAMP_samples_TASK.jsonl` beside it.

Two layouts: 2025 (each row has `doc`, `resps`, `arguments`; answers are lists) and 0.7 (these are gone, answers are
strings, metrics lie loose among the other keys). Logs are grouped by the model that really ran (`model_name`), for
folder names have been seen to lie. A damaged file or line is reported with its place, and the rest is read.

Knows the files only: no task, no score. `doc_hash` is the same constant in every row of both layouts, so rows are
known by (task, doc_id).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tvbench.errors import UsageError
from tvbench.safety.bounded import json_value, read_json

RESULTS_SUFFIX = "_results.json"
MOST_SAMPLES = 1_000_000
"""A task that claims more of them is not believed: each that is missing becomes a failed item."""
LARGEST = 1e300
"""Of a logged figure; infinities and nan are none, and whole numbers have no end in JSON."""
LONGEST_NAME = 80
NOT_METRICS = frozenset(
    (
        "doc_id",
        "doc",
        "target",
        "arguments",
        "resps",
        "filtered_resps",
        "doc_hash",
        "prompt_hash",
        "target_hash",
        "input",
        "input_media",
        "token_counts",
        "filter",
        "index",
    )
)
MODEL_ARGUMENTS = ("pretrained", "model", "model_version", "model_name", "model_id", "path", "engine")
PARENT_FOLDERS = frozenset({"trained_model_dir", "checkpoint", "hf", "model", "final"})
"""Last folders that say nothing of the model: the one above them does."""


@dataclass(frozen=True, slots=True)
class LogTrouble:
    """Something in the logs that a person should know. `lost`: a row or a file could not be used."""

    where: str
    what: str
    lost: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


@dataclass(frozen=True, slots=True)
class LogRow:
    """One sample. `doc` is None in the 0.7 layout; `text` is None where no answer was logged.

    `logged` are the row's own metrics, numbers only (`ocrbench_accuracy.score`: 1).
    """

    doc_id: int
    line: int
    text: str | None
    prompt: str
    target: Any
    doc: Mapping[str, Any] | None
    logged: Mapping[str, float]
    raw: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TaskLog:
    """One task of one log. `expected` is the number of samples that the harness says it ran (None: unknown);
    `metrics` are its aggregates, numbers only; `group` is the group that it was run in ("" for none)."""

    name: str
    group: str
    date: str
    results: Path
    samples: Path | None
    config: Mapping[str, Any]
    metrics: Mapping[str, float]
    expected: int | None
    rows: tuple[LogRow, ...]
    bad_lines: tuple[tuple[int, str], ...] = ()

    def answers_digest(self) -> str:
        """A hash of all answers in order: equal digests mean byte-identical outputs."""
        digest = hashlib.sha256()
        for row in self.rows:
            digest.update(f"{row.doc_id}\0{row.text}\0".encode("utf-8", "surrogatepass"))
        return digest.hexdigest()


@dataclass(slots=True)
class ModelLogs:
    """Everything that was logged for one model. `backend` is lmms-eval's model class (`llava_hf`)."""

    identity: str
    backend: str
    versions: set[str] = field(default_factory=set)
    tasks: dict[str, TaskLog] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Logs:
    """What a folder held."""

    models: tuple[ModelLogs, ...]
    troubles: tuple[LogTrouble, ...]


def read_logs(folder: Path) -> Logs:
    """Read every log below `folder`. Raises UsageError where there is none at all."""
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder", "give the folder that lmms-eval wrote to (--output_path)")
    files = sorted(path for path in folder.rglob("*" + RESULTS_SUFFIX) if path.is_file())
    if not files:
        raise UsageError(
            f"no *{RESULTS_SUFFIX} below {folder}", "give the folder that lmms-eval wrote to (--output_path)"
        )
    models: dict[str, ModelLogs] = {}
    troubles: list[LogTrouble] = []
    used: set[Path] = set()
    for path in files:
        try:
            data = read_results(path)
        except ValueError as error:
            troubles.append(LogTrouble(str(path), f"cannot be read ({error})", lost=True))
            continue
        identity, backend = model_identity(data, path)
        model = models.setdefault(identity, ModelLogs(identity, backend))
        model.versions.add(harness_version(data))
        for log in _task_logs(path, data, troubles):
            if log.samples is not None:
                used.add(log.samples)
            _keep_latest(model, log, troubles)
    troubles += _orphans(folder, used)
    return Logs(tuple(models.values()), tuple(troubles))


def read_results(path: Path) -> dict[str, Any]:
    """A results file. Raises ValueError where it is truncated or is something else."""
    try:
        data = read_json(path)
    except OSError as error:
        raise ValueError(error.strerror or str(error)) from error
    if not isinstance(data, dict) or not isinstance(data.get("results"), dict):
        raise ValueError("it has no `results`")
    return data


def model_identity(data: Mapping[str, Any], path: Path) -> tuple[str, str]:
    """(what really ran, lmms-eval's model class). Falls back on model_args, and on the folder's name at last."""
    config = _mapping(data.get("config"))
    backend = str(data.get("model_source") or config.get("model") or "unknown")
    if isinstance(name := data.get("model_name"), str) and name:
        return name, backend
    arguments = config.get("model_args")
    if isinstance(arguments, str):
        given = dict(part.split("=", 1) for part in arguments.split(",") if "=" in part)
    else:
        given = {name: str(value) for name, value in _mapping(arguments).items()}
    for name in MODEL_ARGUMENTS:
        if given.get(name):
            return given[name], backend
    return path.parent.name, backend


def display_name(identity: str) -> str:
    """A short name of a model: the last telling folder of its path, `owner/name` of a hub id.

    >>> display_name("/scratch/x/ConvertToHF/TextModel.towerp_2b_instruct/trained_model_dir")
    'towerp_2b_instruct'
    """
    parts = [part for part in re.split(r"[/\\]|__", identity.strip().rstrip(",")) if part not in ("", ".", "..")]
    while len(parts) > 1 and (parts[-1].casefold() in PARENT_FOLDERS or parts[-1].startswith("checkpoint-")):
        parts.pop()
    name = parts[-1] if parts else "model"
    readable = re.sub(r"[^\w.+-]+", "-", name.removeprefix("TextModel."))[-LONGEST_NAME:]
    return readable.strip("-.") or "model"


def harness_version(data: Mapping[str, Any]) -> str:
    """lmms-eval's own version, or the commit it ran from, or `unknown` (logs of 2025 often say neither)."""
    version, commit = data.get("lmms_eval_version"), data.get("git_hash")
    return str(version or (f"git-{commit}" if commit else "unknown"))


def _keep_latest(model: ModelLogs, log: TaskLog, troubles: list[LogTrouble]) -> None:
    """One log a task: the one with answers before one without, else the later one."""
    before = model.tasks.get(log.name)
    if before is None:
        model.tasks[log.name] = log
        return
    kept, dropped = (log, before) if (bool(log.rows), log.date) >= (bool(before.rows), before.date) else (before, log)
    model.tasks[log.name] = kept
    same = "with the same answers" if kept.answers_digest() == dropped.answers_digest() else "with other answers"
    what = f"{log.name} was logged twice for this model, {same}; {kept.results} ({kept.date}) is used"
    troubles.append(LogTrouble(str(dropped.results), what, lost=False))


def _orphans(folder: Path, used: set[Path]) -> list[LogTrouble]:
    said = "belongs to no readable results file, and was left out"
    orphans = sorted({path for path in folder.rglob("*_samples_*.jsonl") if path.is_file()} - used)
    return [LogTrouble(str(path), said, lost=True) for path in orphans]


def _groups(members: Mapping[str, Any]) -> dict[str, str]:
    """The group of each task."""
    listed = ((group, tasks) for group, tasks in members.items() if isinstance(tasks, list))
    return {task: group for group, tasks in listed for task in tasks if isinstance(task, str)}


def _task_logs(path: Path, data: Mapping[str, Any], troubles: list[LogTrouble]) -> Iterable[TaskLog]:
    stamp = path.name.removesuffix(RESULTS_SUFFIX)
    members = _mapping(data.get("group_subtasks"))
    group_of = _groups(members)
    for name, entry in data["results"].items():
        if isinstance(members.get(name), list) and members[name]:
            continue  # a group's own line: the mean of its members, or blank
        samples = _samples_file(path, stamp, name)
        rows, bad = ([], []) if samples is None else _read_samples(samples, troubles)
        expected = _mapping(_mapping(data.get("n-samples")).get(name)).get("effective")
        yield TaskLog(
            name=name,
            group=group_of.get(name, ""),
            date=stamp,
            results=path,
            samples=samples,
            config=_mapping(_mapping(data.get("configs")).get(name)),
            metrics=numbers(_mapping(entry)),
            expected=_count(expected, name, path, troubles),
            rows=tuple(rows),
            bad_lines=tuple(bad),
        )


def _count(value: Any, name: str, path: Path, troubles: list[LogTrouble]) -> int | None:
    if not isinstance(value, int) or isinstance(value, bool):
        return None
    if not 0 <= value <= MOST_SAMPLES:
        troubles.append(LogTrouble(str(path), f"{name}: n-samples is {str(value)[:20]}, which cannot be", lost=True))
        return None
    return value


def _samples_file(results: Path, stamp: str, name: str) -> Path | None:
    """The file beside `results` that holds the task's samples; None for a task's name that is no part of a file's."""
    if not re.fullmatch(r"[^/\\\0]+", name):
        return None
    samples = results.parent / f"{stamp}_samples_{name}.jsonl"
    try:
        return samples if samples.is_file() else None
    except (OSError, ValueError):  # longer than a name may be, or half a character
        return None


def _read_samples(path: Path, troubles: list[LogTrouble]) -> tuple[list[LogRow], list[tuple[int, str]]]:
    """The rows by doc_id, and the lines that are none. Of two rows of one doc_id the later counts."""
    rows: dict[int, LogRow] = {}
    bad: list[tuple[int, str]] = []
    repeated = 0
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if not line.strip():
                continue
            try:
                row = read_row(json_value(line.decode("utf-8", "surrogatepass")), number)
            except ValueError as error:
                bad.append((number, str(error)))
                troubles.append(LogTrouble(f"{path}:{number}", f"not a sample ({error})", lost=True))
                continue
            repeated += row.doc_id in rows
            rows[row.doc_id] = row
    if repeated:
        what = f"{repeated} samples stand there more than once (a rerun was appended); the last of each is used"
        troubles.append(LogTrouble(str(path), what, lost=False))
    return [rows[doc_id] for doc_id in sorted(rows)], bad


def read_row(data: Any, line: int) -> LogRow:
    """One line of a samples file, of either layout. Raises ValueError where it is not a sample."""
    if not isinstance(data, dict):
        raise ValueError("not an object")
    doc_id = data.get("doc_id")
    if not isinstance(doc_id, int) or isinstance(doc_id, bool):
        raise ValueError(f"doc_id is {doc_id!r}")
    if "filtered_resps" not in data and "resps" not in data:
        raise ValueError("it has no answer")
    doc = data.get("doc")
    return LogRow(
        doc_id=doc_id,
        line=line,
        text=_first_text(data.get("filtered_resps", data.get("resps"))),
        prompt=data["input"] if isinstance(data.get("input"), str) else "",
        target=data.get("target"),
        doc=doc if isinstance(doc, Mapping) and doc else None,
        logged=numbers(data),
        raw=data,
    )


def numbers(values: Mapping[str, Any]) -> dict[str, float]:
    """The finite numbers among `values`, nested ones under `outer.inner`; the filter `none` is left out of names.

    lmms-eval writes "N/A", [] and null where there is no figure: they are simply not there afterwards.
    """
    found: dict[str, float] = {}
    for name, value in values.items():
        if name in NOT_METRICS:
            continue
        short = name.removesuffix(",none")
        if isinstance(value, Mapping):
            found |= {f"{short}.{inner}": number for inner, number in numbers(value).items()}
        elif isinstance(value, (int, float)) and abs(value) <= LARGEST:
            found[short] = float(value)
    return found


def _first_text(answer: Any) -> str | None:
    """An answer is a string, or a list (of lists) that begins with one."""
    while isinstance(answer, list):
        if not answer:
            return None
        answer = answer[0]
    return answer if isinstance(answer, str) else None


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
