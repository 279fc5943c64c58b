"""Media decoded ahead of the engine, in parallel, through a window that is bounded in requests and in bytes.

Hands the engine prepared requests in about the order in which they were asked. A request whose media cannot be
used never reaches the engine: it becomes a failed Response. Knows no engine, no store and no task.
"""

from __future__ import annotations

import collections
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from tvbench.data.media.room import admitting
from tvbench.engines.protocol import Prepared
from tvbench.errors import MediaError
from tvbench.types import Request, Response

AHEAD_BYTES = 192 << 20
"""Of decoded media that wait for the engine. What one request holds may come on top."""
ENDED = "the run ended before this was decoded"


class DecodeAhead:
    """A Feed (engines/protocol.py) over `requests`. `prepare` runs in `threads` threads, at most `window` requests
    ahead, and no further while decoded media of `most_bytes` wait. Media whose size is known only when decoding has
    begun wait then (room.admit), so that it does not matter whether the first is large or the last.

    Failures wait in `failures()` until somebody takes them.
    """

    def __init__(
        self,
        requests: Iterable[Request],
        prepare: Callable[[Request], Prepared],
        *,
        threads: int,
        window: int,
        most_bytes: int = AHEAD_BYTES,
    ) -> None:
        self._requests: Iterator[Request] = iter(requests)
        self._prepare = prepare
        self._window = window
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="decode")
        self._pending: collections.deque[tuple[Request, Future[Prepared]]] = collections.deque()
        self._failed: list[Response] = []
        self._exhausted = False
        self._most_bytes = most_bytes
        self._changed = threading.Condition()
        self._held = 0
        self._busy = 0
        self._typical = 0
        self._known = self._promised = 0
        self._turns: collections.deque[object] = collections.deque()
        self._closed = False
        self._refill()

    def take(self, limit: int, *, wait: bool) -> list[Prepared]:
        """See Feed.take. Requests that failed to decode are passed over."""
        while True:
            ready = self._collect(limit)
            self._refill()
            if ready or not wait or not self._pending:
                return ready
            self._wait_for_one()

    @property
    def dry(self) -> bool:
        return self._exhausted and not self._pending

    def failures(self) -> list[Response]:
        """Failed responses since the last call."""
        failed, self._failed = self._failed, []
        return failed

    def close(self) -> None:
        """Stop decoding. What is under way ends on its own; nothing new is begun."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _collect(self, limit: int) -> list[Prepared]:
        ready: list[Prepared] = []
        waiting: collections.deque[tuple[Request, Future[Prepared]]] = collections.deque()
        taken = 0
        while self._pending and len(ready) < limit and taken < self._most_bytes // 2:
            request, future = self._pending.popleft()
            if not future.done():
                waiting.append((request, future))
                continue
            try:
                prepared = future.result()
                ready.append(prepared)
                taken += prepared.memory
            except MediaError as error:
                self._failed.append(Response(request.key, error=str(error)))
            except Exception as error:  # noqa: BLE001 - any exception of decoding is one failed item
                self._failed.append(Response(request.key, error=f"{type(error).__name__}: {error}"))
        waiting.extend(self._pending)
        self._pending = waiting
        with self._changed:
            self._held -= taken
            self._changed.notify_all()
        return ready

    def _refill(self) -> None:
        while not self._exhausted and len(self._pending) < self._window:
            request = next(self._requests, None)
            if request is None:
                self._exhausted = True
                return
            self._pending.append((request, self._pool.submit(self._prepared, request)))

    def _prepared(self, request: Request) -> Prepared:
        """In a thread of the pool: prepare when there is room for what it will hold, by the last one that was done."""
        with self._changed:
            self._changed.wait_for(self._has_room)
            if self._closed:
                raise MediaError(ENDED)
            self._busy += 1
        held, promised = 0, list[int]()
        try:
            with admitting(lambda size: self._admit(size, promised)):
                prepared = self._prepare(request)
            held = prepared.memory
            return prepared
        finally:
            with self._changed:
                self._busy -= 1
                self._known -= bool(promised)
                self._promised -= sum(promised)
                self._held += held
                self._typical = held or self._typical
                self._changed.notify_all()

    def _has_room(self) -> bool:
        waiting = self._held + self._promised + (self._busy - self._known) * self._typical
        return self._closed or waiting < self._most_bytes or not self._held + self._busy

    def _admit(self, size: int, promised: list[int]) -> None:
        """In a thread of the pool: wait, in turn, for room for `size` bytes. `promised` is what the request has got
        already: whoever has some gets the rest at once, or two could wait for each other."""
        me = object()
        with self._changed:
            if not promised:
                self._turns.append(me)
                self._changed.wait_for(lambda: self._closed or (self._turns[0] is me and self._fits(size)))
                self._turns.remove(me)
                self._known += 1
            promised.append(size)
            self._promised += size
            self._changed.notify_all()
            if self._closed:
                raise MediaError(ENDED)

    def _fits(self, size: int) -> bool:
        """Whether so much more may be decoded: what fits, and of larger ones one while another waits."""
        waiting = self._held + self._promised
        return waiting + size <= self._most_bytes or (not self._promised and self._held <= size)

    def _wait_for_one(self) -> None:
        wait([future for _, future in self._pending], return_when=FIRST_COMPLETED)
