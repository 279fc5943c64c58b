"""From pixels to the rows that stand at a conversation's image marks.

One pass of the tower over all tiles of a batch, the projector, the explicit `vision_scale`, and per picture or clip the
layout that the model class uses when it answers (AnyRes with newlines, one square, pooled frames). Knows the LLaVA
classes of transformers; no loss and no data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from tvbench.train.data.encode import Visual


def visual_rows(model: Any, visuals: Sequence[Visual], scale: float) -> torch.Tensor:
    """All rows of `visuals` in order: [sum of their `rows`, hidden]. `model` is the inner LLaVA model.

    `scale` multiplies projected rows and newline, as Gemma2 did with all input rows in transformers before 5.4.
    """
    device = model.image_newline.device
    pixels = torch.cat([visual.on(device) for visual in visuals])
    projected = project(model, pixels) * scale
    newline = model.image_newline * scale
    pieces = projected.split([len(visual.pixels) for visual in visuals])
    return torch.cat([_laid_out(model, visual, piece, newline) for visual, piece in zip(visuals, pieces, strict=True)])


def project(model: Any, pixels: torch.Tensor) -> torch.Tensor:
    """Tiles [t, 3, s, s] through tower and projector: [t, patches, hidden], not scaled."""
    dtype = next(model.vision_tower.parameters()).dtype
    layers = model.vision_tower(pixels.to(dtype), output_hidden_states=True).hidden_states
    return model.multi_modal_projector(layers[model.config.vision_feature_layer])


def empty_rows(model: Any) -> torch.Tensor:
    """A zero that depends on every weight of the image path.

    Added where a micro-batch has no picture, so that all processes take part in the same collectives and every
    trained weight always has a gradient.
    """
    size = model.config.vision_config.image_size
    pixels = torch.zeros(1, 3, size, size, device=model.image_newline.device)
    return (project(model, pixels).sum() + model.image_newline.sum()) * 0.0


def _laid_out(model: Any, visual: Visual, rows: torch.Tensor, newline: torch.Tensor) -> torch.Tensor:
    """Rows of one picture or clip, from [tiles or frames, patches, hidden]."""
    if visual.layout == "flat":
        return rows[0]
    if visual.layout == "anyres":
        return _anyres(model, visual, rows, newline)
    pooled = _pooled(rows).flatten(0, 1)
    return torch.cat((pooled, newline[None].to(rows))) if visual.rows > len(pooled) else pooled


def _anyres(model: Any, visual: Visual, rows: torch.Tensor, newline: torch.Tensor) -> torch.Tensor:
    """By the class's own function: what is trained is what will be asked."""
    sizes = torch.tensor([visual.size])
    if model.config.model_type == "llava_onevision":
        ratio = model.config.vision_aspect_ratio
        packed, _ = model.pack_image_features([rows], sizes, image_newline=newline, vision_aspect_ratio=ratio)
    else:
        packed, _ = model.pack_image_features([rows], sizes, "full", image_newline=newline)
    return packed[0]


def _pooled(rows: torch.Tensor) -> torch.Tensor:
    """Frames [f, g * g, hidden] to [f, ceil(g / 2) ** 2, hidden], bilinear, as LLaVA-OneVision does it."""
    frames, patches, hidden = rows.shape
    side = math.isqrt(patches)
    grid = rows.view(frames, side, side, hidden).permute(0, 3, 1, 2)
    half = math.ceil(side / 2)
    pooled = torch.nn.functional.interpolate(grid, size=(half, half), mode="bilinear")
    return pooled.permute(0, 2, 3, 1).reshape(frames, half * half, hidden)
