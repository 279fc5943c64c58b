"""Judges and money: dear answers are passed over, and what was under way at a kill is counted."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from fault_server import saying, status
from judge_server import judge_server
from judged import figures, judge, open_run
from repository import ROOT

from tvbench.cli.main import main
from tvbench.engines.protocol import Feed, ListFeed, Prepared
from tvbench.graders.judge.sent import SENT, Call, NotedEngine, lost_calls
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import EngineInfo, Message, Request, Response, Sampling

PRICE = ("--price", "1000000,1000000")
"""A dollar a token: the server counts 7 in and 3 out, so each call costs $10."""
CALL = 10.0


def aloud(results: Path, model: str, *words: str) -> int:
    """The command with all that it tells."""
    return main(["judge", "run", "--results", str(results), "--judge", model, "--planted", "0", *words])


def dollars(text: str) -> float:
    """The last sum that was told."""
    return float(re.findall(r"\$([\d.]+)", text.split(" tokens in, ")[-1])[0])


def with_answer(folder: Path, number: int, text: str) -> None:
    with RunWriter(folder) as writer:
        writer.start()
        writer.append(Response(f"key-open-{number}", text=text))


# ── One dear answer ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("place", [0, 5, 11])
def test_one_dear_answer_is_skipped_and_the_cheap_ones_are_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], place: int
) -> None:
    folder = open_run(tmp_path, 12)
    with_answer(folder, place, "long " * 100_000 + "worth 5")
    with judge_server() as server:
        # A cent a thousand tokens: some cents for each short answer, five dollars for the long one.
        assert judge(tmp_path, server.model, "--price", "10,10", "--budget", "2") == 1
        assert len(server.bodies) == 11
        assert "the budget is used up: 1 answer could cost more" in capsys.readouterr().err
        assert figures(folder)["counts"]["scored"] == 11
        assert judge(tmp_path, server.model, "--price", "10,10", "--budget", "20") == 0
        assert len(server.bodies) == 12
    assert figures(folder)["complete"]


def test_a_dear_answer_never_takes_the_place_of_many(tmp_path: Path) -> None:
    """It would fit into the budget, but then hardly another one would."""
    folder = open_run(tmp_path, 12)
    with_answer(folder, 0, "long " * 30_000 + "worth 5")
    with judge_server() as server:
        assert judge(tmp_path, server.model, "--price", "10,10", "--budget", "1.6") in (0, 1)
        assert not any("long long" in body["messages"][-1]["content"] for body in server.bodies[:11])
        assert len(server.bodies) >= 11


def test_unreadable_replies_are_asked_again_next_to_a_dear_answer(tmp_path: Path) -> None:
    folder = open_run(tmp_path, 6)
    with_answer(folder, 2, "long " * 100_000)
    with judge_server() as server:
        server.faults = [saying("well")] * 4
        assert judge(tmp_path, server.model, "--price", "10,10", "--budget", "2") == 1
        assert len(server.bodies) == 9
    assert figures(folder)["counts"]["scored"] == 5


# ── A kill ────────────────────────────────────────────────────────────────────────────────────────


def killed(results: Path, model: str, folder: Path, *words: str, after: int, graded: dict[str, int]) -> None:
    """`tvbench judge` in a process of its own, killed when `after` replies more have arrived, or it has ended."""
    command = [
        sys.executable,
        "-m",
        "tvbench",
        "judge",
        "run",
        "--results",
        str(results),
        "--judge",
        model,
        "--planted",
        "0",
        *words,
    ]
    before = sum(graded.values())
    process = subprocess.Popen(
        [*command, "--concurrency", "4", "--quiet"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while process.poll() is None and sum(graded.values()) < before + after:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()


def test_what_was_under_way_at_a_kill_is_in_the_spend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = open_run(tmp_path, 40)
    with judge_server() as server:
        server.delay = 0.02
        for _ in range(3):
            killed(tmp_path, server.model, folder, *PRICE, after=6, graded=server.graded)
        assert aloud(tmp_path, server.model, *PRICE) == 0
        told = capsys.readouterr().err
        seen = sum(server.graded.values())
    assert seen > 40, "some calls were under way, and made again"
    assert dollars(told) >= seen * CALL
    lost = re.search(r"(\d+) more were under way when it was stopped, counted as", told)
    assert lost is not None
    assert seen - 40 <= int(lost[1]) <= 3 * 8, "no more than was handed over"


def test_the_budget_holds_over_kills(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = open_run(tmp_path, 40)
    # At its dearest a call costs about $3,000 here, and $2,390 in the end.
    words = (*PRICE, "--budget", "40000")
    with judge_server() as server:
        server.usage = {"prompt_tokens": 2000, "completion_tokens": 390}
        server.delay = 0.02
        for _ in range(3):
            killed(tmp_path, server.model, folder, *words, after=4, graded=server.graded)
        aloud(tmp_path, server.model, *words)
        assert 0 < sum(server.graded.values()) * 2390 <= 40_000
        assert dollars(capsys.readouterr().err) <= 40_000


def test_failures_are_no_calls_under_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 6)
    with judge_server() as server:
        server.faults = [status(400)] * 3
        assert aloud(tmp_path, server.model, *PRICE) == 0
    told = capsys.readouterr().err
    assert "under way" not in told
    assert dollars(told) == 6 * CALL


def test_two_rubrics_share_one_budget(tmp_path: Path) -> None:
    """The run's tasks may need a rubric each; the budget is the command's."""
    from tvbench.graders.judge.asking import JudgeAsk, ask_judge, plan_judging
    from tvbench.runs.listening import Listener

    folder = open_run(tmp_path, 20)
    with judge_server() as server:
        server.usage = {"prompt_tokens": 1000, "completion_tokens": 300}
        asked = JudgeAsk(server.model, price="100,1000", budget=3.0)
        sessions = [
            session
            for rubric in ("tvbench", "vimul")
            for session in plan_judging(RunFolder(folder), JudgeAsk(server.model, rubric, price="100,1000", budget=3.0))
        ]
        assert len(sessions) == 2
        first, second = ask_judge(sessions, asked, Listener())
        assert 0 < len(server.bodies) * 0.4 <= 3.0
    assert first.scored > second.scored


# ── The file ──────────────────────────────────────────────────────────────────────────────────────


class Dying:
    """Answers its first requests, then fails some, and dies."""

    info = EngineInfo("e", "1")

    def serve(self, feed: Feed) -> Iterator[Response]:
        for prepared in feed.take(2, wait=True):
            yield Response(prepared.request.key, text="4")
        for prepared in feed.take(1, wait=True):
            yield Response(prepared.request.key, error="no")
        feed.take(2, wait=True)
        raise KeyboardInterrupt

    def close(self) -> None:
        """Nothing to close."""


def requests(*keys: str) -> ListFeed:
    return ListFeed([Prepared(Request(key, (Message("user", ("1234",)),), Sampling(max_new_tokens=9))) for key in keys])


def test_a_call_is_lost_where_nobody_knows_its_end(tmp_path: Path) -> None:
    engine = NotedEngine(Dying(), tmp_path)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            list(engine.serve(requests("a", "b", "c", "d", "e", "f")))
    assert lost_calls(tmp_path / "none", ()) == []
    assert lost_calls(tmp_path, {"a", "b"}) == [Call(68, 9)] * (2 + 2 * 2), "a and b once each, d and e twice"


def test_a_torn_line_costs_no_other(tmp_path: Path) -> None:
    engine = NotedEngine(Dying(), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        list(engine.serve(requests("a", "b", "c", "d", "e")))
    with (tmp_path / SENT).open("a") as file:
        file.write('{"key": "z", "tok')
    with pytest.raises(KeyboardInterrupt):
        list(engine.serve(requests("g", "h", "i", "j", "k")))
    assert len(lost_calls(tmp_path, {"a", "b", "g", "h"})) == 4
