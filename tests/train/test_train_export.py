"""Assembly and export: what is written is what was in memory, for our engines too."""

from __future__ import annotations

import json
import math
import shutil
import weakref
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from training import PLAN, assembled, encoded, trainee

from tvbench.errors import EngineError, TvbenchError, UsageError
from tvbench.train import export as exporting
from tvbench.train.assembly import assemble, open_model, vision_scale
from tvbench.train.export import Target, export, export_stage, probe
from tvbench.train.stages import ModelPlan

HIDDEN = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assembled(tmp_path_factory.mktemp("export"))


def test_an_assembled_model_opens_whole_and_the_same_seed_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    open_model(folder)
    again = assembled(tmp_path)
    for path in folder.iterdir():
        assert path.read_bytes() == (again / path.name).read_bytes(), path.name
    other = assemble(PLAN, tmp_path / "other", seed=1)
    assert (other / "model.safetensors").read_bytes() != (folder / "model.safetensors").read_bytes()


def test_the_scale_is_folded_and_the_marker_says_so(folder: Path, tmp_path: Path) -> None:
    scale = vision_scale(folder)
    assert scale == pytest.approx(math.sqrt(HIDDEN))
    model = open_model(folder)
    current = export(model, tmp_path / "current", like=folder, scale=scale, dtype="float32")
    legacy = export(model, tmp_path / "legacy", like=folder, scale=scale, dtype="float32", target="legacy")
    assert vision_scale(current) == 1.0
    assert vision_scale(legacy) == scale
    named = json.loads((legacy / "config.json").read_text())
    assert all(
        (part.get("torch_dtype"), part.get("dtype")) == ("float32", None)
        for part in (named, named["text_config"], named["vision_config"])
    )
    one, other = load_file(current / "model.safetensors"), load_file(legacy / "model.safetensors")
    assert one.keys() == other.keys()
    changed = {name for name in one if not torch.equal(one[name], other[name])}
    assert changed == {"multi_modal_projector.linear_2.weight", "multi_modal_projector.linear_2.bias", "image_newline"}
    torch.testing.assert_close(one["image_newline"], other["image_newline"] * scale)


def test_fold_and_unfold_give_the_same_logits(folder: Path, tmp_path: Path) -> None:
    model, scale = open_model(folder), vision_scale(folder)
    current = export(model, tmp_path / "current", like=folder, scale=scale, dtype="float32")
    with torch.no_grad():
        torch.testing.assert_close(probe(open_model(current), 1.0, 1), probe(model, scale, 1), atol=1e-4, rtol=1e-4)
        assert not torch.allclose(probe(open_model(current), scale, 1), probe(model, scale, 1), atol=1e-2)


def test_the_names_are_those_that_every_reader_knows(folder: Path, tmp_path: Path) -> None:
    target = export(open_model(folder), tmp_path / "x", like=folder, scale=vision_scale(folder))
    names = set(load_file(target / "model.safetensors"))
    assert all(
        name.startswith(("language_model.model.", "vision_tower.vision_model.", "multi_modal_projector."))
        for name in names - {"image_newline"}
    )
    assert not any("lm_head" in name or ".head." in name for name in names)
    config = json.loads((target / "config.json").read_text())
    assert config["tie_word_embeddings"] and config["text_config"]["tie_word_embeddings"]
    assert config["text_config"]["architectures"] == ["Gemma2ForCausalLM"]
    assert {part["dtype"] for part in (config, config["text_config"], config["vision_config"])} == {"bfloat16"}


def test_the_loop_and_transformers_own_forward_agree_on_pictures_and_clips(folder: Path, tmp_path: Path) -> None:
    """Our hidden states (explicit scale) against the class's own forward on the folded checkpoint."""
    current = export(open_model(folder), tmp_path / "x", like=folder, scale=vision_scale(folder), dtype="float32")
    theirs, ours = open_model(current), trainee(folder)
    from tvbench.train.data.batches import pad

    for kind, options in (
        ("questions", {}),
        ("questions", {"makers": ["picture-choice"]}),
        ("video", {}),
        ("questions", {"level": 4}),
    ):
        (sample,) = encoded(folder, kind, 1, **options)
        pixels = [visual.on(torch.device("cpu")) for visual in sample.visuals]
        most = max(map(len, pixels))
        stacked = torch.stack([torch.nn.functional.pad(one, (0, 0) * 3 + (0, most - len(one))) for one in pixels])
        given = (
            {"pixel_values_videos": stacked}
            if kind == "video"
            else {"pixel_values": stacked, "image_sizes": torch.tensor([visual.size for visual in sample.visuals])}
        )
        with torch.no_grad():
            expected = theirs.model(input_ids=sample.input_ids[None], **given).last_hidden_state
            found = ours.hidden(pad([sample], 0))
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_an_untied_head_is_refused_and_nothing_is_left_behind(folder: Path, tmp_path: Path) -> None:
    model = open_model(folder)
    model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach() + 1)
    with pytest.raises(EngineError, match="head differs"):
        export(model, tmp_path / "x", like=folder, scale=1.0)
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_the_model_is_found_and_the_old_one_stays(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, scale = open_model(folder), vision_scale(folder)
    target = export(model, tmp_path / "x", like=folder, scale=scale)
    before = (target / "model.safetensors").read_bytes()

    def wrong(tensors: object, work: Path) -> None:
        stored = load_file(target / "model.safetensors")
        # Not merely scaled: a norm behind it would undo that.
        stored["language_model.model.layers.0.mlp.up_proj.weight"].normal_()
        save_file(stored, work / "model.safetensors", metadata={"format": "pt"})

    monkeypatch.setattr(exporting, "write_tensors", wrong)
    with pytest.raises(EngineError, match="logits differ"):
        export(model, target, like=folder, scale=scale)
    assert (target / "model.safetensors").read_bytes() == before


def test_no_room_leaves_what_was_there(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model, scale = open_model(folder), vision_scale(folder)
    target = export(model, tmp_path / "x", like=folder, scale=scale)

    def full(tensors: object, work: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exporting, "write_tensors", full)
    with pytest.raises(TvbenchError, match="No space left"):
        export(model, target, like=folder, scale=scale)
    open_model(target)
    assert [path.name for path in tmp_path.iterdir()] == ["x"]


def test_a_missing_tensor_is_not_filled_with_random_numbers(folder: Path, tmp_path: Path) -> None:
    target = export(open_model(folder), tmp_path / "x", like=folder, scale=vision_scale(folder))
    stored = load_file(target / "model.safetensors")
    del stored["vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight"]
    save_file(stored, target / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EngineError, match="missing keys"):
        open_model(target)


# ── Published parts, as small look-alikes ─────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gemma2 with a tokenizer, and a SigLIP of three layers with its pooling head, saved by transformers."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers
    from transformers import (
        Gemma2Config,
        Gemma2ForCausalLM,
        PreTrainedTokenizerFast,
        SiglipVisionConfig,
        SiglipVisionModel,
    )

    folder = tmp_path_factory.mktemp("parts")
    words = Tokenizer(models.BPE())
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = ["<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>"]
    words.train_from_iterator(
        ["a b c"],
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=special,
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=words,
        bos_token="<bos>",
        eos_token="<eos>",
        pad_token="<pad>",
        unk_token="<unk>",
        additional_special_tokens=special[4:],
    )
    tokenizer.save_pretrained(folder / "text")
    torch.manual_seed(0)
    Gemma2ForCausalLM(
        Gemma2Config(
            vocab_size=len(tokenizer),
            hidden_size=24,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=1,
            head_dim=12,
            sliding_window=64,
            max_position_embeddings=512,
        )
    ).save_pretrained(folder / "text")
    SiglipVisionModel(
        SiglipVisionConfig(
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=3,
            num_attention_heads=2,
            image_size=28,
            patch_size=14,
        )
    ).save_pretrained(folder / "vision")
    return folder


@pytest.mark.parametrize("family", ["llava_next", "llava_onevision"])
def test_published_parts_become_one_model(parts: Path, tmp_path: Path, family: str) -> None:
    plan = ModelPlan(str(parts / "text"), str(parts / "vision"), family, image_size=28, vision_layers=2, max_tiles=4)  # type: ignore[arg-type]
    folder = assemble(plan, tmp_path / "model", seed=0)
    model = open_model(folder)
    config = json.loads((folder / "config.json").read_text())
    text = load_file(parts / "text" / "model.safetensors")
    known = len(text["model.embed_tokens.weight"])
    assert config["image_token_index"] == known
    assert model.config.text_config.vocab_size == known + (1 if family == "llava_next" else 2)
    table = model.model.language_model.embed_tokens.weight
    assert torch.equal(table[:known], text["model.embed_tokens.weight"])
    torch.testing.assert_close(table[known], text["model.embed_tokens.weight"].mean(0))
    assert len(model.model.vision_tower.encoder.layers) == 2
    assert len(config["image_grid_pinpoints"]) == 8
    # Without its last layer, the tower gives what the whole one gives before it.
    from transformers import SiglipVisionModel

    whole = SiglipVisionModel.from_pretrained(parts / "vision")
    pixels = torch.randn(2, 3, 28, 28)
    with torch.no_grad():
        expected = whole(pixels, output_hidden_states=True).hidden_states[2]
        found = model.model.vision_tower(pixels, output_hidden_states=True).hidden_states[-1]
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("ends", "stops"), [([1, 5], [1, 5]), ([1], [1, 5]), (1, [1, 5]), ("", [1, 5]), ([], [5])])
def test_a_text_model_may_name_several_ends(parts: Path, tmp_path: Path, ends: object, stops: list[int]) -> None:
    """5 is <end_of_turn>, which ends an answer in any case; Gemma's instructed models list it, or name nothing ("")."""
    shutil.copytree(parts / "text", tmp_path / "text")
    path = tmp_path / "text" / "config.json"
    config = {name: value for name, value in json.loads(path.read_text()).items() if name != "eos_token_id"}
    path.write_text(json.dumps(config if ends == "" else {**config, "eos_token_id": ends}))
    plan = ModelPlan(str(tmp_path / "text"), str(parts / "vision"), image_size=28)
    folder = assemble(plan, tmp_path / "model", seed=0)
    assert json.loads((folder / "generation_config.json").read_text())["eos_token_id"] == stops
    if ends:
        open_model(folder)


def test_an_end_that_is_no_number_is_named(parts: Path, tmp_path: Path) -> None:
    shutil.copytree(parts / "text", tmp_path / "text")
    path = tmp_path / "text" / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "eos_token_id": None}))
    with pytest.raises(EngineError, match="eos_token_id is None"):
        assemble(ModelPlan(str(tmp_path / "text"), str(parts / "vision"), image_size=28), tmp_path / "model", seed=0)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"vision_layers": 9}, "3 layers, not 9"),
        ({"image_size": 56}, "image_size 28"),
        ({"text": "nowhere"}, "no folder"),
    ],
)
def test_parts_that_do_not_fit_say_so(parts: Path, tmp_path: Path, changes: dict[str, object], said: str) -> None:
    given = {"text": str(parts / "text"), "vision": str(parts / "vision"), "image_size": 28, **changes}
    with pytest.raises(UsageError, match=said):
        assemble(ModelPlan(**given), tmp_path / "model", seed=0)  # type: ignore[arg-type]
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("target", ["current", "legacy"])
def test_a_stage_is_exported_tensor_by_tensor_with_one_model_in_memory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: Target
) -> None:
    """The same files as from a model in memory, and never two models at once (9B takes 39 GB in float32)."""
    expected = export(open_model(folder), tmp_path / "a", like=folder, scale=vision_scale(folder), target=target)
    alive: weakref.WeakSet[torch.nn.Module] = weakref.WeakSet()
    most: list[int] = []

    def opened(place: Path) -> torch.nn.Module:
        most.append(len(alive) + 1)
        model = open_model(place)
        alive.add(model)
        return model

    monkeypatch.setattr(exporting, "open_model", opened)
    written = export_stage(folder, tmp_path / "b", target=target)
    assert {path.name: path.read_bytes() for path in written.iterdir()} == {
        path.name: path.read_bytes() for path in expected.iterdir()
    }
    assert most == [1, 1]
