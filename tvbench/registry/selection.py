"""What a person typed of tasks, as tasks: names, groups, languages, task files, and folders or tables of one's own.

Knows the catalog; reads no rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tvbench.errors import UsageError
from tvbench.registry.catalog import BrokenTask, groups, task
from tvbench.registry.declared import codes_in
from tvbench.registry.own_data import ENDINGS, is_own, own_task
from tvbench.registry.places import is_shipped, search_folders
from tvbench.registry.task_files import file_digest, find_task_files, inspect_file, load_tasks
from tvbench.types import Task


def parse_selection(text: str) -> list[tuple[str, tuple[str, ...]]]:
    """`select`, with the tasks' names in place of the tasks."""
    return [(task.name, codes) for task, codes in select(text)]


def select(text: str, metric: str = "") -> list[tuple[Task, tuple[str, ...]]]:
    """`alm,multi30k:de+fr,mini,./mine.py,./folder` as [(task, language codes)], in order; no codes means all. A group
    stands for its tasks, the path of a task file for those that it declares, a folder or a table of one's own for the
    task that is made of it (own_data.py); `metric` is the one by which that is ranked.

    A task that is named twice is asked once, for the languages of both. Of a group, a task without the wanted languages
    is left out. Raises UsageError for an empty selection, an unknown task, a language that the task, or every task of
    the group, does not have, and two tasks of one name.
    """
    selected: dict[str, tuple[Task, tuple[str, ...]]] = {}
    for part in _parts(text):
        name, colon, wanted = (piece.strip() for piece in _with_languages(part))
        if colon and not wanted:
            raise UsageError(f"'{part}' names no language", f"write {name} for all of them, or such as {name}:de+fr")
        codes_wanted = tuple(language.strip() for language in wanted.split("+")) if wanted else ()
        for member, codes in _members(name, codes_wanted, metric):
            found, before = selected.get(member.name, (member, None))
            if found is not member:
                raise UsageError(f"two tasks are called {member.name}: one by name, or in another file", "rename one")
            everything = not codes or before == ()
            selected[member.name] = member, () if everything else tuple(dict.fromkeys((*(before or ()), *codes)))
    if not selected:
        raise UsageError("no task is selected", "for example --tasks alm,multi30k:de (`tvbench tasks` lists them)")
    return list(selected.values())


def _parts(text: str) -> Iterator[str]:
    """What commas separate; those in the path of a file that is there are part of it."""
    parts = text.split(",")
    while parts:
        joined = ((count, ",".join(parts[:count]).strip()) for count in range(len(parts), 1, -1))
        count, part = next((one for one in joined if _is_one(one[1])), (1, parts[0].strip()))
        del parts[:count]
        if part:
            yield part


def _is_one(part: str) -> bool:
    """Whether a part with commas is one path of a file, with or without languages."""
    name, _, languages = _with_languages(part)
    return _is_file(name) and "," not in languages


def _with_languages(part: str) -> tuple[str, str, str]:
    """(name, colon, languages): the first colon separates them, unless it is in the path of a file that is there."""
    if _is_file(part):
        return part, "", ""
    head, colon, tail = part.rpartition(":")
    return (head, colon, tail) if _is_file(head) else part.partition(":")


def _is_file(name: str) -> bool:
    """Whether there is a task file, a table or a folder of this name."""
    try:
        return is_path(name) and Path(name.strip()).expanduser().exists()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL, no home
        return False


def named_tasks(name: str, metric: str = "") -> tuple[Task, ...]:
    """The task called `name`, those of the group, or those that the file, folder or table at this path is. Raises
    UsageError."""
    if is_path(name):
        return tasks_at(Path(name), metric)
    if metric:
        raise UsageError(f"--metric is for data of one's own, and {name} has metrics of its own", "leave it out")
    return tuple(task(member) for member in groups().get(name, (name,)))


def is_path(name: str) -> bool:
    """Whether `name` is the path of a task file, a folder or a table rather than the name of a task."""
    return name.endswith((".py", *ENDINGS)) or "/" in name or name.strip() in (".", "..", "~")


def _shipped_names() -> set[str]:
    """The names of tvbench's own tasks. None of their files is executed."""
    folders = [folder for folder in search_folders("tasks") if is_shipped(folder, "tasks")]
    return {name for folder in folders for file in find_task_files(folder) for name in file.names}


def is_data(text: str) -> bool:
    """Whether the first of a selection is a folder or a table of one's own."""
    part = next(_parts(text), "")
    name = _with_languages(part)[0].strip()
    return _is_file(name) and is_own(Path(name).expanduser())


def tasks_at(path: Path, metric: str = "") -> tuple[Task, ...]:
    """The tasks of the file at `path`, which is executed, or the one of a folder or a table. Raises UsageError where
    there is none, or it is broken."""
    path = path.expanduser()
    if is_own(path):
        task = own_task(path, metric)
        if task.name in _shipped_names():
            raise UsageError(
                f"tvbench has a task {task.name} of its own, and figures of {path} would stand in its column",
                "give it another name: rename it, or write name: in task.yaml",
            )
        return (task,)
    if metric:
        raise UsageError(f"--metric is for data of one's own, and {path} is a task file", "name its metrics there")
    if path.is_dir():
        raise UsageError(
            f"{path} is a folder without a table (metadata.csv, ...) and without pictures",
            f"name a task file in it, or search it with --include-path {path}",
        )
    if not path.is_file():
        what = "task file" if path.suffix == ".py" else "file or folder"
        raise UsageError(f"there is no {what} {path}", "`tvbench tasks` lists the tasks that are known by name")
    found = inspect_file(path)
    if found is None:
        raise UsageError(f"{path} is no task file", "it has to import from tvbench, and to assign TASK or TASKS")
    try:
        if found.problem is not None:
            raise ValueError(found.problem)
        return _loaded(path.resolve(), file_digest(path))
    except ValueError as error:
        raise BrokenTask(f"task file {path} cannot be used: {error}") from error


@cache
def _loaded(path: Path, digest: str) -> tuple[Task, ...]:
    """Each state of a file once, so that a task that is named twice is one."""
    return load_tasks(path, ours=is_shipped(path.parent, "tasks"))


def _members(name: str, wanted: tuple[str, ...], metric: str = "") -> list[tuple[Task, tuple[str, ...]]]:
    """The tasks called `name`, each with the codes of the wanted languages that it has."""
    members = named_tasks(name, metric)
    found: dict[str, list[str]] = {}
    refusals: dict[str, list[UsageError]] = {}
    for member in members:
        for language in wanted:
            try:
                codes = codes_in(member, language)
            except UsageError as error:
                refusals.setdefault(language, []).append(error)
            else:
                found.setdefault(member.name, []).extend(codes)
    for errors in refusals.values():
        if len(errors) == len(members):
            raise errors[0]
    return [(member, tuple(found.get(member.name, ()))) for member in members if member.name in found or not wanted]
