"""`--decoder` in a run: written down, never mixed, never taken for another's answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, chat_server

import tvbench
from tvbench.data.media import decoders
from tvbench.errors import UsageError

decord = pytest.mark.skipif(not decoders.version_of("decord"), reason="decord is not installed")


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as running:
        yield running


def ask(server: ChatServer, results: Path, tasks: str = "mini-vimul:de", **options: Any) -> dict[str, Any]:
    run = tvbench.run(server.model, tasks, limit=1, results=results, **options)
    found: dict[str, Any] = json.loads((Path(run.path) / "manifest.json").read_text())
    return {"path": Path(run.path), **found}


@decord
def test_two_decoders_are_two_runs_and_neither_takes_the_others_answers(server: ChatServer, tmp_path: Path) -> None:
    plain = ask(server, tmp_path, decoder="pyav")
    asked = server.asked.total()
    assert plain["decoder"]["name"] == "pyav" and "decoder" not in plain["ask"]
    other = ask(server, tmp_path, decoder="decord")
    assert server.asked.total() > asked and other["path"] != plain["path"]
    assert other["decoder"] == decoders.decoder_info("decord") and other["ask"]["decoder"] == "decord"
    assert "|decoder:decord|" in other["tasks"][0]["signature"]
    asked = server.asked.total()
    assert ask(server, tmp_path)["path"] == plain["path"] and server.asked.total() == asked
    assert ask(server, tmp_path, decoder="decord")["path"] == other["path"] and server.asked.total() == asked


def test_what_is_not_installed_is_refused_before_a_question(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoders, "version_of", lambda name: "")
    with pytest.raises(UsageError, match="--decoder torchcodec: torchcodec is not installed"):
        ask(server, tmp_path, decoder="torchcodec")
    assert not server.asked and not list(tmp_path.iterdir())


def test_a_decoder_is_nothing_where_no_clip_is_asked_about(
    server: ChatServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoders, "version_of", lambda name: "")
    plain = ask(server, tmp_path, "mini-alm:de")
    asked = server.asked.total()
    assert ask(server, tmp_path, "mini-alm:de", decoder="decord")["path"] == plain["path"]
    assert server.asked.total() == asked


def test_a_server_that_decodes_itself_is_told_of_no_decoder(server: ChatServer, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the server decodes"):
        ask(server, tmp_path, decoder="decord", send_video="video_url")
