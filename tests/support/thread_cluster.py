"""A cluster whose replicas are threads of this process, for tests of who gets what: Ray and processes are left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

from tvbench.runs.replicas.actor import Replica
from tvbench.runs.replicas.cluster import Died
from tvbench.runs.replicas.parcels import Chunk, EngineOrder, Problem, Report


class ThreadCluster:
    """`make` gives the replica for an order; `lacks` is what is missing for one more."""

    own = True

    def __init__(self, make: Callable[[EngineOrder], Any] = Replica) -> None:
        self.make = make
        self.started: list[ThreadActor] = []
        self.closed = False
        self.lacks = ""

    def check_room(self, count: int, gpus: int) -> int:
        return 0

    def start(self, order: EngineOrder, gpus: int) -> ThreadActor:
        self.started.append(ThreadActor(self.make(order)))
        return self.started[-1]

    def wait(self, actors: Sequence[ThreadActor], seconds: float) -> ThreadActor | None:
        wait([actor.polled for actor in actors if actor.polled], seconds, FIRST_COMPLETED)
        return next((actor for actor in actors if actor.polled and actor.polled.done()), None)

    def missing(self, gpus: int) -> str:
        return self.lacks

    def end(self, actor: ThreadActor, pid: int | None) -> None:
        actor.kill()

    def close(self) -> None:
        for actor in self.started:
            actor.kill()
            actor.pool.shutdown(wait=False)
        self.closed = True


class ThreadActor:
    """As cluster.Actor. `chunks` is what it was handed."""

    def __init__(self, replica: Any) -> None:
        self.replica = replica
        self.polled: Future[Report] | None = None
        self.chunks: list[Chunk] = []
        self.killed = False
        self.pool = ThreadPoolExecutor(2)

    def poll(self, *, want: bool, wait_s: float) -> None:
        self.polled = self.pool.submit(self._poll, want, wait_s)

    def _poll(self, want: bool, wait_s: float) -> Report:
        report: Report = self.replica.poll(want, wait_s)
        if self.killed:
            raise Died("it was killed")
        return report

    def report(self) -> Report:
        assert self.polled is not None
        polled, self.polled = self.polled, None
        return polled.result()

    def put(self, chunk: Chunk) -> None:
        self.chunks.append(chunk)
        if not self.killed:
            self.replica.put(chunk)

    def finish(self) -> None:
        self.replica.finish()

    def drop(self, turn: int) -> None:
        self.replica.drop(turn)

    def stopping(self, wait_s: float) -> Any:
        return self.replica.stop(wait_s)

    def stopped(self, asked: Any, wait_s: float) -> None:
        """It waits in `stopping`."""

    def kill(self) -> None:
        self.killed = True
        self.replica.drop(10**9)
        self.replica.stop(0)
        self.replica._end(Problem("it was killed"))  # whoever polls it hears of that
