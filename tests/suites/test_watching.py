"""`tvbench status` of a run that somebody writes now: what it shows, what it reads, and `--watch`."""

from __future__ import annotations

import argparse
import json
import os
import pty
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from beating import EchoEngine, session, write_pulse
from repository import ROOT

from tvbench.cli import watching
from tvbench.cli.main import main
from tvbench.cli.status import looked_at, show_states
from tvbench.cli.watching import rows_of, watch
from tvbench.errors import EngineError
from tvbench.report.live import live_lines, live_table, progress_line, state_word
from tvbench.runs.heartbeat import Heart
from tvbench.runs.merge import merge
from tvbench.runs.processes import place, started
from tvbench.runs.pulses import QUIET
from tvbench.runs.store import RunFolder
from tvbench.suites import missing
from tvbench.suites.missing import run_state
from tvbench.suites.states import RunState

Said = pytest.CaptureFixture[str]
TASKS = {"t": {"de": [5, 3, 1], "fr": [5, 4, 0]}}


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """A run of 10 questions, of which 6 have an answer; nobody is at it."""
    with pytest.raises(EngineError):
        session(tmp_path / "run", lambda: EchoEngine(die_after=6), 10)
    return RunFolder(tmp_path / "run")


def json_of(run: RunFolder, capsys: Said, *words: str) -> dict[str, Any]:
    capsys.readouterr()
    main(["status", "run", "--results", str(run.path.parent), "--format", "json", *words])
    return dict(json.loads(capsys.readouterr().out)[0]["runs"][0])


def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every run is too large to be read while somebody writes it."""
    monkeypatch.setattr(missing, "READ_AT_ONCE", -1)


# ── What is read ──────────────────────────────────────────────────────────────────────────────────


def test_a_small_run_is_counted_by_its_files_whoever_writes_it(run: RunFolder, capsys: Said) -> None:
    write_pulse(run.path, per_second_now=4.0, seconds_left=2.0, tasks=TASKS)
    state = json_of(run, capsys)
    assert (state["done"], state["missing"], state["counted"]) == (6, 4, "items")
    (writer,) = state["writers"]
    assert (writer["alive"], writer["host"], writer["phase"], writer["per_second_now"]) == (True, "node7", "asking", 4)


def test_of_a_large_run_the_heartbeat_tells_and_no_answer_is_read(
    run: RunFolder, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(monkeypatch)
    write_pulse(run.path, tasks=TASKS)
    monkeypatch.setattr(missing, "read_lines", None)
    state = json_of(run, capsys)
    assert (state["done"], state["failed"], state["missing"], state["complete"]) == (7, 1, 2, False)
    assert state["tasks"][0]["languages"]["de"] == {"asked": 5, "done": 3, "failed": 1, "missing": 1}
    german = json_of(run, capsys, "--languages", "de")
    assert (german["asked"], german["done"]) == (5, 3)


def test_parts_that_tell_of_everything_are_added_up(
    run: RunFolder, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(monkeypatch)
    write_pulse(run.path, "1of2", tasks={"t": {"de": [3, 2, 0], "fr": [2, 2, 0]}})
    write_pulse(run.path, "2of2", tasks={"t": {"de": [2, 1, 1], "fr": [3, 2, 0]}}, phase="ended", age=4000)
    state = json_of(run, capsys)
    assert (state["done"], state["failed"], state["asked"]) == (7, 1, 10)


def test_parts_that_do_not_are_not_believed_and_lines_are_counted(
    run: RunFolder, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(monkeypatch)
    write_pulse(run.path, "1of2", tasks={"t": {"de": [5, 5, 0]}})
    monkeypatch.setattr(missing, "read_lines", None)
    state = json_of(run, capsys)
    assert (state["done"], state["asked"], state["counted"], state["complete"]) == (6, 10, "lines", False)
    assert "about so many" in " ".join(live_lines(run_state(run)))


def test_a_heartbeat_of_a_dead_writer_is_not_believed(
    run: RunFolder, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    large(monkeypatch)
    write_pulse(run.path, tasks=TASKS, age=QUIET + 5)
    state = json_of(run, capsys)
    assert (state["done"], state["counted"], state["writers"][0]["alive"]) == (6, "items", False)
    assert main(["status", "run", "--results", str(run.path.parent)]) == 1
    said = capsys.readouterr().out
    assert "ended without a word" in said and "at 5 of 9" in said and "asking" not in said and "goes on: " in said


def test_a_run_that_is_being_scored_is_not_complete(tmp_path: Path) -> None:
    session(tmp_path / "run", EchoEngine, 4)
    run = RunFolder(tmp_path / "run")
    assert run_state(run).total.missing == 0
    heart = Heart(run.path)
    heart.scoring()
    heart.start()
    state = run_state(run)
    assert not state.complete and state_word(state) == f"scoring (process {os.getpid()})"
    heart.stop()
    assert not run_state(run).pulses


# ── What is shown ─────────────────────────────────────────────────────────────────────────────────


def test_speed_time_left_and_how_fresh_that_is(run: RunFolder) -> None:
    write_pulse(run.path, age=20, per_second_now=3.04, seconds_left=100)
    line = next(live_lines(run_state(run)))
    assert re.fullmatch(r"3.0/s now, 2.0/s overall, about 2 min left, last heard \d+ s ago from node7", line)
    assert progress_line("m", run_state(run)) == "m  asking  6 of 10 done, 3.0/s now, 2.0/s overall, about 2 min left"


def test_a_process_that_hangs_is_alive_and_has_no_speed(run: RunFolder) -> None:
    if not place():
        pytest.skip("this system does not tell processes apart")
    mine: dict[str, Any] = {"pid": os.getpid(), "place": place(), "started": started(os.getpid())}
    write_pulse(run.path, age=600, per_second_now=3.0, seconds_left=5, **mine)
    assert list(live_lines(run_state(run))) == ["last heard 10 min ago"]


def test_clocks_that_differ_are_named_and_nothing_is_claimed(run: RunFolder) -> None:
    write_pulse(run.path, age=-7200, file_age=3)
    state = run_state(run)
    assert state_word(state) == "asking? (process 4242 on node7)"
    (doubt,) = [line for line in live_lines(state) if "clocks differ" in line]
    assert re.search(r"2.0 h ahead by the clock of node7, \d+(\.\d)? s ago by that of the file system", doubt)


def test_a_row_for_each_part_and_the_slowest_tells_the_end(run: RunFolder) -> None:
    write_pulse(run.path, "1of3", seconds_left=30, per_second_now=1.0)
    write_pulse(run.path, "2of3", seconds_left=70, per_second_now=2.0)
    write_pulse(run.path, "3of3", age=9999)
    state = run_state(run)
    lines = list(live_lines(state))
    assert lines[0].startswith("3.0/s now, 4.0/s overall, about 70 s left for what is asked now")
    assert lines[1].startswith("part 3of3: ended without a word")
    table = live_table(state)
    assert table is not None
    assert [[cell.text for cell in row][:2] for row in table.rows] == [
        ["1of3", "asking"],
        ["2of3", "asking"],
        ["3of3", "lost"],
    ]


def test_a_killed_writer_of_another_machine_that_counts_as_alive_is_told_with_what_to_do(run: RunFolder) -> None:
    """Nobody here can see that it is dead: after a few missed beats that is said, and when it will count as lost."""
    write_pulse(run.path, "1of2", age=30)
    write_pulse(run.path, "2of2")
    (silent,) = [line for line in live_lines(run_state(run)) if "no word" in line]
    assert silent.startswith("part 1of2: no word from node7 for ") and "it counts as lost after 60 s" in silent
    assert silent.endswith("start the same command again now: it is refused while the other one lives")


@pytest.mark.parametrize("part", ["comet", "judge-official--of--judge"])
def test_who_grades_is_shown_by_name_and_the_run_is_not_complete_meanwhile(run: RunFolder, part: str) -> None:
    session(run.path, EchoEngine, 10)
    assert run_state(run).complete
    phase = "comet" if part == "comet" else "judging"
    write_pulse(run.path, part, phase=phase, done=30, failed=0, total=90, per_second_now=2.0, seconds_left=30.0)
    state = run_state(run)
    assert state.going and not state.complete and live_table(state) is None
    assert state_word(state) == f"{phase} (process 4242 on node7)"
    name = "COMET" if part == "comet" else "judge official--of--judge"
    (line,) = live_lines(state)
    assert line.startswith(f"{name}: 30 of 90, 2.0/s now, 2.0/s overall, about 30 s left, last heard")
    assert progress_line("m", state).startswith(f"m  {phase}  10 of 10 done, 2.0/s now")


def test_a_judge_next_to_shards_is_no_part_of_theirs(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    large(monkeypatch)
    for part in ("1of2", "2of2"):
        write_pulse(run.path, part, tasks=TASKS)
    write_pulse(run.path, "judge-a", phase="judging")
    table, state = live_table(run_state(run)), run_state(run)
    assert table is not None and [row[0].text for row in table.rows] == ["1of2", "2of2"]
    assert (state.total.done, state.about) == (14, None)


def test_a_large_run_that_is_only_graded_is_counted_as_it_lies(run: RunFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    large(monkeypatch)
    write_pulse(run.path, "judge-a", phase="judging")
    assert (run_state(run).total.done, run_state(run).about) == (6, None)


def test_a_judge_that_was_killed_is_told(run: RunFolder) -> None:
    write_pulse(run.path, "judge-a", phase="judging", age=500)
    (line,) = live_lines(run_state(run))
    assert line == "judge a: ended without a word, 8 min ago, at 5 of 9"


def test_an_earlier_array_is_of_the_past(run: RunFolder) -> None:
    """A half-done array of 2, one of which was killed, is finished by 3; then everything is answered."""
    write_pulse(run.path, "1of2", phase="ended", age=500)
    write_pulse(run.path, "2of2", age=500)
    (lost,) = live_lines(run_state(run))
    assert lost.startswith("part 2of2: ended without a word, 8 min ago") and live_table(run_state(run)) is None
    write_pulse(run.path, "1of3")
    state = run_state(run)
    table = live_table(state)
    assert table is not None and [row[0].text for row in table.rows] == ["1of3"]
    assert not [line for line in live_lines(state) if "2of2" in line]
    (run.path / "heartbeat.1of3.json").unlink()
    session(run.path, EchoEngine, 10)
    write_pulse(run.path, "2of2", age=500)
    state = run_state(run)
    assert state.complete and not list(live_lines(state)) and live_table(state) is None


def test_merging_takes_the_heartbeats_of_parts_away(run: RunFolder) -> None:
    write_pulse(run.path, "1of2", phase="ended", age=500)
    merge([run], run.path)
    assert not run_state(run).pulses and run_state(run).total.done == 6


def test_a_row_for_each_replica_with_whatever_it_counts(run: RunFolder) -> None:
    write_pulse(run.path, replicas={"0": {"per_second": 1.25, "done": 2000}, "1": {"done": 7, "restarts": 1}})
    table = live_table(run_state(run))
    assert table is not None and [column.title for column in table.columns] == [
        "replica",
        "done",
        "per second",
        "restarts",
    ]
    assert [[cell.text for cell in row] for row in table.rows] == [["0", "2,000", "1.2", ""], ["1", "7", "", "1"]]


def test_nothing_of_it_where_nobody_is_at_it(run: RunFolder) -> None:
    state = run_state(run)
    assert list(live_lines(state)) == [] and live_table(state) is None
    assert progress_line("m", state) == "m  nobody is at it  6 of 10 done"


@pytest.mark.parametrize("width", [40, 60, 80, 100])
def test_it_fits_the_terminal(run: RunFolder, capsys: Said, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    for number in range(1, 4):
        write_pulse(run.path, f"{number}of3", seconds_left=30, per_second_now=1.0, total=1_000_000, done=999_999)
    monkeypatch.setenv("COLUMNS", str(width))
    capsys.readouterr()
    main(["status", "run", "--results", str(run.path.parent)])
    lines = [line for line in capsys.readouterr().out.splitlines() if "goes on:" not in line]
    assert max(map(len, lines)) <= width


# ── --watch ───────────────────────────────────────────────────────────────────────────────────────


def watched(run: RunFolder, pause: Any, form: str = "table") -> int:
    """What `--watch` does in a pipe; returns its exit code."""
    args = argparse.Namespace(what="run", results=run.path.parent, languages=None)
    return watch(lambda: looked_at(args), lambda states: show_states(args, states), 1.0, form, pause)


def finishing(run: RunFolder) -> Any:
    """A pause in which the run goes on, and at the third is complete."""
    looks: list[float] = []

    def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            session(run.path, EchoEngine, 10)
            (run.path / "heartbeat.json").unlink(missing_ok=True)
        assert len(looks) < 9

    return pause


def test_a_log_gets_a_line_whenever_something_has_changed(run: RunFolder, capsys: Said) -> None:
    capsys.readouterr()
    assert watched(run, finishing(run)) == 0
    assert capsys.readouterr().out.splitlines() == ["m  nobody is at it  6 of 10 done", "m  complete  10 of 10 done"]


def test_json_is_a_line_a_look(run: RunFolder, capsys: Said) -> None:
    capsys.readouterr()
    assert watched(run, finishing(run), "json") == 0
    states = [json.loads(line)[0]["runs"][0] for line in capsys.readouterr().out.splitlines()]
    assert [(state["done"], state["complete"]) for state in states] == [(6, False), (6, False), (10, True)]


def test_a_folder_that_is_not_there_yet_is_waited_for_and_one_that_is_gone_is_said(
    tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    results, looks = tmp_path / "results", []

    def pause(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 2:
            with pytest.raises(EngineError):
                session(results / "run", lambda: EchoEngine(die_after=6), 10)
        if len(looks) == 3:
            shutil.rmtree(results)
        assert len(looks) < 5

    monkeypatch.setattr(watching.watch, "__defaults__", ("table", pause))
    assert main(["status", "--results", str(results), "--watch", "1"]) == 2
    told = capsys.readouterr()
    assert told.err.count("no runs") == 1 and f"{results} is gone" in told.err.replace("\n", "")
    assert told.out.splitlines() == ["m  nobody is at it  6 of 10 done"]


def test_ctrl_c_ends_the_watching(run: RunFolder, capsys: Said) -> None:
    def pause(seconds: float) -> None:
        raise KeyboardInterrupt

    assert watched(run, pause) == 1


def test_a_terminal_is_drawn_over(run: RunFolder) -> None:
    """A process of its own on a pseudo-terminal, whose run is completed while it watches."""
    main_end, side = pty.openpty()
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    words = [sys.executable, "-m", "tvbench", "status", "run", "--results", str(run.path.parent), "--watch", "0.05"]
    process = subprocess.Popen(words, env=env | {"TERM": "xterm", "PYTHONPATH": str(ROOT)}, stdout=side)
    os.close(side)
    said = b""
    while said.count(b"incomplete") < 3:
        said += os.read(main_end, 65536)
    session(run.path, EchoEngine, 10)
    try:
        while some := os.read(main_end, 65536):
            said += some
    except OSError:  # the other end is closed
        pass
    os.close(main_end)
    assert process.wait() == 0
    frames = re.split(r"\x1b\[(\d+)F\x1b\[J", said.decode())
    assert len(frames) >= 5 and "everything is complete" in frames[-1]
    for page, up in zip(frames[0::2], frames[1::2], strict=False):
        assert rows_of(page.replace("\r", ""), 80) == int(up), "as many rows as were drawn"


def test_rows_of_a_text_on_a_terminal() -> None:
    assert [rows_of(text, 10) for text in ("", "a\n", "\n\n", "x" * 10 + "\n", "x" * 11 + "\n")] == [0, 1, 2, 1, 2]
    assert rows_of("\x1b[1m" + "x" * 10 + "\x1b[0m\n" + "漢" * 6 + "\n", 10) == 3


def test_a_wrong_name_is_said_at_once(run: RunFolder) -> None:
    assert main(["status", "nothing", "--results", str(run.path.parent), "--watch"]) == 2


def test_a_state_without_heartbeats_says_what_it_said(run: RunFolder) -> None:
    """A writer of a tvbench of before has a lock alone."""
    assert state_word(RunState("r", "m", process=7)) == "running (process 7)"
