"""Asks the runs of a suite, model by model, and goes on to the next model whatever becomes of one.

An engine is opened when the first run of a model has something to ask, serves the runs that ask the same model in the
same way, and is closed before anybody grades: a judge or COMET may need the memory. Knows no task and prints nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, TypeVar

from tvbench.engines.protocol import Engine
from tvbench.errors import EngineError, TvbenchError
from tvbench.runs.asking import Ready, Say, session_options
from tvbench.runs.disk import StoreError
from tvbench.runs.session import Lend, opened
from tvbench.suites.planning import SuiteRun

Answered = TypeVar("Answered")
Graded = TypeVar("Graded")


@dataclass(frozen=True, slots=True)
class SuiteSteps(Generic[Answered, Graded]):
    """How one run is answered, by an engine that is lent, and then graded."""

    answer: Callable[[Ready, Lend], Answered]
    grade: Callable[[Answered], Graded]


@dataclass(frozen=True, slots=True)
class SuiteEnd(Generic[Graded]):
    """What became of one run: what it gave, or why not."""

    run: SuiteRun
    outcome: Graded | None = None
    error: str = ""


class SharedEngine:
    """One engine at a time: opened when it is first lent, kept for who asks the same, closed at the end and after any
    error, since nobody knows what state it is in."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._engine: Engine | None = None
        self._for: tuple[Any, ...] | None = None

    def lend(self, ready: Ready) -> AbstractContextManager[Engine]:
        """The engine for `ready`, open."""
        return self._lent(ready)

    @contextmanager
    def _lent(self, ready: Ready) -> Iterator[Engine]:
        session = session_options(ready)
        options, name, card = session.engine, ready.chosen.name, ready.plan.card
        wanted = (name, card, dict(options.arguments), options.offline, session.placement)
        if self._engine is None or self._for != wanted:
            self.close()
            self._engine = opened(name, card, session, self._say)
            self._for = wanted
        try:
            yield self._engine
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close what is open."""
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.close()


def ask_all(runs: Sequence[SuiteRun], steps: SuiteSteps[Answered, Graded], say: Say) -> Iterator[SuiteEnd[Graded]]:
    """Every run, answered and graded; what one of them ends in is told, and the next one begins. Raises StoreError
    (nobody could store anything), and whatever is no Exception."""
    total, done = len(runs), 0
    for _, group in groupby(runs, key=lambda run: run.combination.number):
        of_model = list(group)
        answered = _answered(of_model, steps, say, done, total)
        done += len(of_model)
        for end in answered:
            yield _graded(end, steps)


def _answered(
    runs: Sequence[SuiteRun], steps: SuiteSteps[Answered, Any], say: Say, done: int, total: int
) -> list[SuiteEnd[Answered]]:
    """The runs of one model; when its engine or server fails, its other runs are not tried."""
    ends: list[SuiteEnd[Answered]] = []
    failed = ""
    shared = SharedEngine(say)
    try:
        for number, run in enumerate(runs, done + 1):
            say(f"run {number} of {total}: {run.combination.called}")
            end: SuiteEnd[Answered] = SuiteEnd(run, error=failed or run.problem)
            if not end.error and run.ready is not None:
                end, ended = _one(run, run.ready, steps, shared)
                failed = end.error if ended else ""
            if end.error:
                say(f"{run.combination.called} failed: {end.error}")
            ends.append(end)
    finally:
        shared.close()
    return ends


def _one(
    run: SuiteRun, ready: Ready, steps: SuiteSteps[Answered, Any], shared: SharedEngine
) -> tuple[SuiteEnd[Answered], bool]:
    """One run, and whether its model cannot be asked any more."""
    try:
        return SuiteEnd(run, steps.answer(ready, lambda: shared.lend(ready))), False
    except StoreError:
        raise
    except TvbenchError as error:
        return SuiteEnd(run, error=str(error)), isinstance(error, EngineError)
    except Exception as error:  # noqa: BLE001 - whatever an engine ends in, the other models are asked
        return SuiteEnd(run, error=f"{type(error).__name__}: {error}"), True


def _graded(end: SuiteEnd[Answered], steps: SuiteSteps[Answered, Graded]) -> SuiteEnd[Graded]:
    if end.outcome is None:
        return SuiteEnd(end.run, error=end.error)
    try:
        return SuiteEnd(end.run, steps.grade(end.outcome))
    except StoreError:
        raise
    except TvbenchError as error:
        return SuiteEnd(end.run, error=str(error))


def failures(ends: Iterable[SuiteEnd[Any]]) -> dict[str, str]:
    """Why runs failed, by what they are called; an error that several share is named once."""
    found: dict[str, str] = {}
    for end in ends:
        if end.error and end.error not in found.values():
            found[end.run.combination.called] = end.error
    return found
