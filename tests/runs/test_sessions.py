"""Who answered, and is it still the same model? Sessions, stored questions asked again, `--fresh`, answers reused."""

from __future__ import annotations

import json
import random
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fault_server import Call, FaultServer, keyless_server, raw
from run_folders import write_manifest
from served import sentences, serve_llama

from tvbench.cli.main import main
from tvbench.engines.protocol import EngineInfo, Feed, Prepared
from tvbench.runs.history import sessions_of, settled, who_answered
from tvbench.runs.manifest import Session
from tvbench.runs.manifest_json import manifest_from_json
from tvbench.runs.plan import PlannedItem
from tvbench.runs.probing import PROBES, Probe, choose, probe
from tvbench.runs.reuse import reusable
from tvbench.runs.store import RunFolder, find_runs
from tvbench.runs.writer import RunWriter
from tvbench.types import Item, Message, Response, Sampling, Short

Said = pytest.CaptureFixture[str]
Ask = Callable[..., int]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    with keyless_server(monkeypatch) as running:
        yield running


@pytest.fixture
def ask(server: FaultServer, tmp_path: Path) -> Ask:
    """ask(...) runs the command on `server` and returns its exit code."""
    data = sentences(tmp_path / "data", 30)

    def run(*words: str, tasks: str = "multi30k:de", results: str = "out") -> int:
        return main(
            [
                "run",
                "--model",
                f"openai:served-model@{server.root}",
                "--tasks",
                tasks,
                "--no-image",
                "--data",
                str(data),
                "--results",
                str(tmp_path / results),
                "--concurrency",
                "4",
                *words,
            ]
        )

    return run


def refuse(server: FaultServer, *numbers: int) -> None:
    """Sentences that the server refuses: their run is not complete."""
    refusal = raw(b'{"error": {"message": "no"}}', code=422)
    number = {f"dog number {n}" for n in numbers}
    server.everything = lambda call: refusal(call) if call.text.rpartition("\n")[2] in number else answer(call)


def answer(call: Call) -> None:
    call.answer(f"first {call.text[-12:]}")


def other_answer(call: Call) -> None:
    call.answer(f"second {call.text[-12:]}")


def the_run(tmp_path: Path) -> RunFolder:
    (run,) = find_runs(tmp_path / "out")
    return run


def stored(run: RunFolder) -> dict[str, Any]:
    return {key: (one.text, one.error) for key, one in run.responses().items() if one.error is None}


# ── Another model goes on ─────────────────────────────────────────────────────────────────────────


def test_a_run_that_another_model_would_go_on_with_is_refused(
    server: FaultServer, ask: Ask, tmp_path: Path, capsys: Said
) -> None:
    serve_llama(server)
    refuse(server, *range(20, 30))
    assert ask() == 1
    before = stored(the_run(tmp_path))
    manifest = the_run(tmp_path).manifest()
    server.everything = other_answer
    asked = len(server.bodies)
    capsys.readouterr()
    assert ask() == 2
    said = capsys.readouterr().err
    assert "8 stored questions" in said and "'first " in said and "'second " in said
    assert all(way in said for way in ("--fresh", "--revision TEXT", "--label NAME", "--same-model"))
    assert stored(the_run(tmp_path)) == before, "nothing of the other model is stored"
    assert len(server.bodies) - asked == PROBES * 2 + PROBES * 2, "asked once, and three times what differs; no more"
    assert the_run(tmp_path).manifest().sessions == manifest.sessions


def test_a_swap_that_shows_is_refused_in_the_middle_of_a_run(
    server: FaultServer, ask: Ask, tmp_path: Path, capsys: Said
) -> None:
    serve_llama(server)
    before = server.pages["/props"]["model_path"]
    refuse(server, *range(20, 30))
    assert ask() == 1
    first = the_run(tmp_path)
    server.pages["/props"]["model_path"] = "/models/b.gguf"
    server.everything = other_answer
    asked = len(server.bodies)
    capsys.readouterr()
    assert ask() == 2
    said = capsys.readouterr().err
    assert "answered 20 of 30" in said and f"{before} before, /models/b.gguf now" in said
    assert all(way in said for way in ("--fresh", "--label NAME", "--revision TEXT"))
    assert len(server.bodies) == asked and len(find_runs(tmp_path / "out")) == 1
    assert ask("--limit", "3") == 0, "another question is no continuation"
    assert ask("--label", "b") == 0 and ask("--fresh") == 0
    assert ask() == 0, "its own run goes on"
    server.pages["/props"]["model_path"] = before
    server.everything = answer
    assert ask() == 0
    assert len(first.answered_keys()) == 30
    assert {one.text.split()[0] for one in first.responses().values() if one.text} == {"first"}


def test_the_same_model_goes_on_and_its_second_answers_are_not_stored(
    server: FaultServer, ask: Ask, tmp_path: Path, capsys: Said
) -> None:
    refuse(server, *range(20, 30))
    assert ask() == 1
    before = (the_run(tmp_path).path / "responses.jsonl").read_text()
    server.everything = answer
    asked = len(server.bodies)
    capsys.readouterr()
    assert ask() == 0
    assert len(server.bodies) - asked == 10 + PROBES
    run = the_run(tmp_path)
    lines = (run.path / "responses.jsonl").read_text().splitlines()
    assert len(lines) == 30 and set(lines) > {line for line in before.splitlines() if '"error"' not in line}
    first, second = run.manifest().sessions or ()
    assert (first.answered, first.failed, second.answered, second.failed) == (20, 10, 10, 0)
    assert first.asked_again is None
    assert second.asked_again == {"asked": PROBES, "same": PROBES, "differed": 0, "unsteady": 0}


@pytest.mark.slow
def test_what_one_says_to_go_on_or_begin_anew(server: FaultServer, ask: Ask, tmp_path: Path, capsys: Said) -> None:
    refuse(server, 29)
    assert ask() == 1
    old = stored(the_run(tmp_path))
    server.everything = other_answer
    assert ask("--quiet") == 2
    shutil.copytree(tmp_path / "out", tmp_path / "vouched")
    assert ask("--same-model", results="vouched") == 0
    assert ask("--revision", "june", "--quiet") == 0
    assert len(find_runs(tmp_path / "out")) == 2, "its own word makes it another model"
    capsys.readouterr()
    assert ask("--fresh", "--quiet") == 0
    said = capsys.readouterr().err
    (aside,) = (tmp_path / "out" / "aside").iterdir()
    assert str(aside) in said
    assert stored(RunFolder(aside)) == old, "what was paid for is kept"
    assert len(find_runs(tmp_path / "out")) == 2, "what lies aside is no run of a table"
    texts = [str(text) for run in find_runs(tmp_path / "out") for text, _ in stored(run).values()]
    assert len(texts) == 60 and all(text.startswith("second") for text in texts)
    asked = len(server.bodies)
    assert ask("--quiet") == 0 and len(server.bodies) == asked, "the new one goes on without --fresh"
    assert ask("--fresh", "--quiet") == 0
    assert len(list((tmp_path / "out" / "aside").iterdir())) == 2


def test_fresh_waits_for_nobody_and_takes_nothing_from_a_writer(
    server: FaultServer, ask: Ask, tmp_path: Path, capsys: Said
) -> None:
    assert ask("--fresh", "--quiet") == 0
    assert not (tmp_path / "out" / "aside").exists(), "where there is no run, none is moved"
    with RunWriter(the_run(tmp_path).path):
        assert ask("--fresh", "--quiet") == 2
    assert "another tvbench" in capsys.readouterr().err
    assert len(stored(the_run(tmp_path))) == 30


def test_a_server_that_never_repeats_itself_goes_on(server: FaultServer, ask: Ask) -> None:
    luck, lock = random.Random(1), threading.Lock()

    def moody(call: Call) -> None:
        with lock:
            mood = luck.random()
        call.answer(f"{mood} {call.text}")

    refuse(server, 29)
    assert ask("--quiet") == 1
    server.everything = moody
    assert ask("--quiet", "--fresh", "--limit", "20") == 0
    assert ask("--quiet", "--limit", "25") == 0


def test_sampled_answers_are_not_held_against_a_server(server: FaultServer, ask: Ask) -> None:
    refuse(server, 29)
    assert ask("--quiet", "--temperature", "0.7") == 1
    server.everything = other_answer
    asked = len(server.bodies)
    assert ask("--quiet", "--temperature", "0.7") == 0
    assert len(server.bodies) == asked + 1


# ── The rule ──────────────────────────────────────────────────────────────────────────────────────


class Oracle:
    """An engine whose answer is what `draw` says of a key."""

    def __init__(self, draw: Callable[[str], str]) -> None:
        self.draw = draw
        self.asked: list[str] = []

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("oracle", "1", {})

    def serve(self, feed: Feed) -> Iterator[Response]:
        while some := feed.take(64, wait=True):
            for prepared in some:
                self.asked.append(prepared.request.key)
                yield Response(prepared.request.key, text=self.draw(prepared.request.key))

    def close(self) -> None:
        """Nothing to give back."""


def questions(count: int, languages: str = "de", sampling: Sampling = Sampling()) -> list[PlannedItem]:
    return [
        PlannedItem(
            f"{language}{n}",
            Item(f"{n}", "t", language, (Message("user", (f"q{n}",)),), Short(("x",)), sampling=sampling),
            (),
        )
        for language in languages.split()
        for n in range(count)
    ]


def probed(
    draw: Callable[[str], str], before: Callable[[str], str] = lambda key: "a", count: int = 60, seed: int = 0
) -> Probe:
    items = questions(count)
    kept = {one.key: Response(one.key, text=before(one.key)) for one in items}
    return probe(Oracle(draw), items, kept, Prepared, seed)


def test_a_few_other_answers_are_enough_where_an_engine_repeats_itself() -> None:
    assert not probed(lambda key: "a").other
    assert probed(lambda key: "b").other
    assert probed(lambda key: "b" if int(key[2:]) % 2 else "a").other
    assert probed(lambda key: "b", count=1).other, "one of one"
    assert not probed(lambda key: "a", count=0).other


@pytest.mark.slow
@pytest.mark.parametrize(
    ("noise", "share", "least", "most"),
    [
        (0.0, 0.0, 0.0, 0.0),
        (0.02, 0.0, 0.0, 0.1),
        (0.3, 0.0, 0.0, 0.1),
        (0.5, 0.0, 0.0, 0.1),
        (0.0, 0.5, 0.9, 1.0),
        (0.05, 1.0, 0.9, 1.0),
        (0.3, 1.0, 0.9, 1.0),
    ],
)
def test_noise_is_told_from_another_model(noise: float, share: float, least: float, most: float) -> None:
    """`noise`: how often an answer comes in its other form; `share`: how many questions the model answers otherwise."""
    luck = random.Random(f"{noise} {share}")
    trials = 60

    def one(seed: int) -> bool:
        others = {f"de{n}" for n in range(60) if luck.random() < share}

        def form(text: str) -> str:
            return text + "~" * (luck.random() < noise)

        return probed(lambda key: form("b" if key in others else "a"), lambda key: form("a"), seed=seed).other

    refused = sum(one(seed) for seed in range(trials)) / trials
    assert least <= refused <= most


def test_questions_are_spread_over_languages_and_the_seed_decides() -> None:
    items = questions(20, "de fr cs hi")
    kept = {one.key: Response(one.key, text="a") for one in items}
    first, again, other = ([one.key for one in choose(items, kept, seed)[:PROBES]] for seed in (1, 1, 2))
    assert first == again != other
    assert sorted(key[:2] for key in first) == sorted(["de", "fr", "cs", "hi"] * 2)
    assert not choose(questions(3, sampling=Sampling(temperature=1.0)), kept, 0)
    assert not choose([replace(one, item=replace(one.item, problem="no")) for one in items], kept, 0)
    assert not choose(items, {key: replace(one, text=None, error="no") for key, one in kept.items()}, 0)


# ── Who answered ──────────────────────────────────────────────────────────────────────────────────


def test_it_is_said_when_and_by_whom(server: FaultServer, ask: Ask, tmp_path: Path, capsys: Said) -> None:
    serve_llama(server)
    refuse(server, 29)
    assert ask() == 1
    server.everything = answer
    capsys.readouterr()
    assert ask() == 0
    first, second = the_run(tmp_path).manifest().sessions or ()
    assert first.began and second.began and second.engine and second.command
    when = first.began[:16].replace("T", " ")
    assert f"30 requests, 29 answered before ({when}, {server.root}, served-model)" in capsys.readouterr().err
    assert second.where == server.root and second.server["meta.n_params"] == 134515008
    assert second.engine.name == "openai" and second.command[0] == "tvbench"
    assert ask() == 0
    assert f"30 answered before (in 2 sessions, the last {second.began[:16].replace('T', ' ')}, " in (
        capsys.readouterr().err
    )
    assert the_run(tmp_path).manifest().sessions == (first, second), "who asked nothing is no session"


def test_a_manifest_of_before_still_reads_and_its_session_is_not_lost(
    server: FaultServer, ask: Ask, tmp_path: Path, capsys: Said
) -> None:
    refuse(server, 29)
    assert ask() == 1
    path = the_run(tmp_path).path / "manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["sessions"]
    path.write_text(json.dumps(manifest | {"created": "2025-03-04T05:06:07+00:00"}))
    server.everything = answer
    capsys.readouterr()
    assert ask() == 0
    assert f"29 answered before (2025-03-04 05:06, {server.root}, served-model)" in capsys.readouterr().err
    old, new = the_run(tmp_path).manifest().sessions or ()
    assert (old.answered, new.answered) == (29, 1)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"sessions": ["x", 3]},
        {"model": {}, "engine": {"name": "e", "version": "1"}},
        {"model": {"name": "m"}},
        {"sessions": [{"answered": "many", "reused": [1], "engine": "e", "server": 3, "command": None, "where": None}]},
    ],
)
def test_odd_manifests_are_borne(fields: dict[str, Any]) -> None:
    manifest = manifest_from_json({"tasks": [], **fields})
    assert isinstance(who_answered(settled(sessions_of(manifest), 5)), str)


def test_a_killed_session_is_counted_by_the_next() -> None:
    sessions = [Session(answered=10, reused={"r": 5}), Session(began="2026-01-01T00:00:00")]
    assert [one.answered for one in settled(sessions, 22)] == [10, 7]


# ── Answers of other runs ─────────────────────────────────────────────────────────────────────────


def test_a_higher_limit_and_another_language_ask_only_what_is_new(
    server: FaultServer, ask: Ask, tmp_path: Path, capsys: Said
) -> None:
    assert ask("--limit", "20", "--quiet") == 0
    first = the_run(tmp_path)
    capsys.readouterr()
    asked = len(server.bodies)
    assert ask("--limit", "30", "--dry-run") == 0
    assert "10 requests to ask, 0 answered before, 20 in other runs (reused)" in capsys.readouterr().out
    assert ask("--limit", "30") == 0
    assert len(server.bodies) - asked == 10 + PROBES
    said = capsys.readouterr().err
    assert f"20 of 30 answered in {first.name}: reused; --no-reuse asks again" in said
    assert "30 requests, 20 answered before (20 reused)" in said
    second = next(run for run in find_runs(tmp_path / "out") if run.name != first.name)
    marks = [one.reused_from for one in second.responses().values()]
    assert marks.count(first.name) == 20 and marks.count(None) == 10
    assert (second.manifest().sessions or ())[0].reused == {first.name: 20}
    assert second.result() is not None and second.result()[0].counts.complete  # type: ignore[index]
    asked = len(server.bodies)
    assert ask("--quiet", tasks="multi30k:de+fr") == 0
    assert len(server.bodies) - asked == 30 + PROBES
    asked = len(server.bodies)
    assert ask("--quiet", "--limit", "25") == 0, "everything is there: no engine, no question"
    assert len(server.bodies) == asked
    assert ask("--quiet", "--limit", "24", "--no-reuse") == 0
    assert len(server.bodies) - asked == 24


def test_a_label_gives_answers_a_name_and_asks_nothing(server: FaultServer, ask: Ask) -> None:
    assert ask("--quiet") == ask("--quiet", "--label", "mine") == 0
    assert len(server.bodies) == 30


def test_the_same_sampling_seed_is_the_same_question(server: FaultServer, ask: Ask) -> None:
    warm = ("--quiet", "--temperature", "1", "--sampling-seed", "3")
    assert ask(*warm, "--limit", "10") == ask(*warm, "--limit", "12") == 0
    assert len(server.bodies) == 12
    assert ask("--quiet", "--temperature", "1", "--sampling-seed", "4", "--limit", "11") == 0
    assert len(server.bodies) == 23


def test_other_engine_settings_and_other_models_give_nothing(server: FaultServer, ask: Ask, tmp_path: Path) -> None:
    assert ask("--quiet") == 0
    assert ask("--quiet", "--send-video", "video_url") == 0
    assert ask("--quiet", "--revision", "june") == 0
    assert len(server.bodies) == 90


def test_failures_are_asked_and_damaged_neighbours_passed_over(
    server: FaultServer, ask: Ask, tmp_path: Path, capsys: Said
) -> None:
    refuse(server, 3)
    assert ask("--quiet", "--limit", "10") == 1
    server.everything = answer
    first = the_run(tmp_path)
    lines = (first.path / "responses.jsonl").read_text().splitlines()
    lines[-1] = lines[-1][:20]
    edited = json.loads(lines[0]) | {"text": 7}
    (first.path / "responses.jsonl").write_text("\n".join([json.dumps(edited), *lines[1:-1], "[" * 5, lines[-1]]))
    for name, text in (
        ("torn", "{"),
        ("deep", "[" * 100_000),
        ("odd", "[]"),
        ("new", '{"format": 99}'),
        ("empty", '{"format": 1}'),
        ("strange", '{"format": 1, "ask": {"model": 3}}'),
    ):
        (tmp_path / "out" / name).mkdir()
        (tmp_path / "out" / name / "manifest.json").write_text(text)
    asked = len(server.bodies)
    assert ask("--limit", "12") == 0
    said = capsys.readouterr().err
    assert "7 of 12 answered in" in said
    assert "damaged: deep, empty, new, odd, strange and 1 more" in said
    assert len(server.bodies) - asked == 5 + 7


def test_what_another_model_said_is_not_taken_over(server: FaultServer, ask: Ask, tmp_path: Path, capsys: Said) -> None:
    """The neighbour's model is another one behind the same facts: the stored questions tell."""
    server.everything = answer
    assert ask("--quiet", "--limit", "20") == 0
    server.everything = other_answer
    assert ask("--quiet") == 2
    assert "--no-reuse" in capsys.readouterr().err
    assert {len(stored(run)) for run in find_runs(tmp_path / "out")} == {20}
    assert ask("--quiet", "--no-reuse") == 0


def test_a_neighbour_is_only_read(server: FaultServer, ask: Ask, tmp_path: Path) -> None:
    """A run that is written at this moment gives what it has, and is not touched."""
    assert ask("--quiet", "--limit", "20") == 0
    first = the_run(tmp_path)
    with RunWriter(first.path) as writer:
        writer.start()
        with (first.path / "responses.jsonl").open("a") as file:
            file.write('{"key": "half')
        before = {path.name: path.read_bytes() for path in first.path.iterdir()}
        assert ask("--quiet") == 0
        assert {path.name: path.read_bytes() for path in first.path.iterdir()} == before


def test_of_other_models_only_manifests_are_read(tmp_path: Path) -> None:
    """Many runs of others cost nothing: their answers, which cannot be opened here, are never looked for."""
    ask = {"model": ["folder", "m", "r"], "engine": {"name": "e"}, "tasks": [], "sampling": {}}
    for number in range(5):
        run = tmp_path / f"other{number}"
        with RunWriter(run) as writer:
            other = ask | {"model": ["folder", "m", f"r{number}"]}
            write_manifest(writer, {"ask": other, "updated": "2026", "tasks": []})
        (run / "responses.jsonl").mkdir()
    with RunWriter(tmp_path / "same") as writer:
        write_manifest(writer, {"ask": ask | {"tasks": [{"task": "a"}]}, "updated": "2025", "tasks": []})
        writer.start()
        writer.append(Response("k", text="a"))
    found = reusable(tmp_path / "mine", ask, {"k", "l"})
    assert found.runs == {"same": 1} and not found.damaged
