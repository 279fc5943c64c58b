"""The heartbeat in a run's folder: what it says, when it is there, and who is taken for alive by it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from beating import EchoEngine, Quiet, session, told, until, write_pulse

from tvbench.engines.protocol import EngineInfo, Feed
from tvbench.errors import EngineError
from tvbench.runs.heartbeat import Heart, forget_heartbeats, heartbeat_path
from tvbench.runs.listening import Both, EngineState, Listener, Noting, TaskLanguage
from tvbench.runs.overhearing import CountedEngine, overheard
from tvbench.runs.processes import lives, place, started
from tvbench.runs.pulses import QUIET, alive_by_age, counted_lines, counts_of, covering, read_pulses
from tvbench.runs.writer import RunWriter
from tvbench.types import Response

PLACES = {
    "a": [TaskLanguage("alm", "de")],
    "b": [TaskLanguage("alm", "de"), TaskLanguage("alm", "fr")],
    "c": [TaskLanguage("vimul", "hi")],
}


# ── What it says ──────────────────────────────────────────────────────────────────────────────────


def test_it_tells_counts_by_task_and_language(tmp_path: Path) -> None:
    heart = Heart(tmp_path, every=0.01)
    heart.start()
    assert told(tmp_path)["phase"] == "loading"
    heart.questions(PLACES, {"c"})
    heart.begin("run", 3, 1, "")
    heart.opened()
    heart.answered(Response("a", text="x"))
    heart.answered(Response("b", error="gone"))
    until(lambda: told(tmp_path)["failed"] == 1)
    said = told(tmp_path)
    assert (said["done"], said["failed"], said["total"], said["kept"]) == (2, 1, 3, 1)
    assert said["tasks"] == {"alm": {"de": [2, 1, 1], "fr": [1, 0, 1]}, "vimul": {"hi": [1, 1, 0]}}
    assert (said["phase"], said["pid"], said["part"]) == ("asking", os.getpid(), "")
    heart.scoring()
    until(lambda: told(tmp_path)["phase"] == "scoring")
    heart.stop()
    assert list(tmp_path.iterdir()) == []


def test_who_grades_tells_how_far_it_is(tmp_path: Path) -> None:
    """COMET tells of no opening: its first score says that it is loaded."""
    heart = Heart(tmp_path, "comet", "comet", every=60)
    heart.start()
    assert (told(tmp_path, "comet")["phase"], told(tmp_path, "comet")["done"]) == ("loading", 0)
    heart.begin("comet", 9, 4, "")
    heart.scored()
    assert [heart.told()[name] for name in ("phase", "done", "total")] == ["comet", 5, 9]
    heart.stop()
    assert not list(tmp_path.iterdir())


def test_a_part_has_its_own_which_stays_and_says_that_it_ended(tmp_path: Path) -> None:
    heart = Heart(tmp_path, "2of8")
    heart.start()
    heart.stop(forget=False)
    (pulse,) = read_pulses(tmp_path)
    assert (pulse.part, pulse.phase, pulse.alive, pulse.ended) == ("2of8", "ended", False, True)
    forget_heartbeats(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_takes_nothing_is_no_failure(tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    heart = Heart(gone, every=0.01)
    heart.start()
    heart.opened()
    heart.answered(Response("a"))
    gone.mkdir()
    until(heart_file(gone).is_file)  # it goes on, and beats as soon as it can
    heart_file(gone).unlink()
    gone.rmdir()
    heart.stop()


def heart_file(folder: Path) -> Path:
    return heartbeat_path(folder)


def test_an_engine_that_cannot_tell_of_its_replicas_is_asked_all_the_same(tmp_path: Path) -> None:
    def broken() -> EngineState:
        raise RuntimeError("an actor has died")

    heart = Heart(tmp_path)
    heart.serving(broken)
    assert "in_flight" not in heart.told()
    heart.serving(lambda: EngineState(3, {"0": {"done": 2, "per_second": 1.5}}))
    assert heart.told()["in_flight"] == 3 and heart.told()["replicas"] == {"0": {"done": 2, "per_second": 1.5}}


# ── A session's ───────────────────────────────────────────────────────────────────────────────────


class Watched(EchoEngine):
    """Looks at the heartbeat while it is asked."""

    def __init__(self, folder: Path, end: BaseException | None = None) -> None:
        super().__init__()
        self.folder, self.end = folder, end
        self.seen: dict[str, Any] = {}

    def replica_counts(self) -> Mapping[str, Mapping[str, float]]:
        return {"0": {"done": self.served}}

    def serve(self, feed: Feed) -> Iterator[Response]:
        for response in super().serve(feed):
            yield response
            until(lambda: told(self.folder).get("done") == self.served)
            self.seen = told(self.folder)
            if self.end is not None:
                raise self.end


def test_a_session_beats_while_it_asks_and_leaves_nothing(tmp_path: Path) -> None:
    engine = Watched(tmp_path / "run")
    session(tmp_path / "run", lambda: engine)
    assert engine.seen["replicas"] == {"0": {"done": 5}}
    assert engine.seen["tasks"] == {"t": {"de": [3, 3, 0], "fr": [2, 2, 0]}}
    assert not list((tmp_path / "run").glob("*heartbeat*"))


@pytest.mark.parametrize("end", [EngineError("it died"), KeyboardInterrupt(), RuntimeError("a defect")])
def test_a_session_that_ends_badly_leaves_none_either(tmp_path: Path, end: BaseException) -> None:
    with pytest.raises(type(end)):
        session(tmp_path / "run", lambda: Watched(tmp_path / "run", end))
    assert not list((tmp_path / "run").glob("*heartbeat*"))


def test_a_run_whose_engine_does_not_open_leaves_no_folder(tmp_path: Path) -> None:
    def refuses() -> None:
        raise EngineError("no such model")

    with pytest.raises(EngineError):
        session(tmp_path / "run", refuses)
    assert list(tmp_path.iterdir()) == []


def test_a_shard_says_that_it_has_ended_and_the_next_writer_of_all_removes_that(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    session(folder, EchoEngine, 40, shard="1/2")
    with pytest.raises(EngineError):
        session(folder, lambda: EchoEngine(die_after=3), 40, shard="2/2")
    first, second = read_pulses(folder)
    assert (first.part, second.part) == ("1of2", "2of2") and first.ended and second.ended
    assert first.missing == 0 and second.done == 3 and first.total + second.total == 40
    assert sum(done for _, done, _ in counts_of([first, second])["t"].values()) == first.done + 3
    session(folder, EchoEngine, 40)
    assert not list(folder.glob("*heartbeat*"))


def test_a_shard_whose_engine_does_not_open_leaves_no_folder_either(tmp_path: Path) -> None:
    with pytest.raises(EngineError):
        session(tmp_path / "run", lambda: EchoEngine(die_after=0), 40, shard="1/2")
    (pulse,) = read_pulses(tmp_path / "run")
    assert pulse.ended and pulse.done == 0

    def refuses() -> None:
        raise EngineError("no such model")

    with pytest.raises(EngineError):
        session(tmp_path / "other", refuses, 40, shard="1/2")
    assert not (tmp_path / "other").exists()


def test_the_next_session_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    for name in ("heartbeat.json", "heartbeat.1of2.json", ".heartbeat.json.17"):
        (folder / name).write_text("{}\n")
    session(folder, EchoEngine)
    assert not list(folder.glob("*heartbeat*"))


def test_an_engine_keeps_its_own_attributes_and_is_counted() -> None:
    held = CountedEngine(EchoEngine(die_after=3))
    assert held.die_after == 3 and held.info == EngineInfo("echo", "1") and held.standing() == EngineState(0, {})


# ── Who listens ───────────────────────────────────────────────────────────────────────────────────


class Ears(Listener):
    def __init__(self) -> None:
        self.heard: list[str] = []

    def answered(self, response: Response) -> None:
        self.heard.append(response.key)

    def say(self, text: str, *, detail: bool = False) -> None:
        self.heard.append(f"{text} {detail}")


def test_two_listeners_hear_everything() -> None:
    one, other = Ears(), Ears()
    both = Both(one, other)
    both.answered(Response("k"))
    both.say("text", detail=True)
    both.end("run")
    assert one.heard == other.heard == ["k", "text True"]


def test_whatever_watches_is_told_along_with_the_heart() -> None:
    one, other, quiet = Ears(), Ears(), Quiet()
    overheard(overheard(quiet, one), other).answered(Response("k"))
    overheard(quiet, one).begin(7, 2)
    assert one.heard == other.heard == ["k"] and (quiet.total, quiet.kept) == (7, 2)


def test_a_listener_without_a_method_of_today_is_told_nothing_wrong() -> None:
    heard: list[int] = []

    class Serving(Listener):
        def serving(self, standing: Callable[[], EngineState]) -> None:
            heard.append(standing().in_flight)

    Noting(Serving()).serving(lambda: EngineState(4, {}))
    assert heard == [4]


# ── Who is taken for alive ────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("age", "file_age", "alive"),
    [
        (1, 1, True),
        (QUIET + 1, QUIET + 1, False),
        (3600, 1, None),
        (-3600, 1, None),
        (1, 86400, None),
        (-2, -2, True),
        (3600, 3600, False),
    ],
)
def test_of_another_machine_two_clocks_have_to_agree(
    tmp_path: Path, age: float, file_age: float, alive: bool | None
) -> None:
    assert alive_by_age(age, file_age) is alive
    write_pulse(tmp_path, age=age, file_age=file_age)
    (pulse,) = read_pulses(tmp_path)
    assert pulse.alive is alive and not pulse.here


def test_of_this_machine_the_system_knows(tmp_path: Path) -> None:
    """However fresh the beat of a dead process is, and however old that of one that is stopped."""
    if not place():
        pytest.skip("this system does not tell processes apart")
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        mine: dict[str, Any] = {"pid": child.pid, "place": place(), "started": started(child.pid)}
        write_pulse(tmp_path, age=3600, **mine)
        assert read_pulses(tmp_path)[0].alive is True
        write_pulse(tmp_path, **{**mine, "started": "1"})  # its number was given to another
        assert read_pulses(tmp_path)[0].alive is False
    finally:
        child.kill()
        child.wait()
    write_pulse(tmp_path, age=0, **mine)
    assert read_pulses(tmp_path)[0].alive is False and not lives(child.pid, "") and not lives(-1, "") and lives(1, "")


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "{}", '{"at":1,"pid":1,"host":"x","phase":"asking","done":-1,"failed":0,"total":0}']
    + ['{"at":"2026-01-01T00:00:00+00:00","pid":1,"phase":"asking","done":true,"failed":0,"total":0}']
    + ['{"at":"2026-01-01T00:00:00+00:00","pid":1,"phase":"asking","done":1,"failed":0,"total":3,"tasks":{"t":[1]}}']
    + ['{"at":"2026-01-01T00:00:00+00:00","pid":1,"phase":"asking","done":1,"failed":0,"total":3,"tasks":{"t":3}}']
    + ['{"at":"2026-01-01T00:00:00+00:00","pid":1e999,"phase":"asking","done":1,"failed":0,"total":3}', "\ufeff\udcff"],
)
def test_what_is_no_heartbeat_is_left_out(tmp_path: Path, text: str) -> None:
    heartbeat_path(tmp_path).write_bytes(text.encode("utf-8", "surrogatepass"))
    (tmp_path / "heartbeat.x.json").mkdir()
    assert read_pulses(tmp_path) == []


# ── Several of them ───────────────────────────────────────────────────────────────────────────────


def test_parts_that_all_tell_cover_the_run(tmp_path: Path) -> None:
    tasks = {"alm": {"de": [3, 1, 1]}}
    write_pulse(tmp_path, "1of2", tasks=tasks)
    assert covering(read_pulses(tmp_path)) is None
    write_pulse(tmp_path, "2of2", tasks=tasks, phase="ended", age=9999)
    found = covering(read_pulses(tmp_path))
    assert found is not None and counts_of(found) == {"alm": {"de": (6, 2, 2)}}


def test_a_part_that_was_killed_covers_nothing(tmp_path: Path) -> None:
    write_pulse(tmp_path, "1of2")
    write_pulse(tmp_path, "2of2", age=9999)
    assert covering(read_pulses(tmp_path)) is None


def test_an_earlier_number_of_parts_counts_for_nothing(tmp_path: Path) -> None:
    """A half-done array of 2 is finished by 1 of 1: the counts of before overlap with today's."""
    for part in ("1of2", "2of2"):
        write_pulse(tmp_path, part, phase="ended", tasks={"t": {"de": [4, 2, 0]}})
    assert covering(read_pulses(tmp_path)) is None
    write_pulse(tmp_path, "1of1", tasks={"t": {"de": [8, 5, 0]}})
    found = covering(read_pulses(tmp_path))
    assert found is not None and counts_of(found) == {"t": {"de": (8, 5, 0)}}


def test_parts_are_in_order(tmp_path: Path) -> None:
    for part in ("10of12", "9of12", "r1", "1of2"):
        write_pulse(tmp_path, part)
    write_pulse(tmp_path)
    assert [pulse.part for pulse in read_pulses(tmp_path)] == ["", "r1", "1of2", "9of12", "10of12"]


@pytest.mark.parametrize("block", [1, 3, 7, 11, 1 << 22])
def test_lines_are_counted_whatever_stands_in_them(tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvbench.runs.pulses.BLOCK", block)
    with RunWriter(tmp_path) as store:
        store.start()
        store.append(Response("a", text='he said "error":"no"\n"error":"x"'))
        store.append(Response("b", error='it said {"error":"busy"}'))
        store.append(Response("c", text="fine"))
    assert counted_lines([tmp_path / "responses.jsonl"]) == (2, 1)
