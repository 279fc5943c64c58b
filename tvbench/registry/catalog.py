"""Finds tasks and model cards, and turns what a person typed into them.

Searched in this order, the first of a name wins: the folders of `--include-path` and $TVBENCH_INCLUDE_PATH, `tasks/`
and `models/` in the working directory, those of the user's own configuration, of the checkout beside the package, those
inside the wheel, and entry points `tvbench.tasks` / `tvbench.models`. The working directory may be somebody else's: its
Python files are named before they are executed, what it puts in another's place is named, and its cards get no key. One
broken file never hides the others: it is warned of, and its error is raised when it is asked for. Reads no data and
opens no engine.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Generic, TypeVar

from tvbench.errors import UsageError, unknown_name
from tvbench.registry.addresses import server_address
from tvbench.registry.cards import find_cards
from tvbench.registry.declared import codes_in
from tvbench.registry.local_models import builtin_card, content_digest, folder_card
from tvbench.registry.own_data import ENDINGS, has_table, is_own, own_task
from tvbench.registry.places import INCLUDE, included, is_shipped, nearby_folder, search_folders
from tvbench.registry.plug_ins import plug_ins
from tvbench.registry.task_files import TaskFile, file_digest, find_task_files, inspect_file, load_tasks, tasks_in
from tvbench.types import ModelCard, Task

log = logging.getLogger(__name__)

Entry = TypeVar("Entry", Task, ModelCard)

HUB_ID = re.compile(r"(?P<id>[\w.-]+/[\w.-]+?)(@(?P<revision>[\w./-]+))?")
SHOWN = 8
"""Names in a note."""
SERVER = re.compile(r"openai:(?P<name>.+)@(?P<url>https?://.+)", re.IGNORECASE)


class BrokenTask(UsageError):
    """A task file is there, and cannot be used."""


@dataclass(slots=True)
class Shelf(Generic[Entry]):
    """What was found of one kind, by name, and what is wrong with the rest. The first of a name stays."""

    entries: dict[str, Entry] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)
    behind: dict[str, Entry] = field(default_factory=dict)
    """What a nearer entry of the same name hides."""

    def add(self, name: str, entry: Entry) -> None:
        if name in self.entries:
            self.behind.setdefault(name, entry)
        elif name not in self.problems:
            self.entries[name] = entry

    def add_problem(self, name: str, problem: str) -> None:
        """Warn of `problem`, unless a nearer entry of that name makes it irrelevant."""
        if name not in self.entries and name not in self.problems:
            self.problems[name] = problem
            log.warning("warning: %s", problem)


# ── Tasks ─────────────────────────────────────────────────────────────────────────────────────────


def tasks() -> dict[str, Task]:
    """All tasks by name."""
    return dict(_tasks(Path.cwd(), included()).entries)


def task(name: str) -> Task:
    """The task called `name`. Raises UsageError for an unknown one, and for one whose file is broken."""
    shelf = _tasks(Path.cwd(), included())
    if name in shelf.entries:
        return shelf.entries[name]
    if name in shelf.problems:
        raise BrokenTask(shelf.problems[name])
    hint = (
        f"for the folder or file of this name, write ./{name}" if Path(name).exists() else "`tvbench tasks` lists them"
    )
    raise unknown_name("task", name, [*shelf.entries, *groups()], hint)


def broken_tasks() -> Mapping[str, str]:
    """What is wrong with the files that hold no usable task, by the name that is asked for."""
    return _tasks(Path.cwd(), included()).problems


def groups() -> dict[str, tuple[str, ...]]:
    """The names of the tasks of each group."""
    found: dict[str, list[str]] = {}
    for known in tasks().values():
        if known.group:
            found.setdefault(known.group, []).append(known.name)
    return {group: tuple(names) for group, names in found.items()}


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


@cache
def _tasks(working_directory: Path, first: tuple[str, ...]) -> Shelf[Task]:
    shelf: Shelf[Task] = Shelf()
    nearby = nearby_folder("tasks")
    _check_included(first)
    own: list[str] = []
    for folder in search_folders("tasks"):
        files = list(find_task_files(folder))
        if folder == nearby:
            _say_executed(folder, files)
        for file in files:
            try:
                if file.problem is not None:
                    raise ValueError(file.problem)
                for loaded in load_tasks(file.path, ours=is_shipped(folder, "tasks")):
                    shelf.add(loaded.name, loaded)
            except ValueError as error:
                for name in file.names:
                    shelf.add_problem(name, f"task file {file.path} cannot be used: {error}")
        if str(folder) in first:
            _add_own_data(shelf, folder)
        own = list(shelf.entries) if folder == nearby else own
    for point in plug_ins("tvbench.tasks"):
        try:
            for loaded in tasks_in(point.load()):
                shelf.add(loaded.name, replace(loaded, code=_module_digest(point.value)))
        except Exception as error:  # noqa: BLE001 - a plug-in may fail in any way; it is reported
            shelf.add_problem(point.name, f"task plug-in {point.value} cannot be used: {error}")
    _say_hidden("task", nearby, [name for name in own if name in shelf.behind])
    return shelf


def _add_own_data(shelf: Shelf[Task], folder: Path) -> None:
    """A folder that is included, and those in it, where they are benchmarks without Python."""
    for path in (folder, *sorted(folder.iterdir())):
        if path.is_dir() and has_table(path):
            try:
                task = own_task(path)
                shelf.add(task.name, task)
            except UsageError as error:
                shelf.add_problem(path.name, f"the data in {path} cannot be used: {error}")


def _check_included(folders: tuple[str, ...]) -> None:
    for folder in folders:
        if not Path(folder).is_dir():
            raise UsageError(f"there is no folder {folder} to include", f"see --include-path and ${INCLUDE}")


def _module_digest(value: str) -> str:
    """A digest of the module of a plug-in (`package.module:name`)."""
    file = getattr(sys.modules.get(value.partition(":")[0].strip()), "__file__", None)
    return file_digest(Path(file)) if file else "unknown"


def _say_executed(folder: Path, files: list[TaskFile]) -> None:
    """Before it happens, and once a command."""
    names = [file.path.name for file in files if file.problem is None]
    if names:
        shown = ", ".join(names[:SHOWN]) + (", ..." if names[SHOWN:] else "")
        log.warning("note: runs the task files of the working directory as Python: %s in %s", shown, folder)


def _say_hidden(kind: str, folder: Path | None, names: list[str]) -> None:
    if names:
        shown = ", ".join(names[:SHOWN]) + (", ..." if names[SHOWN:] else "")
        log.warning("note: %s of the working directory (%s) in place of tvbench's own: %s", kind, folder, shown)


# ── Models ────────────────────────────────────────────────────────────────────────────────────────


def models() -> dict[str, ModelCard]:
    """All model cards by name."""
    return dict(_models(Path.cwd(), included()).entries)


def broken_models() -> Mapping[str, str]:
    """What is wrong with the files that hold no usable card, by the name that is asked for."""
    return _models(Path.cwd(), included()).problems


def resolve_model(text: str) -> ModelCard:
    """What `--model` means: a card's name or alias (`@revision` may follow), a folder, `openai:NAME@URL` or a hub id.

    A hub id that a card speaks of gets that card, with its chat, numerics and engine arguments. A folder's revision
    is its content (local_models.content_digest). Raises UsageError.
    """
    text = text.strip()
    if not text:
        raise UsageError("no model is named", "`tvbench models` lists the cards")
    if text.casefold().startswith("openai:"):
        return _server_card(text)
    card = _known_card(text)
    if card is not None:
        return _made_ready(card)
    folder = Path(text).expanduser()
    if folder.is_dir():
        return folder_card(folder)
    hub = HUB_ID.fullmatch(text)
    if text.startswith((".", "/", "~")) or folder.exists() or (hub is None and "/" in text):
        raise UsageError(f"there is no model folder {text}", "give a folder that holds a config.json")
    if hub is None:
        shelf = _models(Path.cwd(), included())
        known = [*shelf.entries, *(alias for card in shelf.entries.values() for alias in card.aliases)]
        raise unknown_name("model", text, known, "a card (`tvbench models`), a folder, org/name or openai:NAME@URL")
    return ModelCard(hub["id"].split("/")[1], "hub", hub["id"], revision=hub["revision"] or "main")


def _known_card(text: str) -> ModelCard | None:
    """The card of a name, an alias or a hub id, with `@revision` taken over. Raises UsageError for a broken card."""
    shelf = _models(Path.cwd(), included())
    name, _, revision = text.partition("@")
    for broken, problem in shelf.problems.items():
        if broken.casefold() == name.casefold():
            raise UsageError(problem)
    by_name: dict[str, ModelCard] = {}
    for card in shelf.entries.values():
        by_name.setdefault(card.name.casefold(), card)
    for card in shelf.entries.values():
        for other in _other_names(card):
            by_name.setdefault(other.casefold(), card)
    found = by_name.get(name.casefold())
    if found is None or not revision:
        return found
    if found.kind != "hub":
        raise UsageError(f"{found.name} has no revisions: it is not a model of the hub", f"write {found.name}")
    return replace(found, revision=revision)


def _made_ready(card: ModelCard) -> ModelCard:
    if card.kind == "builtin":
        return builtin_card(card)
    if card.kind == "folder":
        folder = Path(card.location)
        if not (folder / "config.json").is_file():
            raise UsageError(f"card {card.name}: there is no checkpoint in {folder}")
        return replace(card, revision=content_digest(folder))
    if card.kind == "server":
        return replace(card, url=server_address(card.url))
    return card


def _server_card(text: str) -> ModelCard:
    parts = SERVER.fullmatch(text)
    if parts is None:
        raise UsageError(
            f"'{text}' is not of the form openai:NAME@URL", "for example openai:my-model@http://127.0.0.1:8000/v1"
        )
    if "://" in parts["name"]:
        raise UsageError("a model's name holds no address", "use openai:NAME@http://HOST:PORT/v1")
    return ModelCard(
        parts["name"],
        "server",
        parts["name"],
        revision="served",
        url=server_address(parts["url"]),
        modalities=("image", "multi-image"),
    )


@cache
def _models(working_directory: Path, first: tuple[str, ...]) -> Shelf[ModelCard]:
    shelf: Shelf[ModelCard] = Shelf()
    nearby = nearby_folder("models")
    _check_included(first)
    strange = {nearby, *(Path(folder) / part for folder in first for part in ("", "models"))}
    for folder in search_folders("models"):
        for file in find_cards(folder):
            if file.card is not None:
                shelf.add(file.name, replace(file.card, nearby=folder in strange))
            else:
                shelf.add_problem(file.name, f"model card {file.path}: {file.problem}")
    for point in plug_ins("tvbench.models"):
        try:
            for card in _cards_in(point.load()):
                shelf.add(card.name, card)
        except Exception as error:  # noqa: BLE001 - a plug-in may fail in any way; it is reported
            shelf.add_problem(point.name, f"model plug-in {point.value} cannot be used: {error}")
    _say_hidden("model", nearby, list(_hidden_models(shelf, nearby)))
    return shelf


def _hidden_models(shelf: Shelf[ModelCard], nearby: Path | None) -> Iterator[str]:
    """The names, other names and hub ids that cards and weights of the working directory take from others."""
    cards = [card for card in shelf.entries.values() if not card.nearby] + list(shelf.behind.values())
    names = {card.name.casefold() for card in cards}
    others = {other.casefold() for card in cards for other in _other_names(card)}
    for card in shelf.entries.values():
        if card.nearby and card.name.casefold() in names | others:
            yield card.name
        yield from (other for other in _other_names(card) if card.nearby and other.casefold() in others - names)
        weights = nearby / card.location / "config.json" if nearby is not None and card.kind == "builtin" else None
        if weights is not None and weights.is_file():
            yield f"the weights of {card.name}"


def _other_names(card: ModelCard) -> tuple[str, ...]:
    return (*card.aliases, *([card.location] if card.kind == "hub" else []))


def _cards_in(value: object) -> tuple[ModelCard, ...]:
    cards = (value,) if isinstance(value, ModelCard) else value
    if not isinstance(cards, list | tuple) or not all(isinstance(card, ModelCard) for card in cards):
        raise ValueError("it is neither a ModelCard nor a list of them")
    return tuple(cards)
