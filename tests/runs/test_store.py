"""The run folder: nothing is lost, nothing is kept twice, one writer at a time."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tvbench.errors import UsageError
from tvbench.runs import codec
from tvbench.runs.disk import StoreError
from tvbench.runs.manifest import Manifest
from tvbench.runs.store import RESPONSES, RunFolder, find_run
from tvbench.runs.writer import RunWriter
from tvbench.types import (
    Choice,
    Contains,
    Item,
    Media,
    Message,
    OcrText,
    Open,
    Response,
    Sampling,
    Score,
    Short,
    Target,
    Translation,
)

TARGETS: list[Target] = [
    Choice(("a", "b"), 1, "b", ("a", "b"), letters=True),
    Short(("rot", "Rot")),
    Translation("A bat.", ("Eine Fledermaus.",), ("Fledermaus",), ("Schläger",)),
    Open("Why?", "Because."),
    OcrText(None),
    Contains(("x^2",), formula=True),
]


def answers(folder: Path) -> dict[str, str | None]:
    return {key: response.text for key, response in RunFolder(folder).responses().items()}


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: type(target).__name__)
def test_an_item_survives_the_store(target: Target) -> None:
    media = Media("video", "clip.mp4", lambda: b"bytes", frames=8, size=56)
    item = Item(
        id="1",
        task="t",
        language="ko",
        messages=(Message("user", ("질문 \ud800", media)),),
        target=target,
        sampling=Sampling(stop=("\n",)),
        cluster="c",
        tags={"category": "x"},
        continuation="ja",
        repeat=2,
    )
    written = json.loads(json.dumps(codec.item_to_json(item, ("ab12",))))
    assert written["messages"][0]["parts"][1]["sha256"] == "ab12"
    assert codec.item_from_json(written) == item


def test_an_item_with_a_problem_and_nothing_else_survives() -> None:
    item = Item("1", "t", "de", (), Short(()), problem="no options")
    assert codec.item_from_json(json.loads(json.dumps(codec.item_to_json(item)))) == item


def test_empty_answer_stays_an_answer(tmp_path: Path) -> None:
    with RunWriter(tmp_path / "run") as writer:
        writer.start()
        writer.append(Response("k", text=""))
    assert RunFolder(tmp_path / "run").responses()["k"] == Response("k", text="")


@pytest.mark.parametrize("tail", [b'{"key":"b","te', b'{"key":"b","text":"x"}', '{"key":"b","text":"ж'.encode()[:-1]])
def test_a_torn_last_line_is_dropped_and_repaired(tmp_path: Path, tail: bytes) -> None:
    run = tmp_path / "run"
    with RunWriter(run) as writer:
        writer.start()
        writer.append(Response("a", text="1"))
    with (run / RESPONSES).open("ab") as file:
        file.write(tail)
    assert answers(run) == {"a": "1"}
    with RunWriter(run) as writer:
        assert writer.start().keys() == {"a"}
        writer.append(Response("b", text="2"))
    assert [json.loads(line)["key"] for line in (run / RESPONSES).read_text().splitlines()] == ["a", "b"]


def test_a_damaged_line_in_the_middle_costs_one_answer(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with RunWriter(run) as writer:
        writer.start()
        for key in "abc":
            writer.append(Response(key, text=key))
    lines = (run / RESPONSES).read_bytes().splitlines(keepends=True)
    (run / RESPONSES).write_bytes(lines[0] + b"\x00\xff garbage\n" + lines[2])
    assert answers(run) == {"a": "a", "c": "c"}


def test_failures_are_asked_again_and_keys_stay_unique(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with RunWriter(run) as writer:
        writer.start()
        writer.append(Response("a", text="1"))
        writer.append(Response("b", error="server said 500"))
    with RunWriter(run) as writer:
        assert writer.start().keys() == {"a"}
        writer.append(Response("b", text="2"))
    keys = [json.loads(line)["key"] for line in (run / RESPONSES).read_text().splitlines()]
    assert sorted(keys) == ["a", "b"]


def test_shards_are_read_together_and_merged_by_the_next_writer(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "responses.0.jsonl").write_text('{"key":"a","text":"1"}\n{"key":"b","error":"x"}\n')
    (run / "responses.1.jsonl").write_text('{"key":"b","text":"2"}\n')
    assert answers(run) == {"a": "1", "b": "2"}
    with RunWriter(run) as writer:
        assert writer.start().keys() == {"a", "b"}
    assert answers(run) == {"a": "1", "b": "2"}
    assert [path.name for path in RunFolder(run).response_files()] == [RESPONSES]


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys,time;from pathlib import Path;from tvbench.runs.writer import RunWriter\n"
            "with RunWriter(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)",
            str(tmp_path / "run"),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holder.stdout is not None and holder.stdout.readline() == "held\n"
        with pytest.raises(UsageError, match=str(holder.pid)), RunWriter(tmp_path / "run"):
            pass
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    with RunWriter(tmp_path / "run"):  # the lock died with its process
        pass


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from tvbench.runs.disk import StoreError
from tvbench.runs.writer import RunWriter
from tvbench.types import Response
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
with RunWriter(Path(sys.argv[1])) as writer:
    writer.start()
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
    try:
        for number in range(1000):
            writer.append(Response(f"k{number}", text="x" * 100))
    except StoreError as error:
        print(number, error)
"""


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    """The limit on file size stands in for a full disk: the write fails half-way through a line."""
    run = tmp_path / "run"
    done = subprocess.run([sys.executable, "-c", FULL_DISK, str(run)], capture_output=True, text=True, check=True)
    number, message = done.stdout.split(" ", 1)
    assert "no space left" in message and "same command again" in message
    assert len(answers(run)) == int(number) > 0
    with RunWriter(run) as writer:
        assert len(writer.start()) == int(number)
        writer.append(Response("after", text="room again"))
    assert answers(run)["after"] == "room again"


def test_a_results_path_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="--results"), RunWriter(tmp_path / "file" / "run"):
        pass


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"format": 99}')
    with pytest.raises(UsageError, match="newer"):
        RunFolder(tmp_path).manifest()


def test_runs_are_found_by_path_name_and_beginning(tmp_path: Path) -> None:
    for name in ("alpha-1", "alpha-2", "beta-1"):
        with RunWriter(tmp_path / name) as writer:
            writer.write_manifest(Manifest())
    assert find_run(tmp_path, "beta").name == "beta-1"
    assert find_run(tmp_path, str(tmp_path / "alpha-2")).name == "alpha-2"
    with pytest.raises(UsageError, match="alpha-1, alpha-2"):
        find_run(tmp_path, "alpha")
    with pytest.raises(UsageError, match="Did you mean beta-1"):
        find_run(tmp_path, "btea-1")


def test_scores_keep_none_as_none(tmp_path: Path) -> None:
    RunFolder(tmp_path).write_result([], {"t": [Score("1", {"strict": None}, unscored="needs a judge")]})
    line = json.loads((tmp_path / "scores.jsonl").read_text())
    assert line["values"]["strict"] is None and line["unscored"] == "needs a judge"
