"""What must agree before folders of one run are put together: their manifests, and the questions that they ask.

Where they contradict each other it is said how, and what to type if one of them is right. Reads folders; writes none.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from tvbench.errors import UsageError
from tvbench.runs.manifest import Manifest
from tvbench.runs.merged_manifest import differences, other_run, packages_differing
from tvbench.runs.store import REQUESTS, RunFolder

SHOWN = 5
"""Contradictions in a line."""


def place_of(folders: Sequence[RunFolder], prefer: RunFolder) -> int:
    """Which of `folders` is the preferred one. Raises UsageError where none is."""
    for number, folder in enumerate(folders):
        if folder.path.resolve() == prefer.path.resolve():
            return number
    raise UsageError(f"--prefer {prefer.path}: it is none of the runs that are merged", "name it among them")


def check_manifests(folders: Sequence[RunFolder], manifests: Sequence[Manifest], preferred: int | None) -> list[str]:
    """What a person should know of them. Raises UsageError where they are no parts of one run."""
    said: list[str] = []
    for folder, manifest in list(zip(folders, manifests, strict=True))[1:]:
        names = f"{folders[0].path} and {folder.path}"
        if found := other_run(manifests[0], manifest):
            raise UsageError(f"{names} are two runs: {some(found)}", "only folders of one run are merged")
        if found := differences(manifests[0], manifest):
            if preferred is None:
                raise UsageError(f"the manifests of {names} differ: {some(found)}", prefer_hint(folders))
            said.append(f"note: the manifests of {names} differ: {some(found)}; {folders[preferred].path} is preferred")
        if found := packages_differing(manifests[0], manifest):
            said.append(f"note: {names} were answered by other versions: {some(found)}")
    return said


def check_requests(folders: Sequence[RunFolder], preferred: int | None) -> Path | None:
    """The file that holds the questions of all. Raises UsageError where they differ, and nothing is preferred."""
    files = [folder.path / REQUESTS for folder in folders]
    there = [file for file in files if file.is_file()]
    if preferred is not None and files[preferred] in there:
        same = there[0] == files[0] and not _first_difference(files[0], files[preferred])
        return files[0] if same else files[preferred]
    for other in there[1:]:
        if place := _first_difference(there[0], other):
            said = f"{there[0]} and {other} hold other questions, from line {place} on"
            raise UsageError(said, prefer_hint(folders))
    return there[0] if there else None


def _first_difference(first: Path, other: Path) -> int:
    """The number of the first line that differs; 0 where none does."""
    with first.open("rb") as mine, other.open("rb") as yours:
        for number, (one, two) in enumerate(zip_longest(mine, yours), 1):
            if one != two:
                return number
    return 0


def some(found: Sequence[str]) -> str:
    """The first of them in a line, and how many more there are."""
    more = f"; and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return "; ".join(found[:SHOWN]) + more


def prefer_hint(folders: Sequence[RunFolder]) -> str:
    """What to type where one of them is right."""
    return f"if one of them is right: --prefer {folders[0].path}, or --prefer {folders[-1].path}"
