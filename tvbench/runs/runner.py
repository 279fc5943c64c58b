"""Keeps the engine full, the store written, and whoever watches informed.

Joins planned items, an engine and a run folder: `Asking` serves what is missing by an engine that somebody else opens
and closes, `answer_items` opens it too. Knows no metric and prints nothing: a `Watch` is told what happens.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass
from typing import Protocol

from tvbench.data.media.video import WORKERS
from tvbench.engines.protocol import Engine, Prepared, StoredResponse
from tvbench.errors import TvbenchError
from tvbench.registry.thoughts import without_thinking
from tvbench.runs.feed import DecodeAhead
from tvbench.runs.questions import Questions
from tvbench.runs.shards import ShardEnd
from tvbench.runs.writer import RunWriter
from tvbench.types import Request, Response

DECODE_THREADS = max(4, WORKERS)
DECODE_WINDOW = 128


class Watch(Protocol):
    """A progress listener: is told how a run goes."""

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
    """How a run ended: keys asked in all, kept from before, answered now, failed now; and how the others of several
    `shard`s stand, where it is one."""

    total: int
    kept: int
    answered: int
    failed: int
    shard: ShardEnd | None = None

    @property
    def complete(self) -> bool:
        return 0 < self.total == self.kept + self.answered


class _Ledger:
    """Counts and stores each response (one that lies in the folder already is only counted), and stops the run at the
    limit of failures."""

    def __init__(self, writer: RunWriter, watch: Watch, max_failures: int | None) -> None:
        self.writer = writer
        self.watch = watch
        self.max_failures = max_failures
        self.answered = 0
        self.failed = 0

    def record(self, response: Response) -> None:
        response = without_thinking(response)  # where the engine did not
        if not isinstance(response, StoredResponse):
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


class Asking:
    """What is to be asked of `questions`, and what came of it: `missing` is what `kept` lacks. Rows that cannot be
    asked are stored as failures at once. Whoever opens an engine does so when something is missing, and hands it to
    `serve`.

    Raises TooManyFailures or StoreError; whatever was answered by then is stored.
    """

    def __init__(
        self,
        questions: Questions,
        writer: RunWriter,
        kept: Container[str],
        watch: Watch,
        *,
        max_failures: int | None = None,
    ) -> None:
        self.missing = questions.missing(kept)
        self._total, self._kept = len(questions), questions.known(kept)
        self._ledger = _Ledger(writer, watch, max_failures)
        watch.begin(self._total, self._kept)
        for key, problem in questions.problems():
            self._ledger.record(Response(key, error=problem))

    def serve(self, engine: Engine, prepare: Callable[[Request], Prepared]) -> None:
        """Have the requests answered by an engine that stays open. Raises EngineError or KeyboardInterrupt too."""
        feed = DecodeAhead(self.missing.requests, prepare, threads=DECODE_THREADS, window=DECODE_WINDOW)
        try:
            for response in engine.serve(feed):
                for failed in feed.failures():
                    self._ledger.record(failed)
                self._ledger.record(response)
            for failed in feed.failures():
                self._ledger.record(failed)
        finally:
            feed.close()

    def outcome(self) -> Outcome:
        """How it stands."""
        return Outcome(self._total, self._kept, self._ledger.answered, self._ledger.failed)
