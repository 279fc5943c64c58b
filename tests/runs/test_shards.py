"""Several jobs answer one run: whose a question is, who may write at the same time, what each of them says, and what is
left when all have ended."""

from __future__ import annotations

import errno
import json
import shlex
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from chat_server import ChatServer, chat_server
from hypothesis import given
from hypothesis import strategies as st
from sentences_task import sentences

from tvbench.cli.main import main
from tvbench.errors import UsageError
from tvbench.runs.codec import response_to_json
from tvbench.runs.commands import at_results, going_on
from tvbench.runs.disk import StoreError
from tvbench.runs.history import begun, joined, settled_parts
from tvbench.runs.lines import json_line
from tvbench.runs.locks import held, is_held, take
from tvbench.runs.manifest import Manifest, Session
from tvbench.runs.parts import MUTEX, live_parts, moment, parts_in
from tvbench.runs.run_options import Options
from tvbench.runs.shards import Shard, in_words, read_shard, without_shard
from tvbench.runs.spent import Spent
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import EngineInfo, ModelCard, Response

Said = pytest.CaptureFixture[str]
Ask = Callable[..., int]
COUNT = 12
QUESTIONS = 3 * COUNT


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        yield running


@pytest.fixture
def ask(server: ChatServer, tmp_path: Path) -> Ask:
    """ask("2/3") runs that shard and returns its exit code; ask("") runs the whole."""
    data = sentences(tmp_path / "data", COUNT)

    def run(shard: str, *words: str, results: str = "out") -> int:
        given = ["--model", server.model, "--tasks", "multi30k", "--no-image", "--data", str(data)]
        place = ["--results", str(tmp_path / results), "--concurrency", "4"]
        return main(["run", *given, *place, *(["--shard", shard] if shard else []), *words])

    return run


def run_in(results: Path) -> RunFolder:
    (path,) = (path for path in results.iterdir() if (path / "manifest.json").is_file())
    return RunFolder(path)


def told(folder: RunFolder) -> dict[str, str | None]:
    return {key: response.text for key, response in folder.responses().items()}


# ── Whose a question is ───────────────────────────────────────────────────────────────────────────


@given(st.text(max_size=70), st.integers(1, 40))
def test_a_key_is_exactly_one_shards(key: str, count: int) -> None:
    assert sum(Shard(number, count).owns(key) for number in range(1, count + 1)) == 1


def test_keys_are_spread_evenly() -> None:
    share = Shard(3, 8)
    assert 1150 < sum(share.owns(f"{number:064x}") for number in range(10_000)) < 1350


@pytest.mark.parametrize(
    "text", ["", "1", "0/8", "9/8", "1/0", "-1/8", "a/b", "1/2/3", "1.0/2", "1/100001", "١/٢", "9" * 5000 + "/1"]
)
def test_what_is_no_shard_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="--shard 1/8"):
        read_shard(text)


def test_a_shard_is_read_and_named() -> None:
    assert read_shard(" 2/8 ") == Shard(2, 8) and Shard(2, 8).part == "2of8" and str(Shard(2, 8)) == "2/8"
    assert in_words(["2of8"]) == "shard 2/8" and in_words(["1of3", "2of3", "r0"]) == "shards 1/3, 2/3 and r0"


@pytest.mark.parametrize(
    ("command", "whole"),
    [
        (("tvbench", "run", "--shard", "2/8", "--limit", "5"), ("tvbench", "run", "--limit", "5")),
        (("tvbench", "run", "--limit", "5", "--shard=2/8"), ("tvbench", "run", "--limit", "5")),
        (("tvbench", "run", "--sha", "2/8", "--set", "a.b=1"), ("tvbench", "run", "--set", "a.b=1")),
        (("tvbench", "run", "--shar=2/8", "--limit", "5"), ("tvbench", "run", "--limit", "5")),
        (("tvbench.run('m', 't', shard='2/8', limit=5)",), ("tvbench.run('m', 't', limit=5)",)),
        ((), ()),
    ],
)
def test_the_command_that_goes_on_asks_the_whole(command: tuple[str, ...], whole: tuple[str, ...]) -> None:
    assert without_shard(command) == whole


@pytest.mark.parametrize(
    ("command", "there"),
    [
        ("tvbench run --results a --limit 5", "tvbench run --limit 5 --results b"),
        ("tvbench run --limit 5 --res=a --fresh", "tvbench run --limit 5 --results b"),
        ("tvbench run --shard 1/2 --repeats 2 --fre", "tvbench run --repeats 2 --results b"),
        ("", ""),
    ],
)
def test_the_command_that_goes_on_elsewhere(command: str, there: str) -> None:
    typed = going_on(command.split())
    assert " ".join(at_results(typed, Path("b"), Path("results"))) == there
    assert "--results" not in at_results(typed, Path("results"), Path("results"))


def test_a_call_that_goes_on() -> None:
    called = going_on(("tvbench.run('m', 't', fresh=True, shard='1/2', limit=5)",))
    assert called == ("tvbench.run('m', 't', limit=5)",) == at_results(called, Path("b"), Path("results"))


@pytest.mark.parametrize(
    "more", [{"fresh": True}, {"judge": "tower-mini"}, {"comet": "xcomet-xl"}, {"budget": 1.0, "price": "1,1"}]
)
def test_what_concerns_the_whole_run_is_refused(more: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="is for a whole run"):
        Options(shard="1/2", **more)  # type: ignore[arg-type]


# ── Who may write at the same time ────────────────────────────────────────────────────────────────


def test_shards_of_one_division_write_side_by_side(tmp_path: Path) -> None:
    with RunWriter(tmp_path, "1of2") as first, RunWriter(tmp_path, "2of2") as second:
        assert first.start() == second.start() == {}
        first.append(Response("a", text="1"))
        second.append(Response("b", text="2"))
        with moment(tmp_path):
            assert live_parts(tmp_path) == ["1of2", "2of2"]
        assert told(RunFolder(tmp_path)) == {"a": "1", "b": "2"}
    with RunWriter(tmp_path) as whole:
        assert whole.start().keys() == {"a", "b"}
    assert [path.name for path in RunFolder(tmp_path).response_files()] == ["responses.jsonl"]
    assert not (tmp_path / MUTEX).exists()


@pytest.mark.parametrize(
    ("there", "comes", "says"),
    [
        ("1of2", "1of2", "another tvbench is shard 1/2"),
        ("1of2", "1of3", "shard 1/2 of another division"),
        ("1of2", None, "shard 1/2 is writing"),
        (None, "1of2", r"another tvbench \(process \d+\) is writing"),
        (None, None, r"another tvbench \(process \d+\) is writing"),
    ],
)
def test_who_would_ask_the_same_is_refused(there: str | None, comes: str | None, says: str, tmp_path: Path) -> None:
    with RunWriter(tmp_path, there), pytest.raises(UsageError, match=says), RunWriter(tmp_path, comes):
        raise AssertionError("it was let in")
    with RunWriter(tmp_path, comes) as writer:
        assert writer.start() == {}


def test_every_shard_of_an_array_is_named_that_keeps_the_whole_out(tmp_path: Path) -> None:
    with ExitStack() as stack:
        for number in range(1, 8):
            stack.enter_context(RunWriter(tmp_path, f"{number}of8"))
        with pytest.raises(UsageError, match="shards 1/8, 2/8, 3/8 and 4 more are writing"), RunWriter(tmp_path):
            pass


def test_a_part_cuts_off_its_own_torn_line_alone(tmp_path: Path) -> None:
    torn = json_line(response_to_json(Response("a", text="1"))) + '{"key":"b","te'
    for name in ("responses.1of2.jsonl", "responses.2of2.jsonl"):
        (tmp_path / name).write_text(torn, encoding="utf-8")
    with RunWriter(tmp_path, "1of2") as writer:
        assert writer.start().keys() == {"a"} and not writer.damaged
        writer.append(Response("c", text="3"))
    assert (tmp_path / "responses.2of2.jsonl").read_text() == torn
    assert told(RunFolder(tmp_path)) == {"a": "1", "c": "3"}


@pytest.mark.parametrize("tail", ["", "x", "x" * 200_000])
@pytest.mark.parametrize("head", ["", "line\n", "line\n" * 50_000])
def test_a_torn_line_of_any_length_is_cut_off(head: str, tail: str, tmp_path: Path) -> None:
    path = tmp_path / "responses.1of1.jsonl"
    path.write_text(head + tail)
    with RunWriter(tmp_path, "1of1") as writer:
        writer.start()
    assert path.read_text() == head


def test_nothing_is_appended_before_the_start(tmp_path: Path) -> None:
    with RunWriter(tmp_path, "1of1") as writer, pytest.raises(RuntimeError):
        writer.append(Response("a", text="1"))


def test_a_name_of_a_part_cannot_leave_the_folder(tmp_path: Path) -> None:
    for name in ("../x", "", "A", "1/2", "a.b"):
        with pytest.raises(ValueError, match="no name of a part"):
            RunWriter(tmp_path, name)


def test_a_shard_of_which_nothing_came_leaves_the_others_alone(tmp_path: Path) -> None:
    path = tmp_path / "run"
    with RunWriter(path, "1of2") as first, RunWriter(path, "2of2") as second:
        second.write_manifest(Manifest(run="run"))
        first.withdraw()
        assert RunFolder(path).exists()
    with RunWriter(path, "2of2") as second:
        second.withdraw()
    assert not path.exists()


def test_a_lock_is_on_the_file_that_lies_there(tmp_path: Path) -> None:
    """Who held it before may take the file away: a lock on nothing keeps nobody out."""
    path = tmp_path / "lock"
    with take(path):
        path.unlink()
        with take(path) as second:
            assert is_held(path) and second.name == str(path)
    with held(path, patience=0):
        assert is_held(path)
    assert not is_held(path)


@pytest.mark.parametrize("part", [None, "1of2"])
def test_a_disk_without_locks_is_named(part: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(file: object, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr("fcntl.flock", no_locks)
    with pytest.raises(StoreError, match="has no locks.*\n.*tvbench merge"), RunWriter(tmp_path, part):
        pass


def test_a_manifest_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with RunWriter(tmp_path, "1of2") as writer, moment(tmp_path), pytest.raises(UsageError, match="does not go on"):
        writer.write_manifest(Manifest(), patience=0)


def test_replicas_of_a_shard_are_counted_with_it(tmp_path: Path) -> None:
    for part, key in (("1of2", "a"), ("1of2-r1", "b"), ("1of2-r2", "b"), ("11of2", "c"), ("1of20", "d")):
        (tmp_path / f"responses.{part}.jsonl").write_text(json_line(response_to_json(Response(key, text="x"))))
    assert RunFolder(tmp_path).counted("1of2")[0] == 2


# ── What they write together ──────────────────────────────────────────────────────────────────────


def session(part: str, answered: int | None = None, when: str = "1") -> Session:
    return Session(when, "here", engine=EngineInfo("e", "1"), answered=answered, part=part, id=f"{part}-{when}")


def test_a_shard_writes_its_own_sessions_and_keeps_the_others() -> None:
    before = Manifest(sessions=(session("", 3), session("1of2", None, "2"), session("2of2", None, "3")))
    mine = Manifest(
        sessions=(session("", None), session("1of2", 5, "2"), session("2of2", 0, "3"), session("1of2", 1, "4"))
    )
    found = joined(mine, before, "1of2").sessions
    assert [(one.part, one.answered) for one in found or ()] == [("", 3), ("1of2", 5), ("2of2", None), ("1of2", 1)]


def test_a_shard_that_opened_no_engine_keeps_the_others_engine() -> None:
    card = ModelCard("m", "folder", "x")
    before = Manifest(engine=EngineInfo("e", "2"), speed={"requests_per_second": 1.0})
    found = joined(Manifest(engine=EngineInfo("e", "not started"), model=card), before, "1of2")
    assert found.engine == EngineInfo("e", "2") and found.speed and found.model == card
    assert joined(Manifest(engine=EngineInfo("e", "3")), before, "1of2").engine.version == "3"


def test_killed_shards_are_counted_by_what_their_parts_hold() -> None:
    counts = {"1of2": (7, Spent(answers=7)), "2of2": (4, Spent(answers=4))}
    sessions = [session("", 10), session("1of2", 2), session("1of2", None), session("2of2", None)]
    assert [one.answered for one in settled_parts(sessions, counts.__getitem__)] == [10, 2, 5, 4]
    assert [one.answered for one in settled_parts(sessions, counts.__getitem__, "2of2")] == [10, 2, None, 4]


def test_requests_are_written_once_and_others_that_differ_are_refused(tmp_path: Path) -> None:
    from small_plans import item

    equal = [(f"k{number}", item(str(number)), ()) for number in range(5)]
    with RunWriter(tmp_path, "1of2") as first, RunWriter(tmp_path, "2of2") as second:
        first.write_requests(equal)
        written = (tmp_path / "requests.jsonl").stat()
        second.write_requests(equal)
        assert (tmp_path / "requests.jsonl").stat().st_ino == written.st_ino
        for other in (equal[:3], [*equal, ("k9", item("9"), ())], [*equal[:4], ("k9", item("4"), ())]):
            with pytest.raises(UsageError, match="shard 1/2 of .* asks other questions"):
                second.write_requests(other)
    with RunWriter(tmp_path, "2of2") as second:  # nobody else is at it: as one process would
        second.write_requests([*equal[:4], ("k9", item("4"), ())])
        assert [key for key, _ in RunFolder(tmp_path).requests()] == ["k0", "k1", "k2", "k3", "k9"]
        second.write_requests(equal[:2])
        assert [key for key, _ in RunFolder(tmp_path).requests()] == ["k0", "k1"]


def test_a_session_has_a_name_of_its_own() -> None:
    made = [begun(ModelCard("m", "folder", "x"), EngineInfo("e", "1"), {}, (), "now", "1of2") for _ in range(2)]
    assert made[0].id and made[0].id != made[1].id and made[0].part == "1of2"


# ── The command ───────────────────────────────────────────────────────────────────────────────────


def test_an_array_of_eight_that_ends_early_is_finished_by_three(
    ask: Ask, server: ChatServer, tmp_path: Path, capsys: Said
) -> None:
    for number in (2, 5, 8):
        assert ask(f"{number}/8") == 0
        assert "of the whole run are still missing" in capsys.readouterr().err
    half = run_in(tmp_path / "out")
    assert 0 < len(half.responses()) < QUESTIONS and half.result() is None
    assert [ask(f"{number}/3") for number in (1, 2)] == [0, 0] and half.result() is None
    capsys.readouterr()
    assert ask("3/3") == 0
    shown = capsys.readouterr()
    assert "the whole run is answered" in shown.err and "multi30k" in shown.out and half.result() is not None
    probes = server.asked.total() - QUESTIONS  # stored questions of the others, asked again
    assert len(server.asked) == QUESTIONS and 0 <= probes <= 5 * 8
    asked = server.asked.copy()
    assert ask("") == 0 and server.asked == asked, "a run alone finds everything answered"
    assert list(parts_in(half.path)) == []
    assert ask("", results="alone") == 0
    alone = run_in(tmp_path / "alone")
    assert told(alone) == told(half) and alone.result() == half.result()
    sessions = half.manifest().sessions or ()
    assert sum(one.count for one in sessions) == QUESTIONS
    assert Counter(one.part for one in sessions) == Counter(["2of8", "5of8", "8of8", "1of3", "2of3", "3of3"])


def test_a_shard_says_in_json_how_everything_stands(ask: Ask, capsys: Said) -> None:
    assert ask("1/2", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    shard = found["shard"]
    assert found["complete"] is False and found["tasks"] == [] and shard["done"] is True and shard["missing"] == 0
    assert shard["asked"] + shard["left"] == QUESTIONS
    assert ask("2/2", "--format", "json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["complete"] is True and found["shard"]["left"] == 0 and len(found["tasks"]) == 1


def test_a_shard_whose_questions_failed_exits_1_and_one_that_is_done_0(
    ask: Ask, server: ChatServer, tmp_path: Path, capsys: Said
) -> None:
    """Whatever the others lack; who ends last scores what there is, and the failures are asked again by any N."""
    server.refusing = True
    assert ask("1/2") == 1
    said = capsys.readouterr().err
    assert "shard 1/2 lacks" in said and "of them failed; the shard that ends last writes the scores" in said
    server.refusing = False
    assert ask("2/2") == 0
    said = capsys.readouterr().err
    assert "shard 2/2 is done" in said and "are still missing" in said and "ends last" not in said
    assert (run_in(tmp_path / "out").path / "result.json").is_file()
    failed = QUESTIONS - len(run_in(tmp_path / "out").answered_keys())
    before = server.asked.total()
    assert [ask(f"{number}/3", "--same-model") for number in (2, 1, 3)] == [0, 0, 0]
    assert "the whole run is answered" in capsys.readouterr().err
    assert server.asked.total() - before == failed and len(run_in(tmp_path / "out").answered_keys()) == QUESTIONS


def test_what_is_shown_of_a_half_done_run_goes_on_with_the_whole(
    ask: Ask, tmp_path: Path, capsys: Said, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each shard's own command would ask nothing more: it is done."""
    typed = "tvbench run --model m --tasks 't 1' --shard 1/2 --results out"
    monkeypatch.setattr(sys, "argv", shlex.split(typed))
    ask("1/2")
    ask("", results="full")
    run, whole = (str(run_in(tmp_path / name).path) for name in ("out", "full"))
    assert main(["check", run, "--against", run]) == 0
    assert "neither the baseline nor the run has an answer to" in " ".join(capsys.readouterr().out.split())
    for command in (["check", run, "--against", whole], ["score", run], ["status", run]):
        capsys.readouterr()
        assert main(command) == 1
        said = capsys.readouterr().out
        assert "tvbench run --model m --tasks 't 1' --results out" in said and "--shard" not in said


def test_more_shards_than_questions_are_no_failure(ask: Ask, server: ChatServer) -> None:
    assert [ask(f"{number}/5000", "--limit", "1") for number in (1, 2)] == [0, 0]
    assert server.asked.total() <= 3


def test_a_dry_run_estimates_the_own_share(ask: Ask, server: ChatServer, capsys: Said) -> None:
    counts = []
    for number in (1, 2, 3):
        assert ask(f"{number}/3", "--dry-run", "--format", "json") == 0
        counts.append(json.loads(capsys.readouterr().out)["requests"])
    assert sum(counts) == QUESTIONS and all(counts) and not server.asked


def test_a_shard_takes_over_what_other_runs_answered_of_its_own(ask: Ask, server: ChatServer, tmp_path: Path) -> None:
    assert ask("", "--limit", "10") == 0
    assert ask("1/2") == 0 and ask("2/2") == 0
    assert len(server.asked) == QUESTIONS
    (run,) = (path for path in (tmp_path / "out").iterdir() if list(path.glob("responses.1of2.jsonl")))
    copied = [answer for answer in RunFolder(run).responses().values() if answer.reused_from]
    assert len(copied) == 3 * 10


def test_repeats_are_questions_of_their_own_and_shared_keys_are_asked_once(ask: Ask, server: ChatServer) -> None:
    words = ("--repeats", "2", "--temperature", "0.7")
    assert ask("1/2", *words) == 0 and ask("2/2", *words) == 0
    assert len(server.asked) == QUESTIONS and set(server.asked.values()) == {2}


def test_a_suite_is_asked_by_shards(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    data = sentences(tmp_path / "data", 4)
    suite = tmp_path / "mine.yaml"
    suite.write_text(
        f"models: ['{server.model}']\ntasks: [multi30k]\noptions: {{no_image: true, data: '{data}'}}\n"
        "matrix: {max_new_tokens: [8, 16]}\n"
    )
    words = ["run", str(suite), "--results", str(tmp_path / "out"), "--shard"]
    for number, left in ((1, True), (2, False)):
        monkeypatch.setattr("sys.argv", ["tvbench", *words, f"{number}/2"])
        assert main([*words, f"{number}/2"]) == 0
        assert ("still missing" in capsys.readouterr().err) is left
    assert len(server.asked) == 3 * 4 and server.asked.total() >= 2 * 3 * 4
    record = json.loads((tmp_path / "out" / "suites" / "mine.json").read_text())
    assert all("--shard" not in run["command"] and run["command"] for run in record["runs"])
    assert main(["status", "--results", str(tmp_path / "out"), "mine"]) == 0


def test_what_a_suite_says_of_its_graders_waits_until_all_shards_are_done(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said
) -> None:
    """A judge that is typed next to --shard is refused; of a suite's own that would forbid shards altogether."""
    data = sentences(tmp_path / "data", 4)
    suite = tmp_path / "mine.yaml"
    options = f"no_image: true, data: '{data}', judge: '{server.model}', budget: 1, price: '1,1', comet: xcomet-xl"
    suite.write_text(f"models: ['{server.model}']\ntasks: [multi30k]\noptions: {{{options}}}\n")
    words = ["run", str(suite), "--results", str(tmp_path / "out")]
    for number in (1, 2):
        assert main([*words, "--shard", f"{number}/2"]) == 0
        assert "judge and comet of mine" in capsys.readouterr().err
    assert main(["status", "--results", str(tmp_path / "out"), "mine"]) == 1
    assert "12 translations wait for COMET" in capsys.readouterr().out
    assert main([*words, "--shard", "1/2", "--comet", "xcomet-xl"]) == 2
