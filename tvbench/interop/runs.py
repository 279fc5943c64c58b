"""From lmms-eval logs to runs that score and rank like native ones: one run a model, over all its tasks.

A row becomes an item (by its task's `from_log`, or from local data, or from prompt and target alone) and a response.
A row that could not be used becomes a failed item, so that the run is visibly incomplete. Figures that the log
brought along stay beside ours; tasks that nobody here can score are kept with their logged figures only.

Not known of any log, and marked so in the signature: the data's revision. The logged runs read `until` and never
applied it (llava_hf, vllm), so no stop string is claimed.
"""

from __future__ import annotations

import fnmatch
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

from tvbench.analysis.assess import assess
from tvbench.errors import TvbenchError, UsageError
from tvbench.interop.join import Joiner, language_of
from tvbench.interop.lmms_logs import LogRow, Logs, LogTrouble, ModelLogs, TaskLog, display_name
from tvbench.runs import codec
from tvbench.runs.disk import write_atomically
from tvbench.runs.keys import content_key, media_of
from tvbench.runs.lines import json_line
from tvbench.runs.manifest import IMPORTED, Manifest, TaskEntry
from tvbench.runs.signature import facts_of, task_signature, write_signature
from tvbench.runs.store import RESPONSES, RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.scoring.normalise import is_blank
from tvbench.scoring.task_metrics import declared_facts
from tvbench.types import LOGGED, Build, EngineInfo, Item, ModelCard, Open, Response, Task, TaskResult

PROTOCOL = "paper"
IGNORES_UNTIL = frozenset({"llava_hf", "vllm"})
SECOND_BOS = frozenset({"llava_hf"})
"""Backends that tokenise the rendered chat template with special tokens again."""


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """One run as it was written. `results` hold ours and, in `logged`, the log's own figures."""

    model: str
    folder: Path
    results: tuple[TaskResult, ...]


@dataclass(frozen=True, slots=True)
class ImportedLogs:
    """What an import did. `troubles` with `lost` mean that something was not joined."""

    runs: tuple[ImportedRun, ...]
    troubles: tuple[LogTrouble, ...]

    @property
    def complete(self) -> bool:
        return not any(trouble.lost for trouble in self.troubles)


@dataclass(slots=True)
class _Contents:
    """What goes into a run folder, gathered log by log."""

    pairs: list[tuple[str, Item, tuple[str, ...]]] = field(default_factory=list)
    responses: list[Response] = field(default_factory=list)
    troubles: list[LogTrouble] = field(default_factory=list)
    ids: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, log: TaskLog, identity: str, number: str, item: Item, response: Response) -> None:
        """Keys hold the row's place, since the pictures that would tell two rows apart are not in the log."""
        self.ids[item.task, item.id] += 1
        if (times := self.ids[item.task, item.id]) > 1:
            item = _renamed(item, f"{item.id}#{times}")
        place = f"{log.name}/{number}"
        digests = tuple(
            hashlib.sha256(f"not kept in the log: {place}/{index}".encode("utf-8", "surrogatepass")).hexdigest()
            for index, _ in enumerate(media_of(item.messages))
        )
        key = content_key(item, identity, place, digests)
        self.pairs.append((key, item, digests))
        self.responses.append(
            Response(key, text=response.text, error=response.error, notes=response.notes, extra=response.extra)
        )


def import_logs(
    logs: Logs, results: Path, tasks: Mapping[str, Task], *, name: str | None = None, data: Path | None = None
) -> ImportedLogs:
    """Write one run a model below `results`. Raises UsageError when `name` is given for several models, StoreError
    when a run cannot be written."""
    if name is not None and len(logs.models) > 1:
        held = ", ".join(display_name(model.identity) for model in logs.models)
        raise UsageError(
            f"--name fits one model, and the logs hold {len(logs.models)}: {held}",
            "import their folders one by one, or leave --name out",
        )
    troubles = [*logs.troubles, *identical_outputs(logs.models)]
    joiner = Joiner(data)
    runs: list[ImportedRun] = []
    for model, shown in zip(logs.models, _display_names(logs.models, name), strict=True):
        run, found = _import_model(model, shown, results, tasks, joiner)
        runs.append(run)
        troubles.extend(found)
    return ImportedLogs(tuple(runs), tuple(troubles))


def adapter_for(log_name: str, tasks: Mapping[str, Task]) -> Task | None:
    """The task that reads logs named `log_name`: an exact name before a pattern (`alm-bench-*`)."""
    readers = [task for task in tasks.values() if task.from_log is not None]
    for task in readers:
        if log_name in task.log_names:
            return task
    for task in readers:
        if any(fnmatch.fnmatchcase(log_name, pattern) for pattern in task.log_names):
            return task
    return None


def identical_outputs(models: Sequence[ModelLogs]) -> list[LogTrouble]:
    """Pairs of models that gave the same answers, byte for byte: probably one model under two names."""
    digests = [
        {task: (log.answers_digest(), len(log.rows)) for task, log in model.tasks.items() if log.rows}
        for model in models
    ]
    found: list[LogTrouble] = []
    for (first, own), (second, other) in combinations(zip(models, digests, strict=True), 2):
        equal = [f"{task} ({own[task][1]} rows)" for task in own if own[task] == other.get(task)]
        if equal:
            what = (
                f"byte-identical answers under the name {second.identity} in {', '.join(equal)}: "
                "probably one model under two names"
            )
            found.append(LogTrouble(first.identity, what, lost=False))
    return found


def _display_names(models: Sequence[ModelLogs], name: str | None) -> list[str]:
    names = [name or display_name(model.identity) for model in models]
    often = {shown for shown, count in Counter(names).items() if count > 1}
    return [
        f"{shown}@{_short(model.identity)}" if shown in often else shown
        for shown, model in zip(names, models, strict=True)
    ]


def _import_model(
    model: ModelLogs, shown: str, results: Path, tasks: Mapping[str, Task], joiner: Joiner
) -> tuple[ImportedRun, list[LogTrouble]]:
    contents = _Contents()
    by_task: dict[str, list[TaskLog]] = {}
    unread: dict[str, list[TaskLog]] = {}
    for log in sorted(model.tasks.values(), key=lambda log: log.name):
        task = adapter_for(log.name, tasks)
        if task is None:
            unread.setdefault(log.group or log.name, []).append(log)
        else:
            by_task.setdefault(task.name, []).append(log)
    entries: list[TaskEntry] = []
    for task_name, records in by_task.items():
        if reason := joiner.nothing_to_score(tasks[task_name], records):
            entries.append(_logged_entry(task_name, records, shown, model, reason, contents))
        else:
            entries.append(_join_task(tasks[task_name], records, model, shown, joiner, contents))
    for group, rows in unread.items():
        entries.append(_logged_entry(group, rows, shown, model, f"no task here reads {group}", contents))
    folder = results / f"{shown}--lmms-eval-{_short(model.identity, shown, *sorted(model.tasks))}"
    _write(folder, model, shown, entries, contents)
    return ImportedRun(shown, folder, tuple(assess(RunFolder(folder)))), contents.troubles


def _join_task(
    task: Task, logs: Sequence[TaskLog], model: ModelLogs, shown: str, joiner: Joiner, contents: _Contents
) -> TaskEntry:
    """Turn all logs of one task into items and responses; returns the task's entry in the manifest."""
    first = len(contents.pairs)
    notes: list[str] = ["imported from lmms-eval logs: the revision of the data is unknown"]
    if model.backend in IGNORES_UNTIL:
        notes.append(f"the harness ({model.backend}) did not apply its stop strings (`until`)")
    for log in logs:
        for note in _join_log(task, log, model.identity, model.backend, joiner, contents):
            if note not in notes:
                notes.append(note)
    items = [item for _, item, _ in contents.pairs[first:]]
    empty = sum(response.text is not None and is_blank(response.text) for response in contents.responses[first:])
    if empty:
        notes.append(f"{empty} answers are empty; this harness also logs a failed generation as an empty answer")
    protocol = PROTOCOL if PROTOCOL in task.protocols else task.default_protocol
    dataset = f"{_dataset(logs) or task.name}@unknown"
    signature = task_signature(
        task, protocol, Build((), dataset), facts_of(items), _card(model, shown), _engine_label(model), with_media=True
    )
    return TaskEntry(
        task.name,
        protocol,
        task.primary_of(protocol),
        signature,
        version=task.version,
        dataset=dataset,
        items=len(items),
        warnings=tuple(notes),
        logged={log.name: _logged(log) for log in logs},
        metrics=task.metrics,
        declared=declared_facts(task),
    )


NOT_JOINED = (
    *(TvbenchError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError),
    *(MemoryError, RecursionError),
)
"""What a row of strangers may raise on its way to an item."""


def _join_log(task: Task, log: TaskLog, identity: str, backend: str, joiner: Joiner, contents: _Contents) -> list[str]:
    """Add a log's rows. What is lost is added as failed items, and reported. Returns remarks for the result."""
    notes: list[str] = []
    lost: list[tuple[str, str]] = [(f"line {number}", reason) for number, reason in log.bad_lines]
    for row in log.rows:
        extra = {LOGGED: dict(row.logged)} if row.logged else {}
        try:
            item, note = joiner.item(task, log, row)
            item = replace(item, second_bos=backend in SECOND_BOS)
        except NOT_JOINED as error:
            reason = f"doc_id {row.doc_id} could not be joined ({_reason(error)})"
            contents.troubles.append(LogTrouble(_where(log, row), reason, lost=True))
            lost.append((str(row.doc_id), reason))
            continue
        if note and note not in notes:
            notes.append(note)
            contents.troubles.append(LogTrouble(log.name, note, lost=False))
        if row.text is None:
            contents.troubles.append(LogTrouble(_where(log, row), f"doc_id {row.doc_id} has no answer", lost=True))
        error_text = "no answer was logged" if row.text is None else None
        contents.add(log, identity, str(row.doc_id), item, Response("", text=row.text, error=error_text, extra=extra))
    lost += _missing(log, contents)
    for number, reason in lost:
        contents.add(log, identity, number, _lost_item(task, log, number, reason), Response("", error=reason))
    return notes


def _missing(log: TaskLog, contents: _Contents) -> list[tuple[str, str]]:
    """Samples that the harness counted and did not write, as (id, reason); they are reported."""
    missing = max(0, (log.expected or 0) - len(log.rows) - len(log.bad_lines))
    if missing:
        file = str(log.samples or log.results)
        what = f"{missing} of {log.expected} samples are not there"
        contents.troubles.append(
            LogTrouble(file, f"no samples file for {log.name}: {what}" if log.samples is None else what, lost=True)
        )
    return [(f"missing {number}", "not in the samples file") for number in range(1, missing + 1)]


def _lost_item(task: Task, log: TaskLog, number: str, reason: str) -> Item:
    """A place-holder that counts as failed."""
    return Item(f"{log.name}: {number}", task.name, language_of(log.name), (), Open("", ""), problem=reason)


def _logged_entry(
    group: str, logs: Sequence[TaskLog], shown: str, model: ModelLogs, reason: str, contents: _Contents
) -> TaskEntry:
    """The manifest entry of a task that nobody here can score, which is reported with the reason."""
    contents.troubles.append(LogTrouble(shown, f"{reason}: its logged figures are kept", lost=False))
    names = [name for log in logs for name in log.metrics if "stderr" not in name]
    fields = {
        "task": group,
        "protocol": LOGGED,
        "data": f"{_dataset(logs) or group}@unknown",
        "model": f"{shown}@unknown",
        "engine": _engine_label(model),
    }
    return TaskEntry(
        group,
        LOGGED,
        names[0] if names else "",
        write_signature(fields),
        dataset=fields["data"],
        items=0,
        warnings=(f"figures copied from the log, not computed here: {reason}",),
        logged={log.name: _logged(log) for log in logs},
    )


def _logged(log: TaskLog) -> dict[str, Any]:
    """What is kept of a log beside our own figures. `empty` counts answers that show nothing."""
    kept: dict[str, Any] = {"metrics": dict(log.metrics), "date": log.date, "file": log.results.name}
    if (language := language_of(log.name)) is not None and language:
        kept["language"] = language
    if log.expected is not None:
        kept["samples"] = log.expected
    if log.rows:
        kept["answers"] = len(log.rows)
        kept["empty"] = sum(row.text is not None and is_blank(row.text) for row in log.rows)
    return kept


def _write(folder: Path, model: ModelLogs, shown: str, entries: list[TaskEntry], contents: _Contents) -> None:
    """Write the folder anew, whole files at a time: importing twice gives the same folder."""
    with RunWriter(folder) as writer:
        writer.write_manifest(
            Manifest(
                run=folder.name,
                source=IMPORTED,
                model=_card(model, shown),
                engine=EngineInfo(f"lmms-eval {model.backend}", _version(model), _settings(model)),
                tasks=tuple(entries),
            )
        )
        writer.write_requests(contents.pairs)
        write_atomically(
            folder / RESPONSES, (json_line(codec.response_to_json(response)) for response in contents.responses)
        )


def _card(model: ModelLogs, shown: str) -> ModelCard:
    return ModelCard(name=shown, kind="folder", location=model.identity, revision="unknown")


def _engine_label(model: ModelLogs) -> str:
    settings = ",".join(f"{name}={value}" for name, value in _settings(model).items())
    return f"lmms-eval {model.backend}@{_version(model)}" + (f"+{settings}" if settings else "")


def _settings(model: ModelLogs) -> dict[str, str]:
    return {"until": "not applied"} if model.backend in IGNORES_UNTIL else {}


def _version(model: ModelLogs) -> str:
    return "/".join(sorted(model.versions))


def _dataset(logs: Sequence[TaskLog]) -> str:
    paths = dict.fromkeys(str(log.config["dataset_path"]) for log in logs if log.config.get("dataset_path"))
    return "+".join(paths)


def _short(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).hexdigest()[:8]


def _where(log: TaskLog, row: LogRow) -> str:
    return f"{log.samples}:{row.line}"


def _reason(error: Exception) -> str:
    return f"missing field {error}" if isinstance(error, KeyError) else str(error) or type(error).__name__


def _renamed(item: Item, name: str) -> Item:
    return replace(item, id=name)
