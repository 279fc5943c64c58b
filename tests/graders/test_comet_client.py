"""COMET's near side, beside a fake worker that misbehaves: nothing hangs, nothing is lost, nothing is scored twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from comet_bench import FAKE, ROWS, Bench, checkpoint
from comet_runs import TASK, Row, answered, write_translations
from hub_server import hub_server

from tvbench.analysis.cost import run_cost
from tvbench.cli.main import main
from tvbench.errors import EngineError, UsageError
from tvbench.graders.comet.process import WorkerError, WorkerProcess
from tvbench.graders.comet.record import FAILED, side_scores
from tvbench.graders.comet.segments import NO_REFERENCE, NOT_TEXT
from tvbench.graders.comet.session import NoWatch, score_run
from tvbench.report.cost import cost_lines
from tvbench.runs.store import RunFolder


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path, ROWS)


def ended(pid: int) -> bool:
    """Whether a process is gone, or dead and not yet reaped by whoever inherited it."""
    for _ in range(2400):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def formula(row: Row) -> float:
    return len(row[1] or "") / (1 + len(row[0]) + len(row[2][0]))


# ── What is sent, and what is kept ────────────────────────────────────────────────────────────────


def test_every_translation_is_scored_and_read_back_without_a_worker(bench: Bench) -> None:
    summary = bench.score()
    expected = [formula(row) for row in ROWS]
    assert summary.complete
    assert summary.system == pytest.approx(sum(expected) / len(expected))
    (side,) = side_scores(bench.run, TASK, answered(bench.run))
    assert [side.values[str(number)] for number in range(len(ROWS))] == pytest.approx(expected)
    assert side.metric == summary.metric
    assert side.definition == summary.definition
    assert side.definition.endswith("|unbabel-comet:fake|torch:0.1|precision:fp16")
    assert side_scores(bench.run, "another task", answered(bench.run)) == []


def test_it_beats_in_the_runs_folder_while_it_scores_and_leaves_nothing(bench: Bench) -> None:
    beats: list[dict[str, Any]] = []

    class Beats(NoWatch):
        def scored(self) -> None:
            beats.append(json.loads((bench.run.path / "heartbeat.comet.json").read_text()))

    bench.watch = Beats()  # type: ignore[assignment]
    bench.score()
    assert len(beats) == len(ROWS) and beats[0]["part"] == "comet"
    assert not list(bench.run.path.glob("*heartbeat*"))


def test_a_second_session_starts_no_worker(bench: Bench) -> None:
    first = bench.score()
    second = bench.score()
    assert (first.new, second.new) == (len(ROWS), 0)
    assert second.scores == first.scores
    assert len(bench.log("pid")) == 1
    assert bench.watch.begun == (len(ROWS), len(ROWS))


def test_duplicates_are_sent_once_and_all_items_scored(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [ROWS[3], ROWS[4], ROWS[3], ROWS[3]])
    summary = bench.score()
    assert [len(keys) for keys in bench.sent()] == [2]
    assert len(summary.scores) == 4
    assert summary.scores[TASK, "0"] == summary.scores[TASK, "3"]


def test_failed_answers_are_not_sent_and_empty_ones_are(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [("A dog.", None, ("Ein Hund.",)), ("A cat.", "", ("Eine Katze.",))])
    assert set(bench.score().scores) == {(TASK, "1")}
    assert bench.log("segments")[0][0]["mt"] == ""


def test_an_answer_given_anew_has_no_score_until_it_is_scored(bench: Bench) -> None:
    bench.score()
    changed = write_translations(bench.run.path, [("A dog, number 0.", "Etwas anderes", ("Hund 0.",)), *ROWS[1:]])
    (side,) = side_scores(changed, TASK, answered(changed))
    assert "0" not in side.values
    assert bench.score().new == 1
    (side,) = side_scores(changed, TASK, answered(changed))
    assert side.values["0"] == pytest.approx(len("Etwas anderes") / (1 + len(ROWS[0][0]) + len("Hund 0.")))


def test_another_precision_and_another_checkpoint_are_other_scores(bench: Bench) -> None:
    bench.score()
    assert bench.score(precision="fp32").new == len(ROWS)
    assert side_scores(bench.run, TASK, answered(bench.run))[0].definition.endswith("precision:fp32")
    assert bench.score().new == 0
    assert side_scores(bench.run, TASK, answered(bench.run))[0].definition.endswith("precision:fp16")
    other = checkpoint(bench.folder / "other" / "tiny", weights=b"other weights")
    assert bench.score(other).new == len(ROWS)
    assert len({side.metric for side in side_scores(bench.run, TASK, answered(bench.run))}) == 2


def test_a_checkpoint_may_be_moved_without_losing_its_scores(bench: Bench) -> None:
    bench.score()
    (bench.folder / "elsewhere").mkdir()
    moved = bench.checkpoint.rename(bench.folder / "elsewhere" / bench.checkpoint.name)
    assert bench.score(moved / "checkpoints" / "model.ckpt").new == 0


def test_a_reference_free_model_neither_needs_nor_sees_references(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [("A dog.", "Ein Hund.", ()), ("A dog.", "Ein Hund.", ("Ein Hund.",))])
    free = checkpoint(tmp_path / "kiwi", "referenceless_regression_metric")
    summary = bench.score(free)
    assert len(summary.scores) == 2
    assert [sorted(one) for one in bench.log("segments")[0]] == [["id", "mt", "src"]]


@pytest.mark.parametrize(("kind", "sends"), [("[mt, src]", False), ("[mt, src, ref]", True)])
def test_a_unified_model_reads_what_its_settings_say(bench: Bench, kind: str, sends: bool) -> None:
    folder = checkpoint(bench.folder / "unified", f"unified_metric\ninput_segments: {kind}")
    bench.score(folder)
    assert ("ref" in bench.log("segments")[0][0]) is sends


def test_missing_wrong_and_several_references(tmp_path: Path) -> None:
    rows: list[Any] = [
        ("A dog.", "Ein Hund.", ()),
        ("A dog.", "Ein Hund.", (None,)),
        (7, "Ein Hund.", ("Ein Hund.",)),
        ("A cat.", "Eine Katze.", ("Die Katze.", "Eine Katze.")),
    ]
    bench = Bench(tmp_path, rows)
    summary = bench.score()
    assert [one["ref"] for one in bench.log("segments")[0]] == ["Die Katze."]
    assert [note.split()[0] for note in summary.notes] == ["1", "1", "2"]
    (side,) = side_scores(bench.run, TASK, answered(bench.run))
    assert {item: value is None for item, value in side.values.items()} == {"0": True, "1": True, "2": True, "3": False}
    assert side.flags == {"0": (NO_REFERENCE,), "1": (NOT_TEXT,), "2": (NOT_TEXT,)}


def test_what_cannot_be_encoded_is_replaced_before_it_is_sent(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [("A dog.", "Ein \ud800Hund\U0001f600.", ("Ein Hund.",))])
    assert bench.score().complete
    assert bench.log("segments")[0][0]["mt"] == "Ein \ufffdHund\U0001f600."


@pytest.mark.parametrize("plan", [{"fail": "xxxxx"}, {"nan": True}])
def test_a_segment_that_fails_is_unscored_and_tried_again(bench: Bench, plan: dict[str, object]) -> None:
    bench.plan(**plan, starts=1)
    first = bench.score()
    failed = len(first.failures)
    assert failed > 0
    assert not first.complete
    (side,) = side_scores(bench.run, TASK, answered(bench.run))
    assert [value is None for value in side.values.values()].count(True) == failed
    assert set(side.flags.values()) == {(FAILED,)}
    second = bench.score()
    assert second.complete
    assert second.new == failed
    assert not side_scores(bench.run, TASK, answered(bench.run))[0].flags


# ── A worker that misbehaves ──────────────────────────────────────────────────────────────────────


def test_a_killed_worker_is_started_again_for_what_is_left(bench: Bench) -> None:
    bench.plan(die_after=7, starts=1)
    assert bench.score().complete
    first, second = bench.sent()
    assert second == first[7:]
    assert [line["key"] for line in bench.stored()] == first
    assert "killed by SIGKILL" in bench.watch.notes[0]
    assert "7 scored so far" in bench.watch.notes[0]


def test_after_two_restarts_it_gives_up_and_the_same_command_goes_on(bench: Bench) -> None:
    bench.plan(die_after=4)
    with pytest.raises(WorkerError, match="12 segments were scored and are kept, 8 are left: the same command goes on"):
        bench.score()
    assert len(bench.log("pid")) == 3
    bench.plan()
    assert bench.score().new == 8
    keys = [line["key"] for line in bench.stored()]
    assert len(keys) == len(set(keys)) == len(ROWS)


def test_a_worker_that_gets_nowhere_is_not_started_again(bench: Bench) -> None:
    bench.plan(never_ready=True)
    with pytest.raises(WorkerError, match="exit code 3") as raised:
        bench.score()
    assert "Weights are 31 % loaded" in raised.value.message
    assert "while loading the checkpoint" in raised.value.message
    assert len(bench.log("pid")) == 1


def test_garbage_on_its_output_is_ignored_and_kept_for_the_message(bench: Bench) -> None:
    bench.plan(garbage=True, die_after=0)
    with pytest.raises(WorkerError, match="Lightning says hello"):
        bench.score()
    bench.plan(garbage=True)
    assert bench.score().scores == pytest.approx({(TASK, str(n)): formula(row) for n, row in enumerate(ROWS)})


def test_a_silent_worker_is_stopped_with_its_children(bench: Bench) -> None:
    bench.plan(quiet_after=5, child=True, starts=1)
    assert bench.score(silence_s=3).complete
    assert "said nothing for 3 s" in bench.watch.notes[0]
    assert ended(bench.log("pid")[0])
    assert ended(bench.log("child")[0])


@pytest.mark.slow
def test_an_output_that_a_child_holds_open_does_not_hide_the_death(bench: Bench) -> None:
    bench.plan(die_after=3, hold=True, starts=1)
    assert bench.score(silence_s=60).complete
    assert "killed by SIGKILL" in bench.watch.notes[0]


def test_a_worker_is_gone_after_its_context_however_it_was_left(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"child": true}')
    with (
        pytest.raises(KeyboardInterrupt),
        WorkerProcess([sys.executable, str(FAKE), str(tmp_path)], name="the worker") as worker,
    ):
        worker.receive()
        raise KeyboardInterrupt
    started = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[0])
    assert ended(started["pid"])
    assert ended(started["child"])


def test_a_worker_that_does_not_read_does_not_block_the_sender(tmp_path: Path) -> None:
    deaf = [sys.executable, "-c", "import time; time.sleep(600)"]
    with WorkerProcess(deaf, name="the worker", silence_s=0.3) as worker:
        worker.send({"tvbench": "score", "text": "x" * 5_000_000})
        with pytest.raises(WorkerError, match="said nothing"):
            worker.receive()


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    absent = WorkerProcess([str(tmp_path / "no")], name="the worker")
    with pytest.raises(WorkerError, match="cannot be started"), absent:
        pass


# ── Files ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_torn_line_costs_one_segment(bench: Bench) -> None:
    bench.score()
    (path,) = (bench.run.path / "comet").glob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-9])
    assert len(side_scores(bench.run, TASK, answered(bench.run))[0].values) == len(ROWS) - 1
    assert bench.score().new == 1
    assert len(side_scores(bench.run, TASK, answered(bench.run))[0].values) == len(ROWS)


def test_damaged_lines_count_as_missing(bench: Bench) -> None:
    bench.score()
    (path,) = (bench.run.path / "comet").glob("*.jsonl")
    lines = path.read_text().splitlines()
    lines[:4] = ["[]", '{"key": [1], "score": "x"}', '{"key": "k"}', "\u0000"]
    path.write_text("\n".join(lines) + "\n")
    assert bench.score().new == 4


def test_a_damaged_description_is_named(bench: Bench) -> None:
    bench.score()
    (path,) = (bench.run.path / "comet").glob("*.json")
    path.write_text("{")
    with pytest.raises(UsageError, match="the scores next to it are kept"):
        side_scores(bench.run, TASK, answered(bench.run))
    path.unlink()
    assert bench.score().new == 0


def test_its_time_is_noted_and_added_up_and_a_damaged_note_is_none(bench: Bench) -> None:
    bench.score()
    ((name, (segments, seconds)),) = run_cost(bench.run).comet.items()
    assert name.startswith("comet") and segments == len(ROWS) and seconds > 0
    (path,) = (bench.run.path / "comet").glob("*.jsonl")
    path.write_bytes(path.read_bytes()[:-9])
    bench.score()
    assert run_cost(bench.run).comet[name][0] == len(ROWS) + 1
    assert f"{name}: {len(ROWS) + 1} segments in" in cost_lines(run_cost(bench.run))[0]
    about = path.with_suffix(".json")
    data = json.loads(about.read_text())
    for broken in ("x", {"segments": "many"}, {"segments": 1, "seconds": -1}, {"segments": True, "seconds": 1}):
        about.write_text(json.dumps(data | {"spent": broken}))
        assert run_cost(bench.run).comet == {}
    assert bench.score().new == 0


# ── The command ───────────────────────────────────────────────────────────────────────────────────


def shim(folder: Path) -> Path:
    """A Python that runs the fake worker whatever it is asked to run."""
    path = folder / "python"
    path.write_text(f'#!/bin/sh\nshift 4\nexec "{sys.executable}" "{FAKE}" "{folder}" "$@"\n')
    path.chmod(0o755)
    return path


def test_without_the_environment_it_names_the_command_that_makes_it(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("TVBENCH_COMET_PYTHON", raising=False)
    monkeypatch.setenv("TVBENCH_CACHE", str(bench.folder / "nothing"))
    assert main(["comet", str(bench.run.path), "--checkpoint", str(bench.checkpoint)]) == 2
    assert "make it with: tvbench setup comet" in capsys.readouterr().err
    assert not (bench.run.path / "comet").exists()
    monkeypatch.setenv("TVBENCH_COMET_PYTHON", str(bench.folder / "no-such-python"))
    assert main(["comet", str(bench.run.path), "--checkpoint", str(bench.checkpoint)]) == 2
    assert "TVBENCH_COMET_PYTHON" in capsys.readouterr().err


def test_the_command_scores_and_shows_the_run(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TVBENCH_COMET_PYTHON", str(shim(bench.folder)))
    words = ["comet", str(bench.run.path), "--checkpoint", str(bench.checkpoint), "--format", "json"]
    assert main([*words, "--batch-size", "4"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["comet"]["new"] == len(ROWS)
    assert printed["tasks"][0]["task"] == TASK
    assert bench.log("args")[0][1:] == ["--precision", "fp16", "--batch-size", "4"]
    bench.plan(fail="xxxxx")
    assert main([*words, "--precision", "fp32"]) == 1
    assert "could not be scored" in capsys.readouterr().err


@pytest.mark.parametrize(("stop", "by"), [(signal.SIGINT, b"Ctrl-C"), (signal.SIGTERM, b"SIGTERM")])
def test_being_stopped_ends_the_worker_and_keeps_what_was_scored(bench: Bench, stop: signal.Signals, by: bytes) -> None:
    bench.plan(quiet_after=5, child=True)
    command = [sys.executable, "-m", "tvbench", "comet", str(bench.run.path), "--checkpoint", str(bench.checkpoint)]
    running = subprocess.Popen(
        command,
        env={**os.environ, "TVBENCH_COMET_PYTHON": str(shim(bench.folder))},
        stderr=subprocess.PIPE,
        # A shell starts its background jobs with SIGINT ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and not (bench.sent() and len(bench.stored()) == 5):
        time.sleep(0.05)
    running.send_signal(stop)
    _, said = running.communicate(timeout=300)
    assert running.returncode == 1, said
    assert b"stopped by " + by in said
    assert ended(bench.log("pid")[0])
    assert ended(bench.log("child")[0])
    assert len(bench.stored()) == 5


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("xcomet-x", "Did you mean xcomet-xl"),
        ("./nowhere.ckpt", "there is no file or folder"),
        (".", "is not a COMET checkpoint"),
    ],
)
def test_a_checkpoint_that_is_none(
    bench: Bench, words: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(bench.folder)
    monkeypatch.setenv("TVBENCH_COMET_PYTHON", str(shim(bench.folder)))
    assert main(["comet", str(bench.run.path), "--checkpoint", words]) == 2
    assert said in capsys.readouterr().err


def test_a_run_without_translations(tmp_path: Path) -> None:
    bench = Bench(tmp_path, [])
    with pytest.raises(UsageError, match="no answered translations"):
        bench.score()
    with pytest.raises(UsageError, match="holds no run"):
        score_run(RunFolder(tmp_path), str(bench.checkpoint), worker=["no"])


def test_a_checkpoint_that_does_not_load(bench: Bench) -> None:
    dying = [sys.executable, "-c", 'print(\'{"tvbench": "fatal", "error": "KeyError: word_layer"}\')']
    with pytest.raises(EngineError, match="cannot be loaded: KeyError: word_layer"):
        score_run(bench.run, str(bench.checkpoint), worker=dying)


# ── The hub ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
@pytest.mark.parametrize("fetched_before", [False, True])
def test_a_known_name_comes_from_the_hub_and_stays_without_a_network(bench: Bench, fetched_before: bool) -> None:
    encoder = bench.folder / "encoder"
    encoder.mkdir()
    (encoder / "config.json").write_text("{}")
    published = checkpoint(bench.folder / "published")
    (published / "hparams.yaml").write_text("class_identifier: regression_metric\npretrained_model: org/encoder\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    clean |= {"HF_HOME": str(bench.folder / "hub"), "TVBENCH_COMET_PYTHON": str(shim(bench.folder))}

    def tvbench(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tvbench", *words]
        return subprocess.run(command, env={**clean, **variables}, capture_output=True, text=True, check=False)

    def comet(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return tvbench("comet", str(bench.run.path), "--format", "json", *words, **variables)

    name = ("--checkpoint", "wmt22-comet-da")
    refused = comet(*name, "--offline")
    assert refused.returncode == 2
    assert "tvbench fetch --comet Unbabel/wmt22-comet-da" in refused.stderr
    with hub_server({"Unbabel/wmt22-comet-da": published, "org/encoder": encoder}) as server:
        if fetched_before:
            fetched = tvbench("fetch", "--comet", "wmt22-comet-da", HF_ENDPOINT=server.url)
            assert fetched.returncode == 0, fetched.stderr
        else:
            online = comet(*name, HF_ENDPOINT=server.url)
        commit = server.commits["Unbabel/wmt22-comet-da"]
    if fetched_before:
        online = comet(*name, HF_HUB_OFFLINE="1")
    assert online.returncode == 0, online.stderr
    said = json.loads(online.stdout)["comet"]
    assert said["metric"] == "wmt22_comet_da"
    assert said["definition"].startswith(f"comet:Unbabel/wmt22-comet-da@{commit}|")
    offline = comet(*name, HF_HUB_OFFLINE="1")
    assert json.loads(offline.stdout)["comet"]["new"] == 0
    (snapshot,) = (bench.folder / "hub" / "hub" / "models--Unbabel--wmt22-comet-da" / "snapshots").iterdir()
    assert json.loads(comet("--checkpoint", str(snapshot), "--offline").stdout)["comet"]["metric"] == "wmt22_comet_da"
