"""One process, or several: who we are among them, and how the model is shared out (FSDP2).

`torchrun` sets the environment; without it there is one process and nothing is wrapped. On GPUs NCCL, on CPUs gloo.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from tvbench.errors import UsageError
from tvbench.train.model import layers_of

PATIENCE = timedelta(days=7)
"""How long a process waits for others that have work of their own. Messages of the training itself have torch's limit,
ten minutes with NCCL."""


@dataclass(frozen=True, slots=True)
class World:
    """This process among `size` of them; `device` is where it computes."""

    rank: int
    size: int
    device: torch.device
    waiting: Any = None
    """The group that `wait` waits in."""

    @property
    def first(self) -> bool:
        return self.rank == 0

    def sum(self, value: float) -> float:
        """The sum of everybody's `value`."""
        if self.size == 1:
            return value
        tensor = torch.tensor(value, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return float(tensor)

    def wait(self) -> None:
        """Until everybody is here, however long one of them assembles or writes a model. Raises where one has died:
        its connection is closed then."""
        if self.size > 1:
            dist.barrier(group=self.waiting)


@contextmanager
def world() -> Iterator[World]:
    """Join the processes that torchrun started, and leave them at the end."""
    size = int(os.environ.get("WORLD_SIZE", "1"))
    gpu = torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if gpu else torch.device("cpu")
    if gpu:
        torch.cuda.set_device(device)
    if size == 1:
        yield World(0, 1, device)
        return
    dist.init_process_group("nccl" if gpu else "gloo")
    try:
        yield World(dist.get_rank(), size, device, dist.new_group(backend="gloo", timeout=PATIENCE))
    finally:
        dist.destroy_process_group()


def shares(batch: int, micro_batch: int, size: int) -> int:
    """Micro-batches of each process in a step. Raises UsageError unless they come out even."""
    if batch % (micro_batch * size):
        raise UsageError(
            f"a batch of {batch} samples does not divide into {size} processes with micro-batches of {micro_batch}",
            f"--set batch=N with N a multiple of {micro_batch * size}, or another micro_batch",
        )
    return batch // (micro_batch * size)


def shard(trainee: nn.Module, world: World, *, bfloat16: bool) -> None:
    """Share parameters, gradients and optimizer states out over all processes, layer by layer.

    The root unit holds embedding and head together, because they are tied. Gradients are averaged in float32.
    """
    if world.size == 1:
        return
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16 if bfloat16 else torch.float32, reduce_dtype=torch.float32)
    mesh = dist.device_mesh.init_device_mesh(world.device.type, (world.size,))
    for layer in layers_of(trainee):
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(trainee, mesh=mesh, mp_policy=policy)


def whole(tensor: Any) -> torch.Tensor:
    """A tensor as one process would hold it: shards put together."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def own(tensor: Any) -> torch.Tensor:
    """This process's shard of a tensor."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor
