"""What is heard of an engine and of a session while questions are asked: how many the engine holds, what came of
them, and what a second listener is told. Knows engines by their protocol; no file and no screen.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from tvbench.engines.protocol import Engine, EngineInfo, Feed, Prepared
from tvbench.runs.heartbeat import Heart
from tvbench.runs.listening import Both, EngineState, Listener, Phase, PhaseWatch
from tvbench.runs.metering import Meter
from tvbench.runs.runner import Watch
from tvbench.types import Response

FIRST_NOTE, LAST_NOTE = 1.0, 15.0
"""Seconds after which a session first writes down what it has spent, and between two notes at most: what a killed one
knows."""


class CountedEngine:
    """An engine of which is known what it has taken and not answered. All else is the engine's own."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._taken = self._answered = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    def serve(self, feed: Feed) -> Iterator[Response]:
        """See Engine.serve."""
        for response in self._engine.serve(_CountedFeed(feed, self)):
            self._answered += 1
            yield response

    def close(self) -> None:
        self._engine.close()

    def took(self, number: int) -> None:
        """The engine has so many more."""
        self._taken += number

    def standing(self) -> EngineState:
        """How it stands now; of replicas, what an engine that has some counts of each."""
        counts = getattr(self._engine, "replica_counts", None)
        return EngineState(max(0, self._taken - self._answered), counts() if callable(counts) else {})


class _CountedFeed:
    """A feed of which is counted what is taken."""

    def __init__(self, feed: Feed, held: CountedEngine) -> None:
        self._feed = feed
        self._held = held

    def __getattr__(self, name: str) -> Any:
        return getattr(self._feed, name)

    def take(self, limit: int, *, wait: bool) -> list[Prepared]:
        """See Feed.take."""
        taken = self._feed.take(limit, wait=wait)
        self._held.took(len(taken))
        return taken

    @property
    def dry(self) -> bool:
        return self._feed.dry


class Scoring(Protocol):
    """A watch of COMET's work, as far as it is overheard."""

    def begin(self, total: int, kept: int) -> None: ...

    def scored(self) -> None: ...


class _Watched(Listener):
    """A watch that is no listener, as one."""

    def __init__(self, watch: Watch | Scoring) -> None:
        self._watch = watch
        for name in ("answered", "scored", "doing"):
            setattr(self, name, getattr(watch, name, getattr(self, name)))

    def say(self, text: str, *, detail: bool = False) -> None:
        getattr(self._watch, "note", str)(text)

    def begin(self, phase: Phase, total: int, kept: int, before: str) -> None:
        self._watch.begin(total, kept)


def overheard(watch: Watch | Scoring, listener: Listener) -> PhaseWatch:
    """`watch`, of which the listener hears everything too."""
    if isinstance(watch, PhaseWatch):
        return PhaseWatch(Both(watch.listener, listener), watch.phase, watch.before)
    return PhaseWatch(Both(_Watched(watch), listener), "run")


class CountedWatch:
    """A Watch that tells another one, counts, and has it noted now and then what was spent."""

    def __init__(self, watch: Watch, meter: Meter, note: Callable[[], None]) -> None:
        self.watch = watch
        self.meter = meter
        self.note = note
        self.answered_now = self.failed_now = 0
        self._noted = time.monotonic()
        self._wait = FIRST_NOTE

    def begin(self, total: int, kept: int) -> None:
        self.watch.begin(total, kept)

    def answered(self, response: Response) -> None:
        self.answered_now += response.error is None
        self.failed_now += response.error is not None
        self.meter.add(response)
        self.watch.answered(response)
        if time.monotonic() - self._noted > self._wait:
            self._noted, self._wait = time.monotonic(), min(2 * self._wait, LAST_NOTE)
            self.note()


@contextmanager
def beating(watch: Watch | Scoring, heart: Heart) -> Iterator[PhaseWatch]:
    """`watch` while somebody grades a run: it beats meanwhile, and leaves nothing behind."""
    heart.start()
    try:
        yield overheard(watch, heart)
    finally:
        heart.stop()
