"""Replicas that are waited for: for a place on a busy cluster, for an answer, for a process that does not react.

Each is said once, with what can be done; only a process that reacts to nothing counts as dead. Knows the cluster's
free devices; starts and ends nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from tvbench.runs.replicas.cluster import Cluster
from tvbench.runs.replicas.parcels import Problem
from tvbench.runs.replicas.slot import Slot

EVERY_S = 1.0
PLACE_S, START_S = 15.0, 90.0
"""After so long without a place it is said why; and after so long, where there is room for it."""
SILENT_S = 600.0
"""So long an engine may hold questions without an answer to any before that is said."""
HUNG_S = 300.0
"""A process from which so long nothing at all is heard, though it is asked for news every few seconds, counts as
dead."""


class LongWaits:
    """`gpus` are those that each replica asks for."""

    why = Problem(f"its process has not reacted for {HUNG_S / 60:.0f} minutes", died=True)

    def __init__(self, cluster: Cluster, gpus: int, say: Callable[[str], None]) -> None:
        self._cluster = cluster
        self._gpus = gpus
        self._say = say
        self._said: set[tuple[str, int]] = set()
        self._looked_at = time.monotonic()

    def hung(self, living: Sequence[Slot]) -> Slot | None:
        """One of those that live whose process does not react any more; what else is waited for is said."""
        now = time.monotonic()
        if now - self._looked_at < EVERY_S:
            return None
        self._looked_at = now
        self._say_placeless([slot for slot in living if not slot.has_begun], living)
        for slot in living:
            if slot.is_open and slot.held and now - slot.answered_at > SILENT_S:
                self._say_silent(slot)
        late = [slot for slot in living if slot.is_open and now - slot.polled_at > HUNG_S]
        return next((slot for slot in late if self._is_mute(slot)), None)

    def _is_mute(self, slot: Slot) -> bool:
        return slot.actor is not None and self._cluster.wait([slot.actor], 0) is None

    def _say_placeless(self, slots: Sequence[Slot], living: Sequence[Slot]) -> None:
        new = [slot for slot in slots if ("place", slot.serial) not in self._said]
        waited = max((time.monotonic() - slot.begun_at for slot in new), default=0.0)
        if waited < PLACE_S:
            return
        missing = self._cluster.missing(self._gpus)
        if missing or waited > START_S:
            missing = missing or "its machine starts it slowly; `ray status` there says more"
            self._said |= {("place", slot.serial) for slot in new}
            others = any(slot.has_begun for slot in living)
            go_on = "the others go on meanwhile" if others else "until then nothing is asked (Ctrl-C stops)"
            self._say(f"note: {_named(new)} for a place: {missing}; {go_on}")

    def _say_silent(self, slot: Slot) -> None:
        if ("silent", slot.serial) in self._said or slot.opened is None:
            return
        self._said.add(("silent", slot.serial))
        self._say(
            f"note: {slot.called} has answered nothing for {SILENT_S / 60:.0f} minutes and holds {len(slot.held)} "
            f"questions; if it hangs, `kill -9 {slot.opened.pid}` on {slot.opened.host} hands them to others"
        )


def _named(slots: Sequence[Slot]) -> str:
    numbers = [str(slot.number) for slot in slots]
    if len(numbers) == 1:
        return f"replica {numbers[0]} waits"
    return f"replicas {', '.join(numbers[:-1])} and {numbers[-1]} wait"
