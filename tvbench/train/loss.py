"""The loss: next-token cross-entropy with Gemma2's final soft-cap, on supervised positions only.

Our own, because transformers' LLaVA classes drop the soft-cap (their `.loss` is another number), and because logits of
every position would be 8 GB at Gemma2's vocabulary and 8,192 tokens. Knows tensors, no model and no data.
"""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

IGNORED = -100
"""The label of a position that is not trained."""
CHUNK = 2048
"""Supervised positions whose logits are in memory together."""


def supervised(labels: torch.Tensor) -> torch.Tensor:
    """Which positions of `labels` [b, n] are predicted: all but the first of a row that are not IGNORED. [b, n]"""
    mask = labels != IGNORED
    mask[:, 0] = False
    return mask


def soft_capped_loss(
    hidden: torch.Tensor,
    head: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor,
    cap: float | None,
    *,
    chunk: int = CHUNK,
) -> torch.Tensor:
    """The sum of weight x cross-entropy over supervised positions: a scalar in float32.

    hidden [b, n, h], head [v, h], labels and weights [b, n]; position i is predicted from position i - 1. Logits are
    `cap * tanh(x / cap)` (Gemma 2, arXiv 2408.00118, section 2). They are computed `chunk` positions at a time and
    again in the backward pass. No supervised position gives 0 that still reaches `hidden`.
    """
    mask = supervised(labels)
    before = mask.roll(-1, dims=1)
    states, targets, factors = hidden[before], labels[mask], weights[mask]
    total = states.sum() * 0.0
    for start in range(0, len(targets), chunk):
        part = slice(start, start + chunk)
        total = total.float() + checkpoint(
            _chunk_loss, states[part], head, targets[part], factors[part], cap, use_reentrant=False
        )
    return total.float()


def _chunk_loss(
    states: torch.Tensor, head: torch.Tensor, targets: torch.Tensor, factors: torch.Tensor, cap: float | None
) -> torch.Tensor:
    losses = cross_entropy(capped(states @ head.T, cap), targets, reduction="none")
    return (losses * factors).sum()


def capped(logits: torch.Tensor, cap: float | None) -> torch.Tensor:
    """Logits in float32 after the soft-cap; None: no cap."""
    logits = logits.float()
    return logits if cap is None else cap * torch.tanh(logits / cap)
