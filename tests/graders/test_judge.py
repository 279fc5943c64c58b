"""Judging a run through the command line and a real server: scores, faults, money, resuming, and the judge checked."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from fault_server import saying
from judge_server import FAULTS, grading, judge_server
from judged import figures, item, judge, open_run
from repository import ROOT

from tvbench.cli.main import main
from tvbench.engines.open import EngineOptions, open_engine
from tvbench.graders.judge.asking import JudgeAsk, plan_judging
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Choice, Response


def scores_of(folder: Path) -> dict[str, float | None]:
    lines = [json.loads(line) for line in (folder / "scores.jsonl").read_text().splitlines()]
    return {line["item"]: line["values"].get("judge") for line in lines}


def replies_of(folder: Path) -> list[dict[str, Any]]:
    return [
        json.loads(line) for path in folder.glob("judges/*/responses.jsonl") for line in path.read_text().splitlines()
    ]


def test_every_open_answer_gets_the_judges_score(tmp_path: Path) -> None:
    folder = open_run(tmp_path)
    with judge_server() as server:
        assert judge(tmp_path, server.model) == 0
        assert len(server.bodies) == 12
    assert scores_of(folder) == {f"open-{i}": (i % 6) / 5 for i in range(12)}
    result = figures(folder)
    assert result["complete"]
    assert result["counts"]["unscored"] == 0
    assert result["metrics"]["judge"]["value"] == pytest.approx(0.5)
    assert "rubric:tvbench@2-" in result["metric_signatures"]["judge"]
    assert "judge:judge@" in result["metric_signatures"]["judge"]


def test_a_judge_beats_in_the_runs_folder_while_it_grades_and_leaves_nothing(tmp_path: Path) -> None:
    folder, beats = open_run(tmp_path), []
    with judge_server() as server:
        (session,) = plan_judging(RunFolder(folder), JudgeAsk(server.model, planted=0))

        class Beats:
            def begin(self, total: int, kept: int) -> None:
                assert total == 12

            def answered(self, response: Response) -> None:
                (path,) = folder.glob("heartbeat.judge-*.json")
                beats.append(json.loads(path.read_text()))

        session.ask(partial(open_engine, session.engine, session.card, options=EngineOptions()), Beats())
    assert len(beats) == 12
    assert beats[0]["part"] == f"judge-{session.folder.name}"
    assert not list(folder.glob("*heartbeat*"))


def test_the_schema_and_the_answer_reach_the_server(tmp_path: Path) -> None:
    open_run(tmp_path, 2)
    with judge_server() as server:
        judge(tmp_path, server.model)
        body = next(one for one in server.bodies if "answer 1 worth 1" in one["messages"][-1]["content"])
    assert body["response_format"]["json_schema"]["schema"]["properties"]["score"]["enum"] == [0, 1, 2, 3, 4, 5]
    assert body["temperature"] == 0
    assert [message["role"] for message in body["messages"]] == ["system", "user"]
    for part in ("Question 1?", "Reference 1", "German"):
        assert part in body["messages"][1]["content"]


@pytest.mark.slow
def test_faults_at_a_third_of_all_calls_change_no_score(tmp_path: Path) -> None:
    calm, stormy = open_run(tmp_path / "calm", 60), open_run(tmp_path / "stormy", 60)
    with judge_server() as server:
        assert judge(tmp_path / "calm", server.model) == 0
    with judge_server(rate=0.3) as server:
        assert judge(tmp_path / "stormy", server.model) == 0
        assert server.faulty >= len(FAULTS), "every kind of fault has occurred"
        assert len(server.bodies) == 60 + server.faulty, "no call more than the faults made necessary"
    assert scores_of(stormy) == scores_of(calm)
    assert figures(stormy)["metrics"] == figures(calm)["metrics"]


def test_spend_counts_unreadable_replies_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 4)
    with judge_server() as server:
        server.faults = [saying("no number here")] * 3
        code = main(
            [
                "judge",
                "run",
                "--results",
                str(tmp_path),
                "--judge",
                server.model,
                "--price",
                "1000000,0",
                "--planted",
                "0",
            ]
        )
        calls = len(server.bodies)
    assert code == 0
    assert calls == 7
    # The server counts 7 tokens in for every call.
    assert f"7 replies in 7 tries, {7 * 7} tokens in, {3 * 7} out, ${49:.4f}" in capsys.readouterr().err


def test_a_refusal_is_unscored_and_counted_after_bounded_asks(tmp_path: Path) -> None:
    folder = open_run(tmp_path, 3)
    with judge_server() as server:
        server.everything = saying("I'm sorry, but I can't help with that.")
        assert judge(tmp_path, server.model, "--asks", "4") == 1
        assert len(server.bodies) == 12
    result = figures(folder)
    assert result["counts"]["unscored"] == 3
    assert result["counts"]["flags"] == {"judge_refusal": 3}
    assert "judge" not in result["metrics"]


def test_an_unreadable_judge_can_be_asked_further(tmp_path: Path) -> None:
    folder = open_run(tmp_path, 2)
    with judge_server() as server:
        server.everything = saying("well")
        assert judge(tmp_path, server.model, "--asks", "2") == 1
        server.everything = None
        assert judge(tmp_path, server.model, "--asks", "2") == 1, "both were asked as often as allowed"
        assert len(server.bodies) == 4
        assert judge(tmp_path, server.model, "--asks", "3") == 0
        assert len(server.bodies) == 6
    assert set(scores_of(folder).values()) == {0.0, 0.2}


def test_asked_twice_nothing_is_paid_twice(tmp_path: Path) -> None:
    open_run(tmp_path)
    with judge_server() as server:
        judge(tmp_path, server.model)
        judge(tmp_path, server.model)
        assert set(server.graded.values()) == {1}


def test_killed_and_resumed_no_call_is_paid_twice(tmp_path: Path) -> None:
    folder = open_run(tmp_path, 40)
    with judge_server() as server:
        server.delay = 0.02
        command = [
            sys.executable,
            "-m",
            "tvbench",
            "judge",
            "run",
            "--results",
            str(tmp_path),
            "--planted",
            "0",
            "--judge",
            server.model,
            "--concurrency",
            "2",
            "--quiet",
        ]
        stored_at_kill: set[str] = set()
        for _ in range(3):
            before = len(replies_of(folder))
            process = subprocess.Popen(
                command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)}, stdout=subprocess.DEVNULL
            )
            while process.poll() is None and len(replies_of(folder)) < before + 8:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            stored_at_kill |= {reply["key"] for reply in replies_of(folder)}
        assert 0 < len(stored_at_kill) < 40
        assert judge(tmp_path, server.model) == 0
        replies = replies_of(folder)
        assert len(replies) == len({reply["key"] for reply in replies}) == 40
        # Only what was under way when a process died (two requests each time) was asked again.
        assert sum(server.graded.values()) <= 40 + 3 * 2
    assert figures(folder)["complete"]


def test_the_budget_is_never_passed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = open_run(tmp_path, 30)
    price = ("--price", "100,1000")
    with judge_server() as server:
        # $0.40 a call, while the dearest call that may come (every byte a token) is a little more.
        server.usage = {"prompt_tokens": 1000, "completion_tokens": 300}
        assert judge(tmp_path, server.model, *price, "--budget", "2") == 1
        first = len(replies_of(folder))
        assert 0 < 0.4 * first <= 2
        assert "the budget is used up" in capsys.readouterr().err
        assert judge(tmp_path, server.model, *price, "--budget", "200") == 0
        assert len(server.bodies) == 30
    assert figures(folder)["complete"]


def test_dry_run_asks_nobody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = open_run(tmp_path, 5)
    with judge_server() as server:
        assert judge(tmp_path, server.model, "--dry-run", "--price", "1,2") == 0
        assert not server.bodies
    found = json.loads(capsys.readouterr().out)["sittings"][0]
    assert found["calls"] == 5
    assert found["dollars"] > 0
    assert not (folder / "judges").exists()


def test_the_official_rubric_judges_everything_and_reads_bare_numbers(tmp_path: Path) -> None:
    folder = open_run(tmp_path, 6, protocol="official", exact=4)
    with judge_server(form="{}") as server:
        assert judge(tmp_path, server.model) == 0
        assert len(server.bodies) == 10
        assert all("response_format" not in body for body in server.bodies)
        assert all(len(body["messages"]) == 1 for body in server.bodies)
    assert scores_of(folder)["open-5"] == 0.5
    assert "rubric:alm-official@1-" in figures(folder)["metric_signatures"]["judge"]


def test_a_generous_judge_is_found_out_and_its_averages_corrected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_run(tmp_path, 40, exact=40)
    with judge_server() as server:
        # Every exact answer is called right, though half of them are wrong.
        server.everything = grading(5, "fine", right_language=True)
        assert judge(tmp_path, server.model, "--check", "all") == 0
    of_all, german, french = json.loads(capsys.readouterr().out)["judges"][0]["quality"]
    assert [row["language"] for row in (of_all, german, french)] == ["all", "de", "fr"]
    assert of_all["check"]["n"] == 40
    assert of_all["check"]["agreement"] == 0.5
    assert of_all["check"]["bias"] == pytest.approx(0.5)
    assert of_all["check"]["kappa"] == 0
    assert of_all["direction"] == "generous"
    assert of_all["carried_over"]["judged"] == 1.0
    assert german["carried_over"]["value"] == pytest.approx(0.5)
    assert german["carried_over"]["low"] < 0.5 < german["carried_over"]["high"]
    assert french["carried_over"] is None, "no exact items of its own: another language's bias says nothing of it"
    assert of_all["carried_over"]["value"] == pytest.approx(0.75)
    assert (of_all["carried_over"]["corrected"], of_all["carried_over"]["uncorrected"]) == (["de"], ["fr"])


def test_the_table_says_which_languages_were_corrected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 40, exact=40)
    with judge_server() as server:
        server.everything = grading(5, "fine", right_language=True)
        judge(tmp_path, server.model, "--check", "all")
    capsys.readouterr()
    assert main(["judge", "run", "--results", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "alm: corrected in de; as judged, with fewer than 10 exact items of their own: fr" in shown
    assert "carried over from exact items" in shown
    assert "rediction" not in shown


def test_the_check_never_enters_the_score(tmp_path: Path) -> None:
    folder = open_run(tmp_path, 4, exact=10)
    with judge_server() as server:
        judge(tmp_path, server.model, "--check", "3")
        assert len(server.bodies) == 7
    assert all(value is None for name, value in scores_of(folder).items() if name.startswith("mcq"))
    assert figures(folder)["micro"]["judge"]["n"] == 4


def test_a_second_opinion_changes_no_figure_and_is_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = open_run(tmp_path, 12)
    with judge_server() as first, judge_server() as second:
        judge(tmp_path, first.model)
        before = figures(folder)["metrics"]["judge"]
        time.sleep(1.1)  # judges are ordered by the second in which they were first asked
        second.everything = grading(0, "")
        judge(tmp_path, second.model.replace("judge@", "other@"))
    capsys.readouterr()
    result = figures(folder)
    assert result["metrics"]["judge"] == before
    other = next(name for name in result["metrics"] if name.startswith("judge:"))
    assert result["metrics"][other]["value"] == 0
    assert main(["judge", "run", "--results", str(tmp_path), "--format", "json"]) == 0
    between = json.loads(capsys.readouterr().out)["between"]
    assert between["rows"][0][2]["value"] == 12


def test_judge_scores_are_compared_between_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, empty in (("run", 0), ("other", 0)):
        open_run(tmp_path, 30, name=name, empty=empty)
    with judge_server() as server:
        judge(tmp_path, server.model)
        main(["judge", "other", "--results", str(tmp_path), "--judge", server.model, "--quiet", "--planted", "0"])
    capsys.readouterr()
    assert (
        main(
            [
                "compare",
                "run",
                "other",
                "--results",
                str(tmp_path),
                "--metric",
                "judge",
                "--format",
                "json",
                "--resamples",
                "200",
            ]
        )
        == 0
    )
    found = json.loads(capsys.readouterr().out)["tasks"][0]
    assert found["overall"]["items"] == 30
    assert found["overall"]["difference"] == 0
    assert found["same_signature"]


def test_an_answer_that_changed_is_judged_anew(tmp_path: Path) -> None:
    folder = open_run(tmp_path, 3)
    with judge_server() as server:
        judge(tmp_path, server.model)
        with RunWriter(folder) as writer:
            writer.start()
            writer.append(Response("key-open-1", text="a new answer worth 5"))
        main(["score", "run", "--results", str(tmp_path), "--format", "json"])
        assert scores_of(folder)["open-1"] is None
        assert judge(tmp_path, server.model) == 0
        assert len(server.bodies) == 4
    assert scores_of(folder)["open-1"] == 1.0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--rubric", "tvbnech"), "tvbench"),
        (("--rubric", "{tmp}/bad.yaml"), "prompts"),
        (("--price", "cheap"), "two amounts"),
        (("--budget", "1"), "--price"),
        (("--check", "few"), "--check"),
        (("--tasks", "almm"), "alm"),
        (("--languages", "Germann"), "German"),
    ],
)
def test_wrong_words_are_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    open_run(tmp_path, 1)
    (tmp_path / "bad.yaml").write_text("name: x\nversion: 1\nscale: [0, 5]\nreply: json\njudges: open\n")
    with judge_server() as server:
        assert judge(tmp_path, server.model, *(word.format(tmp=tmp_path) for word in words)) == 2
        assert not server.bodies
    assert said in capsys.readouterr().err


def test_without_a_judge_the_report_says_what_to_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 1)
    assert main(["judge", "run", "--results", str(tmp_path)]) == 2
    assert "--judge openai:NAME@URL" in capsys.readouterr().err


def test_a_dead_server_keeps_what_was_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = open_run(tmp_path, 3)
    with judge_server() as server:
        model = server.model
    assert judge(tmp_path, model) != 0
    assert "Traceback" not in capsys.readouterr().err
    assert RunFolder(folder).responses(), "the run itself is whole"


def test_a_judge_folder_that_is_damaged_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = open_run(tmp_path, 2)
    with judge_server() as server:
        judge(tmp_path, server.model)
    manifest = next(folder.glob("judges/*/manifest.json"))
    manifest.write_text('{"format": 1}')
    assert main(["score", "run", "--results", str(tmp_path)]) == 2
    assert "judge" in capsys.readouterr().err


def test_a_choice_is_shown_as_the_bare_question_and_the_right_option() -> None:
    from tvbench.graders.judge.cases import gather, judge_request
    from tvbench.graders.judge.rubric import known_rubrics
    from tvbench.types import ModelCard

    rubric = known_rubrics()["alm-official"]
    plain = Choice(("Dirndl", "Kilt"), 0, "Dirndl.", ("Dirndl", "Kilt"), question="Was ist das?")
    lettered = Choice(("Kilt", "Dirndl"), 1, "B", letters=True, question="Was ist das?")
    for choice, right in ((plain, "Dirndl."), (lettered, "B. Dirndl")):
        (case,) = gather([(item("x", choice, "de"), Response("k", text="Dirndl"))], rubric)
        card = ModelCard("j", "server", "j")
        text = judge_request(case, rubric, card).item.messages[0].parts[0]
        assert isinstance(text, str)
        assert f"Question: Was ist das?\nGround Truth: {right}\nModel Prediction: Dirndl\n\nMatch the meaning" in text
        assert text.startswith("Evaluate the following answer based on Accuracy:\n\nQuestion")


def test_a_later_smaller_check_hides_no_item_that_was_asked_about(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_run(tmp_path, 4, exact=10)
    with judge_server() as server:
        judge(tmp_path, server.model, "--check", "6")
        whole = json.loads(capsys.readouterr().out)["judges"]
        for fewer in ("0", "2"):
            judge(tmp_path, server.model, "--check", fewer)
            assert json.loads(capsys.readouterr().out)["judges"] == whole
        judge(tmp_path, server.model, "--check", "all")
        more = json.loads(capsys.readouterr().out)["judges"]
        judge(tmp_path, server.model, "--check", "6")
        assert json.loads(capsys.readouterr().out)["judges"] == more != whole


def test_the_report_can_be_of_some_tasks_and_languages(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_run(tmp_path, 12, exact=10)
    with judge_server() as server:
        judge(tmp_path, server.model, "--planted", "4")
    report = ["judge", "run", "--results", str(tmp_path), "--format", "json"]
    capsys.readouterr()
    assert main(report) == 0
    whole = json.loads(capsys.readouterr().out)["judges"][0]
    for name, code in (("German", "de"), ("fr", "fr")):
        assert main([*report, "--languages", name, "--tasks", "alm"]) == 0
        (judged,) = json.loads(capsys.readouterr().out)["judges"]
        assert code in str(judged) and judged != whole
        assert {"de": "'fr'", "fr": "'de'"}[code] not in str(judged)
    for words, said in (
        (["--languages", "ja"], "unknown language in this run 'ja'"),
        (["--tasks", "x"], "unknown task"),
    ):
        assert main([*report, *words]) == 2
        assert said in capsys.readouterr().err
