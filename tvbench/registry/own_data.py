"""Folders and tables of one's own as tasks: `--tasks ./mybench`, `--tasks ./data.tsv`.

What they are is understood by `data/own`, which is imported when such a path is named and no sooner. A `scorers.py`
beside the data is Python of whoever wrote it: it is named before it is executed. Knows paths and files; no row.
"""

from __future__ import annotations

import hashlib
import logging
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from tvbench.errors import UsageError
from tvbench.registry.task_files import load_scorers, says_nothing, tasks_in
from tvbench.types import OwnScorer, Task

log = logging.getLogger(__name__)

DATA = "tvbench.data.own"
"""The room whose `task.own_task` makes a task of a folder. It is named here, so that nobody on the way from a name to a
task imports it."""
ENDINGS = (".csv", ".tsv", ".jsonl", ".ndjson", ".json", ".parquet")
DECLARED, SCORERS = "task.yaml", "scorers.py"
BESIDE = (DECLARED, SCORERS)


def own_schema() -> dict[str, Any]:
    """The JSON schema of a task.yaml."""
    found: dict[str, Any] = import_module(f"{DATA}.declaration").own_schema()
    return found


def is_own(path: Path) -> bool:
    """Whether `path` is a table, or a folder with one, with a task.yaml, or with pictures and no task files."""
    if path.is_file():
        return path.suffix.lower() in ENDINGS
    return path.is_dir() and bool(import_module(f"{DATA}.layout").is_own(path))


def has_table(folder: Path) -> bool:
    """Whether a folder says by its own files that it is a benchmark."""
    return any((folder / name).is_file() for name in (DECLARED, *(f"metadata{ending}" for ending in ENDINGS)))


def own_task(path: Path, metric: str = "") -> Task:
    """The task of the folder or table at `path`. Raises UsageError where it cannot be used."""
    folder = path if path.is_dir() else path.parent
    texts = tuple((folder / name).read_bytes() if (folder / name).is_file() else b"" for name in BESIDE)
    return _made(path.resolve(), metric, texts, _state(path.resolve()))


def _state(path: Path) -> tuple[tuple[str, int, int], ...]:
    """What tells whether the tables have changed since they were read."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    about = [(file, file.stat()) for file in files if file.suffix.lower() in ENDINGS and file.is_file()]
    return tuple((str(file), stat.st_size, stat.st_mtime_ns) for file, stat in about)


@cache
def _made(path: Path, metric: str, texts: tuple[bytes, ...], state: object) -> Task:
    """Each state of the data once, so that a task that is named twice is one."""
    folder = path if path.is_dir() else path.parent
    scorers = _scorers(folder / SCORERS)
    told = (*texts, metric.encode())
    code = hashlib.sha256(b"\0".join(told)).hexdigest()[:12] if any(told) else ""
    try:
        (task,) = tasks_in(import_module(f"{DATA}.task").own_task(path, metric, scorers, code))
    except ValueError as error:
        raise UsageError(f"the data in {path} cannot be used: {error}") from error
    return task


def _scorers(path: Path) -> dict[str, OwnScorer]:
    """The metrics of scorers.py, which is executed; none where there is no such file. Raises UsageError."""
    if not path.is_file() or says_nothing(path):
        return {}
    log.warning("note: runs the scorers next to the data as Python: %s", path)
    try:
        return load_scorers(path)
    except ValueError as error:
        raise UsageError(f"{path} cannot be used: {error}", "correct it, or rename it where it is not meant") from error
