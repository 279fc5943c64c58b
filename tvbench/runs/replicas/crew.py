"""The processes of a run's replicas: started, heard in turns, and replaced a bounded number of times where they die.

What a dead one held is handed back with its death; what becomes of it is not decided here. Knows actors by
`cluster.Cluster`; knows no feed and no folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import count

from tvbench.engines.protocol import EngineInfo
from tvbench.errors import EngineError, TvbenchError, UsageError
from tvbench.runs.replicas.cluster import Actor, Cluster, Died
from tvbench.runs.replicas.parcels import EngineOrder, OpenedEngine, Problem, Report, from_line
from tvbench.runs.replicas.patience import LongWaits
from tvbench.runs.replicas.slot import Slot
from tvbench.runs.replicas.written import as_stored
from tvbench.types import Request, Response

LOW = 8
"""A replica with fewer requests that its engine has not taken has room."""
POLL_S = 10.0
GO_ON = "the same command goes on where it stopped"


@dataclass(frozen=True, slots=True)
class Death:
    """A replica that is no more: its place and its number among all, what it `held`, and why. `final`: it said of
    itself that it cannot open, and another one would say so again."""

    slot: Slot
    called: str
    serial: int
    held: dict[str, Request]
    why: Problem
    final: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """What was heard of one replica."""

    answers: Sequence[Response] = field(default_factory=list)
    death: Death | None = None


class Crew:
    """`slots` are its places, `info` is what the first engine that was open says of itself, `hosts` where any was."""

    def __init__(
        self, cluster: Cluster, order: EngineOrder, places: int, gpus: int, say: Callable[[str], None]
    ) -> None:
        self.slots = [Slot(number) for number in range(1, places + 1)]
        self.info: EngineInfo | None = None
        self.hosts: dict[str, None] = {}
        self._cluster = cluster
        self._order = order
        self._gpus = gpus
        self._say = say
        self._serials = count(1)
        self._unsaid: list[str] = []
        self._waits = LongWaits(cluster, gpus, say)

    def start(self) -> None:
        """Fill every place. None is waited for."""
        for slot in self.slots:
            self._fill(slot)

    @property
    def living(self) -> list[Slot]:
        """Places that are not given up."""
        return [slot for slot in self.slots if slot.actor is not None]

    @property
    def any_open(self) -> bool:
        return any(slot.is_open for slot in self.slots)

    def hear(self, seconds: float) -> Heard:
        """What one replica tells, if one does within so many seconds. Raises UsageError or EngineError when none is
        left."""
        living = self.living
        if not living:
            raise self._none_left()
        if (hung := self._waits.hung(living)) is not None:
            self._cluster.end(hung.actor, hung.opened.pid if hung.opened is not None else None)
            return Heard(death=self._ended(hung, self._waits.why))
        for slot in living:
            if slot.actor is not None and slot.actor.polled is None:
                slot.polled_at = time.monotonic()
                slot.actor.poll(want=not slot.room, wait_s=POLL_S)
        # Taken in turns, or one that always has news would be the only one that is heard.
        by_actor = {slot.actor: slot for slot in sorted(living, key=lambda slot: slot.heard)}
        told = self._cluster.wait([actor for actor in by_actor if actor is not None], seconds)
        return self._report(by_actor[told], told) if told is not None else Heard()

    def replace(self, death: Death, again: int, failed: int) -> None:
        """Another one takes its place, or not; either is said, with how many of its questions are asked again and how
        many failed. Where none can be opened it is one error, and no more to say."""
        replaced = not death.final and death.slot.replaceable
        if replaced:
            self._fill(death.slot)
        what = f"{death.called} {'cannot be opened' if death.final else 'died'}: {death.why.message}"
        what += "; another one takes its place" if replaced else "; it is not replaced"
        what += f", and {_questions(again)} asked again" if again else ""
        what += f"; {_questions(failed)} given up, after several deaths" if failed else ""
        if replaced or self.info is not None:
            self._say(f"warning: {what}")
        else:
            self._unsaid.append(f"warning: {what}")

    def close(self, wait_s: float) -> None:
        """End engines first, for so long, then their processes, then a Ray of our own. What is not open yet is not
        waited for."""
        actors = [slot.actor for slot in self.slots if slot.actor is not None]
        engines = [slot.actor for slot in self.slots if slot.actor is not None and slot.is_open]
        for slot in self.slots:
            slot.actor = None
        try:
            ends = time.monotonic() + wait_s
            asked = [(actor, actor.stopping(wait_s)) for actor in engines]
            for actor, call in asked:
                actor.stopped(call, max(0.1, ends - time.monotonic()))
            for actor in actors:
                actor.kill()
        finally:
            self._cluster.close()

    def _fill(self, slot: Slot) -> None:
        slot.begin(next(self._serials), self._cluster.start(self._order, self._gpus))

    def _report(self, slot: Slot, actor: Actor) -> Heard:
        slot.heard += 1
        try:
            report = actor.report()
        except Died as how:
            return Heard(death=self._ended(slot, Problem(str(how), died=True)))
        slot.has_begun = True
        return self._told(slot, report)

    def _told(self, slot: Slot, report: Report) -> Heard:
        if report.opened is not None and slot.opened is None and not self._welcome(slot, report.opened):
            return Heard()
        answers: list[Response] = []
        for line, stored in report.answers:
            response = from_line(line)
            if slot.take_back(response):
                answers.append(as_stored(response) if stored else response)
        for key in report.lost:
            slot.held.pop(key, None)
        slot.hungry, slot.backlog = report.hungry, report.backlog
        slot.room = slot.is_open and (slot.hungry or slot.backlog < LOW)
        if report.problem is None:
            return Heard(answers)
        return Heard(answers, self._ended(slot, report.problem, final=not slot.is_open))

    def _welcome(self, slot: Slot, opened: OpenedEngine) -> bool:
        """A replica is open; False where it is not the engine that the others are."""
        self.info = self.info or opened.info
        self.hosts.setdefault(opened.host)
        while self._unsaid:
            self._say(self._unsaid.pop(0))
        slot.opened = opened
        if opened.info == self.info:
            return True
        assert slot.actor is not None
        slot.actor.kill()
        self._say(f"{slot.called} is left out: it is {_shown(opened.info)}, and the others are {_shown(self.info)}")
        slot.died()
        slot.last = Problem(f"{slot.called} is another engine than the others")
        return False

    def _ended(self, slot: Slot, why: Problem, *, final: bool = False) -> Death:
        called = slot.called
        if slot.actor is not None:
            slot.actor.kill()
        slot.last = why
        return Death(slot, called, slot.serial, slot.died(), why, final)

    def _none_left(self) -> TvbenchError:
        last: Problem = next(slot.last for slot in self.slots if slot.last is not None)
        if self.info is None and last.usage:
            return UsageError(last.message, last.hint)
        if self.info is None:
            message = f"no replica can be opened: {last.message}" if last.died else last.message
            return EngineError(message, last.hint or _advice(last))
        return EngineError(f"no replica is left; the last: {last.message}", GO_ON)


def _questions(number: int) -> str:
    return f"{number} of its questions {'is' if number == 1 else 'are'}"


def _advice(problem: Problem) -> str:
    if "memory" in problem.message.lower():
        return "fewer --replicas leave more memory for each; a smaller --max-model-len needs less"
    return (
        "without --replicas and --on the engine shows all that it says; it often lacks memory" if problem.died else ""
    )


def _shown(info: EngineInfo) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in sorted(info.settings.items()))
    return f"{info.name} {info.version}" + (f" ({settings})" if settings else "")
