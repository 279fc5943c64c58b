"""A working directory may be somebody else's: what is said before its files are used, and where no key goes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from repository import ROOT

KEY = "sk-not-for-strangers"
TASK = """
import sys
print("executed", file=sys.stderr)
from tvbench.types import Build, Task
TASK = Task(name={name!r}, version="1", title="mine", build=lambda options: Build((), "made up"),
            protocols={{"tvbench": "ours"}}, primary="strict", metrics=("strict",))
"""


class Keeper(ThreadingHTTPServer):
    """Keeps what every request says of the key."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.keys: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Keeper

    def do_GET(self) -> None:
        self._reply({"data": [{"id": "m"}]})

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self._reply({"choices": [{"message": {"content": "A"}, "finish_reason": "stop"}]})

    def _reply(self, value: object) -> None:
        self.server.keys.append(self.headers.get("Authorization"))
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent."""


@pytest.fixture
def keeper() -> Iterator[Keeper]:
    server = Keeper()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def tvbench(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder / "home"), "OPENAI_API_KEY": KEY, **environment}
    env.pop("TVBENCH_API_KEY", None)
    return subprocess.run(
        [sys.executable, "-m", "tvbench.cli.main", *words],
        cwd=folder,
        env=env,
        check=False,
        capture_output=True,
        text=True,
        timeout=300,
    )


def write_card(folder: Path, name: str, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.yaml").write_text(text)


def run(folder: Path, model: str) -> subprocess.CompletedProcess[str]:
    return tvbench(
        folder, "run", "--model", model, "--tasks", "mini-alm:de", "--limit", "1", "--quiet", "--results", "results"
    )


def test_a_card_of_the_working_directory_gets_no_key_and_is_named(tmp_path: Path, keeper: Keeper) -> None:
    write_card(tmp_path / "models", "towervision-9b", f"server: m\nurl: {keeper.url}\n")
    done = run(tmp_path, "towervision-9b")
    assert keeper.keys and not any(keeper.keys)
    assert "in place of tvbench's own: towervision-9b" in done.stderr
    assert f"no API key is sent to {keeper.url}" in done.stderr
    assert f"--model 'openai:m@{keeper.url}'" in done.stderr and "home/.config/tvbench/models" in done.stderr


@pytest.mark.parametrize("how", ["typed", "own card", "own card elsewhere"])
def test_a_server_that_the_person_names_gets_the_key(tmp_path: Path, keeper: Keeper, how: str) -> None:
    config = tmp_path / ("xdg" if how == "own card elsewhere" else "home/.config") / "tvbench" / "models"
    write_card(config, "mine", f"server: m\nurl: {keeper.url}\n")
    environment = {"XDG_CONFIG_HOME": str(tmp_path / "xdg")} if how == "own card elsewhere" else {"XDG_CONFIG_HOME": ""}
    done = tvbench(
        tmp_path,
        "run",
        "--model",
        f"openai:m@{keeper.url}" if how == "typed" else "mine",
        "--tasks",
        "mini-alm:de",
        "--limit",
        "1",
        "--quiet",
        "--results",
        "results",
        **environment,
    )
    assert keeper.keys and set(keeper.keys) == {f"Bearer {KEY}"}
    assert "note:" not in done.stderr


def test_a_relative_configuration_folder_is_the_working_directory_again(tmp_path: Path, keeper: Keeper) -> None:
    write_card(tmp_path / "here" / "tvbench" / "models", "mine", f"server: m\nurl: {keeper.url}\n")
    done = tvbench(tmp_path, "models", "show", "mine", XDG_CONFIG_HOME="here")
    assert done.returncode == 2 and "unknown model" in done.stderr


@pytest.mark.parametrize(
    ("card", "said"),
    [("hub: stranger/model\n", "towervision-9b"), ("name: x\nhub: utter-project/TowerVision-9B\n", "TowerVision-9B")],
)
def test_what_takes_a_shipped_models_place_is_named_once(tmp_path: Path, card: str, said: str) -> None:
    write_card(tmp_path / "models", "towervision-9b", card)
    for words in (("models",), ("models", "show", "qwen2.5-vl-3b")):
        done = tvbench(tmp_path, *words)
        (line,) = (line for line in done.stderr.splitlines() if line.startswith("note: model of the working directory"))
        assert said in line and str(tmp_path / "models") in line


def test_weights_of_the_working_directory_in_a_built_in_models_place_are_named(tmp_path: Path) -> None:
    (tmp_path / "models" / "tower-mini").mkdir(parents=True)
    (tmp_path / "models" / "tower-mini" / "config.json").write_text("{}")
    assert "the weights of tower-mini" in tvbench(tmp_path, "models").stderr


def test_task_files_are_named_before_they_are_executed(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    for name in ("alm", "own"):
        (tmp_path / "tasks" / f"{name}.py").write_text(TASK.format(name=name))
    first, *rest = tvbench(tmp_path, "tasks").stderr.splitlines()
    assert first == f"note: runs the task files of the working directory as Python: alm.py, own.py in {tmp_path}/tasks"
    assert rest == [
        "executed",
        "executed",
        f"note: task of the working directory ({tmp_path}/tasks) in place of tvbench's own: alm",
    ]


@pytest.mark.parametrize("where", ["the checkout", "an empty folder", "cards of one's own"])
def test_nothing_is_said_where_nothing_is_replaced(tmp_path: Path, where: str) -> None:
    if where == "cards of one's own":
        write_card(tmp_path / "models", "mine", "hub: org/mine\n")
    for words in (("tasks",), ("models",)):
        done = tvbench(ROOT if where == "the checkout" else tmp_path, *words, HOME=str(tmp_path / "home"))
        assert (done.returncode, done.stderr) == (0, "")
