"""manifest.json, typed: what was asked of whom, by which engine, when, and by which command.

What this version does not know (`rest`) is kept as it is when a manifest is written again; what an older one did not
write has a default. Knows the vocabulary; knows no file, and not how a manifest is written (manifest_json.py).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from tvbench.runs.spent import Spent
from tvbench.types import EngineInfo, ModelCard

NOBODY = ModelCard("", "folder", "", revision="")
"""The model of a manifest that names none."""
NO_ENGINE = EngineInfo("", "")
IMPORTED = "lmms-eval"
"""The `source` of a run that was made from logs."""
WHAT_IS_ASKED = frozenset({"tasks", "sampling"})
"""The parts of an ask that every key covers for itself."""


@dataclass(frozen=True, slots=True)
class TaskEntry:
    """One task of a run. `items` None: of before they were counted; `logged` are figures that a log brought along,
    `declared` the facts of metrics that are not tvbench's own."""

    task: str
    protocol: str
    primary: str
    signature: str
    version: str = ""
    metrics: tuple[str, ...] = ()
    dataset: str = ""
    items: int | None = None
    warnings: tuple[str, ...] = ()
    logged: Mapping[str, Any] = field(default_factory=dict)
    declared: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AskedTask:
    """How one task was asked for, as far as runs are looked for by it."""

    task: str
    protocol: str | None = None
    split: str | None = None
    seed: int | None = None
    limit: int | None = None
    media: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)


OF_ASKED = frozenset(one.name for one in fields(AskedTask))


@dataclass(frozen=True, slots=True)
class RunAsk:
    """Everything that makes one run differ from another. Runs are named after a hash over `data`, so it stays plain,
    and is written as it is; here is what is read out of it."""

    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def tasks(self) -> tuple[AskedTask, ...]:
        return tuple(
            AskedTask(**{name: value for name, value in entry.items() if name in OF_ASKED})
            for entry in self.data.get("tasks", ())
        )

    @property
    def model(self) -> Any:
        """Who: identity, name, revision, and what the card says of the prompt."""
        return plain(self.data.get("model"))

    @property
    def engine_name(self) -> str | None:
        name = (self.data.get("engine") or {}).get("name")
        return None if name is None else str(name)

    @property
    def without_model(self) -> Any:
        """What is asked, and how; whoever is asked."""
        return plain({name: value for name, value in self.data.items() if name != "model"})

    @property
    def who(self) -> Any:
        """Who is asked, and how: model and engine with its settings, without the name that the person gave it. None
        where that is not known."""
        model = self.model
        if not isinstance(model, list) or len(model) < 3:
            return None
        how = {name: value for name, value in plain(self.data).items() if name not in WHAT_IS_ASKED}
        return how | {"model": [model[0], *model[2:]]}


@dataclass(frozen=True, slots=True)
class Session:
    """Who answered, and when. `answered` None: it was killed before it could count; `reused` are answers by the run
    that they were copied from; `server` are facts that a server told; `arguments` are the engine's, as they were given;
    `asked_again` counts stored questions; `replicas` says where an engine of several processes computed. `spent` is
    what its answers took (nothing: of before that was noted), and `spent_again` what those took that were only asked to
    see that the model is the same. `id` tells sessions apart where folders are joined; `part` is what it wrote of the
    folder, if not all. `source`: `batch`, where its answers came back in files, at `price_factor` of the price."""

    began: str | None = None
    where: str = ""
    model: str | None = None
    revision: str | None = None
    engine: EngineInfo | None = None
    server: Mapping[str, Any] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    asked_again: Mapping[str, Any] | None = None
    reused: Mapping[str, int] = field(default_factory=dict)
    ended: str | None = None
    answered: int | None = None
    failed: int | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    replicas: Mapping[str, Any] = field(default_factory=dict)
    spent: Spent = Spent()
    spent_again: Spent = Spent()
    id: str = ""
    part: str = ""
    source: str = ""
    price_factor: float | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """The answers that it brought, as far as it counted."""
        return sum(count for count in (self.answered, *self.reused.values()) if isinstance(count, int))


@dataclass(frozen=True, slots=True)
class JudgeEntry:
    """What a judge was asked, where the run is a judge's. `checked` None: every exact item; `chat` None: of before the
    prompt was a part of keys; `planted` None: as many as are planted where nothing else is asked for."""

    run: str
    rubric: Mapping[str, Any]
    tasks: tuple[str, ...]
    checked: int | None
    seed: int
    engine: str
    chat: str | None = None
    planted: int | None = 0
    rest: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A run's manifest. `sessions` None: of before they were noted."""

    run: str = ""
    source: str = ""
    created: str = ""
    updated: str = ""
    command: tuple[str, ...] = ()
    ask: RunAsk = RunAsk()
    model: ModelCard = NOBODY
    engine: EngineInfo = NO_ENGINE
    decoder: Mapping[str, Any] = field(default_factory=dict)
    judging: JudgeEntry | None = None
    tasks: tuple[TaskEntry, ...] = ()
    hardware: Mapping[str, Any] = field(default_factory=dict)
    packages: Mapping[str, Any] = field(default_factory=dict)
    speed: Mapping[str, Any] = field(default_factory=dict)
    sessions: tuple[Session, ...] | None = None
    rest: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """What the person, or the card, calls the model."""
        return self.model.name

    @property
    def imported(self) -> bool:
        return self.source == IMPORTED

    @property
    def entries(self) -> dict[str, TaskEntry]:
        """The tasks by name, in the run's order."""
        return {entry.task: entry for entry in self.tasks}

    def over(self, before: Manifest | None) -> Manifest:
        """This one, written over `before` now: what was begun keeps its date, what nobody here knows is kept."""
        when = now()
        mine = replace(self, created=self.created or when, updated=self.updated or when)
        if before is None:
            return mine
        known = before.entries
        tasks = tuple(
            replace(entry, rest={**known[entry.task].rest, **entry.rest}) if entry.task in known else entry
            for entry in self.tasks
        )
        return replace(mine, created=before.created or mine.created, tasks=tasks, rest={**before.rest, **self.rest})


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def plain(value: Any) -> Any:
    """`value` as it comes back from JSON."""
    return json.loads(json.dumps(value, default=str))
