"""Who opens an engine closes it: a session its own, once and only where something is to ask; a judge one for all its
rounds; an engine that is lent stays open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from judged import open_run
from small_plans import item, task_of

from tvbench.engines.open import EngineOptions
from tvbench.engines.protocol import EngineInfo, Feed, Prepared
from tvbench.errors import EngineError
from tvbench.graders.judge.rubric import choose_rubric
from tvbench.graders.judge.session import JudgeOptions, Judging
from tvbench.graders.judge.spend import Prices
from tvbench.runs import session as sessions
from tvbench.runs.plan import Overrides, Plan, make_ask, plan_task
from tvbench.runs.runner import Outcome
from tvbench.runs.session import RunSession, SessionOptions
from tvbench.runs.store import RunFolder
from tvbench.types import BuildOptions, ModelCard, Response

CARD = ModelCard("m", "folder", "x")


class Counting:
    """An engine that answers the same to everything, and counts what is done to it."""

    info = EngineInfo("counting", "1")

    def __init__(self, text: str = "x", die: bool = False) -> None:
        self.text, self.die = text, die
        self.opened = self.closed = self.served = 0

    def open(self) -> Counting:
        self.opened += 1
        return self

    def serve(self, feed: Feed) -> Iterator[Response]:
        assert self.closed < max(1, self.opened), "it is closed already"
        while batch := feed.take(4, wait=True):
            for prepared in batch:
                if self.die:
                    raise EngineError("it died")
                self.served += 1
                yield Response(prepared.request.key, text=self.text, finish="stop", tokens_in=1, tokens_out=1)

    def close(self) -> None:
        self.closed += 1


class Nobody:
    def begin(self, total: int, kept: int) -> None: ...

    def answered(self, response: Response) -> None: ...


def plan_of(count: int) -> Plan:
    task = plan_task(task_of([item(str(n), f"text {n}") for n in range(count)]), BuildOptions("tvbench"), CARD,
                     Overrides())  # fmt: skip
    return Plan(CARD, (task,), make_ask(CARD, [task], Overrides(), {"name": "counting"}))


def sit(results: Path, engine: Counting, count: int, *, lent: bool = False) -> Outcome:
    plan = plan_of(count)
    options = SessionOptions(EngineOptions({"threads": 2}))
    with RunSession(results / plan.run_name, plan, "counting", options) as session:
        session._prepare = lambda request: Prepared(request)  # type: ignore[method-assign]
        return session.answer(Nobody(), (lambda: nullcontext(engine)) if lent else None)


def test_a_lent_engine_stays_open(tmp_path: Path) -> None:
    engine = Counting()
    assert sit(tmp_path, engine, 5, lent=True).complete and sit(tmp_path / "other", engine, 5, lent=True).complete
    assert (engine.closed, engine.served) == (0, 10)
    assert sit(tmp_path, engine, 5, lent=True).complete and engine.served == 10
    (folder,) = (path for path in tmp_path.iterdir() if path.name != "other")
    (entry,) = RunFolder(folder).manifest().sessions or ()
    assert entry.answered == 5 and entry.arguments == {"threads": 2} and entry.engine == engine.info


@pytest.mark.parametrize("die", [False, True])
def test_a_session_closes_the_engine_that_it_opened(die: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Counting(die=die)
    monkeypatch.setattr(sessions, "open_engine", lambda name, card, options: engine.open())
    if die:
        with pytest.raises(EngineError):
            sit(tmp_path, engine, 3)
    else:
        assert sit(tmp_path, engine, 3).complete and sit(tmp_path, engine, 3).complete
    assert (engine.opened, engine.closed) == (1, 1)


def test_answers_of_other_runs_are_copied_without_an_engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Counting()
    monkeypatch.setattr(sessions, "open_engine", lambda name, card, options: engine.open())
    whole, part = plan_of(6), plan_of(4)
    assert whole.run_name == part.run_name
    assert sit(tmp_path, engine, 6).complete
    (tmp_path / whole.run_name).rename(tmp_path / "elsewhere")
    assert sit(tmp_path, engine, 4).complete
    assert engine.opened == 1
    answers = RunFolder(tmp_path / part.run_name).responses()
    assert {answer.reused_from for answer in answers.values()} == {"elsewhere"} and len(answers) == 4
    manifest = RunFolder(tmp_path / part.run_name).manifest()
    assert manifest.engine == engine.info and "engine:counting@1" in manifest.tasks[0].signature, "who answered there"


def judging(tmp_path: Path, options: JudgeOptions) -> Judging:
    run = RunFolder(open_run(tmp_path, 6))
    manifest = {entry.task: entry for entry in run.manifest().tasks}
    replies = run.responses()
    answers = {name: [(one, replies[key]) for key, one in run.requests()] for name in manifest}
    return Judging(run, answers, CARD, choose_rubric(None, "alm", "tvbench"), "counting", options)


def test_a_judge_keeps_one_engine_open_over_its_rounds(tmp_path: Path) -> None:
    engine = Counting("I cannot say")
    found = judging(tmp_path, JudgeOptions(checked=0, planted=0, asks=3)).ask(engine.open, Nobody())
    assert (engine.opened, engine.closed, engine.served) == (1, 1, 18) and found.scored == 0


def test_a_judge_that_dies_is_closed(tmp_path: Path) -> None:
    engine = Counting(die=True)
    with pytest.raises(EngineError):
        judging(tmp_path, JudgeOptions(checked=0)).ask(engine.open, Nobody())
    assert (engine.opened, engine.closed) == (1, 1)


def test_a_budget_that_pays_for_nothing_opens_nothing(tmp_path: Path) -> None:
    engine = Counting()
    options = JudgeOptions(checked=0, prices=Prices(1e6, 1e6), budget=0.01)
    assert judging(tmp_path, options).ask(engine.open, Nobody()).too_dear and engine.opened == 0
