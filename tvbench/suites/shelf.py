"""Finds suites by name or path: the folders `suites/` where tasks and cards are looked for too, the nearest first.

Executes nothing and asks nobody; a broken file never hides the others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from tvbench.errors import UsageError, unknown_name
from tvbench.registry.places import included, nearby_folder, search_folders
from tvbench.safety.bounded import MOST_YAML, read_text, yaml_value
from tvbench.suites.declaration import Suite, read_suite_file

ENDINGS = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class SuiteFile:
    """A file that means to be a suite: `suite`, or the `problem` with it."""

    path: Path
    name: str
    suite: Suite | None = None
    problem: str = ""


def is_path(text: str) -> bool:
    """Whether `text` is the path of a suite rather than the name of one."""
    return text.endswith(ENDINGS) or "/" in text


def find_suite(text: str) -> Suite:
    """The suite of that name, or in that file. Raises UsageError."""
    if is_path(text):
        return read_suite_file(Path(text).expanduser())
    found = suite_files()
    if text not in found:
        hint = "`tvbench suites` lists them; a file is named by its path, such as ./suite.yaml"
        raise unknown_name("suite", text, found, hint)
    file = found[text]
    if file.suite is None:
        raise UsageError(file.problem)
    return replace(file.suite, nearby=file.path.parent in strange_folders())


def strange_folders() -> set[Path]:
    """Folders of suites that need not be the user's own."""
    nearby = nearby_folder("suites")
    named = {Path(folder) / part for folder in included() for part in ("", "suites")}
    return named | ({nearby} if nearby is not None else set())


def suite_files() -> dict[str, SuiteFile]:
    """Every suite that is known by name, the nearest of a name first."""
    found: dict[str, SuiteFile] = {}
    for folder in search_folders("suites"):
        for file in _files_in(folder):
            found.setdefault(file.name, file)
    return found


def _files_in(folder: Path) -> Iterator[SuiteFile]:
    for path in sorted(path for ending in ENDINGS for path in folder.glob(f"*{ending}")):
        if not _means_to_be(path):
            continue
        try:
            suite = read_suite_file(path)
            yield SuiteFile(path, suite.name, suite)
        except UsageError as error:
            yield SuiteFile(path, path.stem, problem=str(error))


def _means_to_be(path: Path) -> bool:
    """Whether it has tasks or models; other YAML may lie in a folder of that name."""
    try:
        value = yaml_value(read_text(path, MOST_YAML))
    except (OSError, ValueError):
        return path.is_file()
    return isinstance(value, dict) and ("tasks" in value or "models" in value)
