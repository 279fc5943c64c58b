"""What a session writes down in manifest.json: what is asked, who answered before, and its own entry among them.

Its entry is made when it first asks or copies something, and counted again now and then, for whoever goes on where it
is killed. Knows the plan and the writer of the folder; opens no engine and sees no answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from tvbench.data.media.decoders import DEFAULT, decoder_info
from tvbench.errors import UsageError
from tvbench.runs.disk import StoreError
from tvbench.runs.history import as_asked, begun, engine_label, sessions_of
from tvbench.runs.locks import PATIENCE
from tvbench.runs.machine import hardware, packages
from tvbench.runs.manifest import NO_ENGINE, Manifest, RunAsk, Session, now
from tvbench.runs.plan import Plan
from tvbench.runs.shards import without_shard
from tvbench.runs.spent import Spent
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import EngineInfo

NOTE_PATIENCE = 0.5
"""Seconds that a note waits for other shards that write the manifest."""


class SessionRecord:
    """Of the session that writes with `writer`. `engine` is who answers, as far as that is known; `sessions` are those
    of before, with its own from when it has `begun`. `command` is what a person typed, `facts` are what a server told
    of itself."""

    def __init__(
        self, writer: RunWriter, plan: Plan, engine: EngineInfo, command: tuple[str, ...], facts: Mapping[str, Any]
    ) -> None:
        self.engine = engine
        self.sessions: list[Session] = []
        self.speed: Mapping[str, Any] = {}
        self.prices = plan.card.prices
        self._writer = writer
        self._plan = plan
        self._command = command
        self._facts = facts
        self._own: int | None = None

    @property
    def begun(self) -> bool:
        return self._own is not None

    @property
    def earlier(self) -> Sequence[Session]:
        """The sessions before this one."""
        return self.sessions[: self._own]

    def take_up(self) -> bool:
        """Write down what is asked; what an earlier session knew of the engine and its speed stays. Whether the
        manifest was damaged, so that nobody knows what stood there."""
        run = RunFolder(self._writer.path)
        before = run.earlier_manifest()
        damaged = run.exists() and before is None
        self.sessions = sessions_of(before)
        if before is not None:
            self.speed = before.speed
            self.prices = self.prices or before.model.prices
            self.engine = earlier_engine(before) or self.engine
        self._writer.write_requests(
            (planned.key, planned.item, planned.digests) for planned in self._plan.planned_items()
        )
        self.write()
        return damaged

    def note(self, **told: Any) -> None:
        """Add to this session's entry, made when it first asks or copies something."""
        if self._own is None:
            self._own = len(self.sessions)
            card, part = self._plan.card, self._writer.part
            self.sessions.append(begun(card, self.engine, self._facts, self._command, now(), part))
        self.sessions[self._own] = replace(self.sessions[self._own], **told)

    def note_spent(self, spent: Spent) -> None:
        """While it asks: what was spent so far, for whoever goes on where this session is killed."""
        if self._own is not None:
            self.note(spent=spent)
            with suppress(StoreError, UsageError):  # it matters less than the answers, which say it themselves
                self.write(NOTE_PATIENCE)

    def write(self, patience: float = PATIENCE) -> None:
        """Write the manifest as it is now."""
        info = as_asked(self.engine, self.sessions)
        label = engine_label(info)
        self._writer.write_manifest(
            Manifest(
                run=self._writer.path.name,
                source="tvbench",
                command=without_shard(self._command),
                ask=RunAsk(self._plan.ask),
                model=replace(self._plan.card, prices=self.prices),
                engine=info,
                decoder=decoder_info(self._plan.ask.get("decoder", DEFAULT)),
                tasks=tuple(planned.entry(self._plan.card, label) for planned in self._plan.tasks),
                hardware=hardware(),
                packages=packages(),
                speed=self.speed,
                sessions=tuple(self.sessions),
            ),
            patience,
        )


def earlier_engine(manifest: Manifest | None) -> EngineInfo | None:
    """The engine that a manifest speaks of; None where it names none."""
    return None if manifest is None or manifest.engine == NO_ENGINE else manifest.engine
