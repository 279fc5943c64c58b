"""Recipes and plans: what the paper's facts say must come out, and wrong input is named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tvbench.cli.main import main
from tvbench.errors import UsageError
from tvbench.train.memory import memory
from tvbench.train.plan import Machine, make_plan
from tvbench.train.recipe import known_variants, load_recipe, recipe_names
from tvbench.train.schedule import steps_of
from tvbench.train.shapes import Parameters, parameters
from tvbench.train.stages import ModelPlan, Recipe, Stage


def paper(size: str = "2b", **options: Any) -> Recipe:
    return load_recipe("paper", size=size, **options)


# ── The paper ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("size", "total"), [("2b", 3_020_061_472), ("9b", 9_656_441_888)])
def test_the_weights_of_both_sizes(size: str, total: int) -> None:
    assert parameters(paper(size).model).total == total


def test_the_weights_are_those_of_transformers_own_classes() -> None:
    import torch
    from transformers import Gemma2Config, LlavaNextConfig, LlavaNextForConditionalGeneration, SiglipVisionConfig

    sizes = {
        "hidden": 24,
        "layers": 3,
        "heads": 4,
        "kv_heads": 2,
        "head_dim": 8,
        "intermediate": 40,
        "vocabulary": 99,
        "vision_hidden": 16,
        "vision_layers": 2,
        "vision_heads": 2,
        "vision_intermediate": 20,
    }
    with torch.device("meta"):
        model = LlavaNextForConditionalGeneration(
            LlavaNextConfig(
                text_config=Gemma2Config(
                    hidden_size=24,
                    num_hidden_layers=3,
                    num_attention_heads=4,
                    num_key_value_heads=2,
                    head_dim=8,
                    intermediate_size=40,
                    vocab_size=99,
                ),
                vision_config=SiglipVisionConfig(
                    hidden_size=16,
                    num_hidden_layers=2,
                    num_attention_heads=2,
                    intermediate_size=20,
                    image_size=28,
                    patch_size=14,
                    vision_use_head=False,
                ),
                tie_word_embeddings=True,
            )
        )
    counted = parameters(ModelPlan("x", "y", image_size=28, sizes=sizes))
    assert counted.total == sum(one.numel() for one in model.parameters())


@pytest.mark.parametrize(
    ("size", "operations"),
    [
        # Section 3.2 of the facts, in FLOP.
        ("2b", (1.2e19, 4.1e20, 3.4e20)),
        ("9b", (4.0e19, 1.3e21, 8.9e20)),
    ],
)
def test_steps_samples_and_operations_are_those_of_the_facts(size: str, operations: tuple[float, ...]) -> None:
    plan = make_plan(paper(size), Machine(), Path("out"))
    assert [stage.steps for stage in plan.stages] == [2743, 38_422, 10_900]
    assert [stage.samples for stage in plan.stages] == [702_205, 4_918_051, 1_395_235]
    assert (plan.stages[1].rows_add_up_to, plan.stages[1].steps_by_rows) == (4_956_280, 38_720)
    for stage, expected in zip(plan.stages, operations, strict=True):
        assert stage.operations == pytest.approx(expected, rel=0.03)
    assert plan.stages[2].tokens == pytest.approx(1_395_200 * 6620, rel=1e-6)


def test_hours_and_dollars_follow_from_the_machine() -> None:
    plan = make_plan(paper(), Machine(gpus=16, mfu=0.25, price=2.0), Path("out"))
    assert plan.stages[1].gpu_hours == pytest.approx(463, rel=0.03)  # the facts' H100 hours at 25 %
    hours = plan.stages[1].gpu_hours or 0.0
    assert plan.stages[1].wall_hours == pytest.approx(hours / 16)
    assert plan.stages[1].dollars == pytest.approx(hours * 2)
    assert plan.stages[1].accumulation == 1


def tokens_each(*settings: str, **options: Any) -> list[float]:
    """Mean rows of a sample in each stage of the 2B plan."""
    plan = make_plan(paper(settings=settings, **options), Machine(), Path("out"))
    return [stage.tokens / (stage.steps * stage.batch) for stage in plan.stages if stage.tokens and stage.steps]


def test_rows_of_the_paper_are_those_of_the_facts() -> None:
    square, _, clips = tokens_each()
    pictures = tokens_each("stage2.data=[dvqa]", "stage2.stated_samples=null")[1]
    assert (square, pictures, clips) == (729 + 240, 3950, 6620)


def test_rows_follow_the_resolution_the_tiles_and_the_frames() -> None:
    only_pictures = ("stage2.data=[dvqa]", "stage2.stated_samples=null")
    usual = tokens_each(*only_pictures)[1]
    assert tokens_each(*only_pictures, "model.max_tiles=1")[1] < 0.5 * usual
    assert tokens_each(*only_pictures, variants=["resolution=224-16-20"])[1] < 0.85 * usual
    square = tokens_each(variants=["resolution=512-16-4"])[0]
    assert square == 32**2 + 240
    assert tokens_each("stage3.frames=8")[2] == 8 * 14**2 + 1 + 347
    assert tokens_each("stage3.newline=no_token")[2] == 6619
    few = make_plan(paper(settings=["model.max_tiles=1"]), Machine(), Path("out")).stages[1]
    many = make_plan(paper(), Machine(), Path("out")).stages[1]
    assert few.operations and many.operations and few.operations < 0.6 * many.operations


def test_what_is_longer_than_the_context_is_cut_and_named() -> None:
    plan = make_plan(paper(settings=["stage3.frames=64"]), Machine(), Path("out")).stages[2]
    assert plan.tokens == 10_900 * 128 * 8192
    assert any("llava-video: 12,545 rows" in note and "skips" in note for note in plan.notes)
    assert tokens_each("max_length=500")[0] == 500
    assert not make_plan(paper(), Machine(), Path("out")).stages[2].notes


def test_the_small_recipe_is_estimated_by_its_own_pictures() -> None:
    plan = make_plan(load_recipe("mini"), Machine(gpus=1), Path("out"))
    each = [(stage.tokens or 0) / ((stage.steps or 0) * stage.batch) for stage in plan.stages]
    # What `tvbench train data` counts, by the shares of each stage; the tower's samples are 4 x 4 patches.
    assert each == pytest.approx([149, 16, 139, 218, 233], rel=0.02)
    assert (plan.stages[1].samples, plan.stages[1].name) == (128_000, "tower")
    assert (plan.stages[1].operations or 0) < (plan.stages[0].operations or 0)
    with pytest.raises(UsageError, match="without end"):
        make_plan(load_recipe("mini", settings=["tower.steps=null"]), Machine(gpus=1), Path("out"))


# ── What is counted and what is not known ─────────────────────────────────────────────────────────


def jsonl(path: Path, count: int) -> Path:
    turns = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    path.write_text(f"{json.dumps({'conversations': turns})}\n" * count)
    return path


def test_files_at_hand_are_counted_whatever_is_stated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TVBENCH_CACHE", str(tmp_path / "cache"))
    place = jsonl(tmp_path / "x.jsonl", 600)
    own = paper(
        settings=[
            f"datasets.pixmo-cap.path={place}",
            "datasets.pixmo-cap.sampling='first:512'",
            "stage2.data=[pixmo-cap]",
        ]
    )
    projector, vision, _ = make_plan(own, Machine(), Path("out")).stages
    assert (projector.samples, projector.steps) == (512, 2)
    assert (vision.samples, vision.steps, vision.rows_add_up_to) == (512, 4, None)  # not the paper's total


def test_what_nobody_has_counted_is_unknown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "train",
        "--recipe",
        "paper",
        "--size",
        "2b",
        "--dry-run",
        "--price",
        "2",
        "--set",
        "datasets.pixmo-cap.samples=null",
        "--set",
        f"datasets.pixmo-cap.path={tmp_path / 'none.json'}",
        "--set",
        "stage2.stated_samples=null",
        "--set",
        "stage2.data=[pixmo-cap, vqav2]",
        "--set",
        "datasets.vqav2.samples=null",
    ]
    assert main([*words, "--format", "json"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["gpu_hours"] is None
    for stage in plan["stages"][:2]:
        assert {stage[name] for name in ("samples", "steps", "tokens", "operations", "dollars")} == {None}
        assert stage["notes"][0].startswith("pixmo-cap: its samples are counted when they are fetched")
    assert plan["stages"][2]["steps"] == 10_900
    assert main(words) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "unknown" in out and "GPU hours in all is not known" in out
    # Steps that are given, over one dataset: the work is known all the same.
    single = paper(settings=["datasets.pixmo-cap.samples=null", "stage1.steps=10"])
    assert make_plan(single, Machine(), Path("out"), only=1).stages[0].tokens == 10 * 256 * 969


def test_the_stages_are_as_the_authors_code_has_them() -> None:
    projector, vision, video = paper().stages
    assert (projector.rates, projector.batch, projector.micro_batch) == ({"projector": 1e-3}, 256, 16)
    assert (projector.template, projector.images) == ("plain", "square")
    assert vision.rates == {"text": 1e-5, "projector": 1e-5, "newline": 1e-5, "vision": 2e-6}
    assert (vision.batch, vision.micro_batch, vision.grouping, vision.save_every) == (128, 8, "modality_length", 0.1)
    for stage in (projector, vision, video):
        assert (stage.betas, stage.eps, stage.weight_decay, stage.clip) == ((0.9, 0.999), 1e-8, 0.0, 1.0)
        assert (stage.warmup, stage.final_rate, stage.max_length, stage.mask) == (0.05, 0.0, 8192, "paper")
        assert stage.loss_norm == "microbatch"
    assert video.frames == 32
    assert {"rates", "batch", "newline"} <= set(video.ours)


def test_table_8_adds_up_as_the_facts_say() -> None:
    entries = {entry.name: entry for stage in paper().stages for entry in stage.data}
    assert sum(entry.samples or 0 for entry in entries.values()) == 6_351_515
    multilingual = [entry for entry in entries.values() if entry.source_language == "multilingual"]
    assert sum(entry.samples or 0 for entry in multilingual) == 2_330_655


def test_packed_is_the_same_recipe_packed() -> None:
    for stage, packed in zip(paper().stages, load_recipe("paper-packed", size="2b").stages, strict=True):
        assert packed.packing and not stage.packing
        assert (packed.rates, packed.batch, packed.data) == (stage.rates, stage.batch, stage.data)


# ── Variants and settings ─────────────────────────────────────────────────────────────────────────


def test_every_variant_can_be_read() -> None:
    kinds = known_variants("paper")
    assert set(kinds) == {"text", "encoder", "multilingual", "projector", "languages", "resolution", "video"}
    for kind, choices in kinds.items():
        for choice in choices:
            if (kind, choice) != ("text", "towerp-pt"):
                assert paper(variants=[f"{kind}={choice}"]).variants == (f"{kind}={choice}",)


def test_variants_change_what_the_tables_changed() -> None:
    assert paper(variants=["encoder=siglip1"]).model.vision == "google/siglip-so400m-patch14-384"
    translated = paper(variants=["projector=pixmo_cap_translated"]).stages[0]
    samples = sum(entry.samples or 0 for entry in translated.data)
    assert (samples, steps_of(translated, samples)) == (1_069_984, 4_180)
    assert [stage.name for stage in paper(variants=["video=none"]).stages] == ["projector", "vision"]
    assert [entry.name for entry in paper(variants=["video=english"]).stages[2].data] == ["llava-video"]
    english = make_plan(paper(variants=["multilingual=off"]), Machine(), Path("out")).stages[1]
    assert english.samples == 4_956_280 - (2_330_655 - 697_617)
    tiles = paper(variants=["resolution=224-14-22"]).model
    assert (tiles.image_size, tiles.max_tiles) == (224, 22)


def test_a_base_model_that_is_not_public_says_what_to_set() -> None:
    with pytest.raises(UsageError, match="not public.*--set model.text"):
        paper(variants=["text=towerp-pt"])


def test_settings_reach_a_stage_by_number_by_name_or_all_of_them() -> None:
    found = paper(
        settings=[
            "stage2.batch=64",
            "vision.rates.text=5e-6",
            "seed=7",
            "model.max_tiles=4",
            "datasets.dvqa.samples=10",
            "stage1.data=[dvqa]",
        ]
    )
    assert [stage.batch for stage in found.stages] == [256, 64, 128]
    assert found.stages[1].rates["text"] == 5e-6
    assert {stage.seed for stage in found.stages} == {7}
    assert found.model.max_tiles == 4
    assert [entry.samples for entry in found.stages[0].data] == [10]


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("bach=1", "Did you mean batch"),
        ("stage9.batch=1", "no stage 9"),
        ("stage2.batch=many", "must be a whole number"),
        ("stage2.packing=1", "must be true or false"),
        ("stage2.rates.txt=1", "Did you mean text"),
        ("stage2.betas=[0.9]", "2 values are needed"),
        ("model.famly=x", "Did you mean family"),
        ("stage2.template=gemma", "unknown paper: stage 2.template"),
        ("stage2.data=[nothing]", "unknown data of paper: stage 2"),
        ("seed", "KEY=VALUE"),
        ("seed=[", "not YAML"),
        ("stages=1", "a list of stage numbers"),
        ("stage1.data=", "stage 1 has no data"),
        ("stage2.rates={}", "trains nothing"),
        ("datasets.dvqa=3", "datasets.dvqa must be a mapping"),
        ("datasets.dvqqa.path=x.json", "unknown dataset of recipe paper 'dvqqa'. Did you mean dvqa"),
        ("datasets.dvqa.languages=[en, no]", "must be text, not False\n  YAML reads no"),
        ("stage2.batch=0", "batch: 0 is not possible\n  it is 1 or more"),
        ("stage2.micro_batch=0", "1 or more"),
        ("steps=0", "1 or more"),
        ("steps=-2", "1 or more"),
        ("epochs=0", "above 0"),
        ("epochs=.inf", "inf"),
        ("warmup=3", "from 0 to below 1"),
        ("max_length=0", "2 or more"),
        ("clip=0", "above 0"),
        ("clip=.nan", "nan"),
        ("eps=0", "above 0"),
        ("betas=[0.9, 1.5]", "from 0 to below 1"),
        ("stage2.rates.text=-1", r"rates.text: -1 is not"),
        ("log_every=0", "1 or more"),
        ("seed=-1", "from 0 to 2"),
        ("workers=-1", "0 or more"),
        ("save_every=0", "above 0"),
        ("model.patch_size=0", "1 or more"),
        ("model.max_tiles=0", "1 or more"),
        ("datasets.dvqa.weight=-1", "0 or more"),
        ("model.sizes.hidden=abc", "must be a whole number"),
        ("model.sizes.hiden=3", "Did you mean hidden"),
        ("stages=[7]", "not .7.(.|\n)*there are 1, 2, 3"),
        ("stages=[]", "a list of stage numbers"),
        ("seed=2024-13-45", "not YAML"),
        ("stage2.data=3", "data: must be a list"),
        ("stage2.data=[no]", "not False\n  YAML reads no"),
        ("stage2.name=a/../b", "cannot name a folder"),
        ("betas=0.9", r"must be a list, not 0.9\n  for example \[1e-5, 1e-5\]"),
        (f"eps={10**400}", "must be a number"),
        ("datasets.dvqa.sampling=some", "'some' cannot be read\n  all, first:N"),
        ("datasets.dvqa.sampling='first:-1'", "cannot be read"),
        ("datasets.dvqa={path: a.json, hub: a/b}", "both path and hub are named"),
        ("datasets.dvqa.sampling='end:nan'", "cannot be read"),
        ("model.patch_size=385", "do not fit into 384"),
        ("model.text=''", "model.text is empty"),
        ("model.sizes.head_dim=15", "an even number"),
        ("model.sizes.heads=", "must be a whole number, not None"),
        ("model.sizes.languages=[xx]", "unknown language"),
        ("model.sizes.languages=en", "a list of languages"),
    ],
)
def test_a_wrong_setting_is_named(setting: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        paper(settings=[setting])


@pytest.mark.parametrize(
    "setting",
    [
        "datasets.captions.languages=[xx]",
        "datasets.told-translation.languages=[en]",
        "datasets.captions.options.level=5",
        "datasets.captions.options.branches=0",
        "datasets.captions.options.more=a",
        "model.sizes.tokenizer_level=7",
    ],
)
def test_the_generated_world_has_languages_and_levels_of_its_own(setting: str) -> None:
    with pytest.raises(UsageError, match=setting.partition("=")[0].rpartition(".")[2]):
        load_recipe("mini", settings=[setting])


@pytest.mark.parametrize(
    "setting",
    [
        "warmup=0",
        "clip=1e9",
        "workers=0",
        "steps=null",
        "datasets.dvqa.sampling='random:10%'",
        "datasets.dvqa.sampling='end:7'",
        "datasets.dvqa.weight=0",
        "stage2.data='dvqa, chartqa'",
        "stages=[2, 1]",
    ],
)
def test_the_edges_of_what_can_be_are_taken(setting: str) -> None:
    paper(settings=[setting])


@pytest.mark.parametrize("variant", ["text=gemma2-it-2b", "text=llama"])
def test_an_unknown_choice_lists_all_of_its_kind(variant: str) -> None:
    with pytest.raises(UsageError, match="its choices: towerp-it, towerp-pt, gemma2-it, gemma2-pt"):
        paper(variants=[variant])


def test_a_misspelt_dataset_of_a_variant_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("extends: paper\nvariants: {a: {b: {datasets.dvqqa.weight: 2}}}\n")
    with pytest.raises(UsageError, match="Did you mean dvqa"):
        load_recipe(str(path), size="2b", variants=["a=b"])


def test_two_stages_of_one_folder_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "twice.yaml"
    path.write_text("extends: paper\nvariants: {a: {b: {stage3.name: vision, stage3.number: 2}}}\n")
    with pytest.raises(UsageError, match="two stages 2-vision"):
        load_recipe(str(path), size="2b", variants=["a=b"])


def test_a_recipe_without_a_name_is_called_after_its_file(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "stages: [{name: a, number: 1, data: [x], rates: {text: 1e-3}, batch: 1, micro_batch: 1}]\n"
        "datasets: {x: }\nmodel: {text: a/b, vision: a/b}\n"
    )
    assert load_recipe(str(path)).name == "mine"


def test_a_recipe_file_may_extend_another(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "name: mine\nextends: paper\nstages:\n  - {number: 2, batch: 32}\n  - {name: more, number: 4, "
        "data: [dvqa], rates: {text: 1e-6}, batch: 8, micro_batch: 1}\n"
    )
    found = load_recipe(str(path), size="9b")
    assert [(stage.name, stage.batch) for stage in found.stages] == [
        ("projector", 256),
        ("vision", 32),
        ("video", 128),
        ("more", 8),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stages: [", "not valid YAML"),
        ("- a", "no mapping"),
        ("name: x", "has no stages"),
        ("colour: red", "unknown key"),
        ("name: x\nstages: [{name: a, number: 1}]", "missing"),
        ("extends: papr", "Did you mean paper"),
        ("stages: {a: 1}", "stages must be a list"),
        ("stages: [a]", "stages must be a list"),
        ("datasets: [a]", "datasets must be a mapping"),
        ("datasets: {a: 1}", "datasets.a must be a mapping"),
        ("model: big", "model must be a mapping"),
        ("variants: {a: 3}", "variants.a must be a mapping"),
        ("variants: {a: {b: 3}}", "variants.a.b must be a mapping"),
        ("variants: {a: {off: {}}}", "False is no text"),
        ("sizes: {1: {}}", "1 is no text\n  quote it"),
        ("stages: [{1: 2}]", "1 is no text"),
        ("stages:", "has no stages"),
        ("name: 2024-13-45", "not valid YAML"),
        ("name: ../x", "cannot name a folder"),
    ],
)
def test_a_broken_recipe_file_says_what_is_wrong(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        load_recipe(str(path))


def test_a_recipe_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(UsageError, match="not valid YAML"):
        load_recipe(str(tmp_path / "x.yaml"))


def test_the_backbone_of_a_variant_goes_with_the_size() -> None:
    assert paper("2b", variants=["text=gemma2-it"]).model.text == "google/gemma-2-2b-it"
    assert paper("9b", variants=["text=gemma2-pt"]).model.text == "google/gemma-2-9b"


def test_the_recipes_that_come_along() -> None:
    assert recipe_names() == ("mini", "paper", "paper-packed")


# ── The command ───────────────────────────────────────────────────────────────────────────────────


def test_the_plan_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--recipe", "paper", "--size", "9b", "--dry-run", "--format", "json", "--price", "2"]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert [stage["steps"] for stage in plan["stages"]] == [2743, 38_422, 10_900]
    assert plan["stages"][1]["dollars"] > 0
    assert any(file.endswith("3-video/model/") for file in plan["files"])


def test_the_plan_as_a_table_names_our_decisions_and_both_sums(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--recipe", "paper", "--size", "2b", "--dry-run"]) == 0
    out = capsys.readouterr().out
    assert "38,422" in out
    assert "add up to 4,956,280, which would be 38,720 steps" in " ".join(out.split())
    assert "our decision on batch" in out


def test_rows_follow_resolution_tiles_and_frames() -> None:
    def tokens(*settings: str, variants: Sequence[str] = ()) -> list[int]:
        plan = make_plan(paper(settings=settings, variants=variants), Machine(), Path("out"))
        return [stage.tokens or 0 for stage in plan.stages]

    usual = tokens()
    assert tokens("model.max_tiles=1")[1] < 0.6 * usual[1]
    finer = tokens(variants=["resolution=512-16-4"])
    assert finer[0] / usual[0] == pytest.approx((32**2 + 240) / (27**2 + 240))
    assert finer[2] / usual[2] == pytest.approx((32 * 16**2 + 1 + 347) / 6620, rel=1e-3) or finer[2] == 1_395_200 * 8192
    assert tokens("stage3.frames=8")[2] == 1_395_200 * (8 * 196 + 1 + 347)
    assert tokens("max_length=1000")[2] == 1_395_200 * 1000


def test_samples_of_files_are_counted_and_those_of_the_hub_are_named(tmp_path: Path) -> None:
    turns = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    (tmp_path / "x.jsonl").write_text(f"{json.dumps({'conversations': turns})}\n" * 600)
    own = paper(
        settings=[
            f"datasets.mine.path={tmp_path / 'x.jsonl'}",
            "datasets.far.hub=org/name",
            "datasets.mine.sampling=first:512",
            "stage1.data=[mine, far]",
        ]
    )
    projector = make_plan(own, Machine(), Path("out"), only=1).stages[0]
    assert (projector.samples, projector.steps) == (512, 2)
    assert any(note.startswith("far: its samples are counted when they are fetched") for note in projector.notes)


def test_gpus_that_do_not_share_a_batch_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--recipe", "paper", "--size", "2b", "--dry-run", "--gpus", "5"]) == 2
    assert "does not divide into 5 GPUs with micro-batches of 16" in capsys.readouterr().err
    assert main(["train", "--recipe", "mini", "--dry-run", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["machine"]["gpus"] == 1


def test_the_recipe_of_train_data_may_stand_without_an_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "data", "mini", "--stage", "1", "--examples", "0", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["datasets"][0]["name"] == "captions"
    assert main(["train", "data", "mini", "--recipe", "paper"]) == 2
    assert "two recipes" in capsys.readouterr().err
    assert main(["train", "mini"]) == 2
    assert "tvbench train --recipe mini" in capsys.readouterr().err


def test_data_without_a_tokenizer_are_counted_without_tokens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    turns = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    (tmp_path / "x.jsonl").write_text(f"{json.dumps({'conversations': turns, 'language': 'de'})}\n" * 6)
    (tmp_path / "mix.yaml").write_text("datasets: [{name: pixmo-cap, json_path: x.jsonl}, {name: more, hub: a/b}]")
    words = ["train", "data", "paper", "--size", "2b", "--stage", "1", "--data", str(tmp_path / "mix.yaml")]
    assert main([*words, "--set", f"model.text={tmp_path / 'nowhere'}", "--format", "json"]) == 0
    said = capsys.readouterr()
    (dataset,) = json.loads(said.out)[0]["datasets"]
    assert (dataset["samples"], dataset["tokens"], dataset["languages"]) == (6, None, {"de": 1.0})
    assert "tokens are not counted" in said.err
    assert "no stage learns from more" in said.err


def test_examples_are_not_fewer_than_none(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as done:
        main(["train", "data", "mini", "--examples", "-1"])
    assert done.value.code == 2 and "--examples" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        "--recipe mini --price nan",
        "--recipe mini --gpus 0",
        "--recipe mini --mfu nan",
        "--recipe mini --price -1",
        "--recipe papr",
        "--recipe paper",
        "--recipe paper --size 3b",
        "--recipe paper --size 2b --variant encoder=clip",
        "--recipe paper --size 2b --stage 7",
        "--recipe mini --mfu 2",
        "",
        "--recipe mini --size 2b",
    ],
)
def test_wrong_words_are_a_usage_error(words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--dry-run", *words.split()]) == 2
    assert "tvbench: " in capsys.readouterr().err


@pytest.mark.parametrize(("size", "gpus"), [("16", 16), (None, 1)])
def test_the_mfu_is_of_the_gpus_that_train_on_all_machines(
    size: str | None, gpus: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    from tvbench.train import session

    given: dict[str, object] = {}
    monkeypatch.setattr(session, "train", lambda *_, **options: bool(given.update(options)) or True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    if size is not None:
        monkeypatch.setenv("WORLD_SIZE", size)
    assert main(["train", "--recipe", "mini", "--quiet", "--gpu-peak", "1e15", "--output", str(tmp_path / "run")]) == 0
    assert given["peak"] == gpus * 1e15


def test_the_papers_data_must_be_given_a_place(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from training import PLAN  # the model's parts need no hub then

    sizes = json.dumps(dict(PLAN.sizes))
    assert (
        main(
            [
                "train",
                "--recipe",
                "paper",
                "--size",
                "2b",
                "--stage",
                "1",
                "--output",
                str(tmp_path / "run"),
                "--set",
                "model.text=generated:mini",
                "--set",
                "model.vision=generated:mini",
                "--set",
                "model.image_size=56",
                "--set",
                "model.vision_layers=null",
                "--set",
                f"model.sizes={sizes}",
            ]
        )
        == 2
    )
    assert "pixmo-cap" in capsys.readouterr().err


def test_the_memory_of_a_gpu_counts_what_the_loop_holds() -> None:
    """Shares of weights, gradients and moments; the largest unit's gradient before it is shared out, whoever else has
    none; and the recipe's own default fits its GPUs."""
    recipe = load_recipe("paper", size="9b")
    counted = parameters(recipe.model)
    projector, vision, video = (memory(recipe.model, counted, stage, 8) for stage in recipe.stages)
    assert vision.states == 16 * counted.total / 8 - 12 * (counted.total - trained(counted, recipe.stages[1])) / 8
    assert vision.reduced == (2 + 4) * (counted.embedding + counted.projector)
    assert projector.reduced == (2 + 4) * counted.projector
    assert max(one.total for one in (projector, vision, video)) < 80e9
    alone = memory(recipe.model, counted, recipe.stages[1], 1)
    assert alone.reduced == 0 and alone.states == 8 * vision.states
    exact = memory(recipe.model, counted, replace(recipe.stages[1], precision="float32"), 8)
    assert exact.kept == 2 * vision.kept and exact.gathered == 2 * vision.gathered


def trained(counted: Parameters, stage: Stage) -> int:
    """Weights of the parts that a stage trains."""
    return sum(getattr(counted, part) for part in stage.rates)
