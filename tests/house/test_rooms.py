"""The house itself: nothing lies loose, nobody goes round in a circle, no name means two things, nothing is long."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest
from repository import ROOT

PACKAGE = ROOT / "tvbench"
LOOSE = {"types.py", "errors.py", "languages.py", "languages.csv", "api.py", "__init__.py", "__main__.py", "py.typed"}
ROOMS = {
    *("safety", "registry", "data", "runs", "engines", "checkpoints", "scoring", "graders", "analysis", "report"),
    *("suites", "interop", "doctor", "train", "mini", "cli"),
}
MAPPED = ("runs", "engines", "registry", "interop", "data/media")
"""Those that begin with a map of their modules."""
STANDARD_NAMES = {"types": "the vocabulary; always imported as tvbench.types"}
"""Modules that may be called as one of the standard library."""
MEDIAN, LONG, LONGEST = 6, 22, 45
MEDIAN_TASK = 120


def modules() -> dict[str, Path]:
    """Every module of the package by its full name; a package by its own."""
    paths = sorted(PACKAGE.rglob("*.py"))
    return {".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}


def imports(path: Path, known: Iterable[str]) -> set[str]:
    """The modules of the package that a file imports, wherever in it; the package itself (its version) is nobody."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            full = {f"{node.module}.{alias.name}" for alias in node.names}
            found.update(name if name in known else node.module for name in full)
    return {name for name in found if name.startswith("tvbench.")}


def circle(arrows: Mapping[str, set[str]]) -> list[str]:
    """One way round, first name to first name again; empty where there is none."""
    done: set[str] = set()

    def follow(name: str, way: list[str]) -> list[str]:
        if name in way:
            return [*way[way.index(name) :], name]
        if name in done:
            return []
        for other in sorted(arrows.get(name, ())):
            if found := follow(other, [*way, name]):
                return found
        done.add(name)
        return []

    return next((found for name in sorted(arrows) if (found := follow(name, []))), [])


def room_of(name: str) -> str:
    return name.split(".")[1]


def test_nothing_lies_loose() -> None:
    files = {path.name for path in PACKAGE.iterdir() if path.is_file()}
    folders = {path.name for path in PACKAGE.iterdir() if path.is_dir() and any(path.rglob("*.py"))}
    assert files <= LOOSE
    assert folders == ROOMS


def test_every_room_says_what_it_is_for() -> None:
    for room in ROOMS:
        said = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8")))
        assert said and len(said) > 30, room


@pytest.mark.parametrize("room", MAPPED)
def test_every_module_of_a_large_room_is_on_its_map(room: str) -> None:
    said = ast.get_docstring(ast.parse((PACKAGE / room / "__init__.py").read_text(encoding="utf-8"))) or ""
    known = set(re.findall(r"\w+", said))
    missing = {path.stem for path in (PACKAGE / room).glob("*.py")} - known - {"__init__"}
    assert not missing, f"name them in tvbench/{room}/__init__.py: {', '.join(sorted(missing))}"


def test_no_circle_of_modules_and_none_of_rooms() -> None:
    known = modules()
    arrows = {name: imports(path, known) - {name} for name, path in known.items() if name != "tvbench"}
    assert not circle(arrows)
    rooms: dict[str, set[str]] = {}
    for name, others in arrows.items():
        rooms.setdefault(room_of(name), set()).update({room_of(other) for other in others} - {room_of(name)})
    assert not circle(rooms)


def test_a_circle_would_be_found() -> None:
    assert circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"a"}}) == ["a", "b", "d", "a"]
    assert not circle({"a": {"b", "c"}, "b": {"c"}, "c": set()})


def test_no_class_name_twice() -> None:
    places: dict[str, list[str]] = {}
    for name, path in modules().items():
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(name)
    twice = {name: found for name, found in places.items() if len(found) > 1}
    assert not twice


def test_no_module_is_called_as_one_of_the_standard_library() -> None:
    called = {path.stem for path in PACKAGE.rglob("*.py")} & sys.stdlib_module_names
    assert called == set(STANDARD_NAMES)


def test_file_names_of_tests_are_unique() -> None:
    """pytest finds them by their names alone, and what two need is imported from tests/support by its name. Of
    `conftest.py` it takes one for each folder."""
    own = {ROOT / "tests" / folder for folder in ("vllm", "comet", "legacy")}  # each run by itself, elsewhere
    names = [path.name for path in (ROOT / "tests").rglob("*.py") if path.parent not in own]
    names = [name for name in names if name != "conftest.py"]
    assert len(names) == len(set(names)), sorted({name for name in names if names.count(name) > 1})


def lengths(source: str) -> Iterator[tuple[int, str]]:
    """The lines of each function, from `def` to its last, docstring and all."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield (node.end_lineno or 0) - node.lineno + 1, node.name


def test_functions_are_short() -> None:
    """By the layout of `ruff format`: half of them at most 6 lines, one in twenty above 22, none above 45."""
    found = [
        (length, f"{name}.{function}")
        for name, path in modules().items()
        for length, function in lengths(path.read_text(encoding="utf-8"))
    ]
    assert not [one for one in found if one[0] > LONGEST]
    by_length = sorted(found)
    assert by_length[len(found) // 2][0] <= MEDIAN
    long = [one for one in by_length if one[0] > LONG]
    assert len(long) <= len(found) / 20, f"{len(long)} of {len(found)}, the shortest of them: {long[:20]}"


def test_task_files_are_short() -> None:
    found = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in (ROOT / "tasks").glob("*.py"))
    assert found[len(found) // 2] <= MEDIAN_TASK, found
