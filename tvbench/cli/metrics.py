"""`--metrics-port`: how a run goes, for Prometheus, while it goes.

Nobody outside this machine is answered unless a host is named. Needs the package prometheus-client, and says so before
anything is asked.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from tvbench.errors import UsageError
from tvbench.runs.listening import Both, EngineState, Listener, Phase
from tvbench.runs.pace import Pace
from tvbench.types import Response

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

LOOPBACK = "127.0.0.1"
ADDRESS = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.%]+\]|[\w.-]+):)?(?P<port>\d{1,5})", re.ASCII)
NO_STATE = EngineState(0, {})


class Address(NamedTuple):
    """Where is listened."""

    host: str
    port: int


def address(text: str) -> Address:
    """`9464`, `0.0.0.0:9464`, `[::1]:9464`, for argparse."""
    found = ADDRESS.fullmatch(text)
    if found is None or int(found["port"]) > 65535:
        raise argparse.ArgumentTypeError(f"{text} is no port: it is 0 to 65535, or HOST:PORT")
    return Address((found["host"] or LOOPBACK).strip("[]"), int(found["port"]))


@contextmanager
def metered(at: Address | None, listener: Listener) -> Iterator[Listener]:
    """A listener that tells `listener`, and answers Prometheus meanwhile; the same one where no port is given.

    Raises UsageError where the package is missing or the port cannot be had."""
    if at is None:
        yield listener
        return
    meter = RunMeter()
    server, thread = _listen(at, meter)
    shown = f"[{at.host}]" if ":" in at.host else at.host
    listener.say(f"metrics: http://{shown}:{server.server_port}/metrics", detail=True)
    try:
        yield Both(listener, meter)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _listen(at: Address, meter: RunMeter) -> Any:
    try:
        from prometheus_client import CollectorRegistry, start_http_server
    except ImportError as error:
        raise UsageError("--metrics-port needs prometheus-client", "pip install 'tvbench[metrics]'") from error
    registry = CollectorRegistry()
    registry.register(meter)
    try:
        return start_http_server(at.port, at.host, registry)
    except (OSError, UnicodeError) as error:
        why = getattr(error, "strerror", None) or error
        raise UsageError(
            f"--metrics-port: {at.host} port {at.port} cannot be listened on: {why}",
            "choose another port, or 0 for any that is free",
        ) from error


class RunMeter(Listener):
    """Counts over all runs of a process, as Prometheus takes them (a collector): sums go on from run to run of a suite,
    what is asked now is that of the present one."""

    def __init__(self) -> None:
        self._done: dict[str, float] = {
            "answered": 0,
            "failed": 0,
            "tokens_in": 0,
            "tokens_out": 0,
            "answer_seconds": 0,
        }
        self._counts: dict[Phase, dict[str, float]] = {}
        self._phase: Phase = "run"
        self._total = self._kept = self._now = self._runs = 0
        self._loading = False
        self._engine: Callable[[], EngineState] | None = None
        self._pace = Pace()

    # ── What it is told ───────────────────────────────────────────────────────────────────────────

    def begin(self, phase: Phase, total: int, kept: int, before: str) -> None:
        """See Listener."""
        self._phase, self._total, self._kept, self._now = phase, total, kept, 0
        self._counts.setdefault(phase, dict.fromkeys(COUNTERS, 0.0))
        self._runs += phase == "run"
        self._pace.start()

    def opening(self, name: str) -> None:
        """See Listener."""
        self._loading = True

    def opened(self) -> None:
        """See Listener."""
        self._loading = False
        self._pace.start()

    def serving(self, engine: Callable[[], EngineState]) -> None:
        """See Listener."""
        self._engine = engine

    def answered(self, response: Response) -> None:
        """See Listener."""
        self._add(
            answered=response.error is None,
            failed=response.error is not None,
            tokens_in=response.tokens_in or 0,
            tokens_out=response.tokens_out or 0,
            answer_seconds=response.seconds or 0.0,
        )

    def scored(self) -> None:
        """See Listener."""
        self._add(answered=1)

    def end(self, phase: Phase) -> None:
        """See Listener."""
        self._engine, self._loading = None, False

    def _add(self, **more: float) -> None:
        counts = self._counts.setdefault(self._phase, dict.fromkeys(COUNTERS, 0.0))
        for name, number in more.items():
            counts[name] += number
        self._now += 1
        self._pace.add()

    # ── What it tells ─────────────────────────────────────────────────────────────────────────────

    def collect(self) -> Iterator[Metric]:
        """Whatever Prometheus asks for, at the time when it asks."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        for name, about in COUNTERS.items():
            counter = CounterMetricFamily(f"tvbench_{name}", about, labels=["phase"])
            for phase, counts in list(self._counts.items()):
                counter.add_metric([phase], counts[name])
            yield counter
        state = self._state()
        for name, value in self._gauges(state).items():
            yield GaugeMetricFamily(f"tvbench_{name}", GAUGES[name], value=value)
        of_replicas = GaugeMetricFamily("tvbench_replica", GAUGES["replica"], labels=["replica", "figure"])
        for replica, figures in state.replicas.items():
            for figure, number in figures.items():
                of_replicas.add_metric([str(replica), str(figure)], float(number))
        yield of_replicas

    def _gauges(self, state: EngineState) -> Mapping[str, float]:
        return {
            "runs_begun": self._runs,
            "questions": self._total,
            "questions_done": min(self._total, self._kept + self._now),
            "in_flight": state.in_flight,
            "per_second": self._pace.lately(),
            "replicas": len(state.replicas) or (1 if self._engine is not None else 0),
            "loading": float(self._loading),
        }

    def _state(self) -> EngineState:
        engine = self._engine
        if engine is None:
            return NO_STATE
        try:
            return engine()
        except Exception:  # noqa: BLE001 - an engine that cannot tell is asked all the same
            return NO_STATE


COUNTERS = {
    "answered": "Questions that got an answer (phase run, judge), segments that got a score (comet)",
    "failed": "Questions that failed",
    "tokens_in": "Tokens of the prompts",
    "tokens_out": "Tokens of the answers, with what was thought aloud",
    "answer_seconds": "Seconds that the answers took, one by one, added up",
}
GAUGES = {
    "runs_begun": "Runs of this process that have begun",
    "questions": "Questions of the present phase in all",
    "questions_done": "Of these, answered before or now, or failed now",
    "in_flight": "Questions that the engine has taken and not answered",
    "per_second": "Answers and failures a second over the last minute",
    "replicas": "Replicas of the engine that is open: 1 where it has none, 0 while none is open",
    "loading": "1 while the engine is being opened",
    "replica": "What the engine counts of each replica",
}
