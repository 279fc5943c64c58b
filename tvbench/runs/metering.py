"""Adds up what a session's answers take, as they come.

The clock runs from the opened engine to the last answer: the end of an engine is nobody's answer. Knows engines by
their protocol; no file and no price.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

from tvbench.engines.protocol import Engine, EngineInfo, Feed
from tvbench.runs.spent import Spent, spent_on
from tvbench.types import Response


class Meter:
    """Adds up what a session gets. `start` sets the clock going; it stands at the last answer."""

    def __init__(self) -> None:
        self._spent = Spent()
        self._started: float | None = None
        self._last: float | None = None

    def start(self) -> None:
        self._started = self._last = time.monotonic()

    def add(self, response: Response) -> None:
        self._last = time.monotonic()
        self._spent += spent_on(response)

    @property
    def spent(self) -> Spent:
        """So far. Nothing is known of time where nothing was asked."""
        if self._started is None or self._last is None:
            return self._spent
        return replace(self._spent, seconds=self._last - self._started)


class Metered:
    """An engine whose answers are added up, whoever asks it."""

    def __init__(self, engine: Engine, meter: Meter) -> None:
        self._engine = engine
        self._meter = meter

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    def serve(self, feed: Feed) -> Iterator[Response]:
        """See Engine.serve."""
        for response in self._engine.serve(feed):
            self._meter.add(response)
            yield response

    def close(self) -> None:
        self._engine.close()
