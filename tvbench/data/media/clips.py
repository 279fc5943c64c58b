"""What a decoded medium is: a picture of PIL's, or the frames of a clip. Opens nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from PIL import Image


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Clip:
    """Decoded frames of a video: uint8 array of shape (frames, height, width, 3), RGB.

    `times` are the frames' positions in seconds, `duration` the clip's length in seconds.
    """

    frames: np.ndarray
    times: tuple[float, ...] = ()
    duration: float | None = None


Decoded: TypeAlias = "Image.Image | Clip"
