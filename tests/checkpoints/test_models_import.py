"""`tvbench models import`: every layout that was ever written becomes the one that all current software reads."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from engine_requests import ask, break_layout, card_for, picture, serve
from safetensors.torch import load_file, save_file

from tvbench.checkpoints import importing
from tvbench.checkpoints.corrections import corrected, inspect, read_config
from tvbench.checkpoints.files import CHAT_TEMPLATE
from tvbench.checkpoints.importing import MEANING, import_checkpoint
from tvbench.checkpoints.layout import misfit
from tvbench.checkpoints.small_files import readable_by_4
from tvbench.checkpoints.tensors import EMBEDDING, HEAD, SCALED
from tvbench.cli.main import main
from tvbench.engines.transformers import TransformersEngine
from tvbench.errors import EngineError, TvbenchError, UsageError
from tvbench.mini.checkpoint import HIDDEN, VOCABULARY, build_tiny

torch.set_num_threads(1)

Tensors = dict[str, torch.Tensor]
STRINGS_ONLY = (
    "{{ bos_token }}{% for message in messages %}{% set role = 'model' if message['role'] == 'assistant' else "
    "message['role'] %}{{ '<start_of_turn>' + role + '\n' + message['content'] | trim + '<end_of_turn>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{% endif %}"
)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("good"), seed=3, architecture="llava_next")


def edit(path: Path, **changes: Any) -> None:
    """Change a JSON file; None removes."""
    value = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({name: held for name, held in value.items() if held is not None}))


def stored(folder: Path) -> Tensors:
    return dict(load_file(folder / "model.safetensors"))


def imported(source: Path, output: Path, **options: Any) -> importing.ImportedCheckpoint:
    return import_checkpoint(source, card_for(source), output, **options)


# ── The layouts of the table ──────────────────────────────────────────────────────────────────────


def as_4_51(tensors: Tensors) -> Tensors:
    return tensors


def as_converted(tensors: Tensors) -> Tensors:
    return {**tensors, HEAD: tensors[EMBEDDING].clone()}


def as_raw_5(tensors: Tensors) -> Tensors:
    return {name.replace("vision_tower.vision_model.", "vision_tower."): held for name, held in tensors.items()} | {
        HEAD: tensors[EMBEDDING].clone()
    }


def as_in_memory(tensors: Tensors) -> Tensors:
    named = {
        f"model.{name.replace('language_model.model.', 'language_model.')}": held for name, held in tensors.items()
    }
    return named | {"lm_head.weight": tensors[EMBEDDING].clone()}


LAYOUTS = {"4.51": as_4_51, "converter": as_converted, "raw 5.x": as_raw_5, "in memory": as_in_memory}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("version", ["4.51.3", "5.19.0"])
def test_every_layout_becomes_the_same_checkpoint(good: Path, layout: str, version: str, tmp_path: Path) -> None:
    """Image rows are scaled where the version says that they are not, and only there."""
    unfolded = version.startswith("4")
    source = tmp_path / "source"
    shutil.copytree(good, source)
    tensors = {
        name: held / math.sqrt(HIDDEN) if unfolded and name in SCALED else held for name, held in stored(good).items()
    }
    save_file(LAYOUTS[layout](tensors), source / "model.safetensors", metadata={"format": "pt"})
    edit(source / "config.json", tvbench=None, transformers_version=version, tie_word_embeddings=None)
    done = imported(source, tmp_path / "new")
    found, wanted = stored(done.folder), stored(good)
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-6, atol=1e-8)
    assert ("folded-image-scale" in done.corrections) == unfolded
    assert ("dropped-head" in done.corrections) == (layout != "4.51")
    assert ("tensor-names" in done.corrections) == (layout in ("raw 5.x", "in memory"))
    assert read_config(done.folder)["tvbench"]["vision_embed_scale"] == "folded"
    assert inspect(done.folder, card_for(done.folder)).needs == () and not misfit(done.folder)


def test_a_published_checkpoint_is_put_right_and_says_what_was_wrong(good: Path, tmp_path: Path) -> None:
    source = break_layout(good, tmp_path / "source")
    (source / "chat_template.jinja").write_text(STRINGS_ONLY)
    edit(source / "preprocessor_config.json", resample=2, do_convert_rgb=False)
    edit(source / "generation_config.json", eos_token_id=1)
    done = imported(source, tmp_path / "new")
    assert set(done.corrections) == MEANING.keys() - {"dtype", "legacy-classes", "onevision", "unfolded-image-scale"}
    for name in ("chat_template.jinja", "preprocessor_config.json", "generation_config.json", "tokenizer.json"):
        before, after = (good / name).read_text(), (done.folder / name).read_text()
        assert (json.loads(before) == json.loads(after)) if name.endswith(".json") else (before == after)
    asked = [
        ask("text", "Was ist das?", continuation="rot. 红"),
        ask("picture", "Was?", picture(1, (200, 130)), continuation="rot. 红"),
    ]
    right, new = (serve(TransformersEngine(one, card_for(one)), asked) for one in (good, done.folder))
    for key, response in right.items():
        assert new[key].logprobs == pytest.approx(response.logprobs, abs=1e-5)


def test_older_software_reads_the_dtype_by_its_older_name(good: Path, tmp_path: Path) -> None:
    config = read_config(imported(break_layout(good, tmp_path / "source"), tmp_path / "old", target="legacy").folder)
    for part in (config, config["text_config"], config["vision_config"]):
        assert part["torch_dtype"] == "float32" and "dtype" not in part


def test_importing_again_changes_nothing(good: Path, tmp_path: Path) -> None:
    once = imported(break_layout(good, tmp_path / "source"), tmp_path / "once")
    # A card that speaks of the published weights must not scale them twice.
    card = card_for(once.folder, numerics={"vision_embed_scale": "unfolded"})
    twice = import_checkpoint(once.folder, card, tmp_path / "twice")
    assert twice.corrections == ()
    assert {path.name: path.read_bytes() for path in once.folder.iterdir()} == {
        path.name: path.read_bytes() for path in twice.folder.iterdir()
    }


def test_float16_becomes_bfloat16_and_what_is_scaled_is_not_rounded(tmp_path: Path) -> None:
    source = build_tiny(tmp_path / "source", vision_scale="unfolded", architecture="llava_next")
    halves = {name: held.half() for name, held in stored(source).items()}
    save_file(halves, source / "model.safetensors")
    edit(source / "config.json", dtype="float16")
    done = imported(source, tmp_path / "new")
    assert {"dtype", "folded-image-scale"} <= set(done.corrections)
    kinds = {name: held.dtype for name, held in stored(done.folder).items()}
    assert {kinds[name] for name in SCALED} == {torch.float32}
    assert {kind for name, kind in kinds.items() if name not in SCALED} == {torch.bfloat16}
    config = read_config(done.folder)
    assert {part["dtype"] for part in (config, config["text_config"], config["vision_config"])} == {"bfloat16"}


def test_what_a_configuration_leaves_out_is_written(good: Path, tmp_path: Path) -> None:
    """2304, the hidden size of Gemma2-2B, is the class's default, so that a short configuration need not name it."""
    source = break_layout(good, tmp_path / "source")
    config = json.loads((source / "config.json").read_text())
    del config["text_config"]["hidden_size"]
    (source / "config.json").write_text(json.dumps(config))
    done = imported(source, tmp_path / "new")
    assert read_config(done.folder)["text_config"]["hidden_size"] == HIDDEN
    torch.testing.assert_close(stored(done.folder)["image_newline"], stored(good)["image_newline"])
    folder, _ = corrected(source, card_for(source), tmp_path / "cache")
    torch.testing.assert_close(stored(folder)["image_newline"], stored(good)["image_newline"])


def test_turns_of_another_kind_are_left_as_they_are(good: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(good, source)
    (source / "chat_template.jinja").write_text(STRINGS_ONLY.replace("<start_of_turn>", "### "))
    done = imported(source, tmp_path / "new")
    assert done.corrections == ()
    assert (done.folder / "chat_template.jinja").read_bytes() == (source / "chat_template.jinja").read_bytes()


# ── Targets ───────────────────────────────────────────────────────────────────────────────────────


def test_a_legacy_copy_is_not_scaled_and_says_so(good: Path, tmp_path: Path) -> None:
    source = break_layout(good, tmp_path / "source")
    done = imported(source, tmp_path / "legacy", target="legacy")
    assert "folded-image-scale" not in done.corrections and "unfolded-image-scale" not in done.corrections
    assert read_config(done.folder)["tvbench"]["vision_embed_scale"] == "unfolded"
    before, after = stored(source), stored(done.folder)
    assert all(torch.equal(before[name], after[name]) for name in SCALED)
    assert HEAD not in after and any(name.startswith("vision_tower.vision_model.") for name in after)


def test_legacy_and_back_is_the_same_model(good: Path, tmp_path: Path) -> None:
    legacy = imported(good, tmp_path / "legacy", target="legacy")
    assert {"unfolded-image-scale", "legacy-classes"} <= set(legacy.corrections)
    settings = json.loads((legacy.folder / "preprocessor_config.json").read_text())
    assert settings["image_processor_type"] == "LlavaNextImageProcessor"
    assert json.loads((legacy.folder / "tokenizer_config.json").read_text())["chat_template"] == CHAT_TEMPLATE
    assert not readable_by_4(legacy.folder)
    back = imported(legacy.folder, tmp_path / "back")
    assert read_config(back.folder)["tvbench"]["vision_embed_scale"] == "folded"
    for name, tensor in stored(good).items():
        torch.testing.assert_close(stored(back.folder)[name], tensor, rtol=1e-6, atol=1e-8)
    # And a copy whose list of corrections says `folded` can be turned back as well.
    again = imported(back.folder, tmp_path / "again", target="legacy")
    assert inspect(again.folder, card_for(again.folder)).needs == ("folded-image-scale",)


# ── The class that takes clips ────────────────────────────────────────────────────────────────────


def without_video_token(folder: Path) -> None:
    """A tokenizer as TowerVision's: <image> is its last token."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    tokenizer["added_tokens"] = [one for one in tokenizer["added_tokens"] if one["content"] != "<video>"]
    vocabulary = tokenizer["model"]["vocab"]
    vocabulary["▁unused"] = vocabulary.pop("<video>")
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer))
    edit(folder / "tokenizer_config.json", additional_special_tokens=["<start_of_turn>", "<end_of_turn>", "<image>"])


def test_onevision_answers_as_llava_next_and_takes_clips(good: Path, tmp_path: Path) -> None:
    from engine_requests import clip

    source = tmp_path / "source"
    shutil.copytree(good, source)
    without_video_token(source)
    edit(source / "tokenizer_config.json", added_tokens_decoder={"6": {"content": "<image>", "special": True}})
    done = imported(source, tmp_path / "new", onevision=True)
    config = read_config(done.folder)
    listed = json.loads((done.folder / "tokenizer_config.json").read_text())["added_tokens_decoder"]
    assert listed[str(VOCABULARY)]["content"] == "<video>" and listed[str(VOCABULARY)]["special"]
    assert (done.family, config["architectures"]) == ("llava_onevision", ["LlavaOnevisionForConditionalGeneration"])
    assert config["vision_aspect_ratio"] == "anyres_max_9" and config["video_token_index"] == VOCABULARY
    assert config["text_config"]["vocab_size"] == VOCABULARY + 1
    before, after = stored(source), stored(done.folder)
    assert all(torch.equal(after[name], held) for name, held in before.items() if name != EMBEDDING)
    assert torch.equal(after[EMBEDDING][:-1], before[EMBEDDING])
    assert torch.equal(after[EMBEDDING][-1], before[EMBEDDING][config["image_token_index"]])
    engines = [TransformersEngine(one, card_for(one)) for one in (source, done.folder)]
    asked = [ask(f"{size}", "Was?", picture(2, size)) for size in ((56, 56), (200, 130), (300, 50), (64, 240))]
    old, new = (serve(engine, asked) for engine in engines)
    assert {key: (one.text, one.tokens_in) for key, one in old.items()} == {
        key: (one.text, one.tokens_in) for key, one in new.items()
    }
    answer = serve(engines[1], [ask("clip", "Wohin?", clip(1, 8))])["clip"]
    assert answer.error is None and (answer.tokens_in or 0) > 8 * 4


def test_llava_next_video_becomes_onevision_with_the_same_weights(good: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(good, source)
    edit(
        source / "config.json",
        model_type="llava_next_video",
        architectures=["LlavaNextVideoForConditionalGeneration"],
        spatial_pool_mode="average",
        spatial_pool_stride=2,
        torch_dtype="float32",
    )
    done = imported(source, tmp_path / "new", onevision=True)
    config = read_config(done.folder)
    assert config["model_type"] == "llava_onevision"
    assert not {"spatial_pool_mode", "spatial_pool_stride", "torch_dtype"} & config.keys()
    before, after = stored(source), stored(done.folder)
    assert all(torch.equal(after[name], held) for name, held in before.items())


def test_onevision_keeps_a_video_token_and_spare_rows(good: Path, tmp_path: Path) -> None:
    done = imported(good, tmp_path / "new", onevision=True)
    assert read_config(done.folder)["video_token_index"] == 7
    assert torch.equal(stored(done.folder)[EMBEDDING], stored(good)[EMBEDDING])


# ── What is refused ───────────────────────────────────────────────────────────────────────────────


def test_onevision_of_another_class_is_refused(tmp_path: Path) -> None:
    source = build_tiny(tmp_path / "source")
    with pytest.raises(UsageError, match="llava_onevision"):
        imported(source, tmp_path / "new", onevision=True)


def test_other_families_are_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_5_vl", "text_config": {}}))
    with pytest.raises(UsageError, match="qwen2_5_vl"):
        imported(tmp_path, tmp_path / "new")


def test_a_folder_that_holds_something_is_never_touched(good: Path, tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "precious").write_text("x")
    with pytest.raises(UsageError, match="not an empty folder"):
        imported(good, tmp_path / "new")
    assert [path.name for path in tmp_path.rglob("*")] == ["new", "precious"]
    (tmp_path / "new" / "precious").unlink()
    assert (imported(good, tmp_path / "new").folder / "config.json").exists()


def lose_a_tensor(tensors: Tensors) -> None:
    del tensors["multi_modal_projector.linear_1.bias"]


def add_a_layer(tensors: Tensors) -> None:
    tensors["vision_tower.vision_model.encoder.layers.2.layer_norm1.bias"] = torch.zeros(64)


def shorten_the_embedding(tensors: Tensors) -> None:
    tensors[EMBEDDING] = tensors[EMBEDDING][:-1].clone()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lose_a_tensor, "1 missing .first multi_modal_projector.linear_1.bias"),
        (add_a_layer, "1 left over"),
        (shorten_the_embedding, "1 of another shape"),
    ],
)
def test_tensors_that_do_not_fit_the_configuration_are_refused(
    good: Path, harm: Callable[[Tensors], None], said: str, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    shutil.copytree(good, source)
    tensors = stored(source)
    harm(tensors)
    save_file(tensors, source / "model.safetensors")
    with pytest.raises(EngineError, match=said):
        imported(source, tmp_path / "new")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["source"]


@pytest.mark.parametrize("name", ["write_tensors", "write_json"])
def test_a_full_disk_leaves_nothing_behind(
    good: Path, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(importing, name, full)
    with pytest.raises(TvbenchError, match="No space left"):
        imported(good, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


# ── The command ───────────────────────────────────────────────────────────────────────────────────


def test_the_command_says_what_it_corrected(good: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = break_layout(good, tmp_path / "source")
    assert main(["models", "import", str(source), "--output", str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    assert "llava_next" in said and "folded-image-scale" in said and "sqrt(hidden)" in said
    assert main(["models", "import", str(source), "--output", str(tmp_path / "new")]) == 2
    assert "not an empty folder" in capsys.readouterr().err
    words = [
        "models",
        "import",
        str(tmp_path / "new"),
        "--output",
        str(tmp_path / "one"),
        "--as",
        "onevision",
        "--format",
        "json",
    ]
    assert main(words) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["family"], record["corrections"]) == ("llava_onevision", ["onevision"])
    assert main(["models", "import", "openai:m@http://127.0.0.1:9/v1", "--output", str(tmp_path / "x")]) == 2
