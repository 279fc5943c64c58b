"""What a person names as a baseline or as a run: a run by its folder or name, a folder of runs, or a baseline file.

Knows run folders and baseline files; no test and no policy's rules.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tvbench.analysis.regression.file import BaselineFile, read_file, unique
from tvbench.analysis.regression.standing import FAILED, MISSING, RunStanding
from tvbench.analysis.regression.taking import standing_of
from tvbench.errors import UsageError
from tvbench.runs.signature import comparable
from tvbench.runs.store import RunFolder, find_run, find_runs

MOST_SALTS = 100
WRITE = "`tvbench baseline write RUN FILE` makes one"


def open_baseline(named: str, results: Path, run: RunFolder | None = None) -> BaselineFile:
    """What `named` means: a file, a run, or a folder of runs, of which `run` itself is left out and for each of its
    tasks the newest is taken that was asked the same. Raises UsageError."""
    path = Path(named)
    if path.is_file():
        return read_file(path)
    if path.is_dir() and not _is_run(path):
        return BaselineFile(_of_folder(path, run))
    if path.suffix == ".json":
        raise UsageError(f"there is no baseline {path}", WRITE)
    try:
        return BaselineFile(standing_of(find_run(results, named)))
    except UsageError as error:
        raise UsageError(f"no baseline: {error.message}", error.hint or WRITE) from error


def open_run(named: RunFolder | Path | str, results: Path, salt: int) -> tuple[RunStanding, RunFolder | None]:
    """The run that is checked, hashed as the baseline is; a baseline file will do. Raises UsageError."""
    if not isinstance(named, RunFolder) and Path(named).is_file():
        standing = read_file(Path(named)).standing
        if standing.salt != salt:
            raise UsageError(f"{named} cannot be held against this baseline: its items are hashed otherwise", WRITE)
        return standing, None
    folder = named if isinstance(named, RunFolder) else find_run(results, str(named))
    return standing_of(folder, salt=salt), folder


def baseline_of(run: RunFolder, *, incomplete: bool = False) -> RunStanding:
    """A run's standing as a file needs it. Raises UsageError for a run that is not whole, unless `incomplete`."""
    for salt in range(MOST_SALTS):
        standing = standing_of(run, salt=salt)
        if unique(standing):
            break
    else:
        raise UsageError(f"{run.name} holds an item twice", "run the same `tvbench run` command again")
    missing, failed = _count(standing, MISSING), _count(standing, FAILED)
    if not incomplete and (missing or failed):
        raise UsageError(
            f"{run.name} is no whole run: {missing} items have no answer, {failed} failed",
            f"the same `tvbench run` command goes on, --incomplete writes it as it is; the run: {run.path}",
        )
    if not any(part.figure is not None for task in standing.tasks.values() for part in task.parts.values()):
        raise UsageError(
            f"{run.name} has no figure that a later run could be held against", "`tvbench judge` grades it"
        )
    return standing


def _count(standing: RunStanding, state: int) -> int:
    return sum(int((p.states == state).sum()) for task in standing.tasks.values() for p in task.parts.values())


def _is_run(path: Path) -> bool:
    return (path / "manifest.json").is_file() or (path / "responses.jsonl").is_file()


def _of_folder(path: Path, run: RunFolder | None) -> RunStanding:
    runs = [one for one in find_runs(path) if run is None or one.path.resolve() != run.path.resolve()]
    if not runs:
        raise UsageError(f"{path} holds no run to be held against", WRITE)
    wanted = {} if run is None else {name: entry.signature for name, entry in run.manifest().entries.items()}
    chosen = _newest(runs, wanted)
    if not chosen:
        raise UsageError(f"no run in {path} has a task of {run.name if run else 'any'}", WRITE)
    parts = [standing_of(one, tasks=names) for one, names in chosen]
    tasks = {name: task for part in parts for name, task in part.tasks.items()}
    models = list(dict.fromkeys(part.model for part in parts))
    names = list(dict.fromkeys(part.run for part in parts))
    return replace(parts[0], run=", ".join(names), model=", ".join(models), tasks=tasks, source=str(path))


def _newest(runs: Sequence[RunFolder], wanted: dict[str, str]) -> list[tuple[RunFolder, list[str]]]:
    """Which run each task is taken from: one that was asked the same before others, the newest of them."""
    best: dict[str, tuple[bool, str, RunFolder]] = {}
    for one in runs:
        manifest = one.manifest()
        for name, entry in manifest.entries.items():
            if not wanted or name in wanted:
                same = name in wanted and comparable(entry.signature) == comparable(wanted[name])
                rank = (same, manifest.updated)
                if name not in best or rank > best[name][:2]:
                    best[name] = (*rank, one)
    found: dict[str, tuple[RunFolder, list[str]]] = {}
    for name, (_, _, one) in best.items():
        found.setdefault(one.name, (one, []))[1].append(name)
    return list(found.values())
