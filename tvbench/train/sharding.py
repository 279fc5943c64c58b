"""A model of which each process reads its own shards only: laid out without weights, shared out, then filled.

    bare_model   parameters without memory (meta), everything else as it is
    fill         after `parallel.shard`: of every tensor in the checkpoint the rows that are this process's

Knows LLaVA classes of transformers, checkpoints by canonical names, and how FSDP2 cuts: by rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.distributed.tensor import DTensor

from tvbench.checkpoints.tensors import HEAD, Weights, canonical
from tvbench.errors import EngineError
from tvbench.train.assembly import attentions, model_class


def bare_model(folder: Path, *, attention: str, tower: str) -> Any:
    """As `assembly.open_model` in float32, without the weights."""
    kind = model_class(folder)
    config = kind.config_class.from_pretrained(folder, local_files_only=True)
    with _weightless():
        return kind._from_config(config, dtype=torch.float32, attn_implementation=attentions(attention, tower))


def fill(model: nn.Module, folder: Path, device: torch.device) -> None:
    """Give a sharded bare model its weights. Raises EngineError for missing or left-over tensors."""
    places = {name: canonical(name) for name, _ in model.named_parameters(remove_duplicate=False)}
    with Weights(folder) as weights, torch.no_grad():
        differ = {name for name in places.values() if name != HEAD} ^ (weights.original.keys() - {HEAD})
        if differ:
            said = f"{folder}: {len(differ)} tensors are missing or left over, first {min(map(str, differ))}"
            raise EngineError(said, "`tvbench doctor` says what is wrong with it")
        filled: dict[int, nn.Parameter] = {}
        state = {}
        for name, parameter in model.named_parameters(remove_duplicate=False):
            if id(parameter) not in filled:  # embedding and head are one
                filled[id(parameter)] = nn.Parameter(
                    _own_rows(parameter, places[name] or "", weights, device), requires_grad=parameter.requires_grad
                )
            state[name] = filled[id(parameter)]
    model.load_state_dict(state, strict=False, assign=True)
    for module in model.modules():
        for name, buffer in module.named_buffers(recurse=False):
            setattr(module, name, buffer.to(device))


def _own_rows(parameter: Any, name: str, weights: Weights, device: torch.device) -> torch.Tensor:
    """What this process has of a sharded parameter, from the file."""
    mesh, local = parameter.device_mesh, parameter.to_local()
    share = -(-parameter.shape[0] // mesh.size())
    first = min(mesh.get_local_rank() * share, parameter.shape[0])
    rows = weights.span(name, first, first + local.shape[0]).float().to(device)
    if rows.shape != local.shape:
        raise EngineError(f"tensor {name} is of another shape than the model's", "is it the recipe's checkpoint?")
    return DTensor.from_local(
        rows, mesh, parameter.placements, run_check=False, shape=parameter.shape, stride=parameter.stride()
    )


@contextmanager
def _weightless() -> Iterator[None]:
    """Parameters that are made here have no memory; buffers have theirs."""
    register = nn.Module.register_parameter

    def without(module: nn.Module, name: str, parameter: nn.Parameter | None) -> None:
        if parameter is not None and not parameter.is_meta:  # one that is tied stays one
            parameter = nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)
        register(module, name, parameter)

    nn.Module.register_parameter = without
    try:
        yield
    finally:
        nn.Module.register_parameter = register
