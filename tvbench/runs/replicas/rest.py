"""What of one turn is not handed out yet: what the feed has, and what replicas left that died.

Cuts chunks of it: small ones, smaller towards the end, and no more for a replica than its share. A question that was
under way at a death may be why: it is asked when all others are handed out, after a second death alone, and fails when
that kills a replica too. Knows no Ray and no replica.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Collection, Iterable
from math import ceil

from tvbench.engines.protocol import Feed, Prepared
from tvbench.errors import MediaError
from tvbench.runs.keys import media_of
from tvbench.runs.preparing import load
from tvbench.types import Request, Response

CHUNK, FEW = 16, 4
"""Requests in a chunk at most; and where nobody knows how many there are in all."""
ALONE, MOST_TRIES = 2, 3
"""A request that was under way at so many deaths is asked alone; at so many it fails."""


class Rest:
    """`left` is how many requests the feed has, where that is known."""

    def __init__(self, feed: Feed, left: int | None = None) -> None:
        self.exhausted = False
        self._feed = feed
        self._left = left
        self._again: deque[Request] = deque()
        self._suspects: deque[Request] = deque()
        self._tries: Counter[str] = Counter()
        self._refused: list[Response] = []

    @property
    def empty(self) -> bool:
        """Whether nothing is left to be handed out."""
        return self.exhausted and not self._again and not self._suspects

    def chunk(self, held: Collection[str], under_way: int, places: int, most: int = CHUNK) -> list[Prepared]:
        """What a replica that `held` these is handed now, where so many requests are under way at so many replicas.
        Nothing where it has its share or has `most` of all that it may have, or where nothing is ready."""
        if any(self._tries[key] >= ALONE for key in held) or (most < CHUNK and len(held) >= most):
            return []
        size = min(most, self._size(len(held), under_way, places))
        found = self._fresh(size, idle=not (under_way or self._again or self._suspects))
        found += self._taken(self._again, size - len(found))
        return found if found or held else self._taken(self._suspects, 1)

    def blames(self, held: Collection[str]) -> bool:
        """Whether a replica that died while it had these died of the question: it was alone, and not for the first
        time."""
        return len(held) == 1 and all(self._tries[key] for key in held)

    def left_by(self, requests: Iterable[Request], why: str) -> list[Response]:
        """A replica died while it had these: they are handed out again, or have failed."""
        failed: list[Response] = []
        for request in requests:
            self._tries[request.key] += 1
            tries = self._tries[request.key]
            if tries >= MOST_TRIES:
                failed.append(Response(request.key, error=f"{tries} replicas died while they had it; the last: {why}"))
            else:
                (self._suspects if tries >= ALONE else self._again).append(request)
        return failed

    def refused(self) -> list[Response]:
        """What cannot be asked again, because its media cannot be read any more; each once."""
        refused, self._refused = self._refused, []
        return refused

    def _fresh(self, size: int, idle: bool) -> list[Prepared]:
        """So many that nobody had yet, as far as they are ready; where all else is `idle` they are waited for."""
        if self.exhausted or size < 1:
            return []
        taken = self._feed.take(size, wait=idle)
        self.exhausted = self._feed.dry or (idle and not taken)
        if self._left is not None:
            self._left -= len(taken)
        return taken

    def _size(self, held: int, under_way: int, places: int) -> int:
        """Half of what an equal part of the rest would be, up to the replica's share of all that is not answered."""
        if self._left is None:
            return FEW
        rest = max(self._left, 0) + len(self._again) + len(self._suspects)
        share = ceil((rest + under_way) / places)
        return max(0 if held else 1, min(CHUNK, ceil(rest / (2 * places)), share - held))

    def _taken(self, waiting: deque[Request], size: int) -> list[Prepared]:
        """So many of those that are asked again, their media read once more."""
        found: list[Prepared] = []
        while waiting and len(found) < size:
            request = waiting.popleft()
            try:
                found.append(Prepared(request, encoded=tuple(map(load, media_of(request.messages)))))
            except MediaError as error:
                self._refused.append(Response(request.key, error=str(error)))
        return found
