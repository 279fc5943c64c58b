"""Two processes over gloo against one: the same steps, and checkpoints that either can go on from."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from repository import ROOT
from safetensors.torch import load_file
from training import PLAN, entry, recipe, stage
from transformers import AutoConfig

from tvbench.train.memory import GRADIENT, WEIGHT
from tvbench.train.operations import as_built
from tvbench.train.record import read_metrics
from tvbench.train.session import train
from tvbench.train.shapes import parameters

pytestmark = pytest.mark.slow

SCRIPT = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from training import entry, recipe, stage
from tvbench.train.loop import StepDone
from tvbench.train.session import train

def stop(event):
    if isinstance(event, StepDone) and event.step == int(sys.argv[3]):
        os.kill(os.getpid(), signal.SIGTERM)

fields = {"loss_norm": sys.argv[4], "packing": sys.argv[5] == "packed"}
if sys.argv[5] == "small":  # 8 micro-batches a step
    fields["micro_batch"] = 1
if sys.argv[5] == "partial":  # 11 samples: 8 in a step, 3 in the next, of which one process has 1
    fields |= {"data": (entry("questions", samples=11),), "micro_batch": 2}
train(recipe(stage(steps=4, save_every=0.25, **fields)), Path(sys.argv[1]), resume=True, on_event=stop)
"""
STEPS = 4


WATCHED = """
import gc, json, os, sys
from pathlib import Path
import torch
from tvbench.train.model import VisionLanguageTrainee

held, forward = [], VisionLanguageTrainee.forward

def living():
    found = {}
    for one in gc.get_objects():
        if issubclass(type(one), torch.Tensor):
            for tensor in (one, one.grad if one.is_leaf else None):
                storage = None if tensor is None else getattr(tensor, "_local_tensor", tensor).untyped_storage()
                if storage is not None:
                    found[storage.data_ptr()] = storage.nbytes()
    return sum(found.values())

# What is read before the first micro-batch, and what there is while a stage is written.
from tvbench.checkpoints.tensors import Weights
from tvbench.train import export, session

read, written, rows, opening, gathering = [], [], Weights.span, session.open_model, export.whole

def counted_rows(weights, *words):
    part = rows(weights, *words)
    read.append(part.nbytes)
    return part

def opened(*words, **more):
    model = opening(*words, **more)
    read.append(sum(one.nbytes for one in model.parameters()))
    return model

def gathered(tensor):
    written.append(living())
    Path(sys.argv[1]).joinpath(f"written-{os.environ['RANK']}.json").write_text(json.dumps(written))
    return gathering(tensor)

Weights.span, session.open_model, export.whole = counted_rows, opened, gathered

def counted(trainee, batch):
    if not held:
        Path(sys.argv[1]).joinpath(f"read-{os.environ['RANK']}.json").write_text(json.dumps(sum(read)))
    held.append(living())
    Path(sys.argv[1]).joinpath(f"held-{os.environ['RANK']}.json").write_text(json.dumps(held))
    return forward(trainee, batch)

VisionLanguageTrainee.forward = counted
"""
"""Counts the bytes of all tensors at the beginning of each micro-batch."""


def run(
    output: Path, processes: int, *, until: int = 0, norm: str = "microbatch", packing: str = "padded", before: str = ""
) -> None:
    """Train with torchrun on loopback; `until`: stop after that step; `before`: run first in each process."""
    script = output.parent / "script.py"
    script.write_text(before + SCRIPT)
    words = [
        sys.executable,
        "-m",
        "torch.distributed.run",
        "--standalone",
        f"--nproc-per-node={processes}",
        str(script),
        str(output),
        str(ROOT / "tests" / "support"),
        str(until),
        norm,
        packing,
    ]
    done = subprocess.run(
        words,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 0, done.stderr[-3000:]


def alone(output: Path, norm: str = "microbatch", packing: str = "padded") -> None:
    """The same in this process."""
    fields: dict[str, Any] = {"loss_norm": norm, "packing": packing == "packed"}
    if packing == "small":
        fields["micro_batch"] = 1
    if packing == "partial":
        fields |= {"data": (entry("questions", samples=11),), "micro_batch": 2}
    assert train(recipe(stage(steps=STEPS, save_every=0.25, **fields)), output)


def assert_alike(one: Path, other: Path) -> None:
    """Losses, gradient norms and final weights agree to what float32 sums in another order leave."""
    curves = [
        [(step["loss"], step["gradient_norm"]) for step in read_metrics(output / "2-vision")] for output in (one, other)
    ]
    assert len(curves[0]) == len(curves[1]) == STEPS
    for first, second in zip(*curves, strict=True):
        assert first == pytest.approx(second, rel=1e-4)
    first, second = (load_file(output / "2-vision" / "model" / "model.safetensors") for output in (one, other))
    for name in first:
        torch.testing.assert_close(first[name], second[name], atol=2e-4, rtol=1e-3, msg=name)


@pytest.mark.parametrize(
    ("norm", "packing"), [("microbatch", "padded"), ("global_tokens", "packed"), ("microbatch", "partial")]
)
def test_two_processes_learn_what_one_does(tmp_path: Path, norm: str, packing: str) -> None:
    alone(tmp_path / "one", norm, packing)
    run(tmp_path / "two", 2, norm=norm, packing=packing)
    assert_alike(tmp_path / "one", tmp_path / "two")


def test_what_two_began_one_finishes(tmp_path: Path) -> None:
    alone(tmp_path / "one")
    run(tmp_path / "mixed", 2, until=2)
    assert len(read_metrics(tmp_path / "mixed" / "2-vision")) == 2
    assert train(recipe(stage(steps=STEPS, save_every=0.25)), tmp_path / "mixed", resume=True)
    assert_alike(tmp_path / "one", tmp_path / "mixed")


def noted(output: Path, name: str, rank: int) -> Any:
    """What a watched process wrote down."""
    return json.loads((output / f"{name}-{rank}.json").read_text())


def test_nobody_reads_holds_or_gathers_what_is_others(tmp_path: Path) -> None:
    """Each process reads its shards; between the four micro-batches of a step it has its shards of what was reduced,
    and nothing else; and while the stage is written one tensor of all."""
    alone(tmp_path / "one", packing="small")
    run(tmp_path / "two", 2, packing="small", before=WATCHED)
    assert_alike(tmp_path / "one", tmp_path / "two")
    whole = parameters(built_plan(tmp_path / "two" / "assembled"))
    for rank in (0, 1):
        assert noted(tmp_path / "two", "read", rank) == pytest.approx(WEIGHT * whole.total / 2, rel=0.02)
        begin, *between = noted(tmp_path / "two", "held", rank)[4:8]  # of the second step: moments are there by then
        assert between == pytest.approx([begin + GRADIENT * whole.total / 2] * 3, rel=0.03)
    written = noted(tmp_path / "two", "written", 1)
    assert max(written) - written[0] <= 2 * WEIGHT * whole.embedding < WEIGHT * whole.total


def built_plan(folder: Path) -> Any:
    """The model's plan with its real sizes."""
    return as_built(PLAN, AutoConfig.from_pretrained(folder))


WAITING = """
import datetime, os, sys, time
import torch.distributed as dist
from tvbench.train.parallel import world

begin = dist.init_process_group
dist.init_process_group = lambda backend: begin(backend, timeout=datetime.timedelta(seconds=1))
with world() as here:
    if here.first:
        time.sleep(3)
    here.wait()
    print("together", flush=True)
    if here.first:
        os._exit(3)
    here.wait()
"""


def test_the_others_wait_as_long_as_the_first_works_and_notice_when_it_is_dead() -> None:
    """Longer than the limit of a message; a dead one's connection is closed."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    given = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
        "WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    both = [
        subprocess.Popen(
            [sys.executable, "-c", WAITING],
            env={**given, "RANK": str(rank)},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        for rank in (0, 1)
    ]
    (first, _), (second, error) = (one.communicate(timeout=200) for one in both)
    assert (first, second) == ("together\n", "together\n")
    assert both[0].returncode == 3 and both[1].returncode == 1 and "RuntimeError" in error
