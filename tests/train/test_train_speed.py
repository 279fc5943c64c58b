"""What a step says of its speed: one clock, which does not stand still while the data are awaited, and the plan's
operations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from training import PLAN, assembled, encoded, entry, recipe, stage, trainee

from tvbench.cli.train_progress import step_text
from tvbench.train.assembly import assemble
from tvbench.train.data.batches import pack, pad
from tvbench.train.loop import Loop, StepDone
from tvbench.train.model import freeze_all_but
from tvbench.train.operations import as_built, batch_operations, sample_operations
from tvbench.train.optimizer import make_optimizer
from tvbench.train.parallel import World
from tvbench.train.plan import Machine, make_plan
from tvbench.train.record import Record, read_metrics
from tvbench.train.session import train
from tvbench.train.stages import Stage

WAIT = 0.2


def trained(folder: Path, using: Stage, output: Path, peak: float) -> list[StepDone]:
    """A few steps on batches that come slowly; what a person is told."""
    model = trainee(folder)
    batches = [pad(encoded(folder, "captions", 2), 0)]
    said: list[StepDone] = []

    def slow(start: int) -> Iterator[list[Any]]:
        for _ in range(using.steps or 0):
            time.sleep(WAIT)
            yield batches

    loop = Loop(
        using,
        using.steps or 0,
        model,
        make_optimizer(using, freeze_all_but(model, using.rates)),
        slow,
        output,
        "digest",
        World(0, 1, torch.device("cpu")),
        on_step=said.append,
        peak=peak,
        operations=lambda batch: 1000.0 * batch.tokens,
    )
    with Record(output, after=0, log_every=1) as loop.record:
        loop.run()
    return said


def test_the_wait_for_data_is_part_of_a_step(tmp_path: Path) -> None:
    peak = 1e6
    began = time.perf_counter()
    said = trained(assembled(tmp_path), stage(steps=3), tmp_path / "out", peak)
    spent = time.perf_counter() - began
    steps = read_metrics(tmp_path / "out")
    assert all(step["data_seconds"] >= WAIT and step["step_seconds"] > 0 for step in steps)
    assert sum(step["data_seconds"] + step["step_seconds"] for step in steps) <= spent
    for step, done in zip(steps, said, strict=True):
        seconds = step["data_seconds"] + step["step_seconds"]
        assert step["tokens_per_second"] == done.tokens_per_second == pytest.approx(step["tokens"] / seconds)
        assert step["mfu"] == done.mfu == pytest.approx(1000 * step["tokens"] / seconds / peak)
        assert (done.data_seconds, done.step_seconds) == (step["data_seconds"], step["step_seconds"])


def test_a_log_says_how_long_data_are_awaited() -> None:
    done = StepDone(1, 2, 0.5, 1234.0, 60.0, 0.41, 0, data_seconds=3.0, step_seconds=1.0)
    assert step_text(done) == "loss 0.5000, 1,234 tokens/s, 75% of the time waiting for data, MFU 41%, about 60 s left"
    assert "waiting" not in step_text(replace(done, data_seconds=0.01))


@pytest.mark.slow
@pytest.mark.parametrize("rates", [{"text": 1e-3}, {"projector": 1e-3}])
@pytest.mark.parametrize("recompute", ["none", "full"])
def test_the_operations_of_a_run_are_those_of_its_plan(tmp_path: Path, rates: dict[str, float], recompute: Any) -> None:
    """On samples of the very length that the plan takes for their mean."""
    folder = assemble(PLAN, tmp_path / "assembled", seed=stage().seed)
    length = len(encoded(folder, "told-translation", 1)[0].input_ids)
    data = (replace(entry("told-translation", samples=1), modality="text", tokens=length),)
    asked = recipe(stage(data=data, batch=1, micro_batch=1, steps=2, rates=rates, recompute=recompute))
    assert train(asked, tmp_path / "out", peak=1e9)
    assert_as_planned(asked, tmp_path / "out" / "2-vision")


def test_the_operations_of_a_tower_stage_are_those_of_its_plan(tmp_path: Path) -> None:
    asked = recipe(
        stage(name="tower", objective="patches", data=(entry("patches", samples=1),), rates={"vision": 1e-3}, steps=2)
    )
    assert train(asked, tmp_path / "out", peak=1e9)
    assert_as_planned(asked, tmp_path / "out" / "2-tower")


def assert_as_planned(asked: Any, folder: Path) -> None:
    """Operations, and an MFU that is theirs by the clock."""
    steps = read_metrics(folder)
    built = as_built(asked.model, trainee(folder / "model").model.config)  # its tokenizer found fewer tokens
    (planned,) = make_plan(replace(asked, model=built), Machine(gpus=1), folder).stages
    assert sum(step["operations"] for step in steps) == pytest.approx(planned.operations)
    for step in steps:
        assert step["mfu"] == pytest.approx(step["operations"] / (step["data_seconds"] + step["step_seconds"]) / 1e9)


def test_packed_samples_are_as_many_operations_as_padded_ones(tmp_path: Path) -> None:
    """Attention is counted by sample, and padding not at all."""
    folder, using = assembled(tmp_path), stage()
    samples = [*encoded(folder, "captions", 3), *encoded(folder, "told-translation", 4), *encoded(folder, "clip", 1)]
    model = as_built(replace(PLAN, sizes={}), trainee(folder).model.config)
    patches = (PLAN.image_size // PLAN.patch_size) ** 2
    each = sum(
        sample_operations(model, using, len(one.input_ids), patches * sum(len(v.pixels) for v in one.visuals))
        for one in samples
    )
    assert batch_operations(model, using, pad(samples, 0)) == pytest.approx(each)
    assert sum(batch_operations(model, using, one) for one in pack([samples], 0, 512, 2)) == pytest.approx(each)
