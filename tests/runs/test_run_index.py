"""The index of a results folder: the same figures with and without it, whatever became of the runs since."""

from __future__ import annotations

import json
import os
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from run_folders import task_result, write_run

from tvbench.analysis.entries import RunEntry, load_entries
from tvbench.runs import codec, run_index
from tvbench.runs.kept_results import restored, shortened
from tvbench.runs.run_index import INDEX, RunIndex
from tvbench.runs.store import MANIFEST, REQUESTS, RESULT, RunFolder, find_runs
from tvbench.suites.missing import run_state, run_states
from tvbench.types import Counts, Figure, Slice, TaskResult

OLD = run_index.FRESH


@pytest.fixture(autouse=True)
def _few_and_young_runs_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_index, "LEAST", 1)
    monkeypatch.setattr(run_index, "FRESH", 0)


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Three runs, and an index of them."""
    for number, value in enumerate((0.2, 0.4, 0.6)):
        write_run(tmp_path / "results", f"run-{number}", f"m{number}", task_result(value=value))
    load_entries(tmp_path / "results")
    assert (tmp_path / "results" / INDEX).is_file()
    return tmp_path / "results"


def shown(results: Path) -> tuple[list[Any], list[str]]:
    """What a leaderboard is made of: with the index as it lies there; it is the same without, and so is the status."""
    states, expected = run_states(results), [run_state(run) for run in find_runs(results)]
    assert states == expected
    kept = _plain(*load_entries(results))
    index = results / INDEX
    aside = results.parent / "aside"
    if index.is_file():
        index.rename(aside)
    assert kept == _plain(*load_entries(results))
    return kept


def _plain(entries: list[RunEntry], warnings: list[str]) -> tuple[list[Any], list[str]]:
    plain = [(entry.run, entry.model, entry.date, codec.result_to_json(entry.result)) for entry in entries]
    return plain, warnings


def values(results: Path) -> dict[str, float]:
    return {run: result["metrics"]["aligned"]["value"] for run, _, _, result in shown(results)[0]}


def rich_result() -> TaskResult:
    counts = Counts(10, 9, 1, 8, 1, {"thought": 2}, 3, {"no letter": 1})
    figures = {"aligned": Figure(0.1, 3, None, None, None, None), "chrf": Figure(float("inf"), 3, 0.1, 2, -1.0, 1e300)}
    parts = {
        "de": Slice(counts, figures),
        "en": Slice(Counts(1, 1, 0, 1), {"chrf": Figure(2, 1)}),
        "fr": Slice(Counts(), {}),
    }
    return replace(
        task_result(),
        counts=counts,
        micro={},
        breakdowns={"language": parts, "category": {}, "kind": {"a b": parts["en"]}},
        metric_signatures={"chrf": "v2"},
        logged={"alm_de": {"metrics": {"exact": 0.5}, "language": "de"}},
        warnings=("ä",),
        declared={"mine": {"unit": "points"}},
    )  # fmt: skip


@pytest.mark.parametrize("result", [task_result(), rich_result()], ids=["plain", "rich"])
def test_a_result_comes_back_as_it_was(result: TaskResult) -> None:
    back = restored(json.loads(json.dumps(shortened(result))))

    assert back == result
    assert json.dumps(codec.result_to_json(back)) == json.dumps(codec.result_to_json(result))
    assert list(back.breakdowns["language"]) == list(result.breakdowns["language"])
    assert back.breakdowns["language"].get("xx") is None
    assert back.metrics.get("xx") is None
    assert "chrf" not in back.micro


def test_runs_that_are_as_they_were_are_not_read_again(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = shown(results)
    load_entries(results)
    monkeypatch.setattr(RunFolder, "_read_json", lambda *_: pytest.fail("a run was read"))

    assert _plain(*load_entries(results)) == before
    assert [state.complete for state in run_states(results)] == [True] * 3


def test_status_and_leaderboard_keep_the_same(results: Path) -> None:
    kept = (results / INDEX).read_bytes()
    (results / INDEX).unlink()
    run_states(results)

    assert (results / INDEX).read_bytes() == kept


@pytest.mark.parametrize("name", ["responses.jsonl", "responses.1of2.jsonl", REQUESTS])
def test_answers_that_are_younger_than_the_figures_are_counted(results: Path, name: str) -> None:
    """The index knows the figures; whether they still speak of everything is looked up."""
    time.sleep(0.02)
    (results / "run-1" / name).write_text("")
    states = run_states(results)

    assert states == [run_state(run) for run in find_runs(results)]
    assert [state.complete for state in states] == [True, False, True]


def test_what_a_command_asked_for_is_kept(tmp_path: Path) -> None:
    for number in range(2):
        write_run(tmp_path, f"run-{number}", "m", rich_result())
        path = tmp_path / f"run-{number}" / MANIFEST
        path.write_text(json.dumps(json.loads(path.read_text()) | {"command": ["tvbench", "run", "--judge", "x"]}))
    first, again = run_states(tmp_path), run_states(tmp_path)

    assert first == again == [run_state(run) for run in find_runs(tmp_path)]
    assert first[0].command == ("tvbench", "run", "--judge", "x")


def test_a_run_that_was_written_again_with_the_same_size_and_time_is_read(results: Path) -> None:
    file = results / "run-1" / RESULT
    about = file.stat()
    text = file.read_text().replace("0.4", "0.9")
    assert len(text) == about.st_size
    data = json.loads(text)
    data["sum"] = codec_sum(data)
    file.write_text(json.dumps(data, ensure_ascii=False, indent=1) + "\n")
    os.utime(file, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert file.stat().st_size == about.st_size

    assert values(results) == {"run-0": 0.2, "run-1": 0.9, "run-2": 0.6}


def codec_sum(data: dict[str, Any]) -> str:
    from tvbench.runs.lines import checksum

    return checksum(data)


def test_files_that_were_just_written_are_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_index, "FRESH", 3600 * 10**9)
    assert OLD >= 10**9
    write_run(tmp_path, "run", "m", task_result())
    load_entries(tmp_path)

    assert not (tmp_path / INDEX).exists()


def test_a_run_that_changes_while_it_is_read_is_not_kept(results: Path) -> None:
    (results / INDEX).unlink()
    index = RunIndex(results, "me")
    (results / "run-1" / RESULT).touch()
    for run in index.runs:
        index.add(run.name, run.name)
    index.keep()

    after = RunIndex(results, "me")
    assert [after.known(run.name) for run in after.runs] == ["run-0", None, "run-2"]


def swapped(results: Path) -> None:
    (results / "run-0").rename(results / "aside")
    (results / "run-1").rename(results / "run-0")
    (results / "aside").rename(results / "run-1")


def replaced(results: Path) -> None:
    shutil.rmtree(results / "run-0")
    write_run(results, "run-0", "m0", task_result(value=0.7))


CHANGES = {
    "swapped": (swapped, {"run-0": 0.4, "run-1": 0.2, "run-2": 0.6}),
    "replaced": (replaced, {"run-0": 0.7, "run-1": 0.4, "run-2": 0.6}),
    "deleted": (lambda results: shutil.rmtree(results / "run-1"), {"run-0": 0.2, "run-2": 0.6}),
    "renamed": (lambda results: (results / "run-1").rename(results / "x"), {"run-0": 0.2, "run-2": 0.6, "x": 0.4}),
    "added": (
        lambda results: write_run(results, "x", "m", task_result(value=0.8)),
        {"run-0": 0.2, "run-1": 0.4, "run-2": 0.6, "x": 0.8},
    ),
    "damaged": (lambda results: (results / "run-1" / RESULT).write_text("{"), {"run-0": 0.2, "run-2": 0.6}),
    "unscored": (lambda results: (results / "run-1" / RESULT).unlink(), {"run-0": 0.2, "run-2": 0.6}),
    "a folder": (lambda results: (results / "y").mkdir(), {"run-0": 0.2, "run-1": 0.4, "run-2": 0.6}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_became_of_a_run_is_seen(results: Path, change: str) -> None:
    change_it, expected = CHANGES[change]
    change_it(results)

    assert values(results) == expected


def test_files_of_one_size_and_time_are_told_apart(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stat(path: str) -> Any:
        about = os.stat(path)  # noqa: PTH116
        return SimpleNamespace(st_mode=about.st_mode, st_size=1, st_mtime_ns=1, st_ctime_ns=1, st_ino=about.st_ino)

    monkeypatch.setattr(run_index, "os", SimpleNamespace(stat=stat))
    load_entries(results)
    assert RunIndex(results, _of(results)).known("run-0") is not None
    swapped(results)

    assert values(results) == {"run-0": 0.4, "run-1": 0.2, "run-2": 0.6}


def _of(results: Path) -> str:
    return str(json.loads((results / INDEX).read_text().splitlines()[0])["of"])


def test_a_run_that_is_scored_later_is_shown(results: Path) -> None:
    text = (results / "run-1" / RESULT).read_text()
    (results / "run-1" / RESULT).unlink()
    assert "run-1 is not scored yet" in load_entries(results)[1][0]
    assert "run-1 is not scored yet" in load_entries(results)[1][0]
    (results / "run-1" / RESULT).write_text(text)

    assert values(results)["run-1"] == 0.4


def damages(text: bytes) -> Iterator[bytes]:
    chance = random.Random(7)
    yield b""
    yield b"\n" * 5
    yield b"{}\n" * 5
    yield text + text
    yield text.split(b"\n", 1)[1]
    for _ in range(40):
        at = chance.randrange(len(text))
        yield text[:at]
        yield text[:at] + bytes([text[at] ^ 1 << chance.randrange(8)]) + text[at + 1 :]


def test_a_damaged_index_changes_no_figure(results: Path) -> None:
    expected = shown(results)
    load_entries(results)
    text = (results / INDEX).read_bytes()
    for damaged in damages(text):
        (results / INDEX).write_bytes(damaged)
        assert _plain(*load_entries(results)) == expected


def test_lines_that_hold_something_else_are_read_from_the_runs(results: Path) -> None:
    expected = shown(results)
    for value in (1, [], ["m", "1", "fake", "2026", [], [], [{}]], {"model": 1}, "text"):
        (results / INDEX).unlink(missing_ok=True)
        load_entries(results)
        of = _of(results)
        index = RunIndex(results, of)
        for run in index.runs:
            index.add(run.name, value)
        index.keep()
        assert _plain(*load_entries(results)) == expected


def test_an_index_that_another_version_made_is_left(results: Path) -> None:
    index = RunIndex(results, "another version")

    assert [index.known(run.name) for run in index.runs] == [None] * 3


def test_where_it_cannot_be_written_everything_is_read(results: Path) -> None:
    expected = shown(results)
    (results / INDEX).unlink(missing_ok=True)
    (results / INDEX).mkdir()

    assert _plain(*load_entries(results)) == expected
    assert sorted(path.name for path in results.iterdir()) == [INDEX, "run-0", "run-1", "run-2"]


def test_two_that_write_it_at_once_leave_one_that_holds(results: Path) -> None:
    of = _of(results)
    slow = RunIndex(results, of)
    replaced(results)
    expected = shown(results)
    for run in slow.runs:
        slow.add(run.name, slow.known(run.name))
    slow.keep()

    assert _plain(*load_entries(results)) == expected


def test_few_runs_leave_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_index, "LEAST", 200)
    write_run(tmp_path, "run", "m", task_result())
    load_entries(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["run"]
