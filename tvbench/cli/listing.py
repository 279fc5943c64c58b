"""The tasks and the models as records, for the commands that list them.

Where nobody but tvbench itself has tasks or cards to list, which is the usual case, the records are remembered, and
neither the task files nor the cards are read again. A record is all that these commands show.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TYPE_CHECKING, Any

from tvbench.registry.places import folder_names, only_ours
from tvbench.registry.plug_ins import may_have
from tvbench.registry.remembered import remembered

if TYPE_CHECKING:
    from tvbench.types import ModelCard, Setting, Task

Record = dict[str, Any]


def task_records() -> list[Record]:
    """All tasks, as `--format json` prints them."""
    return _listed("tasks", _task_records)


def tasks_called(name: str) -> list[Record]:
    """The task of that name, those of the group, or those of the file at that path. Raises UsageError for what is
    unknown, and for one whose file is broken."""
    known = [] if name.endswith((".py", ".csv", ".tsv", ".jsonl", ".parquet")) or "/" in name else task_records()
    found = [task for task in known if name and task["group"] == name]
    found = found or [task for task in known if task["name"] == name]
    return found or [task_record(task) for task in _named_tasks(name)]


def model_records() -> list[Record]:
    """All cards, as `--format json` prints them."""
    return _listed("models", _model_records)


def _listed(kind: str, compute: Callable[[], tuple[list[Record], bool]]) -> list[Record]:
    folders = folder_names(kind)

    def made() -> tuple[list[Record], Iterable[str] | None]:
        from tvbench.languages import TABLE

        records, whole = compute()
        if not whole or may_have(f"tvbench.{kind}"):
            return records, None
        files = [entry.path for folder in folders for entry in os.scandir(folder) if entry.is_file()]
        return records, [*folders, *files, TABLE]

    if not only_ours(kind) or may_have(f"tvbench.{kind}", [os.curdir]):
        return compute()[0]
    return list(remembered(kind, [*folders], made))


def _task_records() -> tuple[list[Record], bool]:
    catalog = _catalog()
    return [task_record(task) for task in catalog.tasks().values()], not catalog.broken_tasks()


def _model_records() -> tuple[list[Record], bool]:
    catalog = _catalog()
    return [model_record(card) for card in catalog.models().values()], not catalog.broken_models()


def _named_tasks(name: str) -> tuple[Task, ...]:
    from tvbench.registry.selection import named_tasks

    _catalog()
    return named_tasks(name)


def _catalog() -> ModuleType:
    """The whole catalogue, which warns of what it cannot use."""
    from tvbench.cli.logs import prepare_logging
    from tvbench.registry import catalog

    prepare_logging()
    return catalog


def task_record(task: Task) -> dict[str, Any]:
    """A task as JSON, without its functions."""
    return {
        "name": task.name,
        "version": task.version,
        "group": task.group,
        "title": task.title,
        "modality": task.modality,
        "protocols": dict(task.protocols),
        "default_protocol": task.default_protocol,
        "primary": task.primary,
        "primaries": dict(task.primaries),
        "metrics": list(dict.fromkeys((*task.metrics, *task.scorers))),
        "languages": list(task.languages),
        "splits": list(task.splits),
        "settings": {key: _setting_record(setting) for key, setting in task.settings.items()},
        "data": [
            {"repo": data.repo, "revision": data.revision, "licence": data.licence, "note": data.note}
            for data in task.hub_data
        ],
        "paper": task.paper,
        "notes": task.notes,
        "import_names": list(task.log_names),
        **({"place": place} if (place := getattr(task.source, "place", "")) else {}),
    }


def _setting_record(setting: Setting) -> Record:
    from tvbench.registry.declared import allowed, settings_text

    default = "" if setting.default is None else f"; default {settings_text(setting.default)}"
    return {
        "help": setting.help,
        "default": setting.default,
        "choices": list(setting.choices),
        "least": setting.least,
        "most": setting.most,
        "several": setting.several,
        "takes": allowed(setting) + default,
    }


def model_record(card: ModelCard) -> Record:
    """A card as JSON."""
    from dataclasses import asdict

    return asdict(card)
