"""AdamW with a learning rate of its own for each part. Knows parts and rates; the loop sets the rates of a step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn

from tvbench.train.stages import Part, Stage


def make_optimizer(stage: Stage, trained: Mapping[Part, Sequence[tuple[str, nn.Parameter]]]) -> torch.optim.AdamW:
    """One or two groups a part: weight decay, where there is any, spares vectors (biases and norms)."""
    groups = []
    for part, named in trained.items():
        for matrices in (True, False):
            chosen = [parameter for _, parameter in named if (parameter.dim() > 1) == matrices]
            if chosen:
                decay = stage.weight_decay if matrices else 0.0
                groups.append({"params": chosen, "part": part, "top": stage.rates[part], "weight_decay": decay})
    return torch.optim.AdamW(groups, lr=0.0, betas=stage.betas, eps=stage.eps)


def set_rates(optimizer: torch.optim.Optimizer, factor: float) -> dict[str, float]:
    """Multiply every group's top rate by `factor`; the rates by part."""
    rates = {}
    for group in optimizer.param_groups:
        group["lr"] = group["top"] * factor
        rates[group["part"]] = group["lr"]
    return rates


def fill_gradients(optimizer: torch.optim.Optimizer) -> None:
    """A gradient for everybody: a weight that this step did not touch has a zero one, in every process alike."""
    for group in optimizer.param_groups:
        for parameter in group["params"]:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
