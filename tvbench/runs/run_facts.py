"""What manifest and result of a run say of it in short: out of the index of its results folder, where they are as they
were when that was written, else of the files themselves.

Whoever looks through ten thousand runs (leaderboard, status) asks here. Knows the store and the index; no table.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from tvbench.runs.kept_results import restored, shortened
from tvbench.runs.run_index import RunIndex
from tvbench.runs.store import RunFolder
from tvbench.types import TaskResult


@dataclass(frozen=True, slots=True)
class RunFacts:
    """`asked` is what the manifest says of the tasks, as it stands there; `results` None: there are none."""

    model: str
    revision: str
    engine: str
    date: str
    command: tuple[str, ...]
    asked: Sequence[Any]
    results: Sequence[TaskResult] | None


def index_of(results: Path) -> RunIndex:
    """The runs of a folder, and what was kept of them."""
    return RunIndex(results, _made_by())


def facts_of(run: RunFolder, index: RunIndex) -> RunFacts:
    """What a run of the index says; what had to be read for it is added there. Raises whatever is wrong with its files:
    TvbenchError, LookupError, TypeError, ValueError or AttributeError."""
    if (kept := index.known(run.name)) is not None:
        with suppress(LookupError, TypeError, ValueError, AttributeError):
            model, revision, engine, date, command, asked, held = kept
            results = None if held is None else [restored(result) for result in held]
            return RunFacts(model, revision, engine, date, tuple(command), asked, results)
    manifest, results = run.manifest(), run.result()
    words = (manifest.label, manifest.model.revision, manifest.engine.name, manifest.updated)
    found = RunFacts(*words, manifest.command, manifest.ask.data.get("tasks", ()), results)
    if results is not None and (not found.model or not found.engine):
        raise ValueError(f"manifest.json does not say which {'engine' if found.model else 'model'} answered")
    for result in results or ():
        _check(result)
    if index.used:
        held = None if results is None else [shortened(result) for result in results]
        index.add(run.name, [*words, found.command, found.asked, held])
    return found


READERS = (
    *("runs.codec", "runs.kept_results", "runs.manifest", "runs.manifest_json", "runs.manifest_shape", "runs.store"),
    *("scoring.intervals", "types"),
)
"""The modules that read what is kept of a run, and what its figures are made of."""


@cache
def _made_by() -> str:
    """Of what text the modules are that read the files: what others kept may differ. Nothing where that is not at
    hand."""
    names = (__name__, *(f"tvbench.{name}" for name in READERS))
    try:
        texts = [Path(str(sys.modules[name].__file__)).read_bytes() for name in names]
    except OSError:
        return ""
    return sha256(b"\0".join(texts)).hexdigest()


def _check(result: TaskResult) -> None:
    """Raises ValueError where a figure is no number: the file was edited or damaged."""
    slices = [part.metrics for parts in result.breakdowns.values() for part in parts.values()]
    for metrics in (result.metrics, result.micro, result.macro_without_english, *slices):
        for name, figure in metrics.items():
            if isinstance(figure.value, bool) or not isinstance(figure.value, (int, float)):
                raise ValueError(f"{result.task}: {name} is {figure.value!r}, not a number")
    for name in ("expected", "answered", "failed", "scored", "unscored"):
        if not isinstance(getattr(result.counts, name), int):
            raise ValueError(f"{result.task}: the count `{name}` is not a number")
