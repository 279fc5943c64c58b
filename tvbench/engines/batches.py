"""Requests that may be computed together, and tensors with further tokens behind them. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tvbench.engines.inputs import EncodedRequest

if TYPE_CHECKING:
    import torch


def take_alike(pool: list[EncodedRequest], size: int) -> list[EncodedRequest]:
    """Takes a batch out of `pool`: the one that has waited longest, and those that may share a batch with it and are
    nearest to it in length; the longest first."""
    oldest = pool[0]
    alike = [item for item in pool if group(item) == group(oldest)]
    batch = sorted(alike, key=lambda item: abs(item.length - oldest.length))[:size]
    taken = {id(item) for item in batch}
    pool[:] = [item for item in pool if id(item) not in taken]
    return sorted(batch, key=lambda item: -item.length)


def group(item: EncodedRequest) -> tuple[bool, tuple[int, ...]]:
    """Equal for requests that may be computed together."""
    return item.prepared.request.continuation is not None, item.kind


def append_right(
    tensors: dict[str, torch.Tensor], wanted: Sequence[Sequence[int]], longest: int
) -> dict[str, torch.Tensor]:
    """A left-padded batch with each row's `wanted` ids behind it, padded on the right to `longest`."""
    import torch

    ids = tensors["input_ids"]
    tail = torch.zeros((len(wanted), longest), dtype=ids.dtype)
    mask = torch.zeros_like(tail)
    for row, tokens in enumerate(wanted):
        tail[row, : len(tokens)] = torch.tensor(list(tokens))
        mask[row, : len(tokens)] = 1
    extended = dict(tensors)
    extended["input_ids"] = torch.cat([ids, tail.to(ids.device)], dim=1)
    extended["attention_mask"] = torch.cat([tensors["attention_mask"], mask.to(ids.device)], dim=1)
    for name in ("token_type_ids", "mm_token_type_ids"):
        if name in tensors:
            extended[name] = torch.cat([tensors[name], torch.zeros_like(tail).to(ids.device)], dim=1)
    return extended
