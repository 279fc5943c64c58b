"""Two engines, one store: equal keys, and the same answers, through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tvbench.errors import EngineError
from tvbench.registry.local_models import trained_folder

pytestmark = pytest.mark.vllm


def ask(results: Path, data: Path, engine: str) -> dict[str, str]:
    """Run the small model over made-up sentences; key -> text."""
    words = [
        sys.executable,
        "-m",
        "tvbench",
        "run",
        "--model",
        "tower-mini",
        "--engine",
        engine,
        "--dtype",
        "float32",
        "--tasks",
        "multi30k",
        "--no-image",
        "--data",
        str(data),
        "--results",
        str(results),
        "--quiet",
        "--max-new-tokens",
        "16",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = list(results.iterdir())
    lines = [json.loads(line) for line in (run / "responses.jsonl").read_text().splitlines()]
    return {line["key"]: line["text"] for line in lines}


def test_vllm_and_transformers_answer_the_same_keys_alike(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for code, word in (("en", "dog"), ("de", "Hund"), ("fr", "chien"), ("cs", "pes")):
        (data / f"test_2016_flickr.{code}").write_text("".join(f"{word} number {n}\n" for n in range(12)))
    vllm = ask(tmp_path / "vllm", data, "vllm")
    transformers = ask(tmp_path / "transformers", data, "transformers")
    assert len(vllm) == 36 and vllm.keys() == transformers.keys()
    same = sum(vllm[key] == transformers[key] for key in vllm)
    assert same == len(vllm), f"{len(vllm) - same} of {len(vllm)} answers differ"


def run_mini(results: Path, engine: str) -> dict[str, tuple[str, str | None]]:
    """Run the mini tasks in two languages; key -> (item id, text)."""
    words = [
        sys.executable,
        "-m",
        "tvbench",
        "run",
        "--model",
        "tower-mini",
        "--engine",
        engine,
        "--dtype",
        "float32",
        "--tasks",
        "mini",
        "--languages",
        "de,hi",
        "--results",
        str(results),
        "--quiet",
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    (run,) = list(results.iterdir())
    ids = {line["key"]: line["item"]["id"] for line in read_lines(run / "requests.jsonl")}
    return {line["key"]: (ids[line["key"]], line["text"]) for line in read_lines(run / "responses.jsonl")}


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_mini_tasks_are_answered_alike_picture_pictures_and_clip(tmp_path: Path) -> None:
    vllm, transformers = (run_mini(tmp_path / engine, engine) for engine in ("vllm", "transformers"))
    assert vllm.keys() == transformers.keys() and len(vllm) >= 80
    different = {
        name: (text, transformers[key][1]) for key, (name, text) in vllm.items() if text != transformers[key][1]
    }
    assert not different
    assert len({text for _, text in vllm.values()}) > len(vllm) // 5


def test_what_vllm_refuses_about_a_model_is_said_in_a_line() -> None:
    from tvbench.engines.vllm_process import start

    folder = trained_folder("tower-mini")
    with pytest.raises(EngineError, match=r"max_model_len \(9999999\) is greater"):
        start({"model": str(folder), "max_model_len": 9_999_999})
