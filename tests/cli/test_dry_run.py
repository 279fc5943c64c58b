"""`run --dry-run` needs no engine and no network where the data are at hand; what was typed wrongly is said first."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hub_server import hub_server
from repository import ROOT
from task_data import png, write_parquet

BARE = """
import importlib.abc, socket, sys

HEAVY = {"torch", "torchvision", "transformers", "vllm", "safetensors", "tokenizers", "jinja2", "flash_attn"}


class Bare(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in HEAVY:
            raise ImportError(f"{name} is imported, and is not here")
        return None


import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name.partition(".")[0] in HEAVY else found(name, package)
sys.meta_path.insert(0, Bare())


def shut(*given, **more):
    raise AssertionError(f"the network is asked for {given[-1:]}")


if sys.argv[1] == "closed":
    socket.socket.connect = socket.create_connection = socket.getaddrinfo = shut
from tvbench.cli.main import main
sys.exit(main(sys.argv[2:]))
"""
"""tvbench on a machine without any engine's packages, and without a network where that is said."""


def bare(home: Path, *words: str, network: str = "closed", endpoint: str = "") -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    env |= {"HF_HOME": str(home / "hf"), "PYTHONPATH": str(ROOT), "TVBENCH_RESULTS": str(home / "results")}
    env |= {"HF_ENDPOINT": endpoint, "HF_HUB_DISABLE_TELEMETRY": "1"} if endpoint else {}
    return subprocess.run(
        [sys.executable, "-c", BARE, network, *words], capture_output=True, text=True, check=False, env=env, cwd=home
    )


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Captions in the layout of the hub."""
    folder = tmp_path_factory.mktemp("captions")
    image = {"bytes": png(1), "path": "1.png"}
    rows = [{"en": "A dog.", "de": "Ein Hund.", "fr": "Un chien.", "cs": "Pes.", "image": image}]
    write_parquet(folder / "data" / "test-00000-of-00001.parquet", rows, ("image",))
    return folder


@pytest.mark.parametrize(
    "words",
    [
        "--model tower-mini --tasks mini",
        "--model tower-mini --tasks mini --engine vllm --engine-arg quantization=fp8 --trust-remote-code",
        "--model tower-mini --tasks mini-vimul:de --image-scale folded --dtype float32",
        "--model MODEL --tasks mini-alm:de --batch-size 4",
        "--model towervision-9b --tasks multi30k:de --data DATA --protocol paper",
        "--model towervision-2b --tasks mini-alm:de --judge tower-mini --comet xcomet-xl",
        "--model org/unheard-of --tasks mini-multi30k --no-image --format json",
    ],
)
def test_a_dry_run_needs_no_engine_and_no_network(words: str, data: Path, tmp_path: Path) -> None:
    words = words.replace("MODEL", str(ROOT / "models" / "tower-mini")).replace("DATA", str(data))
    done = bare(tmp_path, "run", *words.split(), "--dry-run", "--limit", "1")
    assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
    assert done.stdout and not (tmp_path / "results").exists()


def test_data_in_the_cache_are_at_hand_and_others_are_fetched(data: Path, tmp_path: Path) -> None:
    words = ("run", "--model", "tower-mini", "--tasks", "multi30k:de", "--dry-run")
    with hub_server({"datasets/romrawinjp/multi30k": data}) as server:
        done = bare(tmp_path, *words, network="open", endpoint=server.url)
        assert done.returncode == 0 and server.paths, done.stderr
        server.paths.clear()
        again = bare(tmp_path, *words, network="open", endpoint=server.url)
        assert again.returncode == 0 and server.paths == [], "the hub is not asked for what is here"
        said, told = (re.sub(r" +[0-9.]+ s ", " ", one.stdout).splitlines()[3:5] for one in (again, done))
        assert said == told, "but for the time that it takes"
    assert bare(tmp_path, *words, endpoint="http://127.0.0.1:9").returncode == 0
    elsewhere = bare(tmp_path / "hf", *words, "--offline")
    assert elsewhere.returncode == 1 and "is not on this machine" in elsewhere.stderr


WRONG = [
    ("--tasks mini-aln", "Did you mean mini-alm"),
    ("--tasks mini-alm:xx", "xx"),
    ("--tasks mini-alm --languages klingon", "klingon"),
    ("--tasks mini-alm --protocol papr", "unknown protocol 'papr'"),
    ("--tasks mini-alm --split banana", "banana"),
    ("--tasks mini-alm --set mini-alm.levle=2", "levle"),
    ("--tasks mini-alm --set nonsense", "task.key=value"),
    ("--tasks mini-alm --limit 0", "--limit"),
    ("--tasks mini-alm --engine vlmm", "Did you mean vllm"),
    ("--tasks mini-alm --engine-arg atention=eager", "Did you mean attention"),
    ("--tasks mini-alm --concurrency 3", "has no --concurrency"),
    ("--tasks mini-alm --engine openai", "needs a server"),
    ("--tasks mini-alm --judge tower-mni", "Did you mean tower-mini"),
    ("--tasks mini-alm --judge tower-mini --rubric nothing", "nothing"),
    ("--tasks mini-alm --temperature -1", "--temperature"),
]


@pytest.mark.parametrize(("words", "said"), WRONG)
@pytest.mark.parametrize("model", ["tower-mini", "utter-project/TowerVision-9B"])
def test_what_was_typed_wrongly_is_said_before_an_engine_or_a_model_is_looked_for(
    words: str, said: str, model: str, tmp_path: Path
) -> None:
    done = bare(tmp_path, "run", "--model", model, *words.split())
    assert done.returncode == 2 and said in done.stderr, done.stderr
    assert "needs torch" not in done.stderr and "Traceback" not in done.stderr


def test_then_it_is_said_what_to_install(tmp_path: Path) -> None:
    done = bare(tmp_path, "run", "--model", "tower-mini", "--tasks", "mini-alm:de", "--limit", "1")
    assert done.returncode == 2 and "pip install 'tvbench[transformers]'" in done.stderr
    assert not (tmp_path / "results").exists()


def test_tasks_come_before_the_model(tmp_path: Path) -> None:
    done = bare(tmp_path, "run", "--model", "no-such-model", "--tasks", "mini-alm", "--split", "banana")
    assert done.returncode == 2 and "banana" in done.stderr and "no-such-model" not in done.stderr


def test_a_judge_can_be_estimated_without_its_engine(tmp_path: Path) -> None:
    from judged import open_run

    open_run(tmp_path / "results", 3)
    done = bare(tmp_path, "judge", "run", "--judge", "tower-mini", "--dry-run", "--engine-arg", "batch_size=2")
    assert done.returncode == 0, done.stderr
    assert bare(tmp_path, "judge", "run", "--judge", "tower-mini", "--concurrency", "2").returncode == 2
    asked = bare(tmp_path, "judge", "run", "--judge", "tower-mini")
    assert asked.returncode == 2 and "pip install 'tvbench[transformers]'" in asked.stderr
