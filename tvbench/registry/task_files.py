"""Loads task files: Python files in a `tasks/` folder that define `TASK` or `TASKS` from tvbench's vocabulary.

Many projects have a `tasks/` folder. A file is executed only when its source, parsed and not run, imports tvbench and
assigns TASK or TASKS at top level; everything else is passed over. Knows nothing of where the folders are.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import ModuleType

from tvbench.registry.declared import faults
from tvbench.registry.source_text import declared_names
from tvbench.types import OwnScorer, Task

DECLARATIONS = frozenset({"TASK", "TASKS"})


@dataclass(frozen=True, slots=True)
class TaskFile:
    """A file that declares tasks. `names` are those that its source spells out, or else the file's own name;
    `problem` says why it cannot be parsed."""

    path: Path
    names: tuple[str, ...]
    problem: str | None = None


def find_task_files(folder: Path) -> Iterator[TaskFile]:
    """The task files directly in `folder`, by name. Nothing is executed."""
    for path in sorted(folder.glob("*.py")):
        found = inspect_file(path)
        if found is not None:
            yield found


def inspect_file(path: Path) -> TaskFile | None:
    """What `path` declares, or None when it is no task file."""
    own_name = path.stem.replace("_", "-")
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError) as error:
        ours = re.search(r"^TASKS?\b", source, re.MULTILINE) and "tvbench" in source
        return TaskFile(path, (own_name,), f"{type(error).__name__}: {error}") if ours else None
    names = declared_names(tree, DECLARATIONS, "Task")
    return None if names is None else TaskFile(path, names or (own_name,))


def load_tasks(path: Path, *, ours: bool = False) -> tuple[Task, ...]:
    """Execute a task file and return its tasks, which bear its digest where they are not `ours`. Raises ValueError,
    naming what went wrong."""
    found = tasks_in(_executed(path))
    return found if ours else tuple(replace(task, code=file_digest(path)) for task in found)


def _executed(path: Path) -> ModuleType:
    """The module of a file. Raises ValueError, naming what went wrong."""
    name = f"tvbench_task_{path.stem}_{hashlib.sha256(os.fsencode(path)).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError("Python cannot load it")
    module = importlib.util.module_from_spec(spec)
    # Dataclasses and pickling look a class's module up by name, so it has to be registered.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:  # somebody's file may fail in any way; the caller reports it
        del sys.modules[name]
        raise ValueError(f"{type(error).__name__}: {error}") from error
    return module


def load_scorers(path: Path) -> dict[str, OwnScorer]:
    """The metrics of a `scorers.py` beside the data, which is executed: its public functions of (item, text), what
    `scorer(...)` made, or what its SCORERS names. Raises ValueError."""
    from tvbench.scoring.task_metrics import as_scorer

    module = _executed(path)
    named = getattr(module, "SCORERS", None)
    if named is not None and not isinstance(named, Mapping):
        raise ValueError('SCORERS maps names to functions: write SCORERS = {"mine": mine}')
    mine = {name: value for name, value in vars(module).items() if _scores(module, name, value)}
    found = mine if named is None else dict(named)
    return {name: as_scorer(value) for name, value in found.items()}


def says_nothing(path: Path) -> bool:
    """Whether a file holds nothing but comments and a docstring, so that there is nothing to execute."""
    try:
        body = ast.parse(path.read_text(encoding="utf-8")).body
    except (OSError, SyntaxError, ValueError):
        return False
    return all(isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) for node in body)


def _scores(module: ModuleType, name: str, value: object) -> bool:
    """Whether a name of the file is a metric: no helper, and nothing that it imports."""
    if name.startswith("_") or isinstance(value, type):
        return False
    if isinstance(value, OwnScorer):
        return True
    if not inspect.isfunction(value) or value.__module__ != module.__name__:
        return False
    return [parameter.name for parameter in inspect.signature(value).parameters.values()][:2] == ["item", "text"]


def file_digest(path: Path) -> str:
    """Twelve hex digits over the file: another file of that name, or this one changed, asks something else. Helpers
    that it imports are not part of it. Raises ValueError where it cannot be read."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()[:12]
    except OSError as error:
        raise ValueError(f"it cannot be read: {error}") from error


def tasks_in(value: object) -> tuple[Task, ...]:
    """The tasks that a module, a task or a sequence of tasks holds. Raises ValueError for anything else."""
    if isinstance(value, Task):
        from tvbench.scoring.task_metrics import metric_faults  # not needed where what tasks declare is remembered

        if found := list(faults(value)) or list(metric_faults(value)):
            raise ValueError(f"task {value.name}: {'; '.join(found)}")
        return (value,)
    if isinstance(value, list | tuple):
        wrong = next((entry for entry in value if not isinstance(entry, Task)), None)
        if wrong is not None:
            raise ValueError(f"TASKS holds a {type(wrong).__name__}, which is not a tvbench.types.Task")
        return tuple(task for entry in value for task in tasks_in(entry))
    declared = [getattr(value, name) for name in sorted(DECLARATIONS) if hasattr(value, name)]
    if not declared:
        raise ValueError(f"{type(value).__name__} is neither a task nor a list of tasks")
    return tuple(task for entry in declared for task in tasks_in(entry))
