"""The replicas of an engine, as one engine: one queue of requests, handed out in small chunks to whoever has room.

One that dies is said and replaced, a bounded number of times; what it had stored counts, and what it held is handed out
again. Knows actors by `cluster.Cluster`; knows no plan and no score.
"""

from __future__ import annotations

import secrets
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

from tvbench.engines.protocol import EngineInfo, Feed, ListFeed, Prepared, Sight, StoredResponse
from tvbench.errors import EngineError, TvbenchError, UsageError
from tvbench.runs.codec import response_from_json
from tvbench.runs.lines import read_lines
from tvbench.runs.replicas.cluster import Cluster, Died
from tvbench.runs.replicas.parcels import (
    Chunk,
    EngineOrder,
    OpenedEngine,
    PartPlace,
    Problem,
    Report,
    from_line,
    packed,
)
from tvbench.runs.replicas.placement import Placement
from tvbench.runs.replicas.rest import Rest
from tvbench.runs.replicas.slot import Slot
from tvbench.runs.tokens import token_name, withdraw
from tvbench.types import Request, Response

LOW = 8
"""A replica with fewer requests that its engine has not taken has room."""
QUICK_S, SLOW_S = 0.05, 5.0
CLOSE_S, HURRIED_S = 10.0, 2.0


@dataclass(frozen=True, slots=True)
class _Folder:
    """The run's folder that is written now: the driver's token, how the files of its replicas begin, and the highest
    number of such a file that lay there before."""

    folder: Path
    token: str
    token_file: Path
    start: str
    before: int

    @classmethod
    def of(cls, folder: Path, part: str | None) -> _Folder:
        start = f"responses.{part}-r" if part else "responses.r"
        numbers = [path.name[len(start) : -len(".jsonl")] for path in folder.glob(f"{start}*.jsonl")]
        before = max((int(number) for number in numbers if number.isdecimal()), default=0)
        return cls(folder, secrets.token_hex(16), folder / token_name(part), start, before)

    def path(self, serial: int) -> Path:
        return self.folder / f"{self.start}{self.before + serial}.jsonl"

    def for_actor(self, serial: int) -> PartPlace:
        return PartPlace(str(self.folder), self.token, self.path(serial).name, self.token_file.name)


class Replicas:
    """See engines/protocol.py. Opens its replicas when it is made, and waits for the first."""

    sight = Sight(encoded=True)

    def __init__(
        self, cluster: Cluster, order: EngineOrder, placement: Placement, gpus: int, say: Callable[[str], None]
    ) -> None:
        self._cluster = cluster
        self._order = order
        self._placement = placement
        self._gpus = gpus
        self._say = say
        self._serials = count(1)
        self._slots = [Slot(number) for number in range(1, placement.count + 1)]
        self._hosts: dict[str, None] = {}
        self._info: EngineInfo | None = None
        self._turn = 0
        self._rest = Rest(ListFeed(()))
        self._total: int | None = None
        self._news: deque[Response] = deque()
        self._unsaid: list[str] = []
        self._dropped: list[tuple[Path, dict[str, Request]]] = []
        self._place: _Folder | None = None
        self._wait_s = CLOSE_S
        try:
            for slot in self._slots:
                self._fill(slot)
            while not any(slot.is_open for slot in self._slots):
                self._hear(SLOW_S)
        except BaseException:
            self._wait_s = HURRIED_S
            self.close()
            raise

    @property
    def info(self) -> EngineInfo:
        """What the first one that was open says; one that says otherwise is not taken."""
        assert self._info is not None
        return self._info

    def replica_counts(self) -> Mapping[str, Mapping[str, float]]:
        """How each replica stands, by its name."""
        return {f"r{slot.number}": slot.counts() for slot in self._slots}

    def placed(self) -> dict[str, Any]:
        """Where it computes, for the session's entry in the manifest."""
        died = sum(slot.deaths for slot in self._slots)
        told = {"count": len(self._slots), "gpus": self._gpus, "hosts": list(self._hosts)}
        told |= {"on": self._placement.on} if self._placement.on else {}
        return told | ({"died": died} if died else {})

    @contextmanager
    def storing(self, folder: Path, total: int, part: str | None = None) -> Iterator[None]:
        """While `total` requests are served whose answers belong into `folder`, or the `part` of it that the driver
        writes: replicas that see it store them, each in a file that nobody has written before."""
        place = _Folder.of(folder.resolve(), part)
        with suppress(OSError):  # else all answers come back to be stored
            place.token_file.write_text(place.token, encoding="utf-8")
            self._place = place
        self._total = total
        try:
            yield
        finally:
            self._drop()  # where an error keeps the turn from its own end
            self._place, self._total = None, None
            withdraw(place.token_file)

    def untold(self) -> list[Response]:
        """When it is closed: what was stored and nobody heard of, because whoever asked had given up. Each once."""
        unheard: list[Response] = [response for response in self._news if isinstance(response, StoredResponse)]
        dropped, self._dropped = self._dropped, []
        self._news.clear()
        return unheard + [response for path, held in dropped for response in _stored(path, held)]

    def serve(self, feed: Feed) -> Iterator[Response]:
        """See Engine.serve."""
        self._turn += 1
        self._rest = rest = Rest(feed, self._total)
        self._news.clear()
        try:
            while True:
                starved = self._hand_out()
                yield from rest.refused()
                if rest.empty and not self._under_way:
                    return
                self._news += self._hear(QUICK_S if starved else SLOW_S)
                while self._news:
                    yield self._news.popleft()
        finally:
            self._drop()

    def close(self) -> None:
        """See Engine.close: engines first, then their processes, then a Ray of our own. What is not open yet is not
        waited for."""
        actors = [slot.actor for slot in self._slots if slot.actor is not None]
        engines = [slot.actor for slot in self._slots if slot.actor is not None and slot.is_open]
        for slot in self._slots:
            slot.actor = None
        try:
            ends = time.monotonic() + self._wait_s
            asked = [(actor, actor.stopping(self._wait_s)) for actor in engines]
            for actor, call in asked:
                actor.stopped(call, max(0.1, ends - time.monotonic()))
            for actor in actors:
                actor.kill()
        finally:
            self._cluster.close()

    # ── Handing out ───────────────────────────────────────────────────────────────────────────────

    @property
    def _under_way(self) -> int:
        return sum(len(slot.held) for slot in self._slots)

    def _hand_out(self) -> bool:
        """Give to whoever has room. Whether somebody still has, and more may be ready in a moment."""
        starved = False
        places = sum(slot.actor is not None for slot in self._slots)
        for slot in sorted((slot for slot in self._slots if slot.is_open and slot.room), key=lambda one: len(one.held)):
            chunk = self._rest.chunk(slot.held.keys(), self._under_way, places)
            if chunk:
                self._give(slot, chunk)
                continue
            starved = starved or not self._rest.exhausted
            if slot.hungry and slot.actor is not None:  # it may wait for more before it answers what it has
                slot.actor.finish()
                slot.hungry = False
        return starved

    def _give(self, slot: Slot, chunk: list[Prepared]) -> None:
        assert slot.actor is not None
        place = None if self._place is None else self._place.for_actor(slot.serial)
        requests = tuple(packed(prepared.request, prepared.encoded) for prepared in chunk)
        slot.held |= {prepared.request.key: prepared.request for prepared in chunk}
        slot.backlog += len(chunk)
        slot.room = slot.hungry = False
        slot.actor.put(Chunk(self._turn, requests, place))

    def _drop(self) -> None:
        """Whoever iterated has given up, or has all: what is still under way is no answer to the next feed."""
        self._rest = Rest(ListFeed(()))
        for slot in self._slots:
            if slot.held and slot.actor is not None:
                slot.actor.drop(self._turn)
                slot.actor.finish()
                self._wait_s = HURRIED_S
            if slot.held and self._place is not None:
                self._dropped.append((self._place.path(slot.serial), slot.held))
            slot.held = {}

    # ── Hearing ───────────────────────────────────────────────────────────────────────────────────

    def _hear(self, seconds: float) -> list[Response]:
        """What one replica tells, if one does within so many seconds. Raises UsageError or EngineError when none is
        left."""
        by_actor = {slot.actor: slot for slot in self._slots if slot.actor is not None}
        if not by_actor:
            raise self._none_left()
        for actor, slot in by_actor.items():
            if actor.polled is None:
                actor.poll(want=not slot.room, wait_s=2 * SLOW_S)
        # Taken in turns, or one that always has news would be the only one that is heard.
        turns = sorted(by_actor, key=lambda actor: by_actor[actor].heard)
        told = self._cluster.wait(turns, seconds)
        if told is None:
            return []
        slot = by_actor[told]
        slot.heard += 1
        try:
            return self._told(slot, told.report())
        except Died as how:
            return self._died(slot, Problem(str(how)))

    def _told(self, slot: Slot, report: Report) -> list[Response]:
        if report.opened is not None and slot.opened is None and not self._welcome(slot, report.opened):
            return []
        answers: list[Response] = []
        for line, stored in report.answers:
            response = from_line(line)
            if slot.take_back(response):
                answers.append(as_stored(response) if stored else response)
        for key in report.lost:
            slot.held.pop(key, None)
        slot.hungry, slot.backlog = report.hungry, report.backlog
        slot.room = slot.is_open and (slot.hungry or slot.backlog < LOW)
        if report.problem is not None:
            answers += self._died(slot, report.problem, told=True)
        return answers

    def _welcome(self, slot: Slot, opened: OpenedEngine) -> bool:
        """A replica is open; False where it is not the engine that the others are."""
        self._info = self._info or opened.info
        self._hosts.setdefault(opened.host)
        while self._unsaid:
            self._say(self._unsaid.pop(0))
        slot.opened = opened
        if opened.info == self._info:
            return True
        assert slot.actor is not None
        slot.actor.kill()
        self._say(f"{slot.called} is left out: it is {_shown(opened.info)}, and the others are {_shown(self._info)}")
        slot.died()
        slot.last = Problem(f"{slot.called} is another engine than the others")
        return False

    def _died(self, slot: Slot, why: Problem, *, told: bool = False) -> list[Response]:
        """A replica is no more. What it had stored and not told; the rest is asked again, or has failed. One that says
        of itself (`told`) that it cannot open would say so again."""
        called, was_open = slot.called, slot.is_open
        if slot.actor is not None:
            slot.actor.kill()
        held, serial = slot.died(), slot.serial
        slot.last = why
        answers = [] if self._place is None else _stored(self._place.path(serial), held)
        slot.found_stored(len(answers))
        answers += self._rest.left_by(held.values(), why.message)
        self._replace(slot, called, why, len(held), again=was_open or not told)
        return answers

    def _replace(self, slot: Slot, called: str, why: Problem, held: int, *, again: bool) -> None:
        """Another one takes its place, or not; either is said. Where none can be opened it is one error, and no more to
        say."""
        what = f"{called} died: {why.message}" if again else f"{called} cannot be opened: {why.message}"
        again = again and slot.replaceable
        if again:
            self._fill(slot)
        what += "; another one takes its place" if again else "; it is not replaced"
        what = f"warning: {what}" + (f", and {held} of its questions are asked again" if held else "")
        if again or self._info is not None:
            self._say(what)
        else:
            self._unsaid.append(what)

    def _fill(self, slot: Slot) -> None:
        slot.serial = next(self._serials)
        slot.actor = self._cluster.start(self._order, self._gpus)

    def _none_left(self) -> TvbenchError:
        last: Problem = next(slot.last for slot in self._slots if slot.last is not None)
        if self._info is None and last.usage:
            return UsageError(last.message, last.hint)
        if self._info is None:
            return EngineError(last.message, last.hint)
        return EngineError(f"no replica is left; the last: {last.message}", "the same command goes on where it stopped")


def _stored(path: Path, held: dict[str, Request]) -> list[Response]:
    """Answers to what a replica `held` that it stored before it could tell; they are taken out of `held`."""
    found: dict[str, Response] = {}
    for _, data in read_lines(path, []) if path.is_file() else ():
        with suppress(KeyError, TypeError):
            if data["key"] in held:
                found[data["key"]] = as_stored(response_from_json(data))
    for key in found:
        del held[key]
    return list(found.values())


def as_stored(response: Response) -> StoredResponse:
    """The same, known to lie in the run's folder."""
    return StoredResponse(**{name: getattr(response, name) for name in Response.__dataclass_fields__})


def _shown(info: EngineInfo) -> str:
    settings = ", ".join(f"{name}={value}" for name, value in sorted(info.settings.items()))
    return f"{info.name} {info.version}" + (f" ({settings})" if settings else "")
