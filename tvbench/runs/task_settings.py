"""The settings of tasks (`--set`), as a person gives them: as typed, by task, or by task and key; each as text.

Knows groups of tasks by name; not what a task does with a setting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

from tvbench.errors import UsageError

Settings: TypeAlias = Mapping[str, Any] | Sequence[str]
"""By task: `{"mini": {"level": 2}}`; by task and key: `{"mini.level": 2}`; or as typed: `["mini.level=2"]`."""


def settings_of(given: Settings, tasks: Sequence[str]) -> dict[str, dict[str, str]]:
    """`["alm.variant=x"]` as {"alm": {"variant": "x"}}; the name of a group sets all its tasks in `tasks`.

    Raises UsageError for what is not `task.key=value`.
    """
    from tvbench.registry.catalog import groups

    settings: dict[str, dict[str, str]] = {task: {} for task in tasks}
    for pair in _pairs(given):
        name, equals, value = pair.partition("=")
        task, dot, key = name.partition(".")
        if not equals or not dot or not key:
            raise UsageError(f"--set {pair} is not of the form task.key=value", "for example --set vimul.frames=16")
        meant = [member for member in groups().get(task, (task,)) if member in settings]
        if not meant:
            raise UsageError(f"--set {pair}: task {task} is not in this run", f"tasks here: {', '.join(tasks)}")
        for member in meant:
            settings[member][key] = value
    return settings


def _pairs(given: Settings) -> list[str]:
    if not isinstance(given, Mapping):
        return [given] if isinstance(given, str) else list(given or ())
    flat = {
        f"{task}.{key}" if key else task: value
        for task, settings in given.items()
        for key, value in (settings.items() if isinstance(settings, Mapping) else [("", settings)])
    }
    return [f"{name}={str(value).lower() if isinstance(value, bool) else value}" for name, value in flat.items()]
