"""Inspecting and correcting checkpoints."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from engine_requests import break_layout, card_for
from safetensors.torch import load_file, save_file

from tvbench.checkpoints import corrections as module
from tvbench.checkpoints.corrections import choose_dtype, corrected, inspect, read_config
from tvbench.checkpoints.tensors import EMBEDDING, Weights, canonical, rewrite
from tvbench.errors import EngineError
from tvbench.mini.checkpoint import build_tiny


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny(tmp_path_factory.mktemp("good"), seed=1)


@pytest.fixture
def broken(good: Path, tmp_path: Path) -> Path:
    return break_layout(good, tmp_path / "broken")


def edit_config(folder: Path, **changes: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | changes))


def test_the_same_seed_builds_the_same_bytes(good: Path, tmp_path: Path) -> None:
    again = build_tiny(tmp_path / "again", seed=1)
    other = build_tiny(tmp_path / "other", seed=2)
    names = sorted(path.name for path in good.iterdir())
    assert names == sorted(path.name for path in again.iterdir())
    assert all((good / name).read_bytes() == (again / name).read_bytes() for name in names)
    assert (good / "model.safetensors").read_bytes() != (other / "model.safetensors").read_bytes()
    assert sum(path.stat().st_size for path in good.iterdir()) < 12_000_000


@pytest.mark.parametrize("architecture", ["llava_onevision", "llava_next"])
def test_the_small_model_loads_whole_and_its_names_are_canonical(architecture: str, tmp_path: Path) -> None:
    from transformers import AutoModelForImageTextToText

    folder = build_tiny(tmp_path, architecture=architecture, dtype="bfloat16")  # type: ignore[arg-type]
    model, info = AutoModelForImageTextToText.from_pretrained(folder, output_loading_info=True)
    assert not any(info[name] for name in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert model.dtype == torch.bfloat16
    assert all(canonical(name) == name for name in load_file(folder / "model.safetensors"))


def test_a_good_checkpoint_is_used_as_it_is(good: Path, tmp_path: Path) -> None:
    assert corrected(good, card_for(good), tmp_path) == (good, ())
    assert list(tmp_path.iterdir()) == []


def test_a_model_of_another_family_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "qwen2_5_vl", "text_config": {}}))
    assert not inspect(tmp_path, card_for(tmp_path)).family
    assert corrected(tmp_path, card_for(tmp_path)) == (tmp_path, ())


def test_a_published_layout_becomes_the_good_checkpoint(good: Path, broken: Path, tmp_path: Path) -> None:
    folder, applied = corrected(broken, card_for(broken), tmp_path / "cache")
    assert set(applied) == {
        "dropped-head",
        "folded-image-scale",
        "image-token",
        "tensor-names",
        "text-architecture",
        "tied-embeddings",
        "vision-head-off",
    }
    before, after = load_file(good / "model.safetensors"), load_file(folder / "model.safetensors")
    assert before.keys() == after.keys()
    for name, tensor in before.items():
        torch.testing.assert_close(after[name], tensor, rtol=1e-6, atol=1e-8)
    config, wanted = read_config(folder), read_config(good)
    assert config["text_config"]["architectures"] == ["Gemma2ForCausalLM"]
    assert config["image_token_index"] == wanted["image_token_index"] and "image_token_id" not in config
    assert config["tie_word_embeddings"] and "mm_projector_lr" not in config
    assert (folder / "tokenizer.json").read_bytes() == (good / "tokenizer.json").read_bytes()


def test_a_copy_is_made_once_and_again_when_the_source_changes(broken: Path, tmp_path: Path) -> None:
    first, _ = corrected(broken, card_for(broken), tmp_path / "cache")
    made = (first / "model.safetensors").stat().st_mtime_ns
    assert corrected(broken, card_for(broken), tmp_path / "cache")[0] == first
    assert (first / "model.safetensors").stat().st_mtime_ns == made
    os.utime(broken / "model.safetensors", ns=(1, 1))
    assert corrected(broken, card_for(broken), tmp_path / "cache")[0] != first


def test_correcting_twice_changes_nothing(broken: Path, tmp_path: Path) -> None:
    card = card_for(broken, numerics={"vision_embed_scale": "unfolded"})
    once, _ = corrected(broken, card, tmp_path / "cache")
    assert corrected(once, card, tmp_path / "cache") == (once, ())


def test_what_decides_the_image_scale(good: Path, tmp_path: Path) -> None:
    unfolded = build_tiny(tmp_path / "unfolded", vision_scale="unfolded")
    assert inspect(unfolded, card_for(unfolded)).needs == ("folded-image-scale",)
    card = card_for(unfolded, numerics={"vision_embed_scale": "folded"})
    assert inspect(unfolded, card).needs == ()
    edit_config(unfolded, tvbench={}, transformers_version="5.19.0")
    assert inspect(unfolded, card_for(unfolded)).needs == ()
    edit_config(unfolded, transformers_version="5.3.9")
    assert inspect(unfolded, card_for(unfolded)).needs == ("folded-image-scale",)
    edit_config(unfolded, transformers_version=None)
    with pytest.raises(EngineError, match="does not say"):
        inspect(unfolded, card_for(unfolded))
    with pytest.raises(EngineError, match="halfway"):
        inspect(unfolded, card_for(unfolded, numerics={"vision_embed_scale": "halfway"}))


def test_a_head_of_its_own_is_refused(broken: Path, tmp_path: Path) -> None:
    tensors = load_file(broken / "model.safetensors")
    tensors["language_model.lm_head.weight"][3, 3] += 1
    save_file(tensors, broken / "model.safetensors")
    with pytest.raises(EngineError, match="lm_head differs"):
        corrected(broken, card_for(broken), tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_pickled_weights_and_foreign_layouts_are_refused(broken: Path, tmp_path: Path) -> None:
    save_file({"transformer.h.0.weight": torch.ones(2)}, broken / "model.safetensors")
    with pytest.raises(EngineError, match="unknown layout"):
        corrected(broken, card_for(broken), tmp_path)
    (broken / "model.safetensors").rename(broken / "pytorch_model.bin")
    with pytest.raises(EngineError, match="does not unpickle"):
        corrected(broken, card_for(broken), tmp_path)


def test_a_torn_weight_file_is_named(broken: Path, tmp_path: Path) -> None:
    path = broken / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(EngineError, match=r"model\.safetensors is not a readable"):
        corrected(broken, card_for(broken), tmp_path)


def test_a_full_disk_leaves_nothing_behind(broken: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(module, "rewrite", full)
    with pytest.raises(EngineError, match="No space left") as caught:
        corrected(broken, card_for(broken), tmp_path / "cache")
    assert "TVBENCH_CACHE" in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == []


def test_large_models_are_written_in_shards_that_load(broken: Path, good: Path, tmp_path: Path) -> None:
    with Weights(broken) as weights:
        rewrite(weights, tmp_path, fold=None, shard_bytes=300_000)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    files = sorted(path.name for path in tmp_path.glob("*.safetensors"))
    assert len(files) > 3 and set(index["weight_map"].values()) == set(files)
    assert index["weight_map"].keys() == load_file(good / "model.safetensors").keys()
    with Weights(tmp_path) as again:
        assert not again.renamed and EMBEDDING in again.original


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("language_model.model.layers.0.mlp.up_proj.weight", "language_model.model.layers.0.mlp.up_proj.weight"),
        ("model.language_model.layers.0.mlp.up_proj.weight", "language_model.model.layers.0.mlp.up_proj.weight"),
        ("lm_head.weight", "language_model.lm_head.weight"),
        ("language_model.lm_head.weight", "language_model.lm_head.weight"),
        ("vision_tower.embeddings.patch_embedding.bias", "vision_tower.vision_model.embeddings.patch_embedding.bias"),
        ("model.vision_tower.vision_model.post_layernorm.bias", "vision_tower.vision_model.post_layernorm.bias"),
        ("vision_tower.vision_model.head.probe", None),
        ("model.image_newline", "image_newline"),
        ("model.multi_modal_projector.linear_1.bias", "multi_modal_projector.linear_1.bias"),
    ],
)
def test_canonical_names(name: str, wanted: str | None) -> None:
    assert canonical(name) == wanted


def test_gemma2_is_never_computed_in_float16(good: Path) -> None:
    config = read_config(good) | {"dtype": "float16"}
    assert choose_dtype(config, None) == "bfloat16"
    assert choose_dtype(config, "float32") == "float32"
    with pytest.raises(EngineError, match="overflows"):
        choose_dtype(config, "float16")
