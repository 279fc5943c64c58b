"""Tokens a second of the training loop against a bare PyTorch loop on the same batches, and packed against padded.

    python benchmarks/train.py [--rounds 5] [--steps 12] [--threads 1]

All of it in one process, alternating, so that a busy machine slows everybody alike: read the ratios. The bare loop does
what any must (forward, backward, clip, AdamW); ours adds rates, weights, metrics, events and the feed, whose samples
are prepared by a worker process. Packed and padded learn from the same samples in batches of mixed kinds and lengths.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from tvbench.train.assembly import assemble, open_model, vision_scale
from tvbench.train.attention_choice import attention_of
from tvbench.train.data.corpora import Mixed
from tvbench.train.data.encode import Encoder
from tvbench.train.data.steps import feed
from tvbench.train.loop import Loop
from tvbench.train.model import VisionLanguageTrainee, freeze_all_but
from tvbench.train.optimizer import make_optimizer
from tvbench.train.parallel import World
from tvbench.train.recipe import load_recipe
from tvbench.train.record import Record
from tvbench.train.stages import Stage

ALONE = World(0, 1, torch.device("cpu"))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=12, help="optimizer steps a round; the first is not counted")
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    recipe = load_recipe("mini", settings=["batch=32", "micro_batch=16", f"steps={args.steps}", "save_every=1e9"])
    stage = next(stage for stage in recipe.stages if stage.name == "vision")
    packed = replace(stage, packing=True, max_length=512)
    with tempfile.TemporaryDirectory() as folder:
        model = assemble(recipe.model, Path(folder) / "model", seed=0)
        ratios: dict[str, list[float]] = {"loop / bare": [], "packed / padded, samples a second": []}
        for number in range(args.rounds):
            bare = bare_loop(model, stage)
            ours = our_loop(model, stage, Path(folder) / f"run-{number}")
            dense = our_loop(model, packed, Path(folder) / f"packed-{number}")
            ratios["loop / bare"].append(ours[0] / bare[0])
            ratios["packed / padded, samples a second"].append(dense[1] / ours[1])
            print(f"round {number + 1}: bare {bare[0]:,.0f}, loop {ours[0]:,.0f}, packed {dense[0]:,.0f} tokens/s")
        for name, values in ratios.items():
            print(f"{name}: median {statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})")


def trainee_of(model: Path, stage: Stage) -> tuple[VisionLanguageTrainee, torch.optim.Optimizer]:
    """The model and its optimizer."""
    attention = attention_of(stage, ALONE.device)
    opened = open_model(model, attention=attention.text, tower=attention.tower)
    trainee = VisionLanguageTrainee(opened, vision_scale(model))
    return trainee, make_optimizer(stage, freeze_all_but(trainee, stage.rates))


def batches(model: Path, stage: Stage) -> Iterator[list[Any]]:
    """The stage's own feed."""
    return feed(Mixed(stage.data), Encoder(model, stage), stage, ALONE, 0, stage.steps or 1)


def bare_loop(model: Path, stage: Stage) -> tuple[float, float]:
    """Tokens and samples a second of the least that can be done with batches that lie ready."""
    trainee, optimizer = trainee_of(model, stage)
    ready = list(batches(model, stage))
    for group in optimizer.param_groups:
        group["lr"] = group["top"]
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    spent = 0.0
    for step, micro in enumerate(ready):
        began = time.perf_counter()
        for batch in micro:
            trainee(batch).backward()
        torch.nn.utils.clip_grad_norm_(parameters, stage.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        spent += (time.perf_counter() - began) * (step > 0)
    counted = [batch for micro in ready[1:] for batch in micro]
    return sum(batch.tokens for batch in counted) / spent, sum(batch.samples for batch in counted) / spent


def our_loop(model: Path, stage: Stage, folder: Path) -> tuple[float, float]:
    """Tokens and samples a second of the loop, from the end of its first step to that of its last, feed included."""
    trainee, optimizer = trainee_of(model, stage)
    times: list[float] = []
    counted: list[Any] = []

    def fed(start: int) -> Iterator[list[Any]]:
        for micro in batches(model, stage):
            counted.append(micro)
            yield micro

    loop = Loop(
        stage,
        (stage.steps or 1) + 1,
        trainee,
        optimizer,
        fed,
        folder,
        "benchmark",
        ALONE,
        on_step=lambda done: times.append(time.perf_counter()),
    )
    with Record(folder, after=0, log_every=10) as loop.record:
        loop.run()
    spent = times[-1] - times[0]
    late = [batch for micro in counted[1:] for batch in micro]
    return sum(batch.tokens for batch in late) / spent, sum(batch.samples for batch in late) / spent


if __name__ == "__main__":
    main()
