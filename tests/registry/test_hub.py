"""Models and data from a hub: fetched once, pinned to a commit, run without a network."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from fault_server import fault_server, status
from hub_server import HubServer, hub_server
from repository import ROOT
from server_faults import FAULTS
from task_data import png, write_parquet

from tvbench.mini.checkpoint import build_tiny
from tvbench.runs.store import find_runs

SENTENCES = 6


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("hub")
    build_tiny(root / "model", seed=3)
    rows = [
        {
            "en": f"A dog, number {n}.",
            "de": f"Ein Hund, Nummer {n}.",
            "fr": f"Un chien, {n}.",
            "cs": f"Pes {n}.",
            "image": {"bytes": png(n), "path": f"{n}.png"},
        }
        for n in range(SENTENCES)
    ]
    write_parquet(root / "data" / "data" / "test-00000-of-00001.parquet", rows, ("image",))
    return {"org/tiny": root / "model", "datasets/romrawinjp/multi30k": root / "data"}


def tvbench(home: Path, endpoint: str, *words: str) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own: the hub's library reads its address when it is imported."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    environment |= {
        "HF_HOME": str(home),
        "HF_ENDPOINT": endpoint,
        "TVBENCH_CACHE": str(home / "tvbench"),
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }
    return subprocess.run(
        [sys.executable, "-m", "tvbench", *words],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        cwd=home,
    )


RUN = ("run", "--model", "org/tiny", "--tasks", "multi30k:de", "--max-new-tokens", "4", "--quiet", "--format", "json")
CLOSED = "http://127.0.0.1:9"


def revision(results: Path) -> str:
    (run,) = find_runs(results)
    return run.manifest().model.revision


def commit(server: HubServer) -> str:
    return server.commits["org/tiny"]


@pytest.mark.slow
def test_a_fetched_model_and_task_run_without_a_network(folders: dict[str, Path], tmp_path: Path) -> None:
    with hub_server(folders) as server:
        fetched = tvbench(tmp_path, server.url, "fetch", "--model", "org/tiny", "--tasks", "multi30k")
        assert fetched.returncode == 0, fetched.stderr
        expected = commit(server)
    done = tvbench(tmp_path, CLOSED, *RUN, "--offline", "--results", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["tasks"][0]["counts"]["scored"] == SENTENCES
    assert revision(tmp_path / "out") == expected, "the commit, not the name of a branch that moves on"


@pytest.mark.slow
def test_a_branch_that_moves_on_is_another_model(folders: dict[str, Path], tmp_path: Path) -> None:
    with hub_server(folders) as server:
        done = tvbench(tmp_path, server.url, *RUN, "--results", str(tmp_path / "out"))
        assert done.returncode == 0, done.stderr
        assert revision(tmp_path / "out") == commit(server)
        server.commits["org/tiny"] = "f" * 40
        done = tvbench(tmp_path, server.url, *RUN, "--results", str(tmp_path / "out"))
        assert done.returncode == 0, done.stderr
    runs = find_runs(tmp_path / "out")
    assert len(runs) == 2 and not runs[0].responses().keys() & runs[1].responses().keys()


def test_what_the_hub_has_not_is_said(folders: dict[str, Path], tmp_path: Path) -> None:
    with hub_server(folders) as server:
        missing = tvbench(tmp_path, server.url, "run", "--model", "org/tinny", "--tasks", "mini:de", "--limit", "1")
        assert missing.returncode == 2 and "no model org/tinny" in missing.stderr, missing.stderr
        wrong = tvbench(tmp_path, server.url, "run", "--model", "org/tiny@v9", "--tasks", "mini:de", "--limit", "1")
        assert wrong.returncode == 2 and "no revision 'v9'" in wrong.stderr, wrong.stderr
    unreachable = tvbench(tmp_path, CLOSED, "run", "--model", "org/tiny", "--tasks", "mini:de", "--limit", "1")
    assert unreachable.returncode == 1 and "cannot reach the hub" in unreachable.stderr, unreachable.stderr
    assert not list(tmp_path.glob("results/*"))


ASK_ALL = """
import sys
from tvbench.errors import TvbenchError
from tvbench.registry.hub import snapshot
for number in range(int(sys.argv[1])):
    try:
        snapshot(f"org/n{number}", kind="dataset")
    except TvbenchError as error:
        print(str(error).replace("\\n", " "))
"""


def test_a_mirror_that_answers_anything_is_a_sentence_each_time(tmp_path: Path) -> None:
    names = [
        "reset",
        "body cut off",
        "deep lists",
        "null",
        "a list",
        "Latin-1",
        "web page",
        "500 in hex",
        "no HTTP",
        "empty",
        "broken gzip",
        "endless header line",
        "403 in an unknown charset",
        "choices null",
    ]
    token = "hf_AbCdEfGhIjKlMnOpQrStUvWx"
    with fault_server() as server:
        faults = [*(FAULTS[name] for name in names), status(400, token, X_Error_Message=token)]
        server.pages = {f"/api/datasets/org/n{n}/revision/main": fault for n, fault in enumerate(faults)}
        environment = {
            **os.environ,
            "HF_ENDPOINT": server.root,
            "HF_HOME": str(tmp_path),
            "HF_TOKEN": token,
            "HF_HUB_OFFLINE": "0",
            "PYTHONPATH": str(ROOT),
        }
        done = subprocess.run(
            [sys.executable, "-c", ASK_ALL, str(len(faults))],
            capture_output=True,
            text=True,
            check=False,
            env=environment,
        )
    said = done.stdout.splitlines()
    assert done.returncode == 0 and len(said) == len(faults), done.stderr
    assert all("dataset org/n" in line and "HF_ENDPOINT" in line for line in said)
    assert token not in done.stdout
