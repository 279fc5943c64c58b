"""The plan of a run that was begun before, built again from what it recorded.

Who is asked, and how, is the manifest's; the tasks come from where they came from then. Keys are compared: data that
are others now are not taken for those that were asked. Knows plans and the store; asks nobody.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

from tvbench.errors import TvbenchError, UsageError
from tvbench.runs.lines import read_lines
from tvbench.runs.manifest import Manifest
from tvbench.runs.plan import Overrides, Plan, plan_task
from tvbench.runs.store import REQUESTS, RunFolder
from tvbench.types import BuildOptions, Task

HINT = "--data DIR names a local copy of the data that were asked, --include-path DIR task files of your own"


def rebuilt(run: RunFolder, tasks: Sequence[Task], data: Path | None, *, offline: bool = False) -> Plan:
    """What `run` asks, of these `tasks`. Raises UsageError where one is missing, or gives other questions now."""
    manifest = run.manifest()
    known = {task.name: task for task in tasks}
    asked = {str(entry.get("task")): entry for entry in manifest.ask.data.get("tasks", ())}
    overrides = _overrides(manifest)
    planned = []
    for name in (entry.task for entry in manifest.tasks):
        if name not in known or name not in asked:
            raise UsageError(f"{run.name} asks {name}, and there is no such task here", HINT)
        try:
            planned.append(plan_task(known[name], _options(asked[name], data, offline), manifest.model, overrides))
        except TvbenchError as error:
            raise UsageError(f"the questions of {name} cannot be made again: {error.message}", HINT) from error
    plan = Plan(manifest.model, tuple(planned), manifest.ask.data)
    _compare(run, plan)
    return plan


def _options(asked: Mapping[str, Any], data: Path | None, offline: bool) -> BuildOptions:
    return BuildOptions(
        protocol=str(asked.get("protocol")),
        languages=tuple(asked.get("languages", ())),
        limit=asked.get("limit"),
        split=asked.get("split"),
        data=data,
        with_media=bool(asked.get("media", True)),
        seed=asked.get("seed", 0),
        offline=offline,
        settings=dict(asked.get("settings", {})),
    )


def _overrides(manifest: Manifest) -> Overrides:
    names = {one.name for one in fields(Overrides)}
    said = manifest.ask.data.get("sampling", {})
    return Overrides(**{name: value for name, value in said.items() if name in names})


def _compare(run: RunFolder, plan: Plan) -> None:
    """Raises UsageError where the run's keys are not those of the plan."""
    keys = {planned.key for planned in plan.planned_items()}
    total, gone, first = 0, 0, ""
    for _, line in read_lines(run.path / REQUESTS, [], appended=False):
        total += 1
        if line.get("key") not in keys:
            gone += 1
            item = line.get("item", {})
            first = first or f"{item.get('task')} {item.get('id')}"
    if gone:
        raise UsageError(
            f"{gone:,} of the {total:,} questions of {run.name} are not what the data give now (the first: {first})",
            f"{HINT}; or begin a run of its own: tvbench export batch --model MODEL --tasks TASKS",
        )
