"""`tvbench status`: what is done, failed and missing by task and language, who has still to grade, and who is at it."""

from __future__ import annotations

import json
import os
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from chat_server import chat_server
from judge_server import judge_server
from judged import judge, open_run
from sentences_task import sentences

from tvbench.cli.main import main
from tvbench.runs.store import RESPONSES, RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.suites.missing import run_state, writer
from tvbench.suites.states import SuiteState
from tvbench.types import Response

Said = pytest.CaptureFixture[str]


def status(results: Path, capsys: Said, *words: str) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    code = main(["status", *words, "--results", str(results), "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A run of 12 sentences into German and French against a server that has gone."""
    data = sentences(tmp_path / "data", 6)
    with chat_server() as server:
        words = ["--model", server.model, "--tasks", "multi30k:de+fr", "--no-image", "--data", str(data)]
        assert main(["run", *words, "--results", str(tmp_path / "results"), "--quiet"]) == 0
    return tmp_path / "results"


def run_of(results: Path) -> Path:
    (run,) = (path for path in results.iterdir() if path.name != "suites")
    return run


def rewrite(run: Path, keep: int, fail: int) -> None:
    """Keep some answers and turn some into failures; the others are missing. Figures stay as they were."""
    lines = [json.loads(line) for line in (run / RESPONSES).read_text().splitlines()]
    (run / RESPONSES).unlink()
    with RunWriter(run) as store:
        store.start()
        for number, line in enumerate(lines[: keep + fail]):
            failed = number >= keep
            store.append(Response(line["key"], text=None if failed else "x", error="gone" if failed else None))


def test_a_complete_run(results: Path, capsys: Said) -> None:
    code, (state,) = status(results, capsys)
    (run,) = state["runs"]
    assert code == 0 and run["complete"] and (run["done"], run["asked"], run["missing"]) == (12, 12, 0)
    assert {code: one["done"] for code, one in run["tasks"][0]["languages"].items()} == {"de": 6, "fr": 6}


@pytest.mark.parametrize("figures", [True, False])
def test_what_failed_and_what_is_missing_by_language(results: Path, capsys: Said, figures: bool) -> None:
    """Whether figures of before lie there or not: they are older than the answers."""
    run = run_of(results)
    rewrite(run, keep=7, fail=2)
    if not figures:
        (run / "result.json").unlink()
    code, (state,) = status(results, capsys, run.name[:10])
    (found,) = state["runs"]
    assert code == 1 and (found["done"], found["failed"], found["missing"]) == (7, 2, 3)
    languages = found["tasks"][0]["languages"]
    assert sum(one["done"] for one in languages.values()) == 7 and {one["asked"] for one in languages.values()} == {6}
    code, (state,) = status(results, capsys, "--languages", "German")
    assert list(state["runs"][0]["tasks"][0]["languages"]) == ["de"] and state["runs"][0]["asked"] == 6
    assert code == (0 if languages["de"]["done"] == 6 else 1)


def test_the_command_that_goes_on_can_be_pasted_and_begins_nothing_anew(results: Path, capsys: Said) -> None:
    run = run_of(results)
    manifest = json.loads((run / "manifest.json").read_text())
    manifest["command"] = ["tvbench", "run", "--model", "a b", "--fresh", "--tasks", "multi30k"]
    (run / "manifest.json").write_text(json.dumps(manifest))
    rewrite(run, keep=3, fail=0)
    capsys.readouterr()
    assert main(["status", "--results", str(results)]) == 1
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "goes on: " in line)
    assert shlex.split(line.split("goes on: ")[1]) == ["tvbench", "run", "--model", "a b", "--tasks", "multi30k"]


def test_a_torn_line_and_a_damaged_manifest(results: Path, capsys: Said) -> None:
    run = run_of(results)
    with (run / RESPONSES).open("a") as file:
        file.write('{"key": "torn')
    assert status(results, capsys)[1][0]["runs"][0]["done"] == 12
    shutil.copytree(run, results / "other")
    (results / "other" / "manifest.json").write_text("{")
    code, (state,) = status(results, capsys)
    assert code == 1 and [run["complete"] for run in state["runs"]] == [True, False]
    assert "damaged" in state["runs"][1]["problem"]


def test_nothing_there_is_said(tmp_path: Path, capsys: Said) -> None:
    assert main(["status", "--results", str(tmp_path)]) == 0
    assert "no runs" in capsys.readouterr().err
    assert main(["status", "nothing", "--results", str(tmp_path)]) == 2


# ── Judges, and who is at it ──────────────────────────────────────────────────────────────────────


def test_open_answers_wait_for_a_judge(tmp_path: Path, capsys: Said) -> None:
    """Without a judge that was asked for they are named, and the run is complete; with one they are missing."""
    run = RunFolder(open_run(tmp_path, 12, exact=3))
    main(["score", "run", "--results", str(tmp_path)])
    code, (state,) = status(tmp_path, capsys)
    (task,) = state["runs"][0]["tasks"]
    assert code == 0 and (task["open"], task["for_judge"]) == (12, 0)
    (task_state,) = run_state(run, judge=True).tasks
    assert task_state.for_judge == 12 and not task_state.complete
    with judge_server() as server:
        assert judge(tmp_path, server.model) == 0
    (task_state,) = run_state(run, judge=True).tasks
    assert task_state.for_judge == 0 and task_state.complete


def test_translations_wait_for_comet_where_it_was_asked_for(results: Path) -> None:
    run = RunFolder(run_of(results))
    (task,) = run_state(run, comet=True).tasks
    assert task.for_comet == 12 and not task.complete
    assert run_state(run, comet=False).complete


def test_who_writes_a_run_is_named(results: Path) -> None:
    run = RunFolder(run_of(results))
    assert writer(run) is None
    with RunWriter(run.path):
        found = writer(run)
        if not Path("/proc/locks").exists():
            pytest.skip("this system does not tell who holds a lock")
        state = run_state(run)
        assert found == os.getpid() == state.process
        assert not SuiteState("", (replace(state, tasks=()),)).commands, "what is under way need not be typed"
    assert writer(run) is None
