"""`tvbench merge`: parts and folders of one run become one; what contradicts is named, and nothing is lost."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from part_runs import KilledError, Known, dies, plan_of, sit

import tvbench
from tvbench.cli.main import main
from tvbench.errors import UsageError
from tvbench.runs import session as sessions
from tvbench.runs.codec import response_to_json
from tvbench.runs.lines import json_line
from tvbench.runs.merge import merge
from tvbench.runs.plan import Plan
from tvbench.runs.shards import Shard
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Response

Said = pytest.CaptureFixture[str]
COUNT = 12


@pytest.fixture
def plan() -> Plan:
    return plan_of(COUNT, twins=3)


def disks(tmp_path: Path, plan: Plan, count: int = 3) -> list[RunFolder]:
    """The run, answered by `count` shards on a disk each."""
    for number in range(1, count + 1):
        sit(tmp_path / f"disk{number}", plan, Known(), Shard(number, count))
    return [RunFolder(tmp_path / f"disk{number}" / plan.run_name) for number in range(1, count + 1)]


def whole(tmp_path: Path, plan: Plan) -> RunFolder:
    sit(tmp_path / "alone", plan, Known())
    return RunFolder(tmp_path / "alone" / plan.run_name)


def always(text: str) -> Callable[[str], str]:
    return lambda key: text


def files(folder: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.path.iterdir() if path.is_file() and path.name != ".lock"}


def texts(folder: RunFolder) -> dict[str, str | None]:
    return {key: response.text for key, response in folder.responses().items()}


def test_folders_of_three_disks_are_what_one_process_gives(tmp_path: Path, plan: Plan) -> None:
    sources = disks(tmp_path, plan)
    before = [files(source) for source in sources]
    merged = merge(sources, tmp_path / "all" / plan.run_name)
    alone = whole(tmp_path, plan)
    assert (merged.answers, merged.failed, merged.missing, merged.complete) == (COUNT, 0, 0, True)
    assert texts(merged.folder) == texts(alone)
    assert [files(source) for source in sources] == before, "the sources stay as they are"
    assert (merged.folder.path / "requests.jsonl").read_bytes() == (alone.path / "requests.jsonl").read_bytes()
    assert sum(merged.brought.values()) == COUNT and len(merged.brought) == 3
    assert sorted(one.part for one in merged.folder.manifest().sessions or ()) == ["1of3", "2of3", "3of3"]
    assert tvbench.score(merged.folder).results == tvbench.score(alone).results


def test_the_command_that_is_shown_goes_on_with_the_merged_run(tmp_path: Path, plan: Plan) -> None:
    """And not with the folder that the first shard wrote."""
    source = disks(tmp_path, plan)[0]
    data = json.loads((source.path / "manifest.json").read_text())
    data["command"] = ["tvbench", "run", "--results", "disk1", "--limit", "5"]
    (source.path / "manifest.json").write_text(json.dumps(data))
    merged = merge([source], tmp_path / "all" / plan.run_name)
    command = ("tvbench", "run", "--limit", "5", "--results", str(tmp_path / "all"))
    assert merged.folder.manifest().command == command and not merged.remarks
    assert merge([source], tmp_path / "all" / plan.run_name).folder.manifest().command == command
    (note,) = merge([source], tmp_path / "all" / "another").remarks
    assert f"goes on in a folder called {plan.run_name}" in note


def test_the_same_merge_again_changes_nothing(tmp_path: Path, plan: Plan) -> None:
    sources = disks(tmp_path, plan)
    target = tmp_path / "all" / plan.run_name
    merge(sources[:2], target)
    first = merge(sources, target)
    written = files(first.folder)
    for again in (sources, sources[::-1], [first.folder], [*sources, first.folder]):
        found = merge(again, target)
        assert not found.changed and files(found.folder) == written and "nothing was to be done" in found.said


def test_the_parts_of_one_folder_become_its_one_file(tmp_path: Path, plan: Plan) -> None:
    for number in (1, 2):
        sit(tmp_path, plan, Known(), Shard(number, 2))
    folder = RunFolder(tmp_path / plan.run_name)
    assert len(folder.response_files()) == 2
    merged = merge([folder], folder.path)
    assert [path.name for path in folder.response_files()] == ["responses.jsonl"] and merged.complete
    assert not list(folder.path.glob(".*.jsonl*")) and not (folder.path / ".parts.lock").exists()
    engine = Known()
    assert sit(tmp_path, plan, engine).complete and not engine.asked


def test_what_is_merged_half_way_goes_on(tmp_path: Path, plan: Plan) -> None:
    sources = disks(tmp_path, plan)
    merged = merge(sources[:2], tmp_path / "all" / plan.run_name)
    assert merged.missing == COUNT - merged.answers > 0 and not merged.complete
    engine = Known()
    assert sit(tmp_path / "all", plan, engine, Shard(1, 1)).complete
    assert engine.asked.keys() == texts(sources[2]).keys()


def test_an_answer_beats_a_failure_whichever_comes_first(tmp_path: Path, plan: Plan) -> None:
    key = next(iter({planned.key for planned in plan.planned_items()}))
    sit(tmp_path / "a", plan, Known(bad={key}))
    sit(tmp_path / "b", plan, Known())
    a, b = (RunFolder(tmp_path / name / plan.run_name) for name in "ab")
    for number, order in enumerate(([a, b], [b, a])):
        merged = merge(order, tmp_path / f"to{number}")
        assert (merged.answers, merged.failed) == (COUNT, 0)
        assert texts(merged.folder) == texts(b)
    only = merge([a], tmp_path / "only")
    assert (only.answers, only.failed, only.missing) == (COUNT - 1, 1, 0)
    assert only.folder.responses()[key].error == "it failed"


def test_two_different_answers_are_named_and_nothing_is_written(tmp_path: Path, plan: Plan) -> None:
    sit(tmp_path / "a", plan, Known())
    sit(tmp_path / "b", plan, Known(always("other")))
    a, b = (RunFolder(tmp_path / name / plan.run_name) for name in "ab")
    with pytest.raises(
        UsageError, match=r"12 questions have two different answers.*'answer .*'other'.*and 7 more"
    ) as told:
        merge([a, b], tmp_path / "to")
    assert f"--prefer {a.path}" in str(told.value) and not (tmp_path / "to").exists()
    before = files(a)
    with pytest.raises(UsageError, match="two different answers"):
        merge([b], a.path)
    assert files(a) == before
    for prefer in (a, b):
        found = merge([a, b], tmp_path / f"to-{prefer.path.parent.name}", prefer)
        assert texts(found.folder) == texts(prefer)
        assert not merge([a, b], found.folder.path, prefer).changed


def test_a_third_folder_that_differs_is_settled_by_the_preferred_one(tmp_path: Path, plan: Plan) -> None:
    for name in "abc":
        sit(tmp_path / name, plan, Known(always(name)))
    a, b, c = (RunFolder(tmp_path / name / plan.run_name) for name in "abc")
    for prefer in (a, b, c):
        assert set(texts(merge([a, b, c], tmp_path / f"to-{prefer.path.parent.name}", prefer).folder).values()) == {
            prefer.path.parent.name
        }
    with pytest.raises(UsageError, match="none of the runs"):
        merge([a, b], tmp_path / "to", c)


def test_two_answers_in_one_folder_contradict_each_other_too(tmp_path: Path, plan: Plan) -> None:
    sit(tmp_path, plan, Known())
    folder = RunFolder(tmp_path / plan.run_name)
    (key, *_) = texts(folder)
    with RunWriter(folder.path, "1of2") as writer:
        writer.start()
        writer.append(Response(key, text="other"))
    with pytest.raises(UsageError, match=r"1 question has two different answers.*responses\.1of2\.jsonl: 'other'"):
        merge([folder], folder.path)


def test_equal_answers_that_took_other_times_are_no_conflict(tmp_path: Path, plan: Plan) -> None:
    sit(tmp_path / "a", plan, Known())
    a = RunFolder(tmp_path / "a" / plan.run_name)
    shutil.copytree(a.path, tmp_path / "b")
    slower = [replace(response, seconds=9.0) for response in a.responses().values()]
    (tmp_path / "b" / "responses.jsonl").write_text("".join(json_line(response_to_json(one)) for one in slower))
    merged = merge([a, RunFolder(tmp_path / "b")], tmp_path / "to")
    assert merged.twice == COUNT and merged.answers == COUNT
    assert merged.folder.responses() == a.responses(), "the first one's lines, as they are"
    assert len(merged.folder.manifest().sessions or ()) == 1, "a copy's sessions are the same ones"


def test_another_run_is_refused_with_what_differs(tmp_path: Path, plan: Plan) -> None:
    other = plan_of(COUNT, label="other")
    sit(tmp_path, plan, Known())
    sit(tmp_path, other, Known())
    names = [RunFolder(tmp_path / one.run_name) for one in (plan, other)]
    with pytest.raises(UsageError, match=r"are two runs: ask\.model\[1\] m and other"):
        merge(names, tmp_path / "new" / "results" / "to", names[0])
    assert not (tmp_path / "new").exists()


def test_manifests_that_differ_are_named(tmp_path: Path, plan: Plan) -> None:
    sit(tmp_path / "a", plan, Known(), Shard(1, 2))
    sit(tmp_path / "b", plan, Known(version="2"), Shard(2, 2))
    a, b = (RunFolder(tmp_path / name / plan.run_name) for name in "ab")
    with pytest.raises(UsageError, match=r"the manifests of .* differ: .*engine\.version 1 and 2"):
        merge([a, b], tmp_path / "to")
    merged = merge([a, b], tmp_path / "to", b)
    assert merged.folder.manifest().engine.version == "2" and merged.complete
    assert any("engine.version 1 and 2" in line for line in merged.remarks)


def test_questions_that_differ_are_named(tmp_path: Path, plan: Plan) -> None:
    a, b = disks(tmp_path, plan, 2)
    lines = (b.path / "requests.jsonl").read_text().splitlines(keepends=True)
    (b.path / "requests.jsonl").write_text("".join(lines[:-1]))
    with pytest.raises(UsageError, match=r"hold other questions, from line 15 on"):
        merge([a, b], tmp_path / "to")
    assert len(merge([a, b], tmp_path / "to", a).folder.requests()) == 15


@pytest.mark.parametrize("where", ["target", "source"])
def test_damaged_and_torn_lines_are_left_out_and_said(where: str, tmp_path: Path, plan: Plan) -> None:
    a, b = disks(tmp_path, plan, 2)
    hurt = a if where == "target" else b
    (path,) = hurt.response_files()
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0].replace(b"answer", b"Answer") + b"".join(lines[1:]) + b'{"key":"torn')
    merged = merge([a, b], a.path)
    assert any(f"{path}:1 is damaged" in line for line in merged.remarks)
    assert (merged.answers, merged.missing) == (COUNT - 1, 1)
    if where == "source":
        assert path.read_bytes().endswith(b'{"key":"torn')
    assert all(json.loads(line) for line in (a.path / "responses.jsonl").read_text().splitlines())


def test_lines_of_before_get_their_checksums(tmp_path: Path, plan: Plan) -> None:
    folder = whole(tmp_path, plan)
    path = folder.path / "responses.jsonl"
    old = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps({k: v for k, v in one.items() if k != "sum"}) + "\n" for one in old))
    before = texts(folder)
    assert merge([folder], folder.path).changed and texts(folder) == before
    assert path.read_bytes().count(b',"sum":"') == COUNT and not merge([folder], folder.path).changed


def test_killed_sessions_are_counted_while_it_can_be_told(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions.RunSession, "_end", dies(sessions.RunSession))
    for number in (1, 2):
        with pytest.raises(KilledError):
            sit(tmp_path, plan, Known(kill_after=2), Shard(number, 2))
    folder = RunFolder(tmp_path / plan.run_name)
    assert [one.answered for one in folder.manifest().sessions or ()] == [None, None]
    merge([folder], folder.path)
    assert [one.answered for one in folder.manifest().sessions or ()] == [2, 2]


def test_a_killed_session_of_a_preferred_source_changes_nothing_twice(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it took is added up anew, with more digits than a manifest holds."""
    monkeypatch.setattr(sessions.RunSession, "_end", dies(sessions.RunSession))
    with pytest.raises(KilledError):
        sit(tmp_path, plan, Known(kill_after=6))
    source = RunFolder(tmp_path / plan.run_name)
    assert merge([source], tmp_path / "to", source).changed
    assert not merge([source], tmp_path / "to", source).changed


def test_nobody_may_write_the_target_meanwhile(tmp_path: Path, plan: Plan) -> None:
    a, b = disks(tmp_path, plan, 2)
    with RunWriter(a.path, "1of2"), pytest.raises(UsageError, match="shard 1/2 is writing"):
        merge([a, b], a.path)
    with RunWriter(a.path), pytest.raises(UsageError, match="is writing"):
        merge([a, b], a.path)
    with RunWriter(b.path, "2of2"):
        assert merge([a, b], a.path).complete, "a source may still be written"


def test_a_run_without_answers_is_merged_too(tmp_path: Path, plan: Plan) -> None:
    a, b = disks(tmp_path, plan, 2)
    for path in a.response_files():
        path.unlink()
    assert merge([a], a.path).missing == COUNT
    merged = merge([a, b], tmp_path / "to")
    assert merged.answers == len(texts(b)) and merged.missing == COUNT - merged.answers


# ── The command ───────────────────────────────────────────────────────────────────────────────────


def test_the_command_merges_scores_and_says_what_came_of_it(tmp_path: Path, plan: Plan, capsys: Said) -> None:
    names = [str(folder.path) for folder in disks(tmp_path, plan)]
    results = ["--results", str(tmp_path / "results")]
    assert main(["merge", *names[:2], *results]) == 1
    assert "missing; in" in capsys.readouterr().err
    assert main(["merge", *names, *results, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    folder = RunFolder(tmp_path / "results" / plan.run_name)
    assert found["path"] == str(folder.path) and found["answers"] == COUNT and found["complete"] is True
    assert len(found["tasks"]) == 1 and folder.result() is not None
    assert main(["merge", folder.name, *results, "--no-score"]) == 0
    shown = capsys.readouterr()
    assert shown.out == "" and "nothing was to be done" in shown.err
    assert main(["merge", names[0], "--into", str(tmp_path / "copy"), "--no-score"]) == 1
    assert (tmp_path / "copy" / "manifest.json").is_file()


def test_the_command_names_conflicts(tmp_path: Path, plan: Plan, capsys: Said) -> None:
    sit(tmp_path / "a", plan, Known())
    sit(tmp_path / "b", plan, Known(always("other")))
    names = [str(tmp_path / name / plan.run_name) for name in "ab"]
    into = ["--into", str(tmp_path / "to")]
    assert main(["merge", *names, *into]) == 2
    assert "two different answers" in capsys.readouterr().err
    assert main(["merge", *names, *into, "--prefer", names[1]]) == 0
    assert set(texts(RunFolder(tmp_path / "to")).values()) == {"other"}


def test_python_merges_too(tmp_path: Path, plan: Plan) -> None:
    run = tvbench.merge(*disks(tmp_path, plan), results=tmp_path / "results")
    assert run.complete and run.path == tmp_path / "results" / plan.run_name and "3 folders" in run.remarks[-1]
    with pytest.raises(UsageError, match="no run is named"):
        tvbench.merge()
