"""A baseline in one small text file that git can hold: a JSON head for people and scripts, each task's items packed.

The same run gives the same bytes. A checksum covers all of it; what is read is held to its declaration, unpacked within
bounds, and held against the counts in the head. Knows standings and how they are packed; no run and no test.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from tvbench.analysis.regression.packing import Packing, pack, unpack
from tvbench.analysis.regression.standing import Measure, Part, RunStanding, TaskStanding
from tvbench.errors import UsageError
from tvbench.runs.disk import write_report
from tvbench.safety.bounded import json_value, read_text
from tvbench.safety.fitting import build

FORMAT, VERSION = "tvbench-baseline", 1
MOST_BYTES = 64 << 20
LINE = 120
STATES = ("scored", "unscored", "failed", "missing")
AGAIN = "`tvbench baseline write RUN FILE` writes it again from its run"


@dataclass(frozen=True)
class LanguageHead:
    """One language of a task, in figures: how many items and pictures, what became of them, what is seen of them."""

    language: str
    items: int
    pictures: int
    figure: float | None = None
    states: Mapping[str, int] = field(default_factory=dict)
    diagnoses: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class MetricHead:
    """The metric that a task is held by."""

    id: str
    definition: str
    label: str
    unit: str
    better: str
    corpus: bool = False
    resampled: bool = True


@dataclass(frozen=True)
class TaskHead:
    """One task: its signature by field, its metric, its languages, and its items packed."""

    task: str
    signature: Mapping[str, str]
    metric: Mapping[str, Any]
    languages: tuple[Mapping[str, Any], ...]
    layout: Mapping[str, Any]
    packed: tuple[str, ...]


@dataclass(frozen=True)
class Head:
    """The whole file."""

    format: str
    version: int
    checksum: str
    run: str
    model: str
    tvbench: str
    salt: int
    diagnoses: tuple[str, ...]
    tasks: tuple[Mapping[str, Any], ...]
    policy: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class BaselineFile:
    """What a file holds: a standing, and the policy that came with it as it was written (None: none)."""

    standing: RunStanding
    policy: Mapping[str, Any] | None = None


# ── Writing ───────────────────────────────────────────────────────────────────────────────────────


def baseline_text(baseline: BaselineFile) -> str:
    """The file. The standing's keys have to be unique within each language (see `unique`)."""
    head = head_of(baseline)
    return json.dumps({"checksum": _checksum(head), **head}, ensure_ascii=False, indent=1) + "\n"


def head_of(baseline: BaselineFile) -> dict[str, Any]:
    """All of the file but its checksum, as plain values."""
    standing = baseline.standing
    return {
        "format": FORMAT,
        "version": VERSION,
        "run": standing.run,
        "model": standing.model,
        "tvbench": standing.version,
        "salt": standing.salt,
        "diagnoses": list(standing.diagnoses),
        "policy": baseline.policy,
        "tasks": [_task_head(task, standing.diagnoses) for task in standing.tasks.values()],
    }


def write_file(path: Path, baseline: BaselineFile) -> None:
    """Whole or not at all. Raises StoreError."""
    write_report(path, baseline_text(baseline))


def unique(standing: RunStanding) -> bool:
    """Whether no two items of a language have one key."""
    return all(
        len(np.unique(part.keys)) == len(part.keys) for t in standing.tasks.values() for part in t.parts.values()
    )


def _task_head(task: TaskStanding, diagnoses: Sequence[str]) -> dict[str, Any]:
    data, layout = pack(list(task.parts.values()))
    text = base64.b64encode(data).decode("ascii")
    measure = task.measure
    return {
        "task": task.task,
        "signature": dict(task.signature),
        "metric": {
            "id": measure.id,
            "definition": measure.definition,
            **{name: str(measure.facts[name]) for name in ("label", "unit", "better")},
            "corpus": measure.corpus,
            "resampled": measure.resampled,
        },
        "languages": [asdict(_language_head(code, part, diagnoses)) for code, part in task.parts.items()],
        "layout": asdict(layout),
        "packed": [text[start : start + LINE] for start in range(0, len(text), LINE)],
    }


def _language_head(code: str, part: Part, diagnoses: Sequence[str]) -> LanguageHead:
    counts = {name: int((part.marks >> bit & 1).sum()) for bit, name in enumerate(diagnoses)}
    states = {name: int((part.states == number).sum()) for number, name in enumerate(STATES)}
    return LanguageHead(
        code,
        len(part.keys),
        len(np.unique(part.clusters)),
        part.figure,
        {name: count for name, count in states.items() if count},
        {name: count for name, count in counts.items() if count},
    )


def _checksum(head: Mapping[str, Any]) -> str:
    text = json.dumps(head, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:32]


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def read_file(path: Path) -> BaselineFile:
    """Raises UsageError for what is no baseline, a damaged one, or one of a later version."""
    try:
        data = json_value(read_text(path, MOST_BYTES))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path} cannot be read as a baseline: {error}", AGAIN) from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise UsageError(f"{path} is no baseline of tvbench", AGAIN)
    if data.get("version") != VERSION:
        raise UsageError(
            f"{path} is a baseline of version {data.get('version')!r:.40}, and {VERSION} is read here",
            f"install the tvbench that wrote it, or a later one; {AGAIN}",
        )
    if data.get("checksum") != _checksum({name: value for name, value in data.items() if name != "checksum"}):
        raise UsageError(f"{path} is damaged: its checksum differs (edited, cut or merged)", AGAIN)
    try:
        head = build(Head, data, "")
        tasks = [_task(build(TaskHead, task, f"tasks[{n}]"), head.diagnoses) for n, task in enumerate(head.tasks)]
    except (ValueError, UsageError) as error:
        said = error.message if isinstance(error, UsageError) else str(error)
        raise UsageError(f"{path} is damaged: {said}", AGAIN) from error
    standing = RunStanding(
        head.run, head.model, head.tvbench, {one.task: one for one in tasks}, head.diagnoses, head.salt, str(path)
    )
    return BaselineFile(standing, head.policy)


def _task(head: TaskHead, diagnoses: Sequence[str]) -> TaskStanding:
    languages = [build(LanguageHead, one, f"{head.task}.languages[{n}]") for n, one in enumerate(head.languages)]
    metric = build(MetricHead, head.metric, f"{head.task}.metric")
    layout = build(Packing, head.layout, f"{head.task}.layout")
    if any(one.items < 0 for one in languages) or len(diagnoses) > 16:
        raise ValueError(f"{head.task} has no such number of items or diagnoses")
    try:
        data = base64.b64decode("".join(head.packed), validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"the items of {head.task} are not base64 ({error})") from error
    parts: dict[str, Part] = {}
    for one, part in zip(languages, unpack(data, [one.items for one in languages], layout), strict=True):
        parts[one.language] = replace(part, figure=one.figure)
        if _language_head(one.language, parts[one.language], diagnoses) != one:
            raise ValueError(f"the items of {head.task} in {one.language} are not those of its figures")
    facts = {"label": metric.label, "unit": metric.unit, "better": metric.better}
    measure = Measure(metric.id, metric.definition, facts, metric.corpus, metric.resampled)
    return TaskStanding(head.task, dict(head.signature), measure, parts)
