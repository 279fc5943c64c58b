"""What a run has spent: by session and in all, whoever went on with it, and whatever ended it."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import chat_server
from fault_server import Call, FaultServer, keyless_server, raw
from served import sentences
from small_plans import item, task_of

from tvbench import api
from tvbench.analysis.cost import run_cost
from tvbench.cli.main import main
from tvbench.engines.open import EngineOptions
from tvbench.engines.protocol import EngineInfo, Feed
from tvbench.runs import session as sessions
from tvbench.runs.history import settled
from tvbench.runs.manifest import Session
from tvbench.runs.plan import Overrides, Plan, make_ask, plan_task
from tvbench.runs.session import RunSession, SessionOptions
from tvbench.runs.spent import Spent, spent_from_json, spent_on, spent_to_json, total
from tvbench.runs.store import RunFolder, find_runs
from tvbench.types import BuildOptions, ModelCard, Response

IN, OUT = 7, 3
"""What the server counts for every answer."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    with keyless_server(monkeypatch) as running:
        yield running


def ask(url: str, folder: Path, *words: str, tasks: str = "multi30k:de", items: int = 30) -> int:
    data = sentences(folder / "data", items)
    model = f"openai:served-model@{url}"
    given = ["--model", model, "--tasks", tasks, "--no-image", "--data", str(data), "--results", str(folder / "out")]
    return main(["run", *given, "--concurrency", "4", *words])


def refuse(server: FaultServer, numbers: range) -> None:
    refusal = raw(b'{"error": {"message": "no"}}', code=422)
    refused = {f"dog number {number}" for number in numbers}
    server.everything = lambda call: refusal(call) if call.text.rpartition("\n")[2] in refused else call.answer()


def the_run(folder: Path) -> RunFolder:
    (run,) = find_runs(folder / "out")
    return run


def sums(parts: Any) -> tuple[int, int, int]:
    whole = total(parts)
    return whole.answers, whole.tokens_in, whole.tokens_out


# ── Sessions ──────────────────────────────────────────────────────────────────────────────────────


def test_three_sessions_add_up(server: FaultServer, tmp_path: Path) -> None:
    refuse(server, range(10, 30))
    assert ask(server.root, tmp_path, "--price", "1,10") == 1
    refuse(server, range(20, 30))
    assert ask(server.root, tmp_path) == 1
    server.everything = None
    assert ask(server.root, tmp_path) == 0
    run = the_run(tmp_path)
    parts = [session.spent for session in run.manifest().sessions or ()]
    assert [part.answers for part in parts] == [10, 10, 10]
    assert sums(parts) == (30, 30 * IN, 30 * OUT) and all(part.seconds for part in parts)
    cost = run_cost(run)
    whole = cost.whole
    assert (whole.spent.answers, whole.spent.tokens_in, whole.spent.tokens_out) == (30, 30 * IN, 30 * OUT)
    assert whole.dollars == pytest.approx(30 * (IN * 1 + OUT * 10) / 1e6), "the price of the first session holds"
    assert whole.seconds == pytest.approx(sum(part.seconds or 0 for part in parts))
    assert cost.again.spent.answers == 16, "what was asked again to see that it is the same model is told apart"
    assert cost.again.dollars == pytest.approx(16 * (IN * 1 + OUT * 10) / 1e6)


def test_a_price_is_recorded_and_moves_no_key_and_no_name(server: FaultServer, tmp_path: Path) -> None:
    for name, words in (("a", ()), ("b", ("--price", "2.5,10,0.5")), ("c", ("--price", "2/h"))):
        (tmp_path / name).mkdir()
        assert ask(server.root, tmp_path / name, *words, items=3) == 0
    runs = [the_run(tmp_path / name) for name in "abc"]
    assert len({run.name for run in runs}) == 1
    assert len({tuple(sorted(run.responses())) for run in runs}) == 1
    assert len({run.manifest().tasks[0].signature for run in runs}) == 1
    prices = [run.manifest().model.prices for run in runs]
    assert prices == [{}, {"input": 2.5, "output": 10.0, "cached": 0.5}, {"hour": 2.0}]
    free, by_tokens, by_time = (run_cost(run) for run in runs)
    assert free.whole.dollars is None and free.whole.unpriced == 3
    assert by_tokens.whole.dollars == pytest.approx(3 * (2.5 * IN + 10 * OUT) / 1e6)
    assert by_time.whole.seconds and by_time.whole.dollars == pytest.approx(2 * by_time.whole.seconds / 3600)


def test_what_other_runs_answered_costs_nothing_and_is_said(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(server.root, tmp_path, "--price", "1,1") == 0
    first = the_run(tmp_path)
    capsys.readouterr()
    assert ask(server.root, tmp_path, "--price", "1,1", tasks="multi30k:de+fr") == 0
    assert "30 answers of other runs cost nothing" in capsys.readouterr().out
    (second,) = [run for run in find_runs(tmp_path / "out") if run.name != first.name]
    whole = run_cost(second).whole
    assert (whole.spent.answers, whole.reused, whole.spent.tokens_in) == (30, 30, 30 * IN)
    assert whole.dollars == pytest.approx(30 * (IN + OUT) / 1e6)
    assert ask(server.root, tmp_path, "--limit", "5") == 0
    (third,) = [run for run in find_runs(tmp_path / "out") if run.name not in (first.name, second.name)]
    copied = run_cost(third)
    assert copied.whole.spent == Spent() and copied.whole.reused == 5 and copied.whole.seconds == 0
    assert copied.untimed == 0


def test_a_server_that_names_its_price_is_believed(server: FaultServer, tmp_path: Path) -> None:
    details = {"prompt_tokens_details": {"cached_tokens": 4}, "completion_tokens_details": {"reasoning_tokens": 1}}
    usage = {"prompt_tokens": IN, "completion_tokens": OUT, "cost": 0.25, **details}
    server.everything = lambda call: call.answer(usage=usage)
    assert ask(server.root, tmp_path, "--price", "1,1", items=4) == 0
    whole = run_cost(the_run(tmp_path)).whole
    assert whole.dollars == pytest.approx(1.0) and whole.unpriced == 0
    assert (whole.spent.tokens_cached, whole.spent.tokens_thinking, whole.spent.told) == (16, 4, 4)


@pytest.mark.parametrize("cost", ["0.25", True, -1, None, [1], 1e300, float("nan")])
def test_a_price_that_is_none_is_not_believed(server: FaultServer, tmp_path: Path, cost: object) -> None:
    usage = {"prompt_tokens": IN, "completion_tokens": OUT, "cost": cost, "prompt_tokens_details": cost}
    server.everything = lambda call: call.answer(usage=usage)
    assert ask(server.root, tmp_path, "--price", "1,1", items=1) == 0
    assert run_cost(the_run(tmp_path)).whole.dollars == pytest.approx((IN + OUT) / 1e6)


def test_answers_without_a_number_of_tokens_are_said(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole_usage = {"prompt_tokens": IN, "completion_tokens": OUT}
    server.everything = lambda call: call.answer(usage=whole_usage if call.text.endswith("1") else None)
    assert ask(server.root, tmp_path, "--price", "1,1", items=2) == 0
    said = capsys.readouterr().out
    assert "1 of 2 answers came without a number of tokens" in said and "1 of 2 answers are not in the" in said
    whole = run_cost(the_run(tmp_path)).whole
    assert (whole.spent.tokens_in, whole.unpriced) == (IN, 1)


# ── A budget ──────────────────────────────────────────────────────────────────────────────────────


def test_a_run_stops_before_its_budget_is_passed_and_goes_on_with_more(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("--price", "1000,1000", "--max-new-tokens", "8", "--same-model")
    assert ask(server.root, tmp_path, *words, "--budget", "0.25") == 1
    said = capsys.readouterr()
    assert "the budget of $0.25 is used up" in said.err and "higher --budget" in said.err
    first = run_cost(the_run(tmp_path)).whole
    assert first.dollars is not None and 0 < first.dollars <= 0.25 and len(server.bodies) == first.spent.answers < 30
    assert ask(server.root, tmp_path, *words, "--budget", "0.25") == 1
    assert run_cost(the_run(tmp_path)).whole.spent.answers == first.spent.answers, "what was spent before counts"
    assert ask(server.root, tmp_path, *words, "--budget", "5") == 0
    whole = run_cost(the_run(tmp_path)).whole
    assert whole.spent.answers == 30 == len(server.bodies) and whole.dollars == pytest.approx(30 * 0.01)


@pytest.mark.parametrize("concurrency", ["1", "4", "16"])
def test_a_budget_is_never_passed_by_answers_that_arrive(server: FaultServer, tmp_path: Path, concurrency: str) -> None:
    luck, lock = random.Random(1), threading.Lock()

    def dear(call: Call) -> None:
        with lock:
            usage = {"prompt_tokens": luck.randrange(60), "completion_tokens": luck.randrange(9)}
        call.answer(usage=usage)

    server.everything = dear
    words = ("--price", "1000,1000", "--max-new-tokens", "8", "--concurrency", concurrency)
    assert ask(server.root, tmp_path, *words, "--budget", "1") == 1
    whole = run_cost(the_run(tmp_path)).whole
    assert whole.dollars is not None and 0.5 < whole.dollars <= 1 and whole.spent.answers == len(server.bodies)


def test_a_budget_needs_a_price(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask("http://127.0.0.1:9", tmp_path, "--budget", "1") == 2
    assert "--budget needs to know what an answer costs" in capsys.readouterr().err


# ── The clock ─────────────────────────────────────────────────────────────────────────────────────


def test_the_clock_stops_at_the_last_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    late = [0.0]
    clock = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: clock() + late[0])

    class Slow:
        """An engine that takes long to open and to close."""

        info = EngineInfo("slow", "1")

        def serve(self, feed: Feed) -> Iterator[Response]:
            while batch := feed.take(4, wait=True):
                for prepared in batch:
                    late[0] += 10
                    yield Response(prepared.request.key, text="x", finish="stop", tokens_in=1, tokens_out=1)

        def close(self) -> None:
            late[0] += 10_000

    def opened(*_: object, **__: object) -> Slow:
        late[0] += 10_000
        return Slow()

    monkeypatch.setattr(sessions, "open_engine", opened)
    task = task_of([item("1", "a", ()), item("2", "b", ())])
    card = ModelCard("m", "folder", "x")
    planned = [plan_task(task, BuildOptions("tvbench"), card, Overrides())]
    plan = Plan(card, tuple(planned), make_ask(card, planned, Overrides(), {"name": "slow"}))

    class Nobody:
        def begin(self, total: int, kept: int) -> None: ...

        def answered(self, response: Response) -> None: ...

    with RunSession(tmp_path / "run", plan, "slow", SessionOptions(EngineOptions({}))) as session:
        session.answer(Nobody())
    manifest = RunFolder(tmp_path / "run").manifest()
    (one,) = manifest.sessions or ()
    assert one.spent.seconds is not None and 20 <= one.spent.seconds < 1000
    assert 1 / 1000 < manifest.speed["requests_per_second"] / 2 <= 1 / 20


# ── Killed ────────────────────────────────────────────────────────────────────────────────────────


def test_a_killed_session_is_counted_once(tmp_path: Path) -> None:
    sentences(tmp_path / "data", 40)
    with chat_server(delay=0.05) as server:
        words = ["run", "--model", server.model, "--tasks", "multi30k:de", "--no-image", "--concurrency", "2"]
        words += ["--data", str(tmp_path / "data"), "--results", str(tmp_path / "out"), "--quiet", "--price", "1,1"]
        for stored in (5, 15):
            process = subprocess.Popen([sys.executable, "-m", "tvbench", *words], start_new_session=True)
            while sum(path.read_bytes().count(b"\n") for path in tmp_path.glob("out/*/responses.jsonl")) < stored:
                assert process.poll() is None
                time.sleep(0.01)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        assert main(words) == 0
    run = the_run(tmp_path)
    parts = [session.spent for session in run.manifest().sessions or ()]
    assert len(parts) == 3
    assert sums(parts) == (40, 40 * 5, 40 * 2), "no answer is counted twice, and none is forgotten"
    whole = run_cost(run).whole
    assert (whole.spent.answers, whole.spent.tokens_in) == (40, 40 * 5)
    assert whole.dollars == pytest.approx(40 * 7 / 1e6)


def test_the_time_of_a_killed_session_is_what_it_noted_at_its_pace_or_not_known() -> None:
    own = Spent(answers=10, tokens_in=100, tokens_out=10, latency=10.0)
    noted = Session(spent=Spent(answers=4, tokens_in=40, tokens_out=4, latency=4.0, seconds=8.0))
    (found,) = settled([noted], 10, own)
    assert (found.answered, found.spent.answers, found.spent.tokens_in, found.spent.seconds) == (10, 10, 100, 20.0)
    (found,) = settled([Session()], 10, own)
    assert found.spent.answers == 10 and found.spent.seconds is None
    before = Session(answered=3)
    assert settled([before, noted], 10, own)[1].spent == noted.spent, "of an older session nobody knows the tokens"


# ── What a manifest holds ─────────────────────────────────────────────────────────────────────────

DAMAGES: list[Any] = ["text", -1, 1.5, True, None, [], {}, float("nan"), float("inf"), 1e300, 10**400]


def damaged(data: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """A manifest whose field is something else."""
    broken: dict[str, Any] = json.loads(json.dumps(data))
    (session,) = broken["sessions"]
    match name:
        case "spent":
            session["spent"] = value
        case "price":
            broken["model"]["prices"]["input"] = value
        case "speed":
            broken["speed"]["requests_per_second"] = value
        case _:
            session["spent"][name] = value
    return broken


def test_damaged_fields_are_named_and_nothing_falls_over(
    server: FaultServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ask(server.root, tmp_path, "--price", "1,1", items=2) == 0
    run = the_run(tmp_path)
    data = json.loads((run.path / "manifest.json").read_text())
    names = [*data["sessions"][0]["spent"], "spent", "price", "speed"]
    for name, value in [(name, value) for name in names for value in DAMAGES]:
        broken = damaged(data, name, value)
        (run.path / "manifest.json").write_text(json.dumps(broken))
        cost = run_cost(run)
        assert cost.whole.spent.tokens_in == 2 * IN, "tokens are counted from the answers"
        if name == "price":
            assert cost.problems and cost.whole.dollars is None or value == 1.5
        elif name == "spent":
            assert cost.untimed == 1 and (cost.problems or value in (None, {}))
        elif name != "speed":
            assert bool(cost.problems) == bool(spent_from_json(broken["sessions"][0]["spent"]).damaged)
        if name in ("price", "speed"):
            assert ask(server.root, tmp_path, "--dry-run", "--fresh", items=2) == 0, (name, value)
    assert ask(server.root, tmp_path, items=2) == 0
    assert "Traceback" not in capsys.readouterr().err


def test_what_is_written_comes_back() -> None:
    luck = random.Random(1)
    for _ in range(200):
        spent = total(
            spent_on(
                Response(
                    "k",
                    text="x",
                    tokens_in=luck.choice([None, luck.randrange(10**6)]),
                    tokens_out=luck.choice([None, luck.randrange(10**6)]),
                    tokens_cached=luck.choice([None, luck.randrange(10**6)]),
                    dollars=luck.choice([None, 0.25, 0.0]),
                    seconds=luck.choice([None, 0.5, 2.0]),
                )
            )
            for _ in range(luck.randrange(5))
        )
        assert spent_from_json(json.loads(json.dumps(spent_to_json(spent)))) == spent


def test_a_run_of_before_is_read_and_says_what_it_lacks(tmp_path: Path) -> None:
    before = Path(__file__).parent / "before" / "results"
    for folder in sorted(path for path in before.iterdir() if path.is_dir()):
        if not (folder / "manifest.json").is_file():
            continue
        cost = api.load(folder).cost() if (folder / "result.json").is_file() else run_cost(RunFolder(folder))
        assert cost.whole.dollars is None
        answering = [session for session in RunFolder(folder).manifest().sessions or () if session.answered]
        assert cost.untimed == cost.sessions >= len(answering)
