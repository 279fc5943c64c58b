"""What may look at what: masks for rows that hold one sample each, or several packed ones.

A sample sees itself and nothing else of its row, causally, and in Gemma2's sliding layers no further back than the
window. Knows positions and segments of a batch, and how each attention implementation wants to be told.
"""

from __future__ import annotations

from typing import Any

import torch

from tvbench.errors import UsageError


def attention_arguments(
    config: Any, segments: torch.Tensor, positions: torch.Tensor, dtype: torch.dtype
) -> dict[str, Any]:
    """The keyword arguments of a text model's forward for `segments` and `positions` [b, n] (segment 0 is padding).

    Raises UsageError for an implementation that would ignore the soft-cap or the segments.
    """
    implementation = config._attn_implementation
    if implementation == "eager":
        return {"attention_mask": _masks(config, lambda window: additive_mask(segments, positions, window, dtype))}
    if implementation == "flex_attention":
        return {"attention_mask": _masks(config, lambda window: _block_mask(segments, positions, window))}
    if implementation == "flash_attention_2":
        return {"attention_mask": _masks(config, lambda window: None), **_lengths(segments, positions)}
    raise UsageError(
        f"attention '{implementation}' cannot train this model: it ignores Gemma2's attention soft-cap or packed rows",
        "use eager (CPU), flash_attention_2 or flex_attention (GPU)",
    )


def additive_mask(
    segments: torch.Tensor, positions: torch.Tensor, window: int | None, dtype: torch.dtype
) -> torch.Tensor:
    """0 where a position may look, the lowest number elsewhere: [b, 1, n, n]. Padding looks at itself."""
    mask = torch.zeros(1, dtype=dtype, device=segments.device).expand(len(segments), *segments.shape[1:] * 2)
    return mask.masked_fill(~_allowed(segments, positions, window), torch.finfo(dtype).min)[:, None]


def _allowed(segments: torch.Tensor, positions: torch.Tensor, window: int | None) -> torch.Tensor:
    count = segments.shape[1]
    order = torch.arange(count, device=segments.device)
    same = segments[:, :, None] == segments[:, None, :]
    distance = order[:, None] - order[None, :]
    near = distance >= 0 if window is None else (distance >= 0) & (distance < window)
    return (same & near) | (distance == 0)


def _masks(config: Any, make: Any) -> Any:
    """One mask for models without sliding layers; for others one of each kind."""
    kinds = set(getattr(config, "layer_types", None) or ["full_attention"])
    if "sliding_attention" not in kinds:
        return make(None)
    return {"full_attention": make(None), "sliding_attention": make(config.sliding_window)}


def _block_mask(segments: torch.Tensor, positions: torch.Tensor, window: int | None) -> Any:
    from torch.nn.attention.flex_attention import create_block_mask

    def allowed(b: torch.Tensor, h: torch.Tensor, i: torch.Tensor, j: torch.Tensor) -> torch.Tensor:
        near = (i >= j) if window is None else (i >= j) & (i - j < window)
        return ((segments[b, i] == segments[b, j]) & near) | (i == j)

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
