"""Finds tasks and model cards, by name; and turns what a person typed of a model into its card.

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
from tvbench.registry.local_models import builtin_card, content_digest, folder_card
from tvbench.registry.own_data import has_table, own_task
from tvbench.registry.places import INCLUDE, included, is_shipped, nearby_folder, search_folders
from tvbench.registry.plug_ins import plug_ins
from tvbench.registry.task_files import TaskFile, file_digest, find_task_files, load_tasks, tasks_in
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
