"""Eager attention for packed rows: each sample's queries meet its own keys alone, not the whole row.

A mask over a packed row computes n x n scores and throws most of them away. Here the samples of all rows are laid side
by side as padding would, [s, l], for the attention only; all else of the model works on the packed rows. This is what
FlashAttention's cumulative lengths and flex attention's block masks do on a GPU. Knows transformers' registry.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers import AttentionInterface
from transformers.models.gemma2.modeling_gemma2 import eager_attention_forward

NAME = "eager_by_sample"


def sample_places(segments: torch.Tensor) -> torch.Tensor:
    """Where each sample's tokens stand in the flattened rows [b * n]: [samples, longest], -1 behind a sample's end.

    `segments` [b, n]: equal numbers stand together, 0 is padding and belongs to no sample.
    """
    flat = segments.flatten()
    changes = torch.ones_like(segments, dtype=torch.bool)
    changes[:, 1:] = segments.diff(dim=1) != 0
    begins = changes.flatten().nonzero().flatten()
    ends = torch.cat((begins[1:], begins.new_tensor([flat.numel()])))
    begins, ends = begins[flat[begins] > 0], ends[flat[begins] > 0]
    longest = int((ends - begins).max()) if len(begins) else 0
    places = begins[:, None] + torch.arange(longest, device=segments.device)
    return places.masked_fill(places >= ends[:, None], -1)


def side_by_side(column: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
    """A batch's column [b, n] as [samples, longest]; 0 behind a sample's end."""
    return column.flatten()[places.clamp_min(0)].masked_fill(places < 0, 0)


def eager_by_sample(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    *,
    places: torch.Tensor,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """As transformers' eager attention (Gemma2's, soft-cap and all): heads [b, h, n, d] in, [b, n, h, d] out.

    `attention_mask` [samples, 1, longest, longest] and `places` are those of the samples. What stands at no sample's
    place is zero.
    """
    rows, heads, count, width = query.shape
    index = places.clamp_min(0)
    own = [tensor.transpose(1, 2).flatten(0, 1)[index].transpose(1, 2) for tensor in (query, key, value)]
    found, _ = eager_attention_forward(module, *own, attention_mask, **others)
    inside = places >= 0
    back = found.new_zeros(rows * count, heads, width).index_put((places[inside],), found[inside])
    return back.view(rows, count, heads, width), None


AttentionInterface.register(NAME, eager_by_sample)
