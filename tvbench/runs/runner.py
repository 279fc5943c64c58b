"""Keeps the engine full, the store written, and whoever watches informed.

Joins planned items, an engine and a run folder. Knows no metric and prints nothing: a `Watch` is told what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from tvbench.engines.protocol import Engine, Prepared
from tvbench.errors import TvbenchError
from tvbench.runs.feed import DecodeAhead
from tvbench.runs.plan import PlannedItem, requests_of
from tvbench.runs.store import RunWriter
from tvbench.types import Request, Response

DECODE_THREADS = 4
DECODE_WINDOW = 128


class Watch(Protocol):
    """Someone who wants to know how a run goes."""

    def begin(self, total: int, kept: int) -> None:
        """`total` keys in all, of which `kept` were answered before."""
        ...

    def answered(self, response: Response) -> None:
        """One more answer, or one more failure."""
        ...


class TooManyFailures(TvbenchError):
    """`--max-failures` was reached. What was answered is stored."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a run ended: keys asked in all, kept from before, answered now, failed now."""

    total: int
    kept: int
    answered: int
    failed: int

    @property
    def complete(self) -> bool:
        return 0 < self.total == self.kept + self.answered


class _Ledger:
    """Counts and stores each response, and stops the run at the limit of failures."""

    def __init__(self, writer: RunWriter, watch: Watch, max_failures: int | None) -> None:
        self.writer = writer
        self.watch = watch
        self.max_failures = max_failures
        self.answered = 0
        self.failed = 0

    def record(self, response: Response) -> None:
        self.writer.append(response)
        self.watch.answered(response)
        if response.error is None:
            self.answered += 1
            return
        self.failed += 1
        if self.max_failures is not None and self.failed > self.max_failures:
            raise TooManyFailures(
                f"{self.failed} items failed, more than --max-failures {self.max_failures}; the last: {response.error}",
                "fix the cause and run the same command again, or raise --max-failures",
            )


def answer_items(
    items: Sequence[PlannedItem],
    writer: RunWriter,
    kept: Mapping[str, Response],
    open_engine: Callable[[], Engine],
    prepare: Callable[[Request], Prepared],
    watch: Watch,
    *,
    max_failures: int | None = None,
) -> Outcome:
    """Answer what `kept` lacks. The engine is opened only when there is something to ask.

    Raises TooManyFailures, EngineError, StoreError or KeyboardInterrupt; whatever was answered by then is stored.
    """
    problems = {planned.key: planned.item.problem for planned in items if planned.item.problem}
    keys = {planned.key for planned in items}
    requests = requests_of(items, without=kept)
    ledger = _Ledger(writer, watch, max_failures)
    watch.begin(len(keys), len(keys & kept.keys()))
    for key, problem in problems.items():
        ledger.record(Response(key, error=problem))
    if requests:
        engine = open_engine()
        try:
            _serve(engine, requests, prepare, ledger)
        finally:
            engine.close()
    return Outcome(len(keys), len(keys & kept.keys()), ledger.answered, ledger.failed)


def _serve(engine: Engine, requests: list[Request], prepare: Callable[[Request], Prepared], ledger: _Ledger) -> None:
    feed = DecodeAhead(requests, prepare, threads=DECODE_THREADS, window=DECODE_WINDOW)
    try:
        for response in engine.serve(feed):
            for failed in feed.failures():
                ledger.record(failed)
            ledger.record(response)
        for failed in feed.failures():
            ledger.record(failed)
    finally:
        feed.close()
