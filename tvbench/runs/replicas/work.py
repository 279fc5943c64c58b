"""A replica's own feed: chunks of requests as they come from the driver, decoded ahead as in any run.

Tells how much waits and whether the engine waits, so that the driver sends no more than is needed. A feed that was
finished ends the engine's turn; a later chunk begins another. Knows no Ray.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from tvbench.engines.protocol import Prepared
from tvbench.runs.feed import DecodeAhead
from tvbench.types import Request, Response

THREADS = 4


class ChunkFeed:
    """A Feed (engines/protocol.py) for one thread, filled and finished by others. `failed` hears of requests whose
    media cannot be used, `changed` is told when the driver may want to know how it stands."""

    def __init__(
        self, prepare: Callable[[Request], Prepared], failed: Callable[[Response], None], changed: Callable[[], None]
    ) -> None:
        self._prepare = prepare
        self._failed = failed
        self._tell = changed
        self._lock = threading.Condition()
        self._chunks: deque[tuple[int, DecodeAhead]] = deque()
        self._dropped = 0
        self._finished = self._closed = False
        self.backlog = 0
        self.hungry = False

    def put(self, turn: int, requests: Sequence[Request]) -> None:
        """Add requests of the driver's so many-th turn."""
        ahead = DecodeAhead(requests, self._prepare, threads=THREADS, window=len(requests))
        with self._lock:
            self._chunks.append((turn, ahead))
            self.backlog += len(requests)
            self._finished = self.hungry = False
            self._lock.notify_all()

    def finish(self) -> None:
        """Nothing follows for now: the engine is to answer what it has."""
        with self._lock:
            self._finished, self.hungry = True, False
            self._lock.notify_all()

    def drop(self, turn: int) -> None:
        """Nobody waits for requests of this turn and those before it."""
        with self._lock:
            self._dropped = max(self._dropped, turn)
            self._lock.notify_all()

    def close(self) -> None:
        """Nothing will follow at all."""
        with self._lock:
            self._closed = True
            self._lock.notify_all()

    def wait_for_work(self) -> bool:
        """Block until there are requests; False when there never will be."""
        with self._lock:
            self._lock.wait_for(lambda: self._closed or self._chunks)
            return not self._closed

    def take(self, limit: int, *, wait: bool) -> list[Prepared]:
        """See Feed.take."""
        while True:
            ready = self._ready(limit)
            if ready or not wait or self.dry:
                return ready
            if self._chunks:
                ready = self._chunks[0][1].take(limit, wait=True)
                if ready:
                    self._count(len(ready))
                    return ready
            else:
                self._wait()

    @property
    def dry(self) -> bool:
        return self._closed or (self._finished and not self._chunks)

    def _ready(self, limit: int) -> list[Prepared]:
        """What can be had at once. Chunks that are used up, or dropped, go."""
        ready: list[Prepared] = []
        for turn, ahead in list(self._chunks):
            if turn > self._dropped and not self._closed:
                ready += ahead.take(limit - len(ready), wait=False)
            failures = ahead.failures()
            for response in failures:
                self._failed(response)
            if turn <= self._dropped or ahead.dry:
                ahead.close()
                with self._lock:
                    self._chunks.remove((turn, ahead))
            self._count(len(failures))
            if len(ready) >= limit:
                break
        self._count(len(ready))
        return ready

    def _count(self, taken: int) -> None:
        with self._lock:
            self.backlog = max(0, self.backlog - taken) if self._chunks else 0
        if taken:
            self._tell()

    def _wait(self) -> None:
        with self._lock:
            if self._chunks or self._finished or self._closed:
                return
            self.hungry = True
        self._tell()
        with self._lock:
            self._lock.wait_for(lambda: self._chunks or self._finished or self._closed)
