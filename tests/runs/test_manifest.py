"""The manifest, typed: what is written is read, of what version it may be; and the one join of items and answers."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from run_folders import write_manifest

from tvbench.analysis.assess import assess, scored_tasks
from tvbench.errors import UsageError
from tvbench.runs.answered import answered
from tvbench.runs.manifest import JudgeEntry, Manifest, RunAsk, Session, TaskEntry
from tvbench.runs.manifest_json import manifest_from_json, manifest_to_json
from tvbench.runs.store import DamagedError, RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import EngineInfo, Item, ModelCard, Response, Short

ENTRY = TaskEntry("t", "tvbench", "accuracy", "task:t@1", "1", ("accuracy",), "rows@1", 3, ("a word",), {"log": {}})
SESSION = Session(
    "2026-01-01",
    "here",
    "m",
    "1",
    EngineInfo("e", "1", {"dtype": "x"}),
    {"n": 1},
    ("tvbench", "run"),
    {"asked": 8},
    {"other": 5},
    "2026-01-02",
    7,
    1,
)
WHOLE = Manifest(
    "r",
    "tvbench",
    "2026-01-01",
    "2026-01-02",
    ("tvbench", "run"),
    RunAsk({"model": ["hub:m", "m", "1"], "engine": {"name": "e"}, "tasks": [{"task": "t"}], "sampling": {}}),
    ModelCard("m", "hub", "o/m", "1", languages=("de",), chat={"x": 1}, engine={"vllm": {"a": 1}}),
    EngineInfo("e", "1", {"dtype": "x"}),
    {"name": "pyav"},
    JudgeEntry("r", {"name": "x"}, ("t",), None, 3, "e@1", "c"),
    (ENTRY,),
    {"cores": 2},
    {"torch": "2"},
    {"requests_per_second": 1.5},
    (SESSION,),
)
NEWER: dict[str, Any] = {
    "of tomorrow": [1],
    "run": "r",
    "tasks": [{"task": "t", "protocol": "p", "primary": "x", "signature": "s", "weight": 2}],
    "model": {"name": "m", "planet": {"name": "earth"}},
    "engine": {"name": "e", "version": "1", "host": "h"},
    "sessions": [{"began": "2026", "weather": "fine"}],
}


def as_read(value: object) -> Any:
    return json.loads(json.dumps(value))


def test_a_manifest_is_read_as_it_was_written() -> None:
    assert manifest_from_json(as_read(manifest_to_json(WHOLE))) == WHOLE


def test_fields_of_later_versions_survive_being_read_and_written() -> None:
    again = as_read(manifest_to_json(manifest_from_json(NEWER)))
    assert again["of tomorrow"] == [1] and again["tasks"][0]["weight"] == 2
    assert again["model"]["planet"] == {"name": "earth"} and again["engine"]["host"] == "h"
    assert again["sessions"] == [again["sessions"][0]] and again["sessions"][0]["weather"] == "fine"
    assert manifest_from_json(again) == manifest_from_json(NEWER)


def test_whoever_writes_over_a_manifest_keeps_its_beginning_and_what_it_does_not_know(tmp_path: Path) -> None:
    with RunWriter(tmp_path) as writer:
        write_manifest(writer, NEWER | {"created": "2020", "updated": "2021"})
        writer.write_manifest(replace(WHOLE, created="", updated=""))
    found = RunFolder(tmp_path).manifest()
    assert (found.created, found.entries["t"].items) == ("2020", 3) and found.updated > "2026"
    assert found.rest["of tomorrow"] == [1] and found.entries["t"].rest == {"weight": 2}


def test_what_earlier_versions_did_not_write_has_a_default() -> None:
    entry = {"task": "t", "protocol": "p", "primary": "x", "signature": "s"}
    found = manifest_from_json({"format": 1, "tasks": [entry], "ask": None, "speed": None})
    assert found == Manifest(tasks=(TaskEntry("t", "p", "x", "s"),))
    assert found.ask.tasks == () and found.ask.who is None and found.sessions is None
    assert not {"ask", "model", "engine", "sessions", "judging"} & manifest_to_json(found).keys()


def test_who_is_asked_does_not_depend_on_the_name_that_a_person_gave() -> None:
    ask = {"model": ["hub:m", "m", "1"], "engine": {"name": "e"}, "tasks": [{"task": "t", "settings": {"n": 1}}]}
    assert RunAsk(ask).who == RunAsk(ask | {"model": ["hub:m", "mine", "1"], "tasks": []}).who
    assert (
        RunAsk(ask).who
        != RunAsk(ask | {"engine": {"name": "f"}}).who
        != RunAsk(ask | {"model": ["hub:m", "m", "2"]}).who
    )
    assert RunAsk(ask).without_model == RunAsk(ask | {"model": ["hub:n", "n", "2"]}).without_model


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("model", {"name": "m", "languages": "de"}, "model.languages is not a list"),
        ("model", {"name": "m", "kind": 3}, "model.kind is not text"),
        ("command", "tvbench run", "command is not a list"),
        ("packages", [], "packages is not an object"),
        ("judging", {"rubric": {}}, "judging has no tasks"),
        (
            "judging",
            {"rubric": {}, "tasks": "t", "checked": 1, "seed": 0, "engine": "e"},
            "judging.tasks is not a list",
        ),
    ],
)
def test_what_a_manifest_cannot_mean_is_said(tmp_path: Path, place: str, value: object, said: str) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "tasks": [], place: value}))
    with pytest.raises(DamagedError, match=said):
        RunFolder(tmp_path).manifest()


@pytest.mark.parametrize("value", [3, True, "text", 1e308, [3], {"a": 1}, None])
@pytest.mark.parametrize("name", [field.name for field in fields(Session) if field.name != "rest"])
def test_what_a_session_cannot_mean_counts_as_not_there(tmp_path: Path, name: str, value: object) -> None:
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "tasks": [], "sessions": [{name: value}]}))
    (session,) = RunFolder(tmp_path).manifest().sessions or ()
    found, default = getattr(session, name), getattr(Session(), name)
    assert found is None or type(found) is type(default) or (default is None and type(found) in (str, int, float, dict))
    assert session.count >= 0


def test_declared_metrics_that_are_no_object_are_said(tmp_path: Path) -> None:
    entry = {"task": "t", "protocol": "p", "primary": "a", "signature": "s", "declared": 3}
    (tmp_path / "manifest.json").write_text(json.dumps({"format": 1, "tasks": [entry]}))
    with pytest.raises(DamagedError, match="declared is not an object"):
        RunFolder(tmp_path).manifest()


# ── The join ──────────────────────────────────────────────────────────────────────────────────────


def folder_of(path: Path, *rows: tuple[str, str, str, str], items: int | None = None) -> RunFolder:
    """Rows are (key, item, task, language); every key but `none` is answered by its own name."""
    counts: dict[str, int] = {}
    for _, _, task, _ in rows:
        counts[task] = counts.get(task, 0) + 1
    tasks = tuple(
        TaskEntry(task, "p", "accuracy", f"task:{task}@1", items=count if items is None else items)
        for task, count in counts.items()
    )
    with RunWriter(path) as writer:
        writer.write_manifest(Manifest(tasks=tasks))
        writer.write_requests((key, Item(name, task, code, (), Short((key,))), ()) for key, name, task, code in rows)
        writer.start()
        for key in dict.fromkeys(key for key, *_ in rows):
            if key != "none":
                writer.append(Response(key, text=key) if key != "bad" else Response(key, error="lost"))
    return RunFolder(path)


def test_items_and_answers_meet_by_key(tmp_path: Path) -> None:
    run = folder_of(
        tmp_path / "run",
        ("a", "1", "t", "de"),
        ("a", "2", "t", "de"),
        ("none", "3", "t", "fr"),
        ("bad", "4", "t", "fr"),
        ("b", "1", "u", "fr"),
    )
    found = scored_tasks(run)
    assert list(found) == ["t", "u"] and list(found["t"].items) == ["1", "2", "3", "4"]
    assert found["t"].text("1") == found["t"].text("2") == "a" and found["u"].text("1") == "b"
    assert found["t"].text("3") is found["t"].text("4") is None
    assert [item.id for item, _ in found["t"].replies] == ["1", "2", "4"]
    assert found["t"].expected == 4 and found["t"].scores["2"].values["accuracy"] == 1
    assert found["t"].scores["4"].unscored == "failed: lost" and "3" not in found["t"].scores
    assert [(one.task, one.counts.expected, one.counts.answered) for one in assess(run)] == [("t", 4, 2), ("u", 1, 1)]


def test_of_a_run_one_may_name_tasks_and_languages(tmp_path: Path) -> None:
    run = folder_of(tmp_path / "run", ("a", "1", "t", "de"), ("b", "2", "t", "fr"), ("c", "1", "u", "fr"))
    assert list(answered(run, tasks=["u"])) == ["u"]
    french = answered(run, languages=["fr"])
    assert {name: list(task.items) for name, task in french.items()} == {"t": ["2"], "u": ["1"]}
    assert list(answered(run, languages=["de"])) == ["t"]
    with pytest.raises(UsageError, match="unknown task in this run"):
        answered(run, tasks=["v"])
    with pytest.raises(UsageError, match="unknown language in this run"):
        answered(run, languages=["it"])


def test_questions_are_put_to_whole_runs_and_scoring_says_what_is_wrong(tmp_path: Path) -> None:
    run = folder_of(tmp_path / "run", ("a", "1", "t", "de"), ("b", "1", "t", "de"), items=3)
    with pytest.raises(DamagedError, match="holds 1 of the 3 items of t that were asked, 1 of them twice"):
        answered(run)
    (result,) = assess(run)
    assert (result.counts.expected, result.counts.answered, result.counts.complete) == (3, 1, False)
    assert any("1 items a second time" in warning for warning in result.warnings)
