"""What may look at what: masks for rows that hold one sample each, or several packed ones.

A sample sees itself and nothing else of its row, causally, and in Gemma2's sliding layers no further back than the
window. A branch sees what its sample shares, and itself. Knows the columns of a batch, and how each attention
implementation wants to be told.
"""

from __future__ import annotations

from typing import Any

import torch

from tvbench.errors import UsageError
from tvbench.train import by_sample

ABLE = "use eager or eager_by_sample (CPU), flex_attention, or flash_attention_2 for data without branches (GPU)"


def attention_arguments(
    config: Any, segments: torch.Tensor, branches: torch.Tensor, positions: torch.Tensor, dtype: torch.dtype
) -> dict[str, Any]:
    """The keyword arguments of a text model's forward for the columns of a batch, [b, n] (segment 0 is padding).

    Raises UsageError for an implementation that would ignore the soft-cap or the segments.
    """
    implementation = config._attn_implementation
    columns = (segments, branches, positions)
    if implementation == "eager":
        return {"attention_mask": _masks(config, lambda window: additive_mask(*columns, window, dtype))}
    if implementation == by_sample.NAME:
        places = by_sample.sample_places(segments)
        own_segments, own_branches, own_positions = (by_sample.side_by_side(column, places) for column in columns)
        masks = _masks(config, lambda window: additive_mask(own_segments, own_branches, own_positions, window, dtype))
        return {"attention_mask": masks, "places": places}
    if implementation == "flex_attention":
        return {"attention_mask": _masks(config, lambda window: _block_mask(*columns, window))}
    if implementation == "flash_attention_2" and not bool(branches.any()):
        return {"attention_mask": _masks(config, lambda window: None), **_lengths(segments, positions)}
    said = f"attention '{implementation}' cannot train this: it ignores Gemma2's soft-cap, packed rows or branches"
    raise UsageError(said, ABLE)


def additive_mask(
    segments: torch.Tensor, branches: torch.Tensor, positions: torch.Tensor, window: int | None, dtype: torch.dtype
) -> torch.Tensor:
    """0 where a position may look, the lowest number elsewhere: [b, 1, n, n]. Padding looks at itself."""
    mask = torch.zeros(1, dtype=dtype, device=segments.device).expand(len(segments), *segments.shape[1:] * 2)
    return mask.masked_fill(~_allowed(segments, branches, positions, window), torch.finfo(dtype).min)[:, None]


def _allowed(
    segments: torch.Tensor, branches: torch.Tensor, positions: torch.Tensor, window: int | None
) -> torch.Tensor:
    order = torch.arange(segments.shape[1], device=segments.device)
    allowed = (order[:, None] >= order) & (segments[:, :, None] == segments[:, None, :])
    allowed &= (branches[:, None, :] == 0) | (branches[:, :, None] == branches[:, None, :])
    if window is not None:
        allowed &= positions[:, :, None] - positions[:, None, :] < window
    return allowed | (order[:, None] == order)


def _masks(config: Any, make: Any) -> Any:
    """One mask for models without sliding layers; for others one of each kind."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if "sliding_attention" not in kinds:
        return make(None)
    return {"full_attention": make(None), "sliding_attention": make(config.sliding_window)}


def _block_mask(segments: torch.Tensor, branches: torch.Tensor, positions: torch.Tensor, window: int | None) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    def allowed(b: torch.Tensor, h: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        # Nothing is changed in place: this is compiled.
        own = (branches[b, j] == 0) | (branches[b, i] == branches[b, j])
        near = own if window is None else own & (positions[b, i] - positions[b, j] < window)
        return ((i >= j) & (segments[b, i] == segments[b, j]) & near) | (i == j)

    rows, count = segments.shape
    return create_block_mask(allowed, rows, None, count, count, device=segments.device)


def _lengths(segments: torch.Tensor, positions: torch.Tensor) -> dict[str, Any]:
    """Cumulative lengths of all samples, row after row; a row's padding is a sample of its own that nobody reads."""
    starts = positions.flatten().eq(0)
    starts |= torch.nn.functional.pad(segments.flatten().diff().ne(0), (1, 0), value=True)
    edges = torch.cat((starts.nonzero().flatten(), torch.tensor([segments.numel()], device=segments.device)))
    longest = int(edges.diff().max())
    edges = edges.to(torch.int32)
    return {"cu_seq_lens_q": edges, "cu_seq_lens_k": edges, "max_length_q": longest, "max_length_k": longest}
