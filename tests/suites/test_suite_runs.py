"""A suite is checked as a whole before the first question, asked model by model, and goes on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, chat_server
from judge_server import judge_server

import tvbench
from tvbench.analysis import assess
from tvbench.cli.main import main
from tvbench.engines import open as opening
from tvbench.errors import EngineError
from tvbench.runs import session, shared_items
from tvbench.runs.gate import Gated, gated
from tvbench.runs.store import RESPONSES, RunFolder
from tvbench.suites import running
from tvbench.types import BuildOptions, Task

Said = pytest.CaptureFixture[str]
SMALL = "tasks: [mini-alm, mini-multi30k]\nlanguages: [de, fr]\noptions: {limit: 3, no_image: true}\n"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as server:
        yield server


def written(folder: Path, text: str) -> str:
    path = folder / "mine.yaml"
    path.write_text(text)
    return str(path)


def stored(results: Path) -> dict[str, list[str]]:
    """The keys in each run's responses, in order."""
    files = sorted(results.glob("*/responses.jsonl"))
    return {path.parent.name: [json.loads(line)["key"] for line in path.read_text().splitlines()] for path in files}


def run(suite: str, results: Path, *words: str) -> int:
    return main(["run", suite, "--results", str(results), "--quiet", *words])


def status(results: Path, capsys: Said, *words: str) -> tuple[int, list[dict[str, Any]]]:
    capsys.readouterr()
    code = main(["status", *words, "--results", str(results), "--format", "json"])
    return code, json.loads(capsys.readouterr().out)


def test_a_suite_is_ordinary_runs_and_one_list(tmp_path: Path, capsys: Said, server: ChatServer) -> None:
    suite = written(tmp_path, SMALL + f"models: [{{model: '{server.model}', label: one}}]\nmatrix: {{seed: [0, 1]}}\n")
    assert run(suite, tmp_path / "results") == 0
    out = capsys.readouterr().out
    assert "one" in out and "suite mine is complete" in out
    record = json.loads((tmp_path / "results" / "suites" / "mine.json").read_text())
    assert [run["run"] for run in record["runs"]] == [
        run["run"] for run in record["runs"] if run["run"] in stored(tmp_path / "results")
    ]
    assert len(record["runs"]) == 2 and record["runs"][0]["tasks"][0]["languages"] == {"de": 3, "fr": 3}
    before = server.asked.total()
    words = ["--model", server.model, "--label", "one", "--tasks", "mini-alm,mini-multi30k", "--languages", "de,fr"]
    assert main(["run", *words, "--limit", "3", "--no-image", "--results", str(tmp_path / "results"), "--quiet"]) == 0
    assert run(suite, tmp_path / "results") == 0
    assert server.asked.total() == before, "by hand it is the same run, and the same suite asks nothing more"
    assert len(stored(tmp_path / "results")) == 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("tasks: [mini-alm, mini-multi30q]", "unknown task 'mini-multi30q'"),
        ("languages: [de, xx-nothing]", "language 'xx-nothing'"),
        ("options: {protocol: papr}", "unknown protocol of|unknown protocol 'papr'"),
        ("options: {set: {mini.levl: 2}}", "unknown setting of mini-alm 'levl'. Did you mean level"),
        ("options: {set: {nothing.level: 2}}", "task nothing is not in this run"),
        ("models: ['openai:a@http://127.0.0.1:9', tower-mimi]", "unknown model 'tower-mimi'. Did you mean tower-mini"),
        ("exclude: [{tasks: [mini-alm, mini-almm], languages: [de]}]", "unknown task 'mini-almm'"),
        ("options: {split: nowhere}", "unknown split of mini-alm 'nowhere'"),
        ("options: {engine: vlm}", "unknown engine 'vlm'"),
    ],
)
def test_what_is_misspelt_stops_it_before_anything_is_asked(
    tmp_path: Path, capsys: Said, server: ChatServer, changed: str, said: str
) -> None:
    import re

    key = changed.partition(":")[0]
    lines = [
        line for line in (SMALL + f"models: ['{server.model}', tower-mini]").splitlines() if not line.startswith(key)
    ]
    assert run(written(tmp_path, "\n".join([*lines, changed])), tmp_path / "results") == 2
    assert re.search(said, capsys.readouterr().err)
    assert not server.asked and not (tmp_path / "results").exists()


def test_a_model_that_fails_does_not_stop_the_others(tmp_path: Path, capsys: Said, server: ChatServer) -> None:
    away = "openai:away@http://127.0.0.1:9/v1"
    suite = written(tmp_path, SMALL + f"models: ['{away}', '{server.model}']\n")
    assert run(suite, tmp_path / "results") == 1
    said = capsys.readouterr()
    assert "failed: openai:away" in said.err and "counter" in said.out
    assert "goes on: tvbench" in said.out
    code, (state,) = status(tmp_path / "results", capsys)
    assert code == 1 and [run["complete"] for run in state["runs"]] == [False, True]
    assert state["runs"][0]["missing"] == 12


def test_one_engine_serves_the_runs_of_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ChatServer
) -> None:
    opened: list[str] = []

    def counted(name: str, card: Any, **options: Any) -> Any:
        opened.append(card.name)
        return opening.open_engine(name, card, **options)

    monkeypatch.setattr(session, "open_engine", counted)
    models = f"models: [{{model: '{server.model}', label: a}}, {{model: '{server.model}', label: b}}]\n"
    suite = written(tmp_path, SMALL + models + "matrix: {seed: [0, 1, 2]}\n")
    outcome = tvbench.suite(suite, results=tmp_path / "results", reuse=False)
    assert outcome.complete and len(outcome.runs) == 6 and not outcome.failures
    assert opened == ["a", "b"]
    assert tvbench.suite(suite, results=tmp_path / "results").complete and opened == ["a", "b"]


def test_excluded_tasks_and_languages_are_not_asked(tmp_path: Path, server: ChatServer) -> None:
    more = (
        f"models: ['{server.model}']\nexclude: [{{tasks: [mini-alm], languages: [de]}}, {{tasks: [mini-multi30k]}}]\n"
    )
    outcome = tvbench.suite(written(tmp_path, SMALL + more), results=tmp_path / "results")
    (run,) = outcome.runs
    assert set(run.results) == {"mini-alm"} and set(run.results["mini-alm"].breakdowns["language"]) == {"fr"}


def test_what_two_runs_would_ask_alike_is_asked_in_the_first(tmp_path: Path, server: ChatServer) -> None:
    more = f"models: ['{server.model}']\nmatrix: {{set: [{{mini-alm.level: 1}}, {{mini-alm.level: 2}}]}}\n"
    outcome = tvbench.suite(written(tmp_path, SMALL + more), results=tmp_path / "results")
    assert [set(run.results) for run in outcome.runs] == [{"mini-alm", "mini-multi30k"}, {"mini-alm"}]


def test_typed_models_of_several_commands_stand_in_one_list(tmp_path: Path, capsys: Said, server: ChatServer) -> None:
    suite, results = written(tmp_path, SMALL), tmp_path / "results"
    assert run(suite, results, "--model", server.model, "--label", "a") == 0
    assert run(suite, results, "--model", server.model, "--label", "b", "--limit", "2") == 0
    assert run(suite, results, "--model", server.model, "--label", "b", "--limit", "1") == 0
    code, (state,) = status(results, capsys, suite)
    assert code == 0 and [(run["model"], run["asked"]) for run in state["runs"]] == [("a", 12), ("b", 4)]


def test_a_dry_run_sums_the_whole_and_leaves_nothing(tmp_path: Path, capsys: Said, server: ChatServer) -> None:
    suite = written(tmp_path, SMALL + f"models: ['{server.model}', tower-mini]\nmatrix: {{seed: [0, 1]}}\n")
    assert run(suite, tmp_path / "results", "--dry-run", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert sum(task["items"] for run in found["runs"] for task in run["tasks"]) == 48 and len(found["runs"]) == 4
    assert found["requests"] == sum(run["requests"] for run in found["runs"]) > 0 == found["kept"]
    assert not server.asked and not (tmp_path / "results").exists()


def test_status_of_a_suite_that_is_not_begun_says_what_begins_it(tmp_path: Path, capsys: Said) -> None:
    suite = written(tmp_path, SMALL)
    assert main(["status", suite, "--results", str(tmp_path / "results")]) == 2
    assert f"tvbench run {suite}" in capsys.readouterr().err


def test_run_without_a_suite_needs_model_and_tasks(capsys: Said) -> None:
    assert main(["run", "--tasks", "mini"]) == 2
    assert "--model" in capsys.readouterr().err


def test_the_data_of_a_task_are_opened_once_for_all_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ChatServer
) -> None:
    opened: list[str] = []

    def counted(task: Task, options: BuildOptions) -> Gated:
        opened.append(task.name)
        return gated(task, options)

    monkeypatch.setattr(shared_items, "gated", counted)
    models = f"models: [{{model: '{server.model}', label: a}}, {{model: '{server.model}', label: b}}]\n"
    suite = written(tmp_path, SMALL + models + "matrix: {seed: [0, 1]}\n")
    assert run(suite, tmp_path / "results", "--dry-run") == 0
    assert sorted(opened) == ["mini-alm"] * 2 + ["mini-multi30k"] * 2


def test_a_server_that_dies_is_named_once_and_its_other_runs_are_left(tmp_path: Path, capsys: Said) -> None:
    with chat_server(die_after=5) as dying, chat_server() as sound:
        first = f"{{model: '{dying.model}', label: dying, engine_args: {{retries: 0}}}}"
        models = f"models: [{first}, {{model: '{sound.model}', label: sound}}]\n"
        suite = written(tmp_path, SMALL + models + "matrix: {seed: [0, 1]}\n")
        assert run(suite, tmp_path / "results") == 1
        said = capsys.readouterr().err
        code, (state,) = status(tmp_path / "results", capsys, suite)
        assert [run["complete"] for run in state["runs"]] == [False, False, True, True]
        assert said.count("failed: dying") >= 1 and "failed: sound" not in said and code == 1
        dying.die_after = None
        assert run(suite, tmp_path / "results") == 0
        assert status(tmp_path / "results", capsys, suite)[0] == 0


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory"), MemoryError(), EngineError("no such device")])
def test_whatever_an_engine_ends_in_is_its_models_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ChatServer, error: Exception
) -> None:
    tried: list[str] = []

    def opened(name: str, card: Any, **options: Any) -> Any:
        tried.append(card.name)
        if card.name == "a":
            raise error
        return opening.open_engine(name, card, **options)

    monkeypatch.setattr(session, "open_engine", opened)
    models = f"models: [{{model: '{server.model}', label: a}}, {{model: '{server.model}', label: b}}]\n"
    outcome = tvbench.suite(
        written(tmp_path, SMALL + models + "matrix: {seed: [0, 1]}\n"), results=tmp_path / "results"
    )
    assert list(outcome.failures) == ["a, seed 0"] and len(outcome.runs) == 2 and not outcome.complete
    assert tried == ["a", "b"], "the other run of a is not tried"


OPEN = '''
"""Open questions."""

from tvbench.data.authoring import user_message
from tvbench.types import Item, Open, Opened, Task


def item(row, ask):
    code, number = row
    prompt = user_message(f"{code}: why {number}?")
    return Item(f"{code}/{number}", ask.task, code, prompt, Open(f"Why {number}?", "Because."))


TASK = Task(
    name="open", version="1", title="open questions", item=item, protocols={"tvbench": "asks"}, primary="judge",
    source=lambda ask: Opened(((code, n) for code in ask.languages for n in (1, 2)), "open@1"),
    metrics=("judge",), languages=("de", "fr"), modality="text",
)
'''


def test_an_engine_is_closed_before_a_judge_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    judged_when_closed: list[int] = []
    (tmp_path / "open.py").write_text(OPEN)
    with chat_server() as server, judge_server() as judge:

        class Noting(running.SharedEngine):
            def close(self) -> None:
                judged_when_closed.append(len(judge.bodies))
                super().close()

        monkeypatch.setattr(running, "SharedEngine", Noting)
        text = f"tasks: [./open.py]\nmodels: ['{server.model}']\noptions: {{judge: '{judge.model}', planted: 0}}\n"
        outcome = tvbench.suite(written(tmp_path, text), results=tmp_path / "results")
        assert outcome.complete and outcome.runs[0].results["open"].metrics["judge"].n == 4
        assert len(judge.bodies) == 4 and set(judged_when_closed) == {0}
        assert tvbench.suite(written(tmp_path, text), results=tmp_path / "results").complete
        assert len(judge.bodies) == 4 and server.asked.total() == 4


def test_data_of_ones_own_in_a_folder_are_a_task_of_a_suite(tmp_path: Path, server: ChatServer) -> None:
    """Paths are from the file's own folder, wherever the command is given."""
    (tmp_path / "mybench").mkdir()
    rows = ["question,answer,language", "What is one and one?,two,en", "Was ist eins und eins?,zwei,de"]
    (tmp_path / "mybench" / "metadata.csv").write_text("\n".join(rows) + "\n")
    text = f"tasks: [./mybench]\nmodels: ['{server.model}']\nlanguages: [de]\n"
    (run,) = tvbench.suite(written(tmp_path, text), results=tmp_path / "results").runs
    (result,) = run.results.values()
    assert run.complete and set(result.breakdowns["language"]) == {"de"}


def test_models_that_are_one_are_asked_once(tmp_path: Path, server: ChatServer) -> None:
    text = SMALL + f"models: ['{server.model}', '{server.model}']\n"
    outcome = tvbench.suite(written(tmp_path, text), results=tmp_path / "results")
    assert len(outcome.runs) == len(outcome.record.runs) == 1


def test_a_run_that_is_settled_is_not_scored_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: ChatServer
) -> None:
    """Until an answer is younger than the figures, or another tvbench computed them."""
    scored: list[str] = []

    def counted(run: RunFolder, *more: Any, **options: Any) -> Any:
        scored.append(run.name)
        return assess.assess_again(run, *more, **options)  # type: ignore[attr-defined]

    monkeypatch.setattr(assess, "assess_again", assess.assess_and_see, raising=False)
    monkeypatch.setattr(assess, "assess_and_see", counted)
    suite, results = written(tmp_path, SMALL + f"models: ['{server.model}']\n"), tmp_path / "results"
    first = tvbench.suite(suite, results=results).runs[0]
    again = tvbench.suite(suite, results=results).runs[0]
    assert len(scored) == 1 and again.results == first.results and again.complete
    lines = (first.path / RESPONSES).read_text().splitlines(keepends=True)
    (first.path / RESPONSES).write_text("".join(lines[1:]))
    assert tvbench.suite(suite, results=results).complete and len(scored) == 2
    manifest = json.loads((first.path / "manifest.json").read_text())
    manifest["packages"]["tvbench"] = "0.0.1"
    (first.path / "manifest.json").write_text(json.dumps(manifest))
    (first.path / "result.json").touch()
    assert tvbench.suite(suite, results=results).complete and len(scored) == 3
    assert tvbench.suite(suite, results=results, fresh=True).complete and len(scored) == 4


def test_status_says_that_the_file_was_changed(tmp_path: Path, capsys: Said, server: ChatServer) -> None:
    suite, results = written(tmp_path, SMALL + f"models: ['{server.model}']\n"), tmp_path / "results"
    assert run(suite, results) == 0
    assert not status(results, capsys, suite)[1][0]["outdated"]
    written(tmp_path, SMALL + f"models: ['{server.model}', tower-mini]\n")
    assert status(results, capsys, suite)[1][0]["outdated"]
    assert main(["status", suite, "--results", str(results)]) == 1
    assert "was changed since" in capsys.readouterr().out


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"format": 1, "runs": [3], "sum": "x"}', '{"format": 9}'])
def test_a_damaged_list_is_named_and_written_again(
    tmp_path: Path, capsys: Said, server: ChatServer, damage: str
) -> None:
    suite, results = written(tmp_path, SMALL + f"models: ['{server.model}']\n"), tmp_path / "results"
    (results / "suites").mkdir(parents=True)
    (results / "suites" / "mine.json").write_text(damage)
    assert main(["status", suite, "--results", str(results)]) == 2
    assert "mine.json" in capsys.readouterr().err
    (results / "suites" / "other.json").write_text(damage)
    assert run(suite, results) == 0 and status(results, capsys, suite)[0] == 0
    assert status(results, capsys)[1][0]["suite"] == "mine", "one that is damaged hides no other"


def test_a_list_that_cannot_be_written_is_said_before_anything_is_asked(
    tmp_path: Path, capsys: Said, server: ChatServer
) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "suites").write_text("a file")
    assert run(written(tmp_path, SMALL + f"models: ['{server.model}']\n"), tmp_path / "results") == 1
    assert "suites" in capsys.readouterr().err and not server.asked
