"""What a run would cost, before it is begun: by task, of what is yet to be asked, as measured where it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer, keyless_server
from served import sentences

import tvbench
from tvbench.analysis.cost import run_cost
from tvbench.cli.main import main
from tvbench.errors import UsageError
from tvbench.runs.estimate import Estimate
from tvbench.runs.store import find_runs
from tvbench.types import ModelCard

COUNT = 30


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    with keyless_server(monkeypatch) as running:
        yield running


def asked(server: FaultServer, tmp_path: Path, tasks: str = "multi30k:de", **more: Any) -> Estimate:
    return tvbench.estimate(f"openai:served-model@{server.root}", tasks, **given(tmp_path), **more)


def given(tmp_path: Path) -> dict[str, Any]:
    return {"results": tmp_path / "out", "data": sentences(tmp_path / "data", COUNT), "no_image": True}


def test_without_anything_to_go_by_it_is_a_range_that_holds_what_it_was(server: FaultServer, tmp_path: Path) -> None:
    found = asked(server, tmp_path, price="100,1000")
    (task,) = found.tasks
    assert task.asked == COUNT and task.measured_in == "" and found.seconds is None
    assert task.tokens_in_range[0] < task.tokens_in < task.tokens_in_range[1]
    assert task.tokens_out_range[0] < task.tokens_out < task.tokens_out_range[1]
    assert found.dollars == task.dollars == pytest.approx((task.tokens_in * 100 + task.tokens_out * 1000) / 1e6, 0.01)
    assert found.dollars_range is not None and found.dollars_range[0] < (found.dollars or 0) < found.dollars_range[1]
    assert asked(server, tmp_path).dollars is None and asked(server, tmp_path, price="2/h").dollars is None


def test_what_was_measured_counts_and_what_is_answered_costs_nothing(server: FaultServer, tmp_path: Path) -> None:
    run = tvbench.run(
        f"openai:served-model@{server.root}", "multi30k:de", **given(tmp_path), limit=10, price="100,1000"
    )
    whole = run.cost().whole
    found = asked(server, tmp_path, price="100,1000")
    (task,) = found.tasks
    assert (found.reused, task.asked, task.measured_in) == (10, 20, run.name)
    assert (task.tokens_in, task.tokens_out) == (20 * 7, 20 * 3) and task.tokens_in_range == (140, 140)
    assert whole.dollars is not None and found.dollars == pytest.approx(2 * whole.dollars)
    assert found.seconds == pytest.approx(2 * (whole.seconds or 0), rel=1e-3)
    again = asked(server, tmp_path, price="100,1000", limit=10)
    assert (again.requests, again.dollars, again.seconds) == (0, 0.0, 0.0)
    assert asked(server, tmp_path, limit=10).dollars == 0.0, "the run was told its price before"
    by_time = asked(server, tmp_path, price="3600/h")
    assert by_time.dollars == pytest.approx(by_time.seconds)


def test_it_adds_up_over_tasks_and_a_shared_question_is_asked_once(tmp_path: Path) -> None:
    card = ModelCard("m", "server", "m", url="http://127.0.0.1:9/v1", prices={"input": 1, "output": 2})
    found = tvbench.estimate(card, "mini-alm:de,mini-multi30k:de,mini-vimul:de", results=tmp_path, limit=4)
    dollars = [task.dollars for task in found.tasks]
    assert len(dollars) == 3 and found.dollars == pytest.approx(sum(one or 0 for one in dollars))
    assert found.requests == sum(task.asked for task in found.tasks)
    single = [
        tvbench.estimate(card, task, results=tmp_path, limit=4).dollars
        for task in ("mini-alm:de", "mini-multi30k:de", "mini-vimul:de")
    ]
    assert single == pytest.approx(dollars)


def test_a_card_of_python_with_half_a_price_is_refused(tmp_path: Path) -> None:
    card = ModelCard("m", "server", "m", url="http://127.0.0.1:9/v1", prices={"input": 1})
    with pytest.raises(UsageError, match="it has no output"):
        tvbench.estimate(card, "mini-alm:de", results=tmp_path, limit=1)


def test_a_dry_run_says_it_in_words_and_an_hour_of_a_local_model_has_a_price(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["run", "--model", "tower-mini", "--tasks", "mini-alm:de", "--limit", "2", "--results", str(tmp_path)]
    assert main([*words, "--dry-run"]) == 0
    said = capsys.readouterr().out
    assert "no price is known" in said and "--price IN,OUT" in said and "guessed" in said
    assert main([*words, "--dry-run", "--price", "2/h"]) == 0
    assert "at $2 an hour" in capsys.readouterr().out
    assert not find_runs(tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--price", "cheap"], "--price cheap is not two amounts"),
        (["--price", "1"], "--price 1 is not two amounts"),
        (["--price", "1,2,3,4"], "is not two amounts"),
        (["--price=-1,2"], "is not two amounts"),
        (["--price", "nan,2"], "is not two amounts"),
        (["--price", "x/h"], "is not two amounts"),
        (["--price", "1,2", "--model-price", "1,2"], "are one thing"),
        (["--judge", "tower-mini", "--price", "2/h"], "a judge is paid by tokens"),
    ],
)
def test_what_is_no_price_is_refused(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["run", "--model", "tower-mini", "--tasks", "mini-alm:de", "--results", str(tmp_path), "--dry-run"]
    assert main([*command, *words]) == 2
    assert said in capsys.readouterr().err


def test_beside_a_judge_the_model_has_a_price_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--model", "tower-mini", "--tasks", "mini-alm:de", "--limit", "1", "--results", str(tmp_path)]
    words += ["--dry-run", "--judge", "tower-mini", "--price", "1,2"]
    assert main(words) == 0
    assert "no price is known" in capsys.readouterr().out
    assert main([*words, "--model-price", "3,4"]) == 0
    assert "at $3 in and $4 out a million tokens" in capsys.readouterr().out
    assert not [run_cost(run) for run in find_runs(tmp_path)]
