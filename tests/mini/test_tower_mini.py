"""The embedded model: what it answers on compositions that it never saw; and that a short run of its recipe learns."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tvbench.cli.main import main
from tvbench.registry.local_models import trained_folder

pytestmark = pytest.mark.slow

Said = pytest.CaptureFixture[str]
LARGEST = 12_000_000
"""Bytes of the committed checkpoint."""


def run(results: Path, model: str, tasks: str, languages: str, *more: str) -> None:
    words = [
        "run",
        "--model",
        model,
        "--tasks",
        tasks,
        "--languages",
        languages,
        "--engine",
        "transformers",
        "--results",
        str(results),
        "--quiet",
        *more,
    ]
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


SHORT = {
    "model.sizes.languages": "[en]",
    "text.data": "[told]",
    "vision.data": "[scenes,told-kept]",
    **{f"datasets.{name}.languages": "[en]" for name in ("told", "told-kept", "captions", "scenes")},
    "text.steps": "250",
    "tower.steps": "500",
    "projector.steps": "40",
    "vision.steps": "80",
}
"""In English alone, a tenth of the steps."""


def test_a_short_run_of_its_recipe_learns_to_see(tmp_path: Path, capsys: Said) -> None:
    output = tmp_path / "training"
    assert (
        main(
            [
                "train",
                "--recipe",
                "mini",
                "--until",
                "2",
                "--output",
                str(output),
                "--quiet",
                *(word for key, value in SHORT.items() for word in ("--set", f"{key}={value}")),
            ]
        )
        == 0
    )
    for name, first, last in (("0-text", 3.0, 0.35), ("1-projector", 0.6, 0.25), ("2-vision", 0.2, 0.18)):
        losses = [json.loads(line)["loss"] for line in (output / name / "metrics.jsonl").read_text().splitlines()]
        assert losses[0] > first and sum(losses[-10:]) / 10 < last, name
    for more in ((), ("--set", "mini.pictures=blank")):
        run(tmp_path / "results", str(output / "export"), "mini-alm", "en", "--set", "mini.items=24", *more)
    found = grounding(tmp_path / "results", "export", capsys)
    short, choices = (found["mini-alm", kind, "en"] for kind in ("short accuracy", "multiple-choice aligned"))
    assert short["seeing"] >= 0.8 and short["blind"] <= 0.3
    assert choices["seeing"] >= 0.5 and choices["low"] > 0.1
