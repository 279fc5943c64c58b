"""The runner and the feed: bad items fail alone, answers are stored as they come, limits stop a run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Container, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tvbench.engines.protocol import Engine, EngineInfo, Feed, Prepared
from tvbench.errors import EngineError, MediaError
from tvbench.runs.feed import DecodeAhead
from tvbench.runs.plan import Overrides, Plan, plan_task
from tvbench.runs.planned import PlannedItem
from tvbench.runs.questions import Questions
from tvbench.runs.runner import Asking, Outcome, TooManyFailures
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Build, BuildOptions, Item, Message, ModelCard, Request, Response, Sampling, Short, Task

CARD = ModelCard("m", "folder", "x")


class EchoEngine:
    """Answers with the prompt's own text: the runner under test needs an engine, not a model."""

    info = EngineInfo("echo", "1")

    def __init__(self, die_after: int | None = None) -> None:
        self.die_after = die_after
        self.served = 0
        self.closed = False

    def serve(self, feed: Feed) -> Iterator[Response]:
        while batch := feed.take(3, wait=True):
            for prepared in batch:
                if self.die_after is not None and self.served >= self.die_after:
                    raise EngineError("the engine died")
                self.served += 1
                yield Response(prepared.request.key, text=str(prepared.request.messages[0].parts[0]), tokens_out=1)

    def close(self) -> None:
        self.closed = True


class Quiet:
    def begin(self, total: int, kept: int) -> None:
        self.total, self.kept = total, kept

    def answered(self, response: Response) -> None:
        pass


def plan_of(count: int, problem: str | None = None) -> Plan:
    items = [
        Item(str(n), "t", "de", (Message("user", (f"text {n}",)),), Short(("x",)), problem=problem if n == 0 else None)
        for n in range(count)
    ]
    task = Task("t", "1", "T", lambda options: Build(items, "d"), {"tvbench": ""}, "accuracy", ())
    return Plan(CARD, (plan_task(task, BuildOptions("tvbench"), CARD, Overrides()),), {})


def sit(
    folder: Path,
    plan: Plan,
    engine: EchoEngine,
    prepare: Callable[[Request], Prepared] = Prepared,
    max_failures: int | None = None,
) -> Outcome:
    with RunWriter(folder) as writer:
        kept = writer.start()
        items = list(plan.planned_items())
        return answered(items, writer, kept, lambda: engine, prepare, max_failures)


def answered(
    items: list[PlannedItem],
    writer: RunWriter,
    kept: Container[str],
    open_engine: Callable[[], Engine],
    prepare: Callable[[Request], Prepared],
    max_failures: int | None = None,
) -> Outcome:
    """What `kept` lacks, answered by an engine that is opened where there is something to ask, and closed."""
    asking = Asking(Questions([items]), writer, kept, Quiet(), max_failures=max_failures)
    if asking.missing:
        with closing(open_engine()) as engine:
            asking.serve(engine, prepare)
    return asking.outcome()


def fail_on(text: str) -> Callable[[Request], Prepared]:
    def prepare(request: Request) -> Prepared:
        if request.messages[0].parts[0] == text:
            raise MediaError("the picture is broken")
        return Prepared(request)

    return prepare


def test_every_item_is_answered_and_stored(tmp_path: Path) -> None:
    engine = EchoEngine()
    outcome = sit(tmp_path / "run", plan_of(10), engine)
    assert outcome == Outcome(total=10, kept=0, answered=10, failed=0) and outcome.complete and engine.closed
    assert {r.text for r in RunFolder(tmp_path / "run").responses().values()} == {f"text {n}" for n in range(10)}


def test_one_bad_item_is_one_failed_item(tmp_path: Path) -> None:
    outcome = sit(tmp_path / "run", plan_of(10), EchoEngine(), fail_on("text 4"))
    assert (outcome.answered, outcome.failed, outcome.complete) == (9, 1, False)
    errors = [r.error for r in RunFolder(tmp_path / "run").responses().values() if r.error]
    assert errors == ["the picture is broken"]


def test_only_bad_items_still_end(tmp_path: Path) -> None:
    outcome = sit(tmp_path / "run", plan_of(1), EchoEngine(), fail_on("text 0"))
    assert (outcome.answered, outcome.failed) == (0, 1)


def test_what_failed_is_asked_again_and_what_was_answered_is_not(tmp_path: Path) -> None:
    sit(tmp_path / "run", plan_of(10), EchoEngine(), fail_on("text 4"))
    engine = EchoEngine()
    outcome = sit(tmp_path / "run", plan_of(10), engine)
    assert engine.served == 1 and outcome == Outcome(total=10, kept=9, answered=1, failed=0) and outcome.complete


def test_a_complete_run_opens_no_engine(tmp_path: Path) -> None:
    sit(tmp_path / "run", plan_of(3), EchoEngine())

    def no_engine() -> EchoEngine:
        raise AssertionError("the engine was opened for nothing")

    with RunWriter(tmp_path / "run") as writer:
        items = list(plan_of(3).planned_items())
        assert answered(items, writer, writer.start(), no_engine, Prepared).complete


def test_a_row_that_cannot_be_asked_is_a_failure_without_an_engine(tmp_path: Path) -> None:
    outcome = sit(tmp_path / "run", plan_of(3, problem="no options"), EchoEngine())
    assert (outcome.answered, outcome.failed) == (2, 1)


def test_an_engine_that_dies_keeps_what_it_answered(tmp_path: Path) -> None:
    engine = EchoEngine(die_after=4)
    with pytest.raises(EngineError, match="died"):
        sit(tmp_path / "run", plan_of(10), engine)
    assert engine.closed and len(RunFolder(tmp_path / "run").responses()) == 4
    assert sit(tmp_path / "run", plan_of(10), EchoEngine()) == Outcome(total=10, kept=4, answered=6, failed=0)


def test_max_failures_stops_the_run(tmp_path: Path) -> None:
    def never(request: Request) -> Prepared:
        raise MediaError("broken")

    with pytest.raises(TooManyFailures, match="--max-failures 2"):
        sit(tmp_path / "run", plan_of(10), EchoEngine(), never, max_failures=2)


def requests(count: int) -> list[Request]:
    return [Request(str(n), (), Sampling()) for n in range(count)]


def test_the_feed_never_runs_further_ahead_than_its_window() -> None:
    begun: list[str] = []
    gate = threading.Event()

    def slow(request: Request) -> Prepared:
        begun.append(request.key)
        gate.wait(5)
        return Prepared(request)

    feed = DecodeAhead(requests(50), slow, threads=4, window=8)
    try:
        assert feed.take(5, wait=False) == [] and not feed.dry
        gate.set()
        taken = 0
        while batch := feed.take(1, wait=True):
            taken += len(batch)
            assert len(begun) <= taken + 8
        assert taken == 50 and feed.dry
    finally:
        feed.close()


def test_a_slow_item_does_not_hold_back_the_others() -> None:
    gate = threading.Event()

    def first_is_slow(request: Request) -> Prepared:
        if request.key == "0":
            gate.wait(5)
        return Prepared(request)

    feed = DecodeAhead(requests(5), first_is_slow, threads=2, window=8)
    try:
        others: list[str] = []
        while len(others) < 4:
            others += [prepared.request.key for prepared in feed.take(8, wait=True)]
        assert sorted(others) == ["1", "2", "3", "4"] and not feed.dry
        gate.set()
        assert [prepared.request.key for prepared in feed.take(8, wait=True)] == ["0"]
    finally:
        gate.set()
        feed.close()
