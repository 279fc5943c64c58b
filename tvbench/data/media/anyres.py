"""AnyRes, the tiling of LLaVA-NeXT: which grid a picture gets, and how many rows it takes in the model's input.

Pure arithmetic in (height, width), as transformers has it. Knows no picture and no tensor.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Size = tuple[int, int]
"""Height and width, in pixels or tiles."""


def grids(most_tiles: int) -> list[Size]:
    """Every rows x columns of at most `most_tiles` tiles, by their number, as TowerVision lists them: 14 for 6."""
    return [
        (rows, count // rows) for count in range(1, most_tiles + 1) for rows in range(1, count + 1) if count % rows == 0
    ]


def pinpoints(most_tiles: int, tile: int) -> list[list[int]]:
    """`image_grid_pinpoints`: the grids in pixels."""
    return [[rows * tile, columns * tile] for rows, columns in grids(most_tiles)]


def best_resolution(size: Size, resolutions: Sequence[Sequence[int]]) -> Size:
    """The resolution that keeps most of the picture's pixels, and of those the one that wastes least."""
    height, width = size
    best, most, least = (0, 0), 0, math.inf
    for high, wide in resolutions:
        scale = min(wide / width, high / height)
        kept = min(int(width * scale) * int(height * scale), width * height)
        waste = wide * high - kept
        if kept > most or (kept == most and waste < least):
            best, most, least = (high, wide), kept, waste
    return best


def fitted(size: Size, resolution: Size) -> Size:
    """The picture's size when it is made to fit into `resolution` without changing its shape."""
    height, width = size
    high, wide = resolution
    if wide / width < high / height:
        return min(math.ceil(height * (wide / width)), high), wide
    return high, min(math.ceil(width * (high / height)), wide)


def unpadded(size: Size, patches: Size) -> Size:
    """The part of a grid of `patches` (rows, columns) that shows the picture and not its padding."""
    height, width = size
    rows, columns = patches
    if width / height > columns / rows:
        return rows - (rows - int(round(height * (columns / width), 7))) // 2 * 2, columns
    return rows, columns - (columns - int(round(width * (rows / height), 7))) // 2 * 2


def picture_rows(
    size: Size, resolutions: Sequence[Sequence[int]], tile: int, side: int, downsampled_above: int | None = None
) -> int:
    """Input rows of one picture: the thumbnail's patches, then the unpadded grid's with a newline each row.

    `tile` in pixels, `side` patches a tile's side. `downsampled_above`: LLaVA-OneVision shrinks grids of more than so
    many tiles' patches (`anyres_max_9`: 9), by more than a tenth.
    """
    high, wide = best_resolution(size, resolutions)
    rows, columns = unpadded(size, (side * high // tile, side * wide // tile))
    if downsampled_above is not None:
        ratio = math.sqrt(rows * columns / (downsampled_above * side**2))
        if ratio > 1.1:
            rows, columns = int(rows // ratio), int(columns // ratio)
    return side**2 + rows * (columns + 1)


def clip_rows(frames: int, side: int, *, newline: bool = True) -> int:
    """Input rows of one clip: each frame's patches pooled 2x2, and one newline at the end."""
    return int(frames * math.ceil(side / 2) ** 2 + newline)
