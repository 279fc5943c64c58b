"""The frames of one clip as they are handed over: one array, made when the size of the first frame is known.

Frames larger than anybody shows are shrunk, and it is said. Knows no decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image
from PIL.Image import Resampling

from tvbench.data.media.images import shrunk

CLIP_BYTES = 256 << 20
"""Of a clip's frames as they are handed over. Larger ones are shrunk: to 2.8 million pixels each where there are 32."""


class Canvas:
    """`frames` rows for the clip `name`, each `size` x `size` pixels where that is given.

    `admit` is told how many bytes the array will take, before there is one, and may wait."""

    def __init__(self, name: str, frames: int, size: int | None, admit: Callable[[int], None]) -> None:
        self.name = name
        self.frames = frames
        self.notes: list[str] = []
        self._size = size
        self._admit = admit
        self._array: np.ndarray | None = None

    @property
    def array(self) -> np.ndarray:
        """uint8 (frames, height, width, 3). Only after the first `put`."""
        assert self._array is not None
        return self._array

    def put(self, rows: Iterable[int], image: Image.Image) -> None:
        """Show `image` in these rows, resized by bicubic where it has another size than the first or is to have."""
        if self._array is None:
            width, height = self._shown(image.size)
            self._admit(3 * self.frames * width * height)
            self._array = np.empty((self.frames, height, width, 3), dtype=np.uint8)
        shape = (self._array.shape[2], self._array.shape[1])
        fitted = image if image.size == shape else image.resize(shape, Resampling.BICUBIC)
        for row in rows:
            self._array[row] = np.asarray(fitted, dtype=np.uint8)

    def copy(self, row: int, source: int) -> None:
        """Show in `row` what `source` shows."""
        self.array[row] = self.array[source]

    def _shown(self, found: tuple[int, int]) -> tuple[int, int]:
        """The (width, height) of all frames, with a note where we chose it."""
        if self._size is not None:
            return self._size, self._size
        small = shrunk(found, max(1, CLIP_BYTES // (3 * self.frames)))
        if small != found:
            sizes = f"{found[0]} x {found[1]} were resized to {small[0]} x {small[1]}"
            self.notes.append(f"{self.name}: {self.frames} frames of {sizes}")
        return small
