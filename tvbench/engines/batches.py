"""Requests that may be computed together, and tensors with further tokens behind them. Knows no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tvbench.engines.inputs import EncodedRequest

if TYPE_CHECKING:
    import torch


def batches(items: Sequence[EncodedRequest], size: int) -> Iterator[list[EncodedRequest]]:
    """Items that may share a batch, longest first (so that too little memory shows early)."""

    def group(item: EncodedRequest) -> tuple[bool, tuple[int, ...]]:
        return item.prepared.request.continuation is not None, item.kind

    ordered = sorted(items, key=lambda item: (group(item), -item.length))
    batch: list[EncodedRequest] = []
    for item in ordered:
        if batch and (len(batch) == size or group(item) != group(batch[0])):
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


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
