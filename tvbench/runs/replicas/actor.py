"""A replica: one engine in a process of its own, that answers chunks of requests and stores each answer before it
tells it.

The engine is opened, asked and closed in one thread. Whatever goes wrong there is told as a Problem; nothing is raised
across processes. Knows no Ray: it is what `cluster` makes an actor of.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

from tvbench import __version__
from tvbench.data.media.video import Decoder
from tvbench.engines.open import EngineOptions, open_engine
from tvbench.engines.protocol import ALL_OF_IT, Engine, Feed, Prepared
from tvbench.errors import EngineError, TvbenchError, UsageError
from tvbench.registry.places import include
from tvbench.registry.thoughts import without_thinking
from tvbench.runs.preparing import prepare
from tvbench.runs.replicas.parcels import (
    Chunk,
    EngineOrder,
    OpenedEngine,
    PartFile,
    PartPlace,
    Problem,
    Report,
    as_line,
    sees,
)
from tvbench.runs.replicas.work import ChunkFeed
from tvbench.types import Request, Response

LOW = 8
"""So few requests that wait for the engine are worth a word to the driver."""


class Replica:
    """Opens its engine when it is made; `poll` says how that went."""

    def __init__(self, order: EngineOrder) -> None:
        self._order = order
        self._changed = threading.Condition()
        self._opened: OpenedEngine | None = None
        self._problem: Problem | None = None
        self._out: list[tuple[str, bool]] = []
        self._lost: list[str] = []
        self._places: dict[str, tuple[int, PartPlace | None]] = {}
        self._files: dict[PartPlace, PartFile] = {}
        self._seen: set[PartPlace] = set()
        self._told = self._fed = self._hunger_told = False
        self._dropped = 0
        self._sight = ALL_OF_IT
        self._decoder = Decoder(timeout_s=order.video_timeout_s)
        self._feed = ChunkFeed(self._prepare, self._answered, self._notify)
        self._thread = threading.Thread(target=self._work, name="engine", daemon=True)
        self._thread.start()

    # ── For the driver, from any thread ───────────────────────────────────────────────────────────

    def poll(self, want: bool, wait_s: float) -> Report:
        """What is new, as soon as something is; `want`: it is news too that the engine needs more requests."""
        with self._changed:
            self._changed.wait_for(lambda: self._has_news(want or self._fed), wait_s)
            self._fed = False
            answers, self._out = tuple(self._out), []
            lost, self._lost = tuple(self._lost), []
            self._told = self._told or self._opened is not None
            feed = self._feed
            self._hunger_told = feed.hungry
            return Report(self._opened, answers, lost, feed.hungry, feed.backlog, self._problem)

    def put(self, chunk: Chunk) -> None:
        """More to answer."""
        seen = chunk.place is not None and chunk.place not in self._seen and sees(chunk.place)
        with self._changed:
            if chunk.place is not None and seen:
                self._seen = {chunk.place}
            for request in chunk.requests:
                self._places[request.key] = chunk.turn, chunk.place
        self._feed.put(chunk.turn, chunk.requests)
        with self._changed:  # whoever waits for news does not know yet that there was room again
            self._fed, self._hunger_told = True, False
            self._changed.notify_all()

    def finish(self) -> None:
        """Nothing follows for now."""
        self._feed.finish()
        with self._changed:
            self._hunger_told = False

    def drop(self, turn: int) -> None:
        """Answers of this turn and those before are not wanted any more."""
        with self._changed:
            self._dropped = max(self._dropped, turn)
            self._out.clear()
        self._feed.drop(turn)

    def stop(self, wait_s: float) -> bool:
        """Close the engine, and wait so long for that. Whether it is closed."""
        self._feed.close()
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    # ── In the engine's thread ────────────────────────────────────────────────────────────────────

    def _work(self) -> None:
        engine: Engine | None = None
        try:
            engine = self._open()
            while self._feed.wait_for_work():
                self._serve(engine)
        except TvbenchError as error:
            self._end(Problem(error.message, error.hint, isinstance(error, UsageError)))
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever an engine ends in, the driver hears of it
            what = f"{type(error).__name__}: {error}"
            self._end(Problem(what if engine is not None else f"the engine cannot be opened: {what}"))
        finally:
            if engine is not None:
                with suppress(Exception):
                    engine.close()
            self._decoder.close()

    def _open(self) -> Engine:
        order = self._order
        for name, value in order.environment.items():
            os.environ.setdefault(name, value)
        if order.threads is not None:  # Ray says 1 to every process that asks for no cores
            os.environ["OMP_NUM_THREADS"] = str(order.threads)
        if order.version != __version__:
            raise UsageError(
                f"{socket.gethostname()} has tvbench {__version__}, and the run is of {order.version}",
                "install the same version on all machines",
            )
        if Path(order.folder).is_dir():
            os.chdir(order.folder)
        include(order.included)
        engine = open_engine(order.engine, order.card, options=EngineOptions(order.arguments, order.offline))
        self._sight = getattr(engine, "sight", ALL_OF_IT)
        devices = os.environ.get("CUDA_VISIBLE_DEVICES", "")
        with self._changed:
            self._opened = OpenedEngine(engine.info, socket.gethostname(), os.getpid(), devices)
            self._changed.notify_all()
        return engine

    def _serve(self, engine: Engine) -> None:
        """One turn of the engine: until the feed is dry. What it took and did not answer is told."""
        noting = _Noting(self._feed)
        for response in engine.serve(noting):
            noting.under_way.discard(response.key)
            self._answered(response)
        if not noting.taken and not self._feed.dry:
            raise EngineError("the engine ended before it had asked for what there is to answer")
        with self._changed:
            self._lost += [key for key in noting.under_way if self._places.pop(key, None)]
            self._changed.notify_all()

    def _answered(self, response: Response) -> None:
        """Store an answer, and tell it. One that nobody asked for is left out, as is a second one."""
        response = without_thinking(response)
        with self._changed:
            turn, place = self._places.pop(response.key, (0, None))
            if turn <= self._dropped:
                return
        line = as_line(response)
        # A failure is the driver's to write down: it may be asked again, by another replica.
        stored = False
        if place is not None and response.error is None:
            file = self._file(place)
            stored = file.add(line)
            if file.taken_back:
                self._leave(turn)
        with self._changed:
            self._out.append((line, stored))
            self._changed.notify_all()

    def _leave(self, turn: int) -> None:
        """Another writer has the folder, so that the driver is gone: what is left of its turn would be paid in vain."""
        with self._changed:
            gone = [key for key, (of, _) in self._places.items() if of <= turn]
            self._lost += [key for key in gone if self._places.pop(key)]
        self._feed.drop(turn)

    def _file(self, place: PartPlace) -> PartFile:
        """The file of `place`. One run is asked at a time: those of others are closed."""
        if place not in self._files:
            for file in self._files.values():
                file.close()
            self._files = {place: PartFile(place, place in self._seen)}
        return self._files[place]

    def _prepare(self, request: Request) -> Prepared:
        return prepare(request, self._decoder, self._sight)

    def _end(self, problem: Problem) -> None:
        with self._changed:
            self._problem = problem
            self._changed.notify_all()

    def _notify(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _has_news(self, want: bool) -> bool:
        if self._out or self._lost or self._problem is not None:
            return True
        if self._opened is None:
            return False
        hungry = self._feed.hungry
        return not self._told or (hungry and not self._hunger_told) or (want and (hungry or self._feed.backlog < LOW))


class _Noting:
    """A Feed that notes what was taken of another one."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self.under_way: set[str] = set()
        self.taken = 0

    def take(self, limit: int, *, wait: bool) -> list[Prepared]:
        """See Feed.take."""
        taken = self._feed.take(limit, wait=wait)
        self.under_way.update(prepared.request.key for prepared in taken)
        self.taken += len(taken)
        return taken

    @property
    def dry(self) -> bool:
        return self._feed.dry
