"""From an engine's name to its declaration: tvbench's own, those of `engines/` folders, and entry points.

A stranger's declaration is loaded when it is asked for by name, and all of them only for a list. What cannot be loaded
is a UsageError that says where it comes from. Opens nothing.
"""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

from tvbench.engines import built_in
from tvbench.engines.spec import EngineSpec
from tvbench.errors import UsageError, unknown_name
from tvbench.registry.engine_names import (
    BUILT_IN,
    DECLARATIONS,
    EngineFile,
    engine_files,
    engine_names,
    engine_points,
    read_engine_file,
)
from tvbench.registry.places import included

log = logging.getLogger(__name__)

_given: dict[str, EngineSpec] = {}
"""Engines of files that were named by their paths in this process."""
_paths: dict[str, Path] = {}
"""Those files, by the engine's name."""


def engine(name: str) -> EngineSpec:
    """The declaration called `name`, or the one in the file `name` (such as ./mine.py).

    Raises UsageError for an unknown name, and where the declaration cannot be loaded.
    """
    if name in BUILT_IN:
        return built_in.ENGINES[name]
    if name.endswith(".py"):
        return _from_path(Path(name).expanduser())
    if name in _given:
        return _given[name]
    found = _found(Path.cwd(), included(), name)
    if found is None:
        raise unknown_name("engine", name, known_names(), "`tvbench engines` lists them")
    return found


def known_names() -> tuple[str, ...]:
    """The names of all engines; nothing is loaded."""
    return tuple(dict.fromkeys((*engine_names(), *_given)))


def source_of(name: str) -> str:
    """What another process calls the engine that is `name` here: its file, where it was named by that."""
    return str(_paths[name]) if name in _paths else name


def engines() -> tuple[list[EngineSpec], list[str]]:
    """All engines, and what is wrong with those that cannot be loaded."""
    found: list[EngineSpec] = []
    problems: list[str] = []
    for name in known_names():
        try:
            found.append(engine(name))
        except UsageError as error:
            problems.append(str(error))
    return found, problems


@cache
def _found(working_directory: Path, folders: tuple[str, ...], name: str) -> EngineSpec | None:
    for file in engine_files():
        if name in file.names:
            return _one(_in_file(file), name, str(file.path))
    for point in engine_points():
        if point.name == name:
            try:
                return _one(_specs_in(point.load()), name, point.value)
            except UsageError:
                raise
            except Exception as error:  # a plug-in may fail in any way; it is reported
                raise UsageError(f"engine plug-in {point.value} cannot be used: {_words(error)}") from error
    return None


def _from_path(path: Path) -> EngineSpec:
    file = read_engine_file(path)
    if file is None:
        there = "is no engine file: it assigns no ENGINE at top level" if path.is_file() else "is not there"
        raise UsageError(f"--engine {path} {there}", "docs/extend.md shows how an engine is declared")
    found = _in_file(file)
    if len(found) != 1:
        raise UsageError(
            f"{path} declares several engines: {', '.join(spec.name for spec in found)}",
            f"put it into {Path('engines')}/ and choose one by its name",
        )
    if found[0].name in BUILT_IN:
        raise UsageError(
            f"{path} calls its engine {found[0].name}, which is one of tvbench's own", "give it another name"
        )
    _paths.setdefault(found[0].name, path.resolve())
    return _given.setdefault(found[0].name, found[0])


def _one(found: Iterable[EngineSpec], name: str, where: str) -> EngineSpec:
    specs = list(found)
    named = next((spec for spec in specs if spec.name == name), None)
    if named is None:
        others = ", ".join(spec.name for spec in specs) or "none"
        raise UsageError(f"engine {name}: {where} declares {others} instead", "the two names must be the same")
    return named


def _in_file(file: EngineFile) -> list[EngineSpec]:
    """Execute a file, and return its engines. One of the working directory is named before. Raises UsageError."""
    if file.nearby:
        log.warning("note: runs the engine file of the working directory as Python: %s", file.path)
    name = f"tvbench_engine_{file.path.stem}_{hashlib.sha256(os.fsencode(file.path.resolve())).hexdigest()[:8]}"
    spec = importlib.util.spec_from_file_location(name, file.path)
    if spec is None or spec.loader is None:
        raise UsageError(f"engine file {file.path} cannot be used: Python cannot load it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look a class's module up by name
    try:
        spec.loader.exec_module(module)
        return list(_specs_in(module))
    except (Exception, SystemExit) as error:  # somebody's file may fail in any way; it is reported
        sys.modules.pop(name, None)
        raise UsageError(f"engine file {file.path} cannot be used: {_words(error)}") from error


def _specs_in(value: object) -> Iterator[EngineSpec]:
    """The engines that a module, a declaration or a list of them holds. Raises ValueError for anything else."""
    if isinstance(value, EngineSpec):
        yield value
        return
    if not isinstance(value, list | tuple):
        declared = [getattr(value, name) for name in sorted(DECLARATIONS) if hasattr(value, name)]
        if not declared:
            raise ValueError(f"a {type(value).__name__} is neither an EngineSpec nor a list of them")
        value = declared
    for element in value:
        yield from _specs_in(element)


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
