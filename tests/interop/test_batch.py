"""`tvbench export batch` and `import batch`: the engine's own requests and replies, through files, none paid twice."""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from batches import Json, answered, expired, posted, reply, requests_in, result, write
from chat_server import ChatServer, chat_server
from served import sentences

from tvbench.cli.main import main
from tvbench.runs.store import RunFolder, find_runs
from tvbench.runs.waves import Waves
from tvbench.types import Response

Said = pytest.CaptureFixture[str]
Do = Callable[..., int]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ChatServer]:
    for name in ("TVBENCH_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    with chat_server(digest=True) as running:
        yield running


@pytest.fixture
def do(server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Do:
    """do("export", ...) runs a command in a folder with data; what is asked stands for itself."""
    data = sentences(tmp_path / "data")
    monkeypatch.chdir(tmp_path)

    def run(*words: str, new: bool = False) -> int:
        asked = ["--model", server.model, "--tasks", "multi30k:de", "--data", str(data), "--no-image", "--limit", "12"]
        typed = [*words, *(asked if new else []), "--results", "results"]
        monkeypatch.setattr(sys, "argv", ["tvbench", *typed])
        return main(typed)

    return run


def only_run(results: Path = Path("results")) -> RunFolder:
    (run,) = find_runs(results)
    return run


def waves_of(run: RunFolder) -> list[Path]:
    return [Path(wave.file) for wave in Waves(run.path).all()]


def said_alike(answer: Response) -> tuple[Any, ...]:
    return answer.text, answer.finish, answer.tokens_in, answer.tokens_out, answer.reasoning, answer.notes, answer.error


def test_a_batch_asks_what_a_live_run_asks_and_reads_its_replies_alike(do: Do, server: ChatServer) -> None:
    assert do("export", "batch", "--wave", "5", new=True) == 0
    run = only_run()
    files = waves_of(run)
    requests = requests_in(*files)
    assert [len(requests_in(file)) for file in files] == [5, 5, 2]
    assert not run.responses() and not server.asked, "nothing is asked"
    results = write(Path("out.jsonl"), answered(server.url, requests))
    asked_by_batch = dict(server.asked)
    assert do("import", "batch", run.name, str(results)) == 0
    batch = run.responses()
    server.asked.clear()
    assert do("run", "--fresh", new=True) == 0
    assert dict(server.asked) == asked_by_batch, "the same messages"
    live = only_run().responses()
    assert {key: said_alike(answer) for key, answer in batch.items()} == {
        key: said_alike(answer) for key, answer in live.items()
    }


def test_nobody_says_how_long_a_batch_took(do: Do, server: ChatServer, capsys: Said) -> None:
    do("export", "batch", new=True)
    run = only_run()
    results = write(Path("out.jsonl"), answered(server.url, requests_in(*waves_of(run))))
    assert do("import", "batch", run.name, str(results)) == 0
    manifest = run.path / "manifest.json"
    told = json.loads(manifest.read_text())
    for session in told["sessions"]:
        session |= {"began": "2026-01-01T00:00:00+00:00", "ended": "2026-01-01T00:05:00+00:00"}
    manifest.write_text(json.dumps(told))
    capsys.readouterr()
    assert do("score", run.name) == 0
    said = capsys.readouterr().out
    assert "12 answers" in said and "5 min" not in said


def test_what_is_out_is_neither_written_nor_asked_again(do: Do, server: ChatServer, capsys: Said) -> None:
    assert do("export", "batch", "--wave", "5", new=True) == 0
    run = only_run()
    before = {path: path.read_bytes() for path in waves_of(run)}
    assert do("export", "batch", run.name) == 0
    assert "12 questions are out in waves 1, 2 and 3" in capsys.readouterr().err
    assert {path: path.read_bytes() for path in waves_of(run)} == before
    assert do("status", run.name) == 1
    said = capsys.readouterr().out
    assert "12 questions are out in waves 1, 2 and 3" in said and "waits for a batch" in said
    assert "goes on" not in said, "there is nothing to ask"
    assert do("import", "batch", run.name, ".") == 2
    assert ". is a folder: name the files of results in it: ./*.jsonl" in capsys.readouterr().err.replace("\n ", ":")
    assert do("run", new=True) == 1
    assert "12 questions are out" in capsys.readouterr().err
    assert not server.asked
    first = requests_in(*before)[:5]
    assert do("import", "batch", run.name, str(write(Path("one.jsonl"), answered(server.url, first)))) == 1
    assert "7 questions are out in waves 2 and 3" in capsys.readouterr().err
    server.asked.clear()
    assert do("export", "batch", run.name, "--lost", "2") == 0
    assert do("run", new=True) == 1
    assert server.asked.total() >= 5 and "2 questions are out in wave 3" in capsys.readouterr().err
    assert len(run.answered_keys()) == 10


def test_a_place_for_waves_that_cannot_be_written_is_said(do: Do, capsys: Said) -> None:
    Path("taken").write_text("a file")
    assert do("export", "batch", "--to", "taken/waves", new=True) == 1
    assert "choose another folder with --to DIR" in " ".join(capsys.readouterr().err.split())


def test_again_writes_everything_that_is_out_anew_with_the_same_bytes(do: Do) -> None:
    assert do("export", "batch", "--to", "a", new=True) == 0
    run = only_run()
    (first,) = waves_of(run)
    lines = first.read_bytes()
    assert do("export", "batch", run.name, "--again", "--to", "b") == 0
    assert not first.exists(), "nobody sends it by mistake"
    assert waves_of(run)[1].read_bytes() == lines and waves_of(run)[1].parent == Path("b").resolve()


def test_failures_are_asked_again_and_answers_are_not(do: Do, server: ChatServer, capsys: Said) -> None:
    do("export", "batch", new=True)
    run = only_run()
    requests = requests_in(*waves_of(run))
    keys = [request["custom_id"] for request in requests]
    lines = [
        *answered(server.url, requests[:8]),
        expired(keys[8]),
        result(keys[9], 500, {"error": {"message": "the server had an error"}}),
        result(keys[10], 200, {"choices": []}),
        {"id": "v", "custom_id": keys[11], "response": {"status_code": 400, "request_id": "r"}, "error": "too long"},
    ]
    random.Random(1).shuffle(lines)
    assert do("import", "batch", run.name, str(write(Path("out.jsonl"), lines))) == 1
    said = capsys.readouterr().err
    assert "8 answers taken in" in said and "4 failed" in said
    errors = {key: answer.error or "" for key, answer in run.responses().items()}
    assert "batch_expired" not in errors[keys[0]] and "completion window" in errors[keys[8]]
    assert errors[keys[9]] == "HTTP 500: the server had an error"
    assert "no choices" in errors[keys[10]] and errors[keys[11]] == "HTTP 400: too long"
    assert do("export", "batch", run.name) == 0
    assert [request["custom_id"] for request in requests_in(waves_of(run)[-1])] == keys[8:]


def test_reading_a_file_twice_changes_nothing(do: Do, server: ChatServer) -> None:
    do("export", "batch", new=True)
    run = only_run()
    requests = requests_in(*waves_of(run))
    path = write(Path("out.jsonl"), [*answered(server.url, requests[:9]), expired(requests[9]["custom_id"])])
    do("import", "batch", run.name, str(path))
    stored, sessions = run.responses(), run.manifest().sessions
    record = {path.name: path.read_bytes() for path in (run.path / "waves").iterdir()}
    do("import", "batch", run.name, str(path), str(path))
    assert run.responses() == stored
    assert {path.name: path.read_bytes() for path in (run.path / "waves").iterdir()} == record
    assert [one.answered for one in run.manifest().sessions or ()][:1] == [one.answered for one in sessions or ()]


def test_another_answer_is_named_and_kept_out(do: Do, server: ChatServer, capsys: Said) -> None:
    do("export", "batch", new=True)
    run = only_run()
    requests = requests_in(*waves_of(run))
    do("import", "batch", run.name, str(write(Path("out.jsonl"), answered(server.url, requests))))
    stored = run.responses()
    key = requests[3]["custom_id"]
    other = write(Path("other.jsonl"), [result(key, 200, reply("something else"))])
    assert do("import", "batch", run.name, str(other)) == 1
    assert f"kept out: other.jsonl:1: {key[:12]} has another answer already" in capsys.readouterr().err
    assert run.responses() == stored


HOSTILE = [
    b"\n",
    b"null\n",
    b"[]\n",
    b"\xff\xfe\n",
    b"{" * 5000 + b"\n",
    b"[" * 200 + b"]" * 200 + b"\n",
    b'{"custom_id": 5, "response": {}}\n',
    b'{"custom_id": "", "response": {}}\n',
    b'{"custom_id": "nobody", "response": {"status_code": 200, "body": {}}}\n',
    b'{"custom_id": "x"}\n',
    b'{"n": ' + b"9" * 5000 + b"}\n",
    b'{"custom_id": "' + b"\\ud800" + b'", "error": null}\n',
]


@pytest.mark.parametrize("packed", [False, True])
def test_hostile_lines_and_a_torn_end_cost_nothing_else(do: Do, server: ChatServer, packed: bool) -> None:
    do("export", "batch", new=True)
    run = only_run()
    requests = requests_in(*waves_of(run))
    good = answered(server.url, requests)
    lines: list[Json | bytes] = []
    for number, line in enumerate(good[:-1]):
        lines += [line, HOSTILE[number % len(HOSTILE)]]
    lines += [*HOSTILE, json.dumps(good[-1]).encode()[:-40]]
    path = write(Path("out.jsonl"), lines)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    assert do("import", "batch", run.name, str(path)) == 1
    assert len(run.answered_keys()) == 11
    assert do("import", "batch", run.name, str(write(Path("rest.jsonl"), good[-1:]))) == 0


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"choices": [{}]},
        {"choices": [{"message": {"content": 5}}]},
        {"choices": [{"message": {"content": "a"}, "finish_reason": "error"}]},
        {"choices": "no", "usage": []},
        "a text",
        None,
        [],
        {"error": {"message": "overloaded"}},
    ],
)
def test_a_reply_without_an_answer_is_a_failure(do: Do, body: Any) -> None:
    do("export", "batch", new=True)
    run = only_run()
    key = requests_in(*waves_of(run))[0]["custom_id"]
    assert do("import", "batch", run.name, str(write(Path("out.jsonl"), [result(key, 200, body)]))) == 1
    assert run.responses()[key].error


def test_what_a_service_refuses_the_next_wave_leaves_out(do: Do, capsys: Said) -> None:
    do("export", "batch", new=True)
    run = only_run()
    requests = requests_in(*waves_of(run))
    assert all("top_k" in request["body"] for request in requests)
    complaint = {"error": {"message": "Unrecognized request arguments supplied: top_k, min_p", "type": "invalid"}}
    tokens = {"error": {"message": "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."}}
    lines = [result(request["custom_id"], 400, complaint) for request in requests[1:]]
    path = write(Path("errors.jsonl"), [result(requests[0]["custom_id"], 400, tokens), *lines])
    assert do("import", "batch", run.name, str(path)) == 1
    assert "the service refuses" in capsys.readouterr().err
    assert do("export", "batch", run.name) == 0
    again = requests_in(waves_of(run)[-1])
    assert len(again) == 12
    assert not any({"top_k", "min_p", "max_tokens"} & request["body"].keys() for request in again)
    assert all("max_completion_tokens" in request["body"] for request in again)


def test_the_session_says_that_it_was_a_batch_and_what_it_cost(do: Do, server: ChatServer) -> None:
    do("export", "batch", "--price", "2,10", new=True)
    run = only_run()
    requests = requests_in(*waves_of(run))
    do("import", "batch", run.name, str(write(Path("out.jsonl"), answered(server.url, requests))))
    (session,) = run.manifest().sessions or ()
    assert (session.source, session.price_factor, session.answered) == ("batch", 0.5, 12)
    assert "engine:openai@unknown+asked=batch,model=counter" in run.manifest().tasks[0].signature
    import tvbench

    full = 12 * (5 * 2 + 2 * 10) / 1e6
    assert tvbench.load(run).cost().whole.dollars == pytest.approx(full / 2)


def test_what_no_batch_takes_is_refused_in_a_sentence(do: Do, tmp_path: Path, capsys: Said) -> None:
    assert main(["export", "batch", "--model", "tower-mini", "--tasks", "mini", "--engine", "vllm"]) == 2
    assert "renders the prompts itself" in capsys.readouterr().err
    assert main(["export", "batch", "--model", "tower-mini", "--tasks", "mini", "--limit", "1", "--bos", "two"]) == 2
    assert main(["export", "batch", "--model", "tower-mini"]) == 2
    assert main(["export", "batch", "--model", "tower-mini", "--tasks", "mini", "--concurrency", "3"]) == 2
    assert do("export", "batch", new=True) == 0
    assert do("export", "batch", only_run().name, "--limit", "3") == 2
    assert "says that itself" in capsys.readouterr().err


def test_a_run_whose_data_changed_is_not_written(do: Do, server: ChatServer, tmp_path: Path, capsys: Said) -> None:
    do("export", "batch", new=True)
    run = only_run()
    do("export", "batch", run.name, "--lost", "all")
    english = tmp_path / "data" / "test_2016_flickr.en"
    before = english.read_text()
    english.write_text(before.replace("dog number 3", "cat number 3"))
    assert do("export", "batch", run.name) == 2
    assert "1 of the 12 questions" in capsys.readouterr().err
    english.write_text(before)
    assert do("export", "batch", run.name) == 0
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    do("export", "batch", run.name, "--lost", "all")
    assert do("export", "batch", run.name) == 2
    assert "--data DIR" in capsys.readouterr().err
    assert do("export", "batch", run.name, "--data", str(tmp_path / "elsewhere")) == 0


def test_a_run_of_tvbenchs_own_prompts_takes_no_answers_of_a_server(do: Do, tmp_path: Path, capsys: Said) -> None:
    asked = ["--model", "tower-mini", "--tasks", "mini-multi30k:de", "--limit", "2", "--results", "own"]
    assert main(["run", *asked, "--quiet"]) == 0
    own = only_run(Path("own"))
    assert main(["export", "batch", own.name, "--results", "own"]) == 2
    assert "renders the prompts itself" in capsys.readouterr().err
    assert main(["import", "batch", own.name, str(write(Path("out.jsonl"), [])), "--results", "own"]) == 2
    assert main(["export", "batch", *asked]) == 0
    assert "vllm run-batch" in capsys.readouterr().err
    served = next(run for run in find_runs(Path("own")) if run.name != own.name)
    assert not {key for key, _ in served.requests()} & {key for key, _ in own.requests()}
    assert served.manifest().model.revision == own.manifest().model.revision


def test_a_kill_between_record_and_file_loses_nothing(do: Do) -> None:
    do("export", "batch", "--wave", "5", new=True)
    run = only_run()
    waves = Waves(run.path)
    last = waves.all()[-1]
    waves.begin(last, list(waves.keys(last.wave)))
    assert do("export", "batch", run.name) == 0
    assert [wave.wave for wave in waves.all()] == [1, 2, 3], "its file has its name"
    waves.begin(last, list(waves.keys(last.wave)))
    Path(last.file).unlink()
    assert do("export", "batch", run.name) == 0
    assert [len(requests_in(file)) for file in waves_of(run)] == [5, 5, 2]


def test_a_server_that_is_away_stops_no_export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Said) -> None:
    monkeypatch.chdir(tmp_path)
    data = sentences(tmp_path / "data")
    asked = ["--model", "openai:m@http://127.0.0.1:9/v1", "--tasks", "multi30k:de", "--data", str(data), "--no-image"]
    assert main(["export", "batch", *asked]) == 0
    assert "no server answers" in capsys.readouterr().err
    run = only_run()
    assert len(requests_in(*waves_of(run))) == 12
    assert main(["export", "batch", run.name, "--again", "--data", str(data)]) == 0


def test_fields_that_openai_refuses_are_never_sent_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tvbench.engines.openai.batch import spoken_to
    from tvbench.registry.catalog import resolve_model

    card = resolve_model("openai:gpt@https://api.openai.com/v1")
    assert set(spoken_to(card, "unknown").refused) == {"top_k", "min_p", "repetition_penalty"}


def test_a_live_run_goes_on_where_a_batch_stopped(do: Do, server: ChatServer) -> None:
    do("export", "batch", "--wave", "6", "--most", "1", new=True)
    run = only_run()
    requests = requests_in(*waves_of(run))
    assert len(requests) == 6
    assert do("import", "batch", run.name, str(write(Path("out.jsonl"), answered(server.url, requests)))) == 1
    assert do("run", new=True) == 0
    assert len(run.answered_keys()) == 12
    assert [one.source for one in run.manifest().sessions or ()] == ["batch", ""]
    assert "+asked=batch+live,model=counter|" in run.manifest().tasks[0].signature


def test_an_export_takes_over_what_another_run_has_answered(do: Do, server: ChatServer, capsys: Said) -> None:
    do("export", "batch", new=True)
    run = only_run()
    do("import", "batch", run.name, str(write(Path("o.jsonl"), answered(server.url, requests_in(*waves_of(run))))))
    assert do("export", "batch", "--limit", "12", "--seed", "1", new=True) == 0
    assert "12 of 12 answered in" in capsys.readouterr().err
    other = next(one for one in find_runs(Path("results")) if one.name != run.name)
    assert len(other.answered_keys()) == 12 and not Waves(other.path).all()


def test_what_failed_after_a_lost_wave_is_missing_again(do: Do, capsys: Said) -> None:
    do("export", "batch", new=True)
    run = only_run()
    do("export", "batch", run.name, "--lost", "all")
    do("export", "batch", run.name)
    lines = [expired(request["custom_id"]) for request in requests_in(waves_of(run)[-1])]
    do("import", "batch", run.name, str(write(Path("errors.jsonl"), lines)))
    capsys.readouterr()
    assert do("export", "batch", run.name) == 0
    assert "out" not in capsys.readouterr().err.split("next:")[0]
    assert [wave.requests for wave in Waves(run.path).all()] == [12, 12, 12]


def test_posted_is_what_stands_in_the_file(do: Do, server: ChatServer) -> None:
    do("export", "batch", new=True)
    (first, *_) = requests_in(*waves_of(only_run()))
    assert posted(server.url, first)[0] == 200
