"""The replicas of an engine, as one engine: one queue of requests, handed out in small chunks to whoever has room.

What one that died had stored counts, and what it held is handed out again. Knows its processes by `crew.Crew`; knows no
plan and no score.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tvbench.engines.protocol import EngineInfo, Feed, ListFeed, Prepared, Sight, StoredResponse
from tvbench.runs.driver_token import withdraw
from tvbench.runs.replicas.cluster import Cluster
from tvbench.runs.replicas.crew import Crew, Death
from tvbench.runs.replicas.parcels import Chunk, EngineOrder, packed
from tvbench.runs.replicas.placement import Placement
from tvbench.runs.replicas.rest import CHUNK, Rest
from tvbench.runs.replicas.slot import Slot
from tvbench.runs.replicas.written import WrittenFolder, take_stored
from tvbench.types import Request, Response

QUICK_S, SLOW_S = 0.05, 5.0
CLOSE_S, HURRIED_S = 10.0, 2.0


class Replicas:
    """See engines/protocol.py. Opens its replicas when it is made, and waits for the first."""

    sight = Sight(encoded=True)

    def __init__(
        self, cluster: Cluster, order: EngineOrder, placement: Placement, gpus: int, say: Callable[[str], None]
    ) -> None:
        self._placement = placement
        self._gpus = gpus
        self._crew = Crew(cluster, order, placement.count, gpus, say)
        self._slots = self._crew.slots
        self._turn = 0
        self._rest = Rest(ListFeed(()))
        self._total: int | None = None
        self._news: deque[Response] = deque()
        self._dropped: list[tuple[Path, dict[str, Request]]] = []
        self._place: WrittenFolder | None = None
        self._wait_s = CLOSE_S
        try:
            self._crew.start()
            while not self._crew.any_open:
                self._hear(SLOW_S)
        except BaseException:
            self._wait_s = HURRIED_S
            self.close()
            raise

    @property
    def info(self) -> EngineInfo:
        """What the first one that was open says; one that says otherwise is not taken."""
        assert self._crew.info is not None
        return self._crew.info

    def replica_counts(self) -> Mapping[str, Mapping[str, float]]:
        """How each replica stands, by its name."""
        return {f"r{slot.number}": slot.counts() for slot in self._slots}

    def placed(self) -> dict[str, Any]:
        """Where it computes, for the session's entry in the manifest."""
        died = sum(slot.deaths for slot in self._slots)
        told = {"count": len(self._slots), "gpus": self._gpus, "hosts": list(self._crew.hosts)}
        told |= {"on": self._placement.on} if self._placement.on else {}
        return told | ({"died": died} if died else {})

    @contextmanager
    def storing(self, folder: Path, total: int, part: str | None = None) -> Iterator[None]:
        """While `total` requests are served whose answers belong into `folder`, or the `part` of it that the driver
        writes: replicas that see it store them, each in a file that nobody has written before."""
        place = WrittenFolder.of(folder.resolve(), part)
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
        return unheard + [response for path, held in dropped for response in take_stored(path, held)]

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
        """See Engine.close."""
        self._crew.close(self._wait_s)

    def _hear(self, seconds: float) -> list[Response]:
        """What one replica tells is answered, within so many seconds. Raises UsageError or EngineError when none is
        left."""
        heard = self._crew.hear(seconds)
        return [*heard.answers, *(self._left_by(heard.death) if heard.death is not None else ())]

    def _left_by(self, death: Death) -> list[Response]:
        """What a dead replica had stored and not told; the rest is asked again, or has failed."""
        stored = [] if self._place is None else take_stored(self._place.path(death.serial), death.held)
        death.slot.found_stored(len(stored))
        if self._rest.blames(death.held):
            death.slot.excuse()
        failed = self._rest.left_by(death.held.values(), death.why.message)
        self._crew.replace(death, len(death.held) - len(failed), len(failed))
        return stored + failed

    # ── Handing out ───────────────────────────────────────────────────────────────────────────────

    @property
    def _under_way(self) -> int:
        return sum(len(slot.held) for slot in self._slots)

    def _hand_out(self) -> bool:
        """Give to whoever has room. Whether somebody still has, and more may be ready in a moment."""
        starved = False
        places = len(self._crew.living)
        for slot in sorted((slot for slot in self._slots if slot.is_open and slot.room), key=lambda one: len(one.held)):
            chunk = self._rest.chunk(slot.held.keys(), self._under_way, places, most=CHUNK if not slot.in_a_row else 1)
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
        slot.hand({prepared.request.key: prepared.request for prepared in chunk})
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
