"""What tests of runs share: a manifest of some fields, a result made up from one figure, a run folder that holds it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tvbench.runs.manifest_json import manifest_from_json
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Counts, Figure, Slice, TaskResult


def write_manifest(writer: RunWriter, fields: Mapping[str, Any]) -> None:
    """A manifest with some fields, as an older version, or another program, might have written it."""
    writer.write_manifest(manifest_from_json(fields))


def signature(task: str, protocol: str, model: str, data: str = "rows@1") -> str:
    return f"task:{task}@1|protocol:{protocol}|data:{data}|items:10|model:{model}@1|engine:fake@1|tvbench:0"


def task_result(
    task: str = "alm",
    model: str = "m",
    protocol: str = "tvbench",
    primary: str = "aligned",
    value: float = 0.5,
    data: str = "rows@1",
    counts: Counts | None = None,
    languages: Mapping[str, float] | None = None,
    logged: Mapping[str, Any] | None = None,
) -> TaskResult:
    """`value` is the primary figure, and `strict` is half of it; `languages` are the primary figures by language."""
    counts = counts or Counts(10, 10, 0, 10)
    languages = languages or {"de": value - 0.1, "en": value + 0.1}
    parts = {
        code: Slice(Counts(5, 5, 0, 5), {primary: Figure(figure, 5, 0.02, 4), "strict": Figure(figure / 2, 5, 0.03, 4)})
        for code, figure in languages.items()
    }
    metrics = {primary: Figure(value, 10, 0.0123, 8), "strict": Figure(value / 2, 10, 0.02, 8)}
    return TaskResult(
        task,
        protocol,
        signature(task, protocol, model, data),
        primary,
        counts,
        metrics,
        metrics,
        {primary: Figure(languages.get("de", value), 5, 0.02, 4)},
        {"language": parts},
        logged=logged or {},
    )


def write_run(
    results: Path,
    name: str,
    model: str,
    *some: TaskResult,
    engine: str = "fake",
    updated: str = "2026-01-01",
    revision: str = "1",
) -> Path:
    folder = results / name
    with RunWriter(folder) as writer:
        write_manifest(
            writer,
            {
                "run": name,
                "model": {"name": model, "revision": revision},
                "updated": updated,
                "engine": {"name": engine, "version": "1", "settings": {}},
                "tasks": [],
            },
        )
    RunFolder(folder).write_result(some, {})
    return folder
