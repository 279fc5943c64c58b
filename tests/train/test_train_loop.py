"""The loop: who learns at which rate, steps, checkpoints, and going on after an interruption."""

from __future__ import annotations

import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from repository import ROOT
from training import PLAN, RATES, assembled, entry, recipe, stage, trainee

from tvbench.cli.main import main
from tvbench.errors import TvbenchError, UsageError
from tvbench.train import checkpoint
from tvbench.train.data.batches import total_weight, weighed
from tvbench.train.data.columns import Columns
from tvbench.train.data.corpora import Mixed
from tvbench.train.data.encode import Encoder
from tvbench.train.data.entries import Entry
from tvbench.train.data.order import Order
from tvbench.train.data.sample import BrokenSample, TrainSample, Turn
from tvbench.train.data.steps import Steps, make_order
from tvbench.train.loop import StepDone
from tvbench.train.loss import supervised
from tvbench.train.model import freeze_all_but
from tvbench.train.optimizer import make_optimizer, set_rates
from tvbench.train.parallel import shares
from tvbench.train.record import Record, read_metrics
from tvbench.train.schedule import rate_factor, steps_of
from tvbench.train.session import Begun, Ended, Event, train
from tvbench.train.stages import Norm

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assembled(tmp_path_factory.mktemp("loop"))


def stored(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return dict(load_file(folder / "model.safetensors"))


def same(one: Path, other: Path) -> bool:
    """Whether two checkpoints hold the same numbers, bit for bit."""
    first, second = stored(one), stored(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


# ── Parts and rates ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("rates", [{"projector": 1e-3}, RATES, {"text": 1.0}, {"vision": 1e-4, "newline": 1e-5}])
def test_a_stage_trains_its_parts_at_their_rates_and_nothing_else(folder: Path, rates: dict) -> None:  # type: ignore[type-arg]
    model = trainee(folder)
    chosen = stage(rates=rates, weight_decay=0.1)
    optimizer = make_optimizer(chosen, freeze_all_but(model, rates))
    assert set_rates(optimizer, 0.5) == {part: rate / 2 for part, rate in rates.items()}
    prefixes = {
        "text": "model.model.language_model.",
        "vision": "model.model.vision_tower.",
        "projector": "model.model.multi_modal_projector.",
        "newline": "model.model.image_newline",
    }
    by_parameter = {parameter: group for group in optimizer.param_groups for parameter in group["params"]}
    for name, parameter in model.named_parameters():
        part = next(part for part, prefix in prefixes.items() if name.startswith(prefix))
        trained = part in rates and "post_layernorm" not in name
        assert parameter.requires_grad == trained, name
        assert (parameter in by_parameter) == trained, name
        if trained:
            assert by_parameter[parameter]["lr"] == rates[part] / 2, name
            assert by_parameter[parameter]["weight_decay"] == (0.1 if parameter.dim() > 1 else 0.0), name


def test_only_the_trained_parts_move(tmp_path: Path) -> None:
    train(recipe(stage(rates={"projector": 1e-2}, steps=3)), tmp_path / "run")
    before, after = stored(tmp_path / "run" / "assembled"), stored(tmp_path / "run" / "2-vision" / "model")
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved == {name for name in before if name.startswith("multi_modal_projector.")}


def test_every_trained_weight_moves_even_where_a_step_has_no_picture(tmp_path: Path) -> None:
    text_only = stage(data=(entry("told-questions"),), steps=2, weight_decay=0.0)
    train(recipe(text_only), tmp_path / "run")
    before, after = stored(tmp_path / "run" / "assembled"), stored(tmp_path / "run" / "2-vision" / "model")
    still = {name for name in before if torch.equal(before[name], after[name])}
    assert any(name.startswith("vision_tower") for name in still)  # nothing was seen
    assert not any(name.startswith("language_model") for name in still)


def test_the_rate_rises_and_falls_as_transformers_has_it() -> None:
    from transformers import get_cosine_schedule_with_warmup

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = get_cosine_schedule_with_warmup(optimizer, math.ceil(0.05 * 50), 50)
    for step in range(50):
        assert rate_factor(step, 50, 0.05, 0.0) == pytest.approx(optimizer.param_groups[0]["lr"], abs=1e-12)
        optimizer.step()
        theirs.step()
    assert rate_factor(50, 50, 0.05, 0.1) == pytest.approx(0.1)


def test_steps_of_a_stage() -> None:
    paper = stage(steps=None, batch=256, drop_last=False)
    assert steps_of(paper, 702_205) == 2743
    assert steps_of(replace(paper, batch=128, drop_last=True), 4_918_051) == 38_422
    assert steps_of(replace(paper, batch=128, drop_last=True, epochs=2), 1_395_235) == 21_800
    assert steps_of(replace(paper, steps=7), 10**9) == 7


# ── Order ─────────────────────────────────────────────────────────────────────────────────────────


def test_an_epoch_meets_every_sample_once_and_each_epoch_in_another_order() -> None:
    order = Order(25, 8, seed=1)
    epochs = [[int(index) for step in range(first, first + 4) for index in order.step(step)] for first in (0, 4)]
    assert [sorted(epoch) for epoch in epochs] == [list(range(25))] * 2
    assert epochs[0] != epochs[1]
    assert [len(Order(25, 8, seed=1, drop_last=True).step(step)) for step in range(6)] == [8] * 6
    assert Order(25, 8, seed=1).step(2).tolist() == order.step(2).tolist()
    assert Order(25, 8, seed=2).step(2).tolist() != order.step(2).tolist()


def test_grouping_makes_batches_of_one_modality_and_falling_length() -> None:
    import numpy as np

    modality = np.array([0, 1] * 20)
    words = np.arange(40) % 7
    nothing = np.zeros(40)
    known = Columns(words, modality, nothing, ("en",), nothing, ("x",), nothing)
    order = Order(40, 8, seed=0, grouping=lambda: known)
    batches = [order.step(step) for step in range(5)]
    assert sorted(int(index) for batch in batches for index in batch) == list(range(40))
    assert [len(set(modality[batch].tolist())) for batch in batches] == [1, 1, 1, 1, 2]
    for batch in batches:
        assert words[batch].tolist() == sorted(words[batch].tolist(), reverse=True)


@pytest.mark.parametrize("size", [1, 2, 4])
@pytest.mark.parametrize("norm", ["microbatch", "global_tokens", "square_root"])
def test_a_last_step_that_is_not_full_is_shared_out_evenly_and_weighs_like_any_other(
    folder: Path, size: int, norm: Norm
) -> None:
    """13 samples in micro-batches of 2: the second step has three, of which the last has one sample."""
    chosen = stage(data=(entry("questions", samples=13),), batch=8, micro_batch=2, loss_norm=norm)
    corpus = Mixed(chosen.data)
    order, encoder = make_order(corpus, chosen), Encoder(folder, chosen)
    dealt = [Steps(corpus, encoder, chosen, order, rank, size)[1] for rank in range(size)]
    assert len({len(batches) for batches in dealt}) == 1, "every process makes as many passes as the others"
    assert sum(batch.samples for batches in dealt for batch in batches) == 5
    everyone = sum(total_weight(batches, norm) for batches in dealt)
    weights = [
        batch.weights[supervised(batch.labels)].sum()
        for batches in dealt
        for batch in weighed(batches, norm, everyone=everyone, processes=size)
    ]
    assert float(sum(weights)) / size == pytest.approx(1.0)


@pytest.mark.parametrize("size", [1, 2, 4])
def test_any_number_of_processes_shares_out_the_same_micro_batches(folder: Path, size: int) -> None:
    chosen = stage(batch=16, micro_batch=4)
    corpus = Mixed(chosen.data)
    encoder = Encoder(folder, chosen)
    order = make_order(corpus, chosen)
    alone = Steps(corpus, encoder, chosen, order, 0, 1)[1]
    dealt = [Steps(corpus, encoder, chosen, order, rank, size)[1] for rank in range(size)]
    together = [dealt[number % size][number // size] for number in range(4)]
    for one, other in zip(alone, together, strict=True):
        assert torch.equal(one.input_ids, other.input_ids)


def test_a_batch_that_cannot_be_shared_evenly_says_what_to_set() -> None:
    assert shares(128, 8, 8) == 2
    with pytest.raises(UsageError, match="multiple of 24"):
        shares(128, 8, 3)


# ── Checkpoints ───────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_stage_that_was_stopped_and_continued_equals_one_that_was_not_bit_for_bit(tmp_path: Path) -> None:
    chosen = recipe(stage(steps=6, save_every=0.5), stage(name="video", number=3, steps=2, data=(entry("video"),)))
    assert train(chosen, tmp_path / "whole")
    seen: list[int] = []

    def stop(event: Event) -> None:
        if isinstance(event, StepDone):
            seen.append(event.step)
            if len(seen) == 2:
                os.kill(os.getpid(), signal.SIGTERM)

    assert not train(chosen, tmp_path / "stopped", on_event=stop)
    assert seen == [1, 2]
    events: list[Event] = []
    assert train(chosen, tmp_path / "stopped", resume=True, on_event=events.append)
    assert [event.step for event in events if isinstance(event, Begun)] == [2, 0]
    for name in ("2-vision/model", "3-video/model", "export"):
        assert same(tmp_path / "whole" / name, tmp_path / "stopped" / name), name
    curves = [
        [(one["step"], one["loss"], one["gradient_norm"]) for one in read_metrics(tmp_path / run / "2-vision")]
        for run in ("whole", "stopped")
    ]
    assert curves[0] == curves[1]
    assert [step for step, _, _ in curves[0]] == [1, 2, 3, 4, 5, 6]
    picture = (tmp_path / "stopped" / "2-vision" / "loss.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert list((tmp_path / "stopped" / "2-vision" / "tensorboard").glob("events*"))


@pytest.mark.slow
def test_the_command_trains_every_stage_of_mini_and_the_export_answers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """All of the recipe, with two steps a stage and a smaller model."""
    words = ["--set", "steps=2", "--set", "batch=4", "--set", "micro_batch=4", "--set", "workers=0"]
    for name, size in (
        ("hidden", 32),
        ("layers", 2),
        ("head_dim", 16),
        ("heads", 2),
        ("kv_heads", 1),
        ("vocabulary", 500),
        ("intermediate", 48),
        ("vision_hidden", 32),
        ("vision_layers", 1),
        ("tokenizer_count", 2),
    ):
        words += ["--set", f"model.sizes.{name}={size}"]
    output = tmp_path / "run"
    assert main(["train", "--recipe", "mini", "--output", str(output), *words]) == 0
    said = capsys.readouterr().err
    assert "stage 0 text: 2 steps of 4 samples" in said
    assert f"tvbench run --model {output}/export --tasks mini" in said
    assert main(["train", "--recipe", "mini", "--output", str(output), *words]) == 2
    assert "--resume" in capsys.readouterr().err
    assert (
        main(
            [
                "run",
                "--model",
                str(output / "export"),
                "--tasks",
                "mini",
                "--languages",
                "de",
                "--limit",
                "2",
                "--results",
                str(tmp_path / "results"),
                "--quiet",
            ]
        )
        == 0
    )


@pytest.mark.slow
def test_an_ablation_takes_over_the_stages_that_are_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = (stage(name=name, number=number, steps=1) for number, name in enumerate(("one", "two"), 1))
    train(recipe(first, second), tmp_path / "run")
    changed = recipe(first, replace(second, seed=9))
    begun: list[str] = []
    train(
        changed,
        tmp_path / "ablation",
        reuse=tmp_path / "run",
        on_event=lambda event: begun.append(event.stage.name) if isinstance(event, Begun) else None,
    )
    assert begun == ["two"]
    same, other = (stored(tmp_path / run / "1-one" / "model") for run in ("run", "ablation"))
    assert all(torch.equal(tensor, other[name]) for name, tensor in same.items())
    alone = tmp_path / "alone"
    train(changed, alone)
    one, other = (stored(folder / "export") for folder in (alone, tmp_path / "ablation"))
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    train(changed, tmp_path / "ablation", reuse=tmp_path / "run", resume=True)
    with pytest.raises(UsageError, match="trained no stage"):
        train(recipe(replace(first, seed=9)), tmp_path / "x", reuse=tmp_path / "run")
    with pytest.raises(UsageError, match="another model"):
        train(replace(changed, model=replace(PLAN, max_tiles=2)), tmp_path / "x", reuse=tmp_path / "run")
    with pytest.raises(UsageError, match="holds no training run"):
        train(changed, tmp_path / "x", reuse=tmp_path / "nothing")
    assert not (tmp_path / "x").exists()


def test_a_stage_that_is_left_out_cannot_be_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--recipe", "mini", "--until", "1", "--stage", "2"]) == 2
    assert "leaves stage 2 out" in capsys.readouterr().err


def test_later_stages_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--recipe", "mini", "--dry-run", "--format", "json"]
    assert main([*words, "--until", "1"]) == 0
    assert [one["name"] for one in json.loads(capsys.readouterr().out)["stages"]] == ["text", "tower", "projector"]
    assert main([*words, "--until", "8"]) == 2
    assert "3 video" in capsys.readouterr().err


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from training import recipe, stage
from tvbench.train.session import train
train(recipe(stage(steps=40, save_every=0.05)), Path(sys.argv[1]), resume=True)
"""


@pytest.mark.slow
def test_killed_at_a_random_step_the_curve_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    chosen = recipe(stage(steps=40, save_every=0.05))
    train(chosen, tmp_path / "whole")
    metrics = tmp_path / "killed" / "2-vision" / "metrics.jsonl"
    environment = {**os.environ, "OMP_NUM_THREADS": str(torch.get_num_threads())}
    killed = 0
    for enough in (5, 17):
        running = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(tmp_path / "killed"), str(ROOT / "tests" / "support")],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        while running.poll() is None and not (metrics.is_file() and metrics.read_text().count("\n") >= enough):
            time.sleep(0.02)
        killed += running.poll() is None
        running.kill()
        running.wait()
    assert killed
    train(chosen, tmp_path / "killed", resume=True)
    curves = [
        [(one["step"], one["loss"]) for one in read_metrics(tmp_path / run / "2-vision")] for run in ("whole", "killed")
    ]
    assert [step for step, _ in curves[1]] == list(range(1, 41))
    assert [loss for _, loss in curves[1]] == pytest.approx([loss for _, loss in curves[0]], rel=1e-4)


@pytest.mark.slow
def test_a_signal_to_the_whole_job_ends_the_step_and_saves(tmp_path: Path) -> None:
    """Ctrl-C in a terminal, or a scheduler: the workers get it too, and must not take the step with them."""
    script = SCRIPT.replace("steps=40, save_every=0.05", "steps=4000, save_every=1.0, workers=2")
    running = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "run"), str(ROOT / "tests" / "support")],
        cwd=ROOT,
        start_new_session=True,
        stderr=subprocess.PIPE,
        text=True,
    )
    metrics = tmp_path / "run" / "2-vision" / "metrics.jsonl"
    while running.poll() is None and not (metrics.is_file() and metrics.read_text().count("\n") >= 3):
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGTERM)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 0, said
    kept = checkpoint.newest(tmp_path / "run" / "2-vision" / "checkpoints")
    assert kept is not None
    assert checkpoint.read_progress(kept).step == len(read_metrics(tmp_path / "run" / "2-vision"))


def test_a_full_disk_leaves_the_last_good_checkpoint(tmp_path: Path) -> None:
    """The limit on a file's size stands for the full disk: the write fails in the middle."""
    chosen = recipe(stage(steps=6, save_every=0.17))
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    steps: list[int] = []

    def fill(event: Event) -> None:
        if isinstance(event, StepDone):
            steps.append(event.step)
            if event.step == 3:
                resource.setrlimit(resource.RLIMIT_FSIZE, (30_000, limit[1]))

    try:
        with pytest.raises(TvbenchError, match="step-000002"):
            train(chosen, tmp_path / "run", on_event=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
        signal.signal(signal.SIGXFSZ, ignored)
    kept = checkpoint.checkpoints(tmp_path / "run" / "2-vision" / "checkpoints")
    assert [path.name for path in kept] == ["step-000001", "step-000002"]
    assert train(chosen, tmp_path / "run", resume=True)
    assert [one["step"] for one in read_metrics(tmp_path / "run" / "2-vision")] == [1, 2, 3, 4, 5, 6]


def test_a_checkpoint_without_its_progress_is_passed_over(tmp_path: Path) -> None:
    for step, said in ((1, '{"step": 1, "digest": "x"}'), (2, "{"), (3, '{"step": "3", "digest": "x"}')):
        (tmp_path / f"step-{step:06}").mkdir()
        (tmp_path / f"step-{step:06}" / "progress.json").write_text(said)
    (tmp_path / ".step-000004.partial").mkdir()
    found = checkpoint.newest(tmp_path)
    assert found is not None
    assert found.name == "step-000001"


def test_a_damaged_checkpoint_says_what_to_remove(tmp_path: Path) -> None:
    chosen = recipe(stage(steps=6, save_every=0.17))

    def stop(event: Event) -> None:
        if isinstance(event, StepDone) and event.step == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    assert not train(chosen, tmp_path / "run", on_event=stop)
    kept = checkpoint.newest(tmp_path / "run" / "2-vision" / "checkpoints")
    assert kept is not None
    (shard,) = kept.glob("*.safetensors")
    shard.write_bytes(shard.read_bytes()[:5000])
    with pytest.raises(UsageError, match="step-000003 is damaged(.|\n)*remove that folder"):
        train(chosen, tmp_path / "run", resume=True)
    shard.unlink()
    with pytest.raises(UsageError, match="step-000003 is (not whole|damaged)(.|\n)*remove that folder"):
        train(chosen, tmp_path / "run", resume=True)
    for path in kept.iterdir():
        path.unlink()
    kept.rmdir()
    assert train(chosen, tmp_path / "run", resume=True)


@pytest.mark.parametrize("said", [True, False])
def test_clips_make_the_video_class_whether_the_recipe_says_so_or_the_data(tmp_path: Path, said: bool) -> None:
    plan = replace(PLAN, family="llava_next")
    clips = replace(entry("video"), modality="video") if said else entry("video")
    assert train(recipe(stage(steps=1, data=(clips,)), plan=plan), tmp_path / "run")
    assert json.loads((tmp_path / "run" / "export" / "config.json").read_text())["model_type"] == "llava_onevision"
    assert read_metrics(tmp_path / "run" / "2-vision")[0]["skipped"] == 0


def test_the_video_stage_goes_on_from_llava_next_as_onevision_with_equal_weights(tmp_path: Path) -> None:
    plan = replace(PLAN, family="llava_next")
    clips = replace(entry("video"), modality="video")
    video = stage(name="video", number=3, steps=1, data=(clips,), rates={"newline": 1e-9})
    assert train(recipe(stage(steps=1), video, plan=plan), tmp_path / "run")
    first, last = (
        json.loads((tmp_path / "run" / name / "config.json").read_text()) for name in ("2-vision/model", "export")
    )
    assert (first["model_type"], last["model_type"]) == ("llava_next", "llava_onevision")
    before, after = stored(tmp_path / "run" / "2-vision" / "model"), stored(tmp_path / "run" / "3-video" / "model")
    table = "language_model.model.embed_tokens.weight"
    assert len(after[table]) - len(before[table]) in (0, 1)
    for name in before.keys() - {"image_newline"}:
        assert torch.equal(before[name], after[name][: len(before[name])] if name == table else after[name]), name


def test_a_folder_of_another_recipe_is_refused(tmp_path: Path) -> None:
    train(recipe(stage(steps=1)), tmp_path / "run")
    with pytest.raises(UsageError, match="--resume"):
        train(recipe(stage(steps=1)), tmp_path / "run")
    with pytest.raises(UsageError, match=r"another recipe: stage 2 vision \(steps\)"):
        train(recipe(stage(steps=2)), tmp_path / "run", resume=True)
    with pytest.raises(UsageError, match=r"another recipe: model \(max_tiles\)"):
        train(recipe(stage(steps=1), plan=replace(PLAN, max_tiles=2)), tmp_path / "run", resume=True)
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "recipe.json").write_text('{"stages": [3]}')
    with pytest.raises(UsageError, match=r"recipe.json is damaged"):
        train(recipe(stage(steps=2)), tmp_path / "damaged", resume=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("mine")
    with pytest.raises(UsageError, match="not empty"):
        train(recipe(stage(steps=1)), tmp_path / "other")


def test_what_is_wrong_with_a_later_stage_shows_before_the_first_one_and_can_be_put_right(tmp_path: Path) -> None:
    first, wrong = stage(steps=1), stage(name="video", number=3, steps=1, data=(Entry("mine", path="nowhere.json"),))
    with pytest.raises(UsageError, match=r"nowhere.json"):
        train(recipe(first, wrong), tmp_path / "run")
    assert not (tmp_path / "run").exists()
    right = replace(wrong, data=(entry("video"),))
    assert train(recipe(first), tmp_path / "run")
    assert train(recipe(first, right), tmp_path / "run", resume=True)
    assert train(recipe(first), tmp_path / "run", resume=True)
    assert [one["name"] for one in json.loads((tmp_path / "run" / "recipe.json").read_text())["stages"]] == [
        "vision",
        "video",
    ]
    with pytest.raises(UsageError, match=r"stage 3 video \(steps\)"):
        train(recipe(first, replace(right, steps=2)), tmp_path / "run", resume=True)


def test_what_a_machine_cannot_do_is_said_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match=r"flash_attention_2 needs a GPU(.|\n)*attention=auto"):
        train(recipe(stage(steps=1, attention="flash_attention_2")), tmp_path / "run")
    assert main(["train", "--recipe", "mini", "--threads", "-1", "--output", str(tmp_path / "run")]) == 2
    assert "--threads -1" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_stage_alone_needs_those_before_it(tmp_path: Path) -> None:
    both = recipe(stage(steps=1), stage(name="video", number=3, steps=1))
    with pytest.raises(UsageError, match=r"stage 3 goes on from stage 2 \(vision\)(.|\n)*--reuse"):
        train(both, tmp_path / "run", only=3)
    assert not (tmp_path / "run").exists()
    train(both, tmp_path / "two", only=2)
    assert train(both, tmp_path / "run", only=3, reuse=tmp_path / "two")
    assert (tmp_path / "run" / "export" / "config.json").is_file()


@pytest.mark.parametrize(("limit", "when"), [(6_000, "assembled"), (20_000, "2-vision/model"), (20_000, "export")])
def test_a_disk_that_fills_up_anywhere_loses_nothing(tmp_path: Path, limit: int, when: str) -> None:
    """The limit on a file's size stands for the full disk."""
    chosen, most = recipe(stage(steps=2)), resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)

    def fill(event: Event) -> None:
        last = isinstance(event, StepDone) and event.step == 2 and when == "2-vision/model"
        if last or (isinstance(event, Ended) and when == "export"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most[1]))

    try:
        if when == "assembled":
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most[1]))
        with pytest.raises(TvbenchError, match=r"--resume|make room"):
            train(chosen, tmp_path / "run", on_event=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)
        signal.signal(signal.SIGXFSZ, ignored)
    assert not (tmp_path / "run" / when / "config.json").exists()
    assert train(chosen, tmp_path / "run", resume=True)
    assert [one["step"] for one in read_metrics(tmp_path / "run" / "2-vision")] == [1, 2]
    assert not list((tmp_path / "run").rglob("*.partial"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"sizes": {**PLAN.sizes, "hidden": 33}}, "hidden .33. is no multiple of heads"),
        ({"sizes": {**PLAN.sizes, "vision_hidden": 33}}, "vision_hidden .33. is no multiple"),
    ],
)
def test_sizes_that_do_not_fit(tmp_path: Path, changes: dict, said: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(UsageError, match=said):
        train(recipe(stage(steps=1), plan=replace(PLAN, **changes)), tmp_path / "run")


def test_a_tower_stage_must_say_when_it_ends(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="tower.steps=N"):
        train(recipe(stage(name="tower", objective="patches", steps=None, rates={"vision": 1.0})), tmp_path / "run")


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_an_output_that_cannot_be_written_is_a_usage_error(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(UsageError, match="--output"):
        train(recipe(stage(steps=1)), tmp_path / name)


def test_a_loss_that_is_not_a_number_stops_before_it_is_learned(tmp_path: Path) -> None:
    with pytest.raises(TvbenchError, match="loss of step .* is (nan|inf)"):
        train(recipe(stage(steps=30, rates={"text": 1e30}, warmup=0.0)), tmp_path / "run")


# ── Samples that cannot be used ───────────────────────────────────────────────────────────────────


class Spoiled:
    """Every third sample is broken, each in another way."""

    def __init__(self, corpus: Mixed) -> None:
        self.corpus = corpus

    def __len__(self) -> int:
        return len(self.corpus)

    def columns(self) -> Columns:
        return self.corpus.columns()

    def sample(self, index: int) -> TrainSample:
        if index % 3:
            return self.corpus.sample(index)
        if index % 2:
            return TrainSample(f"empty-{index}", ())
        raise BrokenSample(f"lost-{index}", "no such file")


def test_broken_samples_are_skipped_counted_and_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvbench.train.session.stage_corpus", lambda stage: Spoiled(Mixed(stage.data)))
    events: list[Event] = []
    chosen = stage(data=(entry("questions", samples=24),), steps=None, batch=8, micro_batch=4)
    assert train(recipe(chosen), tmp_path / "run", on_event=events.append)
    (ended,) = [event for event in events if isinstance(event, Ended)]
    assert ended.skipped == 8
    listed = [json.loads(line) for line in (tmp_path / "run" / "2-vision" / "skipped.jsonl").read_text().splitlines()]
    assert sorted(one["sample"] for one in listed) == sorted(
        f"{'empty' if index % 2 else 'lost'}-{index}" for index in range(0, 24, 3)
    )
    assert {one["reason"] for one in listed} == {"the conversation is empty", "no such file"}
    assert sum(one["samples"] for one in read_metrics(tmp_path / "run" / "2-vision")) == 16


def test_a_step_of_nothing_but_broken_samples_is_passed_through(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FirstLost(Spoiled):
        read = 0

        def sample(self, index: int) -> TrainSample:
            self.read += 1
            return TrainSample(str(index), (Turn("user", "?"),)) if self.read <= 8 else self.corpus.sample(index)

    monkeypatch.setattr("tvbench.train.session.stage_corpus", lambda stage: FirstLost(Mixed(stage.data)))
    assert train(recipe(stage(steps=2, save_every=0.5)), tmp_path / "run")
    first, second = read_metrics(tmp_path / "run" / "2-vision")
    assert (first["loss"], first["skipped"], first["samples"]) == (0.0, 8, 0)
    assert second["loss"] > 0


def broken_list(folder: Path) -> Path:
    """A data file whose samples all lack their picture."""
    turns = [{"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": "A cat."}]
    path = folder / "lost.json"
    path.write_text(json.dumps([{"id": str(n), "image": f"{n}.png", "conversations": turns} for n in range(40)]))
    return path


@pytest.mark.parametrize(("steps", "done"), [(3, 3), (400, 20)])
def test_a_stage_without_one_usable_sample_is_no_success(tmp_path: Path, steps: int, done: int) -> None:
    chosen = stage(data=(Entry("mine", path=str(broken_list(tmp_path))),), steps=steps, batch=2, micro_batch=2)
    with pytest.raises(TvbenchError, match=rf"none of {2 * done} samples can be used\n.*skipped.jsonl says why"):
        train(recipe(chosen), tmp_path / "run")
    assert not (tmp_path / "run" / "2-vision" / "model").exists()
    assert not (tmp_path / "run" / "export").exists()


# ── Records ───────────────────────────────────────────────────────────────────────────────────────


def test_a_record_that_is_continued_has_each_step_once(tmp_path: Path) -> None:
    with Record(tmp_path, after=0, log_every=1) as record:
        for step in (1, 2, 3):
            record.step(step, {"loss": float(step), "rates": {"text": 1.0}})
            record.skipped(step, [(f"s{step}", "why")])
    with (tmp_path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "lo')
    with Record(tmp_path, after=2, log_every=1) as record:
        record.step(3, {"loss": 33.0, "rates": {"text": 1.0}})
    assert [(one["step"], one["loss"]) for one in read_metrics(tmp_path)] == [(1, 1.0), (2, 2.0), (3, 33.0)]
    assert [json.loads(line)["step"] for line in (tmp_path / "skipped.jsonl").read_text().splitlines()] == [1, 2]


def test_the_patches_of_the_tower_stage_name_no_held_out_composition() -> None:
    from tvbench.mini.render import PALETTE
    from tvbench.mini.training.patches import APART, NAMES, NOTHING, draw, patch_labels
    from tvbench.mini.world import COLOURS, Thing
    from tvbench.train.loss import IGNORED

    counts: dict[bool, set[int]] = {True: set(), False: set()}
    for number in range(400):
        sight = draw(1, number, 2)
        for one in sight.shown:
            assert not (one.noun and one.colour) or not Thing(one.noun, one.colour).held_out
            assert one.noun or one.colour
            far = all(math.dist(one.ink, named) >= APART for named in PALETTE.values())
            assert far if one.colour is None else one.ink == PALETTE[one.colour]
        nouns, colours = patch_labels(sight, 4)
        named = {
            (NAMES[noun - 1], COLOURS[colour - 1])
            for noun, colour in zip(nouns, colours, strict=True)
            if noun > 0 and colour > 0
        }
        assert named <= {(one.noun, one.colour) for one in sight.shown}
        assert not ((nouns == NOTHING) ^ (colours == NOTHING)).any()
        things = all(one.noun for one in sight.shown)
        assert things or ((nouns == NOTHING) | (nouns == IGNORED)).all()
        counts[things].add(len(sight.shown))
    assert counts == {True: {1, 2, 3, 4}, False: {1, 2, 3}}


def test_a_tower_learns_its_patches(tmp_path: Path) -> None:
    chosen = stage(
        name="tower",
        number=0,
        objective="patches",
        data=(entry("captions", samples=1),),
        rates={"vision": 3e-3},
        batch=32,
        micro_batch=32,
        steps=60,
    )
    train(recipe(chosen), tmp_path / "run")
    losses = [one["loss"] for one in read_metrics(tmp_path / "run" / "0-tower")]
    assert sum(losses[-10:]) / 10 < 0.5 * losses[0]
    before, after = stored(tmp_path / "run" / "assembled"), stored(tmp_path / "run" / "0-tower" / "model")
    assert all(name.startswith("vision_tower") for name in before if not torch.equal(before[name], after[name]))
