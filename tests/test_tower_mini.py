"""The embedded model: what it answers on compositions that it never saw; and that a short run of its recipe learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tvbench.cli.main import main
from tvbench.local_models import trained_folder

Said = pytest.CaptureFixture[str]
LARGEST = 12_000_000
"""Bytes of the committed checkpoint."""


def run(results: Path, model: str, tasks: str, languages: str, *more: str) -> None:
    words = ["run", "--model", model, "--tasks", tasks, "--languages", languages, "--engine", "transformers",
             "--results", str(results), "--quiet", *more]
    assert main(words) == 0


def grounding(results: Path, model: str, capsys: Said) -> dict[tuple[str, str, str | None], dict[str, Any]]:
    """By task, kind and metric, and language (None: their mean), of the newest run that saw and its blind one."""
    capsys.readouterr()
    assert main(["grounding", model, "--results", str(results), "--format", "json", "--resamples", "200"]) == 0
    rows = json.loads(capsys.readouterr().out)
    return {(row["task"], f"{row['kind']} {row['metric']}", row["language"]): row for row in rows}


def test_the_checkpoint_is_small_and_says_what_it_is() -> None:
    folder = trained_folder("tower-mini")
    assert folder is not None
    assert sum(path.stat().st_size for path in folder.rglob("*")) < LARGEST
    noted = json.loads((folder / "config.json").read_text())["tvbench"]
    assert noted["recipe"] == "mini" and noted["vision_embed_scale"] == "folded"
    card = (folder / "README.md").read_text()
    assert all(word in card for word in ("--recipe mini --seed 1", "blank", "chance", "Limits"))


def test_it_sees_what_it_never_saw_together(tmp_path: Path, capsys: Said) -> None:
    for more in ((), ("--set", "mini.pictures=blank")):
        run(tmp_path, "tower-mini", "mini", "en,zh,pt", "--set", "mini.items=12", *more)
    found = grounding(tmp_path, "tower-mini", capsys)
    for language in ("en", "zh"):
        for kind, least in (("multiple-choice aligned", 0.85), ("true-false aligned", 0.8), ("short accuracy", 0.85)):
            row = found["mini-alm", kind, language]
            assert row["seeing"] >= least and row["blind"] <= 0.75 * least, row
        clips = found["mini-vimul", "multiple-choice aligned", language]
        assert clips["seeing"] >= 0.7 and clips["blind"] <= 0.5
    sense = found["mini-multi30k", "translation sense", "zh"]
    assert sense["seeing"] >= 0.9 and sense["blind"] <= 0.6
    assert not found["mini-alm", "short accuracy", "zh"]["left_out"]
    assert found["mini-alm", "short accuracy", "pt"]["left_out"]


SHORT = {"text.steps": 300, "tower.steps": 500, "projector.steps": 40, "vision.steps": 100, "workers": 0}
"""Of the recipe's thousands. In English alone: four languages take longer."""


def test_a_short_run_of_its_recipe_learns_to_see(tmp_path: Path, capsys: Said) -> None:
    english = [f"datasets.{name}.languages=[en]" for name in ("told", "told-kept", "captions", "scenes")]
    settings = [*(f"{name}={value}" for name, value in SHORT.items()), *english]
    output = tmp_path / "training"
    assert main(["train", "--recipe", "mini", "--until", "2", "--output", str(output), "--quiet",
                 *(word for setting in settings for word in ("--set", setting))]) == 0
    losses = [json.loads(line)["loss"] for line in (output / "2-vision" / "metrics.jsonl").read_text().splitlines()]
    assert sum(losses[-10:]) / 10 < 0.6 * sum(losses[:3]) / 3
    for more in ((), ("--set", "mini.pictures=blank")):
        run(tmp_path / "results", str(output / "export"), "mini-alm", "en", "--set", "mini.items=24", *more)
    row = grounding(tmp_path / "results", "export", capsys)["mini-alm", "short accuracy", "en"]
    assert row["seeing"] >= 0.6 and row["low"] > 0.2
