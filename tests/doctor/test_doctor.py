"""`tvbench doctor`: every trap is found, by its own finding; a good model has none."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_requests import break_layout, card_for
from safetensors.torch import load_file, save_file

from tvbench.checkpoints.corrections import read_config
from tvbench.checkpoints.importing import import_checkpoint
from tvbench.checkpoints.tensors import EMBEDDING, HEAD, SCALED
from tvbench.cli.main import main
from tvbench.doctor.configuration import check_configuration, check_tensors
from tvbench.doctor.examine import examine
from tvbench.doctor.findings import Finding
from tvbench.doctor.small_files import check_pictures, check_text
from tvbench.errors import UsageError
from tvbench.mini.checkpoint import HIDDEN, build_tiny

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("good"), seed=4)


@pytest.fixture
def folder(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy to be broken."""
    monkeypatch.setenv("TVBENCH_CACHE", str(tmp_path / "cache"))
    shutil.copytree(good, tmp_path / "model")
    return tmp_path / "model"


def edit(path: Path, **changes: Any) -> None:
    """Change a JSON file; `part__name` is inside of a part, None removes and "null" is null."""
    value = json.loads(path.read_text())
    for name, new in changes.items():
        *parts, last = name.split("__")
        place = value
        for part in parts:
            place = place[part]
        place[last] = None if new == "null" else new
        if new is None:
            del place[last]
    path.write_text(json.dumps(value))


def edit_tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]) -> None:
    path = folder / "model.safetensors"
    save_file(change(load_file(path)), path, metadata={"format": "pt"})


def static(folder: Path) -> list[Finding]:
    """Findings without any measurement."""
    config = read_config(folder)
    card = card_for(folder)
    return [
        *check_configuration(folder, config, card),
        *check_tensors(folder, config),
        *check_text(folder),
        *check_pictures(folder, config),
    ]


# ── A good model ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("family", ["llava_onevision", "llava_next"])
def test_a_good_model_has_no_findings(family: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = build_tiny(tmp_path / "model", architecture=family)
    assert main(["doctor", str(folder), "--engine", "transformers"]) == 0
    said = capsys.readouterr().out
    assert "no findings" in said
    # What transformers leaves out for every Gemma2 inside LLaVA is measured, and is no finding.
    assert "drops the final soft-cap" in said and "sdpa" in said


def test_without_vllm_it_says_what_to_install(
    good: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from tvbench.doctor import numerics

    monkeypatch.setattr(numerics, "vllm_is_installed", lambda: False)
    assert main(["doctor", str(good), "--format", "json"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["findings"] == [] and not record["wrong"]
    assert "vLLM is not installed" in record["remarks"][-1] and "tvbench[vllm]" in record["remarks"][-1]
    with pytest.raises(UsageError, match="not installed"):
        examine(good, card_for(good), engine="vllm")


# ── Each trap ─────────────────────────────────────────────────────────────────────────────────────

CONFIGURATION: dict[str, dict[str, Any]] = {
    "image-scale": {"tvbench__vision_embed_scale": "unfolded"},
    "image-scale-unknown": {"tvbench": None},
    "text-architecture": {"text_config__architectures": ["LlavaGemma2ForCausalLM"]},
    "soft-cap": {"text_config__final_logit_softcapping": "null"},
    "attention": {"_attn_implementation": "sdpa"},
    "vision-head": {"vision_config__vision_use_head": None},
    "vision-layer": {"vision_feature_layer": -2},
    "vision-patches": {"vision_feature_select_strategy": "default"},
    "image-token": {"image_token_index": 32000},
    "video-token": {"video_token_index": 3},
    "downsampled": {"vision_aspect_ratio": "anyres_max_4"},
    "float16": {"dtype": "float16"},
    "untied": {"tie_word_embeddings": False},
}


@pytest.mark.parametrize("code", CONFIGURATION)
def test_each_trap_of_the_configuration(folder: Path, code: str) -> None:
    edit(folder / "config.json", **CONFIGURATION[code])
    found = static(folder)
    assert [finding.code for finding in found] == [code]
    assert found[0].fix and (found[0].severity == "warning") == (code == "vision-head")


@pytest.mark.parametrize(
    "edits",
    [
        {"text_config__dtype": "float16"},
        {"text_config__dtype": None, "text_config__torch_dtype": "float16"},
        {"vision_config__dtype": "float16"},
    ],
)
def test_float16_is_found_wherever_it_is_named(folder: Path, edits: dict[str, Any]) -> None:
    edit(folder / "config.json", **edits)
    assert [finding.code for finding in static(folder)] == ["float16"]


def test_a_checkpoint_from_the_future(folder: Path) -> None:
    edit(folder / "config.json", transformers_version="99.1.0.dev0")
    (finding,) = static(folder)
    assert (finding.severity, finding.code) == ("warning", "newer-transformers") and "99.1.0" in finding.fix
    edit(folder / "config.json", transformers_version="4.51.3")
    assert static(folder) == []


def test_a_video_class_of_other_pooling_names_the_command(tmp_path: Path) -> None:
    folder = build_tiny(tmp_path / "model", architecture="llava_next")
    edit(folder / "config.json", model_type="llava_next_video")
    finding = next(finding for finding in static(folder) if finding.code == "video-class")
    assert finding.fix.startswith("tvbench models import ") and "--as onevision" in finding.fix
    assert main(finding.fix.replace("DIR", str(tmp_path / "new")).split()[1:]) == 0  # as it stands
    assert static(tmp_path / "new") == []


def test_two_names_of_the_image_token_that_differ(folder: Path) -> None:
    edit(folder / "config.json", image_token_id=32000)
    (finding,) = static(folder)
    assert finding.code == "image-token" and "32000" in finding.message and "is 6" in finding.message


def test_no_grids_of_the_training(folder: Path) -> None:
    edit(folder / "config.json", image_grid_pinpoints=[[56, 56], [100, 56]])
    edit(folder / "preprocessor_config.json", image_grid_pinpoints=[[56, 56], [100, 56]])
    assert [finding.code for finding in static(folder)] == ["grids"]
    edit(folder / "config.json", image_grid_pinpoints=[[56, 56], [112, 56]])
    found = {finding.code: finding.severity for finding in static(folder)}
    assert found == {"grids-differ": "error", "grids": "warning"}
    edit(folder / "config.json", image_grid_pinpoints=None)
    assert "no-grids" in [finding.code for finding in static(folder)]
    new = import_checkpoint(folder, card_for(folder), folder.parent / "new").folder
    assert read_config(new)["image_grid_pinpoints"] == [[56, 56], [100, 56]]


PROCESSOR: dict[str, dict[str, Any]] = {
    "resample": {"resample": 2},
    "convert-rgb": {"do_convert_rgb": False},
    "normalisation": {"image_mean": [0.48, 0.46, 0.41]},
    "tile-size": {"size": {"height": 336, "width": 336}},
}


@pytest.mark.parametrize("code", PROCESSOR)
def test_each_trap_of_the_pictures(folder: Path, code: str) -> None:
    edit(folder / "preprocessor_config.json", **PROCESSOR[code])
    assert [finding.code for finding in static(folder)] == [code]


def test_the_processor_file_of_transformers_5_is_read_too(folder: Path) -> None:
    settings = json.loads((folder / "preprocessor_config.json").read_text())
    edit(folder / "processor_config.json", image_processor=settings | {"resample": 2})
    (folder / "preprocessor_config.json").unlink()
    assert [finding.code for finding in static(folder)] == ["resample"]
    done = import_checkpoint(folder, card_for(folder), folder.parent / "new")
    assert done.corrections == ("resample",) and static(done.folder) == []
    (folder / "processor_config.json").unlink()
    assert [finding.code for finding in static(folder)] == ["no-processor"]


def raw_5(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name.replace("tower.vision_model.", "tower."): held for name, held in tensors.items()}


def in_memory(tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {f"model.{name.replace('language_model.model.', 'language_model.')}": held for name, held in tensors.items()}


TENSORS: dict[str, Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]]] = {
    "error tensor-names": raw_5,
    "warning tensor-names": in_memory,
    "warning pooling-head": lambda held: held | {"vision_tower.vision_model.head.probe": torch.ones(1)},
    "error head": lambda held: held | {HEAD: held[EMBEDDING].clone()},
    "error own-head": lambda held: held | {HEAD: held[EMBEDDING] + 1},
    "error tensors": lambda held: {name: tensor for name, tensor in held.items() if name != "image_newline"},
}


@pytest.mark.parametrize("said", TENSORS)
def test_each_trap_of_the_tensors(folder: Path, said: str) -> None:
    edit_tensors(folder, TENSORS[said])
    assert [f"{finding.severity} {finding.code}" for finding in static(folder)] == [said]


TEMPLATES = {
    "bos": ("{{- bos_token -}}", "{{- bos_token -}}{{- bos_token -}}"),
    "template-parts": ("pieces.text + '<' + part['type'] + '>\\n'", "pieces.text + '<picture>'"),
    "template-refuses": (
        "{%- set role",
        "{%- if message['role'] == 'system' -%}{{ raise_exception('no') }}{%- endif -%}{%- set role",
    ),
}


@pytest.mark.parametrize("code", TEMPLATES)
def test_each_trap_of_the_template(folder: Path, code: str) -> None:
    path = folder / "chat_template.jinja"
    before, after = TEMPLATES[code]
    assert before in path.read_text()
    path.write_text(path.read_text().replace(before, after))
    assert [finding.code for finding in static(folder)] == [code]


def test_a_template_without_bos_and_none_at_all(folder: Path) -> None:
    path = folder / "chat_template.jinja"
    path.write_text(path.read_text().replace("{{- bos_token -}}", ""))
    (finding,) = static(folder)
    assert finding.code == "bos" and "0 <bos>" in finding.message
    path.unlink()
    assert [finding.code for finding in static(folder)] == ["no-template"]


def test_a_template_that_is_no_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{% for %}")
    found = examine(folder, card_for(folder), engine="transformers")
    assert [(one.severity, one.code) for one in found.findings] == [("error", "template-refuses")]


def test_answers_that_would_not_end(folder: Path) -> None:
    edit(folder / "generation_config.json", eos_token_id=1)
    assert [finding.code for finding in static(folder)] == ["stop-tokens"]


def test_an_image_token_that_is_split(folder: Path) -> None:
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [one for one in tokenizer["added_tokens"] if one["content"] != "<image>"]
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    edit(folder / "tokenizer_config.json", additional_special_tokens=[])
    assert "image-token-split" in [finding.code for finding in static(folder)]


# ── Measured ──────────────────────────────────────────────────────────────────────────────────────


def test_an_image_scale_that_lies_is_measured(folder: Path) -> None:
    """Numbers, not only labels: plain transformers reads the unfolded rows wrongly, and text rightly."""
    edit_tensors(
        folder,
        lambda held: {name: tensor / math.sqrt(HIDDEN) if name in SCALED else tensor for name, tensor in held.items()},
    )
    edit(folder / "config.json", tvbench__vision_embed_scale="unfolded")
    found = examine(folder, card_for(folder), engine="transformers")
    assert [finding.code for finding in found.findings] == ["image-scale", "measured-picture", "measured-clip"]
    assert found.wrong and all("models import" in finding.fix for finding in found.findings)


def test_a_lost_soft_cap_is_measured_in_the_remarks(good: Path) -> None:
    found = examine(good, card_for(good), engine="transformers")
    off = [float(remark.split("up to ")[1].split(" ")[0]) for remark in found.remarks if "final soft-cap" in remark]
    assert len(off) == 3 and min(off) > 0.1


def test_what_import_has_put_right_has_no_findings(good: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TVBENCH_CACHE", str(tmp_path / "cache"))
    source = break_layout(good, tmp_path / "source")
    before = examine(source, card_for(source), engine="transformers")
    assert {"image-scale", "text-architecture", "image-token", "tensor-names", "head"} <= {
        finding.code for finding in before.findings
    }
    done = import_checkpoint(source, card_for(source), tmp_path / "new")
    after = examine(done.folder, card_for(done.folder), engine="transformers")
    assert after.findings == () and not after.wrong


def test_numbers_are_left_out_where_nothing_could_be_asked(folder: Path) -> None:
    edit_tensors(folder, TENSORS["error tensors"])
    found = examine(folder, card_for(folder), engine="transformers")
    assert found.wrong and any("first fix tensors" in remark for remark in found.remarks)


# ── Exit codes ────────────────────────────────────────────────────────────────────────────────────


def test_a_warning_is_no_failure_and_an_error_is_one(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edit(folder / "preprocessor_config.json", do_convert_rgb=False)
    assert main(["doctor", str(folder), "--engine", "transformers"]) == 0
    assert "warning convert-rgb" in capsys.readouterr().out
    edit(folder / "preprocessor_config.json", resample=2)
    assert main(["doctor", str(folder), "--engine", "transformers"]) == 1
    said = capsys.readouterr().out
    assert "error resample" in said and "bilinear" in said and "tvbench models import" in said


@pytest.mark.parametrize("name", ["tokenizer.json", "generation_config.json", "preprocessor_config.json"])
@pytest.mark.parametrize("text", ["{", '{"added_tokens": [{"id": 6, "content": "<image>"}]}'])
def test_a_broken_small_file_is_no_traceback(
    folder: Path, name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / name).write_text(text)
    unreadable = text == "{" or name == "tokenizer.json"
    assert main(["doctor", str(folder), "--engine", "transformers"]) == (2 if unreadable else 1)
    if text == "{":
        assert f"{folder / name}" in capsys.readouterr().err
        assert main(["models", "import", str(folder), "--output", str(folder.parent / "new")]) == 1
        assert f"{folder / name}" in capsys.readouterr().err


def test_an_unreadable_model_is_2(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:3000])
    assert main(["doctor", str(folder)]) == 2
    assert "cannot be read" in capsys.readouterr().err
    (folder / "config.json").write_text("{")
    assert main(["doctor", str(folder)]) == 2
    assert main(["doctor", str(folder / "nowhere")]) == 2
    assert main(["doctor", "openai:m@http://127.0.0.1:9/v1"]) == 2


def test_another_family_is_not_judged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_5_vl", "text_config": {}}))
    assert main(["doctor", str(tmp_path)]) == 0
    assert "checked nothing" in " ".join(capsys.readouterr().out.split())
