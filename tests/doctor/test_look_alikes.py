"""Look-alikes of a trained model: the doctor finds each, and calls no healthy one wrong; import hides none."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from engine_requests import break_layout, card_for
from look_alikes import LOOK_ALIKES, UNMARKED, LookAlike, make, scaled, spoiled

from tvbench.checkpoints.importing import import_checkpoint
from tvbench.checkpoints.tensors import EMBEDDING
from tvbench.cli.main import main
from tvbench.doctor.examine import examine
from tvbench.doctor.pictures import captioned
from tvbench.doctor.scale import measure_sizes
from tvbench.mini.checkpoint import build_tiny
from tvbench.registry.local_models import trained_folder

torch.set_num_threads(1)
pytestmark = pytest.mark.slow
Said = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TVBENCH_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def trained() -> Path:
    folder = trained_folder("tower-mini")
    assert folder is not None
    return folder


def words(text: str) -> str:
    return " ".join(text.split())


# ── The doctor ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", LOOK_ALIKES)
def test_each_look_alike_is_found(trained: Path, tmp_path: Path, name: str) -> None:
    one = LOOK_ALIKES[name]
    folder = make(trained, tmp_path / "model", one)
    found = examine(folder, card_for(folder), engine="transformers", quick=one.quick)
    assert one.code in {finding.code for finding in found.findings if finding.severity == "error"}


def test_the_trained_model_is_healthy_in_every_form(trained: Path, tmp_path: Path) -> None:
    legacy = import_checkpoint(trained, card_for(trained), tmp_path / "legacy", target="legacy").folder
    back = import_checkpoint(legacy, card_for(legacy), tmp_path / "back").folder
    wide = make(
        trained,
        tmp_path / "wide",
        LookAlike("", lambda held: {name: tensor.float() for name, tensor in held.items()}, (("dtype", "float32"),)),
    )
    for folder in (trained, back, wide):
        found = examine(folder, card_for(folder), engine="transformers")
        assert found.findings == () and any(remark.startswith("loss on") for remark in found.remarks)
    assert [one.code for one in examine(legacy, card_for(legacy), engine="transformers", quick=True).findings] == [
        "image-scale"
    ]


@pytest.mark.parametrize("seed", range(3))
def test_a_model_that_was_never_trained_is_no_look_alike(tmp_path: Path, seed: int) -> None:
    folder = build_tiny(tmp_path / "model", seed=seed)
    found = examine(folder, card_for(folder), engine="transformers")
    assert found.findings == () and any("never trained" in remark for remark in found.remarks)
    source = break_layout(folder, tmp_path / "source")
    copy = import_checkpoint(source, card_for(source), tmp_path / "copy").folder
    assert examine(copy, card_for(copy), engine="transformers", quick=True).findings == ()


def test_a_broken_tensor_is_named_as_it_is_stored(trained: Path, tmp_path: Path) -> None:
    folder = make(trained, tmp_path / "model", LOOK_ALIKES["NaN in the tower"])
    found = examine(folder, card_for(folder), engine="transformers")
    (finding,) = [one for one in found.findings if one.code == "not-finite"]
    assert "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight holds 1 NaN" in finding.message
    assert any("first fix not-finite" in remark for remark in found.remarks)


# ── The scale of image rows ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("power", "state"), [(-1, "unfolded"), (0, "folded"), (1, "folded twice")])
def test_the_sizes_speak_for_the_scale(trained: Path, tmp_path: Path, power: int, state: str) -> None:
    folder = make(trained, tmp_path / "model", LookAlike("", scaled(power), UNMARKED))
    sizes = measure_sizes(folder)
    healthy = measure_sizes(trained)
    assert sizes.state == state and sizes.root == pytest.approx(128**0.5)
    assert sizes.rows == pytest.approx(healthy.rows * sizes.root**power, rel=0.01)  # type: ignore[operator]


def test_an_unmarked_checkpoint_is_measured_and_waits_for_a_word(trained: Path, tmp_path: Path, capsys: Said) -> None:
    folder = make(trained, tmp_path / "model", LookAlike("", scaled(-1), UNMARKED))
    results = str(tmp_path / "results")
    asked = [
        "run",
        "--model",
        str(folder),
        "--tasks",
        "mini-alm",
        "--languages",
        "en",
        "--limit",
        "2",
        "--engine",
        "transformers",
        "--results",
        results,
        "--quiet",
    ]
    assert main(asked) == 1 and not Path(results).exists()
    said = words(capsys.readouterr().err)
    assert "picture rows are 2 times as large as text rows" in said and "22 times" in said
    assert "add --image-scale unfolded" in said and f"tvbench doctor {folder}" in said
    assert main(["doctor", str(folder), "--engine", "transformers"]) == 1
    said = words(capsys.readouterr().out)
    command = f"tvbench models import {folder} --output DIR --image-scale unfolded"
    assert "loss on 8 captioned pictures" in said and command in said
    assert main(["models", "import", str(folder), "--output", str(tmp_path / "new")]) == 1
    said = words(capsys.readouterr().err)
    assert "loss on 8 captioned pictures" in said and command in said and not (tmp_path / "new").exists()
    assert main(["models", "import", str(folder), "--output", str(tmp_path / "new"), "--image-scale", "unfolded"]) == 0
    assert "folded-image-scale" in capsys.readouterr().out
    new = measure_sizes(tmp_path / "new")
    assert new.state == "folded"
    assert main(["doctor", str(folder), "--engine", "transformers", "--quick", "--image-scale", "unfolded"]) == 1
    assert "error image-scale:" in capsys.readouterr().out


def test_a_word_on_the_scale_is_another_run_with_keys_of_its_own(trained: Path, tmp_path: Path, capsys: Said) -> None:
    folder = make(trained, tmp_path / "model", LookAlike("", scaled(-1), UNMARKED))
    for said in ("folded", "unfolded"):
        assert (
            main(
                [
                    "run",
                    "--model",
                    str(folder),
                    "--tasks",
                    "mini-alm",
                    "--languages",
                    "en",
                    "--limit",
                    "2",
                    "--engine",
                    "transformers",
                    "--results",
                    str(tmp_path / "results"),
                    "--quiet",
                    "--image-scale",
                    said,
                ]
            )
            == 0
        )
    runs = sorted((tmp_path / "results").iterdir())
    manifests = [json.loads((run / "manifest.json").read_text()) for run in runs]
    assert {one["model"]["numerics"]["vision_embed_scale"] for one in manifests} == {"folded", "unfolded"}
    assert len({one["model"]["revision"] for one in manifests}) == 2
    assert len({task["signature"] for one in manifests for task in one["tasks"]}) == 2
    keys = [{json.loads(line)["key"] for line in (run / "responses.jsonl").read_text().splitlines()} for run in runs]
    assert not keys[0] & keys[1] and len(keys[0]) == len(keys[1]) == 2


def test_a_word_that_changes_nothing_changes_no_key(trained: Path, capsys: Said) -> None:
    asked = ["run", "--model", str(trained), "--tasks", "mini-alm", "--dry-run", "--format", "json"]
    plans = []
    for more in ([], ["--image-scale", "folded"], ["--image-scale", "unfolded"]):
        assert main([*asked, *more]) == 0
        plans.append(json.loads(capsys.readouterr().out))
    assert plans[0] == plans[1] != plans[2]


def test_a_word_on_what_tvbench_scaled_itself_is_refused(trained: Path, tmp_path: Path, capsys: Said) -> None:
    legacy = import_checkpoint(trained, card_for(trained), tmp_path / "legacy", target="legacy").folder
    back = import_checkpoint(legacy, card_for(legacy), tmp_path / "back").folder
    assert main(["doctor", str(back), "--image-scale", "unfolded"]) == 2
    assert main(["doctor", "openai:m@http://127.0.0.1:9/v1", "--image-scale", "unfolded"]) == 2
    assert "tvbench has scaled itself" in words(capsys.readouterr().err)


def test_pictures_differ_from_their_neighbours() -> None:
    captions = [set(one.caption.split()) for one in captioned(12, 56)]
    common = set.intersection(*captions)
    for one, after in zip(captions, captions[1:] + captions[:1], strict=True):
        assert not (one - common) & (after - common)


# ── Import ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "name", ["folded twice", "a drawn tower", "a scalar of half", "a projector of zeros", "a projector turned over"]
)
def test_import_says_what_it_cannot_put_right(trained: Path, tmp_path: Path, capsys: Said, name: str) -> None:
    folder = make(trained, tmp_path / "model", LOOK_ALIKES[name])
    assert main(["models", "import", str(folder), "--output", str(tmp_path / "new")]) == 1
    said = words(capsys.readouterr().out)
    assert f"error {LOOK_ALIKES[name].code}" in said and "nothing had to be corrected" not in said


@pytest.mark.parametrize("tensor", ["language_model.model.norm.weight", EMBEDDING, "image_newline"])
def test_import_writes_no_broken_tensor(trained: Path, tmp_path: Path, capsys: Said, tensor: str) -> None:
    folder = make(trained, tmp_path / "model", LookAlike("", spoiled(tensor, float("nan"))))
    assert main(["models", "import", str(folder), "--output", str(tmp_path / "new")]) == 1
    assert f"{tensor} holds NaN" in capsys.readouterr().err and not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("file", "name", "value"),
    [("preprocessor_config.json", "image_std", [0, 0, 0]), ("config.json", "vision_feature_layer", -2)],
)
def test_import_says_what_its_files_still_say(
    trained: Path, tmp_path: Path, capsys: Said, file: str, name: str, value: object
) -> None:
    shutil.copytree(trained, tmp_path / "model")
    path = tmp_path / "model" / file
    path.write_text(json.dumps(json.loads(path.read_text()) | {name: value}))
    assert main(["models", "import", str(tmp_path / "model"), "--output", str(tmp_path / "new"), "--quick"]) == 1
    said = capsys.readouterr().out
    assert "no correction could fix this" in said and "nothing had to be corrected" not in said


def test_a_legacy_copy_is_as_it_was_asked_for(trained: Path, tmp_path: Path, capsys: Said) -> None:
    assert main(["models", "import", str(trained), "--output", str(tmp_path / "new"), "--target", "legacy"]) == 0
    assert "no correction" not in capsys.readouterr().out


def test_a_healthy_one_has_nothing_to_be_corrected(trained: Path, tmp_path: Path, capsys: Said) -> None:
    shutil.copytree(trained, tmp_path / "model")
    assert main(["models", "import", str(tmp_path / "model"), "--output", str(tmp_path / "new")]) == 0
    assert "nothing had to be corrected" in capsys.readouterr().out
