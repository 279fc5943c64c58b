"""Whose answers are these? A model on a server is its name, its address and what the server tells of it."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fault_server import FaultServer, fault_server, keyless_server, status
from run_folders import task_result, write_run
from served import Json, sentences, serve_llama

from tvbench.cli.main import main
from tvbench.engines.openai.identity import told_of
from tvbench.errors import UsageError
from tvbench.registry.addresses import server_address
from tvbench.registry.catalog import resolve_model
from tvbench.runs.plan import model_identity
from tvbench.runs.store import RunFolder, find_runs
from tvbench.types import ModelCard

Said = pytest.CaptureFixture[str]

VLLM: Json = {
    "id": "served-model",
    "owned_by": "vllm",
    "created": 5,
    "root": "/models/a",
    "parent": None,
    "max_model_len": 1024,
    "permission": [{"id": "modelperm-1", "created": 5}],
}


def serve_vllm(server: FaultServer) -> None:
    server.pages |= {"/v1/models": {"data": [json.loads(json.dumps(VLLM))]}, "/version": {"version": "0.9.1"}}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultServer]:
    with keyless_server(monkeypatch) as running:
        yield running


@pytest.fixture
def ask(server: FaultServer, tmp_path: Path) -> Callable[..., int]:
    """ask(...) runs the command on `server` and returns its exit code."""
    data = sentences(tmp_path / "data")

    def run(*words: str, url: str = server.root, tasks: str = "multi30k:de") -> int:
        return main(
            [
                "run",
                "--model",
                f"openai:served-model@{url}",
                "--tasks",
                tasks,
                "--no-image",
                "--data",
                str(data),
                "--results",
                str(tmp_path / "out"),
                "--quiet",
                *words,
            ]
        )

    return run


# ── Addresses ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("HTTP://Host.Example:8000/", "http://host.example:8000/v1"),
        ("http://host:80/v1//", "http://host/v1"),
        ("https://host:443", "https://host/v1"),
        ("https://host:80", "https://host:80/v1"),
        ("host:8000/V1/Chat", "http://host:8000/V1/Chat/v1"),
        ("http://[::1]:80/v1/", "http://[::1]/v1"),
        ("http://[2001:DB8::1]:8000", "http://[2001:db8::1]:8000/v1"),
        ("https://host/api/v1/chat/completions", "https://host/api/v1"),
        ("https://host/v1beta/openai", "https://host/v1beta/openai"),
    ],
)
def test_one_address_has_one_spelling(given: str, meant: str) -> None:
    assert server_address(given) == meant == server_address(meant)
    assert resolve_model(f"openai:m@{meant}").url == meant


@pytest.mark.parametrize(
    "url",
    [
        "http://host/v1?",
        "http://host/v1?key=hush",
        "http://host#hush",
        "http://me:hush@host/v1",
        "http://@host",
        "http://hush@host:8000",
        "http://ho st/hush",
        "http://host:hush",
        "http://host:0/hush",
        "http://host:99999",
        "http://[::1/hush",
        "http:///hush",
        "http://host\\hush",
    ],
)
def test_an_address_with_more_than_host_port_and_path_is_refused(url: str, capsys: Said, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        server_address(url)
    assert "openai:NAME@" in raised.value.hint and "hush" not in str(raised.value)
    assert main(["run", "--model", f"openai:m@{url}", "--tasks", "mini", "--results", str(tmp_path)]) == 2
    assert "hush" not in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


# ── What a server tells ───────────────────────────────────────────────────────────────────────────


def changed(server: FaultServer, path: str, **values: Any) -> None:
    page = server.pages[path]
    target = page["data"][0] if "data" in page else page
    for name, value in values.items():
        (target["meta"] if name in target.get("meta", {}) else target)[name] = value


Change = Callable[[FaultServer], None]
RESTARTED: dict[str, tuple[Change, Change]] = {
    "llama.cpp, another time": (serve_llama, lambda server: changed(server, "/v1/models", created=2)),
    "llama.cpp, another context": (serve_llama, lambda server: changed(server, "/v1/models", n_ctx=2048)),
    "llama.cpp, other slots": (
        serve_llama,
        lambda server: changed(server, "/props", total_slots=1, media_marker="<__media_2__>"),
    ),
    "vLLM, another time": (
        serve_vllm,
        lambda server: changed(server, "/v1/models", created=9, permission=[{"id": "modelperm-2", "created": 9}]),
    ),
    "a server that tells nothing": (lambda server: server.pages.clear(), lambda server: None),
}
SWAPPED: dict[str, tuple[Change, Change]] = {
    "llama.cpp, another size": (serve_llama, lambda server: changed(server, "/v1/models", n_params=7)),
    "llama.cpp, other weights": (serve_llama, lambda server: changed(server, "/v1/models", ftype="Q8_0")),
    "llama.cpp, another file": (serve_llama, lambda server: changed(server, "/props", model_path="/models/b.gguf")),
    "llama.cpp, another template": (serve_llama, lambda server: changed(server, "/props", chat_template="{{ b }}")),
    "llama.cpp, another build": (serve_llama, lambda server: changed(server, "/props", build_info="b2")),
    "llama.cpp, an adapter": (
        serve_llama,
        lambda server: changed(
            server, "/props", default_generation_settings={"params": {"lora": [{"id": 0, "scale": 1.0}]}}
        ),
    ),
    "vLLM, another folder": (serve_vllm, lambda server: changed(server, "/v1/models", root="/models/b")),
    "vLLM, another version": (serve_vllm, lambda server: changed(server, "/version", version="0.9.2")),
    "another kind of server": (serve_vllm, serve_llama),
}


@pytest.mark.parametrize("case", RESTARTED)
def test_the_same_model_started_again_is_the_same(
    case: str, server: FaultServer, ask: Callable[..., int], tmp_path: Path
) -> None:
    before, after = RESTARTED[case]
    before(server)
    assert ask() == 0
    asked = len(server.bodies)
    after(server)
    assert ask() == 0
    assert len(server.bodies) == asked and len(find_runs(tmp_path / "out")) == 1


@pytest.mark.parametrize("case", SWAPPED)
def test_another_model_behind_the_same_name_and_address_is_another_run(
    case: str, server: FaultServer, ask: Callable[..., int], tmp_path: Path
) -> None:
    before, after = SWAPPED[case]
    before(server)
    assert ask() == 0
    first = {run.name: run.responses() for run in find_runs(tmp_path / "out")}
    after(server)
    assert ask() == 0
    assert len(server.bodies) == 24, "every question is asked of the other model too"
    (name,) = first
    runs = {run.name: run.responses() for run in find_runs(tmp_path / "out")}
    assert len(runs) == 2 and runs[name] == first[name]
    other = next(answers for run, answers in runs.items() if run != name)
    assert not first[name].keys() & other.keys(), "no key of one is a key of the other"


def test_the_same_name_at_another_address_is_another_model(
    server: FaultServer, ask: Callable[..., int], tmp_path: Path
) -> None:
    with fault_server() as other:
        assert ask() == ask(url=other.root) == 0
        assert len(server.bodies) == len(other.bodies) == 12
        assert ask(url=f"{other.root.upper().replace('HTTP', 'http')}/v1/") == 0
        assert len(other.bodies) == 12
    assert len(find_runs(tmp_path / "out")) == 2


@pytest.mark.parametrize(
    ("page", "value"),
    [
        ("/v1/models", {"data": [{"id": "served-model", "owned_by": "llamacpp", "meta": [1], "root": {"a": 1}}]}),
        ("/v1/models", {"data": "none"}),
        ("/v1/models", [1]),
        ("/props", {"chat_template": 10**30, "default_generation_settings": [], "model_path": "x" * 100_000}),
        ("/props", {"default_generation_settings": {"params": {"lora": "none"}}, "model_path": "\x1b[31m"}),
    ],
)
def test_odd_pages_are_borne(page: str, value: Any, server: FaultServer, ask: Callable[..., int]) -> None:
    serve_llama(server)
    server.pages[page] = value
    assert ask() == ask() == 0
    assert len(server.bodies) == 12


def test_facts_are_short_plain_and_without_the_key() -> None:
    entry = {"id": "m", "root": None, "parent": True}
    props = {"model_path": "/a/hush/b", "chat_template": "x" * 5000, "eos_token": "\x1b[0m", "model_ftype": math.nan}
    facts = told_of(entry, {"/props": props}, lambda text: text.replace("hush", "*"))
    assert facts["model_path"] == "/a/*/b" and facts["chat_template"].startswith("sha256-")
    assert facts["eos_token"].startswith("sha256-") and facts.keys() == {"model_path", "chat_template", "eos_token"}


# ── What the person knows ─────────────────────────────────────────────────────────────────────────


def test_a_revision_outlives_the_servers_version_but_not_its_model(
    server: FaultServer, ask: Callable[..., int], tmp_path: Path
) -> None:
    serve_vllm(server)
    assert ask("--revision", "may") == 0
    changed(server, "/version", version="0.9.2")
    assert ask("--revision", "may") == 0
    assert len(server.bodies) == 12
    assert ask("--revision", "june") == 0
    assert len(server.bodies) == 24
    changed(server, "/v1/models", root="/models/b")
    assert ask("--revision", "may") == 0
    assert len(server.bodies) == 36
    revisions = {run.manifest().model.revision for run in find_runs(tmp_path / "out")}
    assert sorted(revision.split("+")[0] for revision in revisions) == ["june", "may", "may"]


@pytest.mark.parametrize("words", [("--revision", " "), ("--label", ""), ("--label", "a\x1b[31m")])
def test_words_that_say_nothing_are_refused(words: tuple[str, str], ask: Callable[..., int]) -> None:
    assert ask(*words) == 2


def test_a_folder_has_its_content_for_a_revision(tmp_path: Path, capsys: Said) -> None:
    words = ["--tasks", "mini", "--results", str(tmp_path), "--dry-run"]
    assert main(["run", "--model", "tower-mini", "--revision", "x", *words]) == 2
    assert "--label" in capsys.readouterr().err


def test_a_label_names_the_model_in_runs_and_tables(ask: Callable[..., int], tmp_path: Path, capsys: Said) -> None:
    assert ask("--label", "My model, v2") == 0
    (run,) = find_runs(tmp_path / "out")
    assert run.name.startswith("My-model-v2--multi30k")
    assert main(["leaderboard", "--results", str(tmp_path / "out"), "--no-published"]) == 0
    assert "My model, v2" in capsys.readouterr().out


def test_two_models_of_one_name_are_told_apart_in_a_table(tmp_path: Path, capsys: Said) -> None:
    write_run(tmp_path, "a", "checkpoint-1000", task_result(value=0.5), revision="sha256-0123456789abcdef")
    write_run(tmp_path, "b", "checkpoint-1000", task_result(value=0.6), revision="may+served-0123456789ab")
    write_run(tmp_path, "c", "alone", task_result(value=0.7), revision="c" * 40)
    write_run(tmp_path, "d", "commits", task_result(value=0.7), revision="d" * 40)
    write_run(tmp_path, "e", "commits", task_result(value=0.8), revision="e" * 40)
    assert main(["leaderboard", "--results", str(tmp_path), "--no-published"]) == 0
    said = capsys.readouterr().out
    assert "checkpoint-1000, @sha256-0123456789abcdef " in said and "checkpoint-1000, @may " in said
    assert "commits, @dddddddddddd… " in said and "alone  " in said
    assert main(["leaderboard", "--results", str(tmp_path), "--all", "--no-published", "--format", "markdown"]) == 0
    said = capsys.readouterr().out
    assert "run @sha256-0123456789abcdef" in said and "| run @may |" in said
    assert re.search(r"alone(\*\*)? \| [\d–]+ \| run \|", said)
    assert "run @dddddddddddd…" in said and "run @eeeeeeeeeeee…" in said


# ── Nobody there ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_complete_run_needs_no_server_and_an_incomplete_one_says_so(tmp_path: Path, capsys: Said) -> None:
    data = sentences(tmp_path / "data")
    words = ["--tasks", "multi30k:de", "--no-image", "--data", str(data), "--results", str(tmp_path / "out"), "--quiet"]
    with fault_server() as server:
        serve_llama(server)
        words += ["--model", f"openai:served-model@{server.root}"]
        assert main(["run", *words]) == 0
    assert main(["run", *words]) == 0
    assert main(["run", *words, "--limit", "5"]) == 1
    assert "no server answers" in capsys.readouterr().err
    assert len(find_runs(tmp_path / "out")) == 1, "nothing is begun where nobody answers"
    assert main(["run", *words, "--dry-run"]) == 0
    said = capsys.readouterr()
    assert "no server answers" in said.err and "0 requests to ask, 12 answered before" in said.out


def test_wrong_words_are_found_before_the_server_is_missed(tmp_path: Path, capsys: Said) -> None:
    words = ["run", "--model", "openai:m@http://127.0.0.1:9", "--tasks", "multi30k:de", "--results", str(tmp_path)]
    assert main([*words, "--protocol", "papre"]) == 2
    assert "Did you mean paper" in capsys.readouterr().err


def test_a_server_that_is_not_ready_is_not_taken_for_one_that_tells_nothing(
    server: FaultServer, ask: Callable[..., int], tmp_path: Path, capsys: Said
) -> None:
    server.pages["/v1/models"] = status(503, "loading")
    assert ask() == 1
    assert "HTTP 503" in capsys.readouterr().err and not server.bodies and not find_runs(tmp_path / "out")


# ── Judges ────────────────────────────────────────────────────────────────────────────────────────


def test_another_judge_behind_the_same_name_and_address_is_another_judge(tmp_path: Path) -> None:
    from judge_server import judge_server
    from judged import open_run

    run = RunFolder(open_run(tmp_path, 4))
    with judge_server(kinds=()) as server:
        words = ["judge", str(run.path), "--judge", server.model, "--quiet", "--check", "0", "--planted", "0"]
        serve_llama(server)
        assert main(words) == 0
        changed(server, "/v1/models", created=77)
        assert main(words) == 0
        assert server.graded.total() == 4
        changed(server, "/v1/models", n_params=7)
        assert main(words) == 0
        assert server.graded.total() == 8 and len(list((run.path / "judges").iterdir())) == 2
    assert main(words) == 0, "a judge that has said everything need not be there"
    shutil.rmtree(run.path / "judges")
    assert main(words) == 1


def test_the_keys_of_before_are_found_again() -> None:
    """Cards in old manifests have the revision `served` and an address; verdicts of old judges are found by them."""
    card = ModelCard("n", "server", "n", revision="served", url="http://127.0.0.1:1")
    assert model_identity(card) == "server:n"
