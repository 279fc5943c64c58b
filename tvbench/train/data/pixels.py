"""Pictures and frames as the vision tower takes them: [tiles, 3, tile, tile], as bytes until they are on the device.

The same numbers as transformers' PIL image processors for LLaVA-NeXT and LLaVA-OneVision (bicubic, black padding,
thumbnail first; then rescaled and normalised by `Levels`), without their overhead for small pictures. Knows PIL and a
checkpoint's image processor file.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from tvbench.data.media.anyres import best_resolution, fitted


@dataclass(frozen=True, slots=True)
class Levels:
    """What a byte stands for, by channel: (byte * factor - mean) / deviation, as one product and one sum in float32,
    which are rounded alike on every device."""

    gain: tuple[float, ...]
    shift: tuple[float, ...]

    def of(self, pixels: torch.Tensor) -> torch.Tensor:
        """Bytes [..., 3, h, w] as float32, where they are."""
        gain, shift = (torch.tensor(values, device=pixels.device).view(-1, 1, 1) for values in (self.gain, self.shift))
        return pixels.float() * gain - shift


class Pixels:
    """`folder`: an assembled checkpoint, whose preprocessor_config.json gives mean, deviation, filter and grids."""

    def __init__(self, folder: Path, tile: int) -> None:
        stored: dict[str, Any] = json.loads((folder / "preprocessor_config.json").read_text(encoding="utf-8"))
        mean, deviation = (np.asarray(stored[name], dtype=np.float32) for name in ("image_mean", "image_std"))
        self.tile = tile
        self.resolutions: list[list[int]] = stored["image_grid_pinpoints"]
        self.filter = Image.Resampling(stored["resample"])
        gain, shift = np.float32(stored["rescale_factor"]) / deviation, mean / deviation
        self.levels = Levels(tuple(gain.tolist()), tuple(shift.tolist()))

    def square(self, picture: Image.Image) -> torch.Tensor:
        """The whole picture resized into one tile: [1, 3, tile, tile]."""
        return self._tensor([self._resized(picture, (self.tile, self.tile))])

    def tiles(self, picture: Image.Image) -> torch.Tensor:
        """The resized picture, then the tiles of its best grid, row by row: [1 + rows * columns, 3, tile, tile]."""
        size = (picture.height, picture.width)
        high, wide = best_resolution(size, self.resolutions)
        inner = fitted(size, (high, wide))
        canvas = self._resized(picture, inner)
        if inner != (high, wide):
            canvas = _centred(canvas, high, wide)
        cut = [
            canvas[top : top + self.tile, left : left + self.tile]
            for top in range(0, high, self.tile)
            for left in range(0, wide, self.tile)
        ]
        return self._tensor([self._resized(picture, (self.tile, self.tile)), *cut])

    def frames(self, frames: Sequence[Image.Image]) -> torch.Tensor:
        """Each frame resized into one tile: [frames, 3, tile, tile]."""
        return self._tensor([self._resized(frame, (self.tile, self.tile)) for frame in frames])

    def _resized(self, picture: Image.Image, size: tuple[int, int]) -> np.ndarray:
        if (picture.height, picture.width) != size:
            picture = picture.resize((size[1], size[0]), self.filter)
        return np.asarray(picture)

    def _tensor(self, tiles: Sequence[np.ndarray]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(np.stack(tiles).transpose(0, 3, 1, 2)))


def _centred(picture: np.ndarray, high: int, wide: int) -> np.ndarray:
    canvas = np.zeros((high, wide, 3), dtype=picture.dtype)
    top, left = (high - picture.shape[0]) // 2, (wide - picture.shape[1]) // 2
    canvas[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
    return canvas
