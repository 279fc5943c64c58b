"""Scenes as pictures (PNG) and clips (mp4). The same scene gives the same bytes under the same pinned versions.

An icon is a list of filled figures in a unit square, ink or hole, one after the other; edges are smoothed by drawing
four times as large. Knows the world; no question and no language.
"""

from __future__ import annotations

import ctypes
import io
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from functools import lru_cache
from threading import Lock
from typing import TYPE_CHECKING, Literal, TypeAlias

from tvbench.mini.world import Film, Placed, Scene

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image

PALETTE = {
    "red": (214, 30, 36),
    "blue": (28, 64, 214),
    "green": (20, 140, 50),
    "yellow": (250, 215, 20),
    "black": (12, 12, 12),
    "white": (250, 250, 250),
}
SMOOTHING = 4
FRAMES_A_SECOND = 4
QUALITY = 12
"""x264's constant rate factor: colours and edges survive."""
ENCODING = Lock()
"""One clip at a time, see `zeroed`."""
M_PERTURB, TO_ZERO = -6, 255
"""glibc's setting for what is in memory that is handed out: the complement of a byte."""

Ink: TypeAlias = tuple[int, int, int]
Points: TypeAlias = tuple[tuple[float, float], ...]
Figure: TypeAlias = tuple[Literal["ink", "hole"], Points]
Icon: TypeAlias = tuple[Figure, ...]


# ── Figures: corners in a unit square, y downwards ────────────────────────────────────────────────


def ellipse(x: float, y: float, wide: float, high: float, start: float = 0, end: float = 360) -> Points:
    """An ellipse round (x, y), or its sector between two angles in degrees (0 is right, 90 is down)."""
    steps = 48
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return tuple((x + wide / 2 * math.cos(angle), y + high / 2 * math.sin(angle)) for angle in angles)


def box(left: float, top: float, right: float, bottom: float) -> Points:
    """A rectangle."""
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def radial(x: float, y: float, radii: tuple[float, ...], count: int) -> Points:
    """`count` corners round (x, y), the first on top, whose distances go through `radii` in turn."""
    angles = [math.tau * corner / count - math.pi / 2 for corner in range(count)]
    return tuple(
        (x + radii[corner % len(radii)] * math.cos(angle), y + radii[corner % len(radii)] * math.sin(angle))
        for corner, angle in enumerate(angles)
    )


def petals(count: int) -> Icon:
    """Circles round the middle."""
    centres = radial(0.5, 0.5, (0.3,), count)
    return tuple(("ink", ellipse(x, y, 0.36, 0.36)) for x, y in centres)


ICONS: dict[str, Icon] = {
    "circle": (("ink", ellipse(0.5, 0.5, 1, 1)),),
    "square": (("ink", box(0.06, 0.06, 0.94, 0.94)),),
    "triangle": (("ink", ((0.5, 0.05), (1, 0.95), (0, 0.95))),),
    "star": (("ink", radial(0.5, 0.53, (0.52, 0.21), 10)),),
    "heart": (
        ("ink", ellipse(0.27, 0.3, 0.52, 0.52)),
        ("ink", ellipse(0.73, 0.3, 0.52, 0.52)),
        ("ink", ((0.04, 0.42), (0.5, 0.3), (0.96, 0.42), (0.5, 0.98))),
    ),
    "house": (
        ("ink", ((0.5, 0.02), (1, 0.48), (0, 0.48))),
        ("ink", box(0.12, 0.48, 0.88, 0.98)),
        ("hole", box(0.4, 0.62, 0.6, 0.98)),
    ),
    "moon": (("ink", ellipse(0.5, 0.5, 0.98, 0.98)), ("hole", ellipse(0.76, 0.42, 0.8, 0.8))),
    "fish": (
        ("ink", ellipse(0.4, 0.5, 0.8, 0.5)),
        ("ink", ((0.68, 0.5), (1, 0.2), (1, 0.8))),
        ("hole", ellipse(0.2, 0.44, 0.09, 0.09)),
    ),
    "flower": (*petals(6), ("ink", ellipse(0.5, 0.5, 0.4, 0.4)), ("hole", ellipse(0.5, 0.5, 0.22, 0.22))),
    "key": (
        ("ink", ellipse(0.24, 0.5, 0.48, 0.48)),
        ("hole", ellipse(0.2, 0.5, 0.2, 0.2)),
        ("ink", box(0.4, 0.43, 1, 0.57)),
        ("ink", box(0.72, 0.55, 0.8, 0.78)),
        ("ink", box(0.9, 0.55, 0.98, 0.74)),
    ),
    "bat-animal": (
        (
            "ink",
            (
                (0.5, 0.42),
                (0.72, 0.2),
                (1, 0.3),
                (0.94, 0.72),
                (0.84, 0.56),
                (0.74, 0.74),
                (0.64, 0.58),
                (0.5, 0.82),
                (0.36, 0.58),
                (0.26, 0.74),
                (0.16, 0.56),
                (0.06, 0.72),
                (0, 0.3),
                (0.28, 0.2),
            ),
        ),
        ("ink", ((0.4, 0.18), (0.46, 0.32), (0.54, 0.32), (0.6, 0.18), (0.62, 0.5), (0.38, 0.5))),
        ("hole", ellipse(0.46, 0.4, 0.05, 0.05)),
        ("hole", ellipse(0.54, 0.4, 0.05, 0.05)),
    ),
    "bat-club": (
        ("ink", ((0.05, 0.88), (0.12, 0.95), (0.5, 0.62), (0.38, 0.5))),
        ("ink", ((0.5, 0.62), (0.38, 0.5), (0.74, 0.06), (0.94, 0.26))),
        ("ink", ellipse(0.84, 0.16, 0.28, 0.28)),
        ("ink", ellipse(0.09, 0.91, 0.17, 0.17)),
    ),
    "bow-ribbon": (
        ("ink", ((0.5, 0.42), (0.04, 0.14), (0.04, 0.7))),
        ("ink", ((0.5, 0.42), (0.96, 0.14), (0.96, 0.7))),
        ("ink", ((0.46, 0.42), (0.2, 0.96), (0.34, 0.9), (0.42, 0.98), (0.56, 0.46))),
        ("ink", ((0.54, 0.42), (0.8, 0.96), (0.66, 0.9), (0.58, 0.98), (0.44, 0.46))),
        ("hole", ((0.36, 0.42), (0.13, 0.3), (0.13, 0.54))),
        ("hole", ((0.64, 0.42), (0.87, 0.3), (0.87, 0.54))),
        ("ink", ellipse(0.5, 0.42, 0.2, 0.24)),
    ),
    "bow-weapon": (
        ("ink", ellipse(0.3, 0.5, 0.9, 1, -90, 90)),
        ("hole", ellipse(0.3, 0.5, 0.7, 0.84, -90, 90)),
        ("ink", box(0.28, 0.01, 0.33, 0.99)),
        ("ink", box(0.04, 0.475, 0.9, 0.525)),
        ("ink", ((0.86, 0.4), (1, 0.5), (0.86, 0.6))),
    ),
    "nut-food": (
        ("ink", ellipse(0.5, 0.42, 0.8, 0.72, 180, 360)),
        ("ink", ((0.17, 0.48), (0.83, 0.48), (0.74, 0.76), (0.5, 1), (0.26, 0.76))),
        ("hole", box(0.1, 0.42, 0.9, 0.48)),
        ("ink", box(0.46, 0, 0.54, 0.14)),
    ),
    "nut-metal": (("ink", radial(0.5, 0.5, (0.5,), 6)), ("hole", ellipse(0.5, 0.5, 0.44, 0.44))),
    "trunk-tree": (
        (
            "ink",
            (
                (0.3, 0.12),
                (0.7, 0.12),
                (0.72, 0.72),
                (0.96, 0.98),
                (0.62, 0.9),
                (0.5, 1),
                (0.38, 0.9),
                (0.04, 0.98),
                (0.28, 0.72),
            ),
        ),
        ("ink", ellipse(0.5, 0.12, 0.4, 0.2)),
        ("hole", ellipse(0.5, 0.12, 0.28, 0.12)),
        ("ink", ellipse(0.5, 0.12, 0.14, 0.05)),
        ("ink", ((0.66, 0.5), (0.96, 0.28), (0.98, 0.36), (0.68, 0.66))),
    ),
    "trunk-chest": (
        ("ink", ellipse(0.5, 0.44, 0.96, 0.56, 180, 360)),
        ("ink", box(0.02, 0.5, 0.98, 0.92)),
        ("hole", box(0.02, 0.44, 0.98, 0.5)),
        ("hole", box(0.42, 0.44, 0.58, 0.66)),
        ("ink", box(0.46, 0.48, 0.54, 0.62)),
    ),
}


# ── Pixels ────────────────────────────────────────────────────────────────────────────────────────


def picture(scene: Scene) -> bytes:
    """The scene as PNG, RGB, `scene.width` x `scene.height` pixels."""
    buffer = io.BytesIO()
    paint(scene).save(buffer, "PNG")
    return buffer.getvalue()


def clip(film: Film) -> bytes:
    """The film as mp4 (H.264), one frame a scene. All scenes have the size of the first, an even number of pixels."""
    import av
    import numpy as np

    buffer = io.BytesIO()
    with ENCODING, zeroed(), av.open(buffer, "w", format="mp4", options={"fflags": "+bitexact"}) as file:
        stream = file.add_stream("libx264", rate=FRAMES_A_SECOND)
        stream.width, stream.height, stream.pix_fmt = film[0].width, film[0].height, "yuv420p"
        stream.time_base = Fraction(1, FRAMES_A_SECOND)
        # One thread and no encoder banner: the bytes must not depend on the machine.
        stream.thread_count = 1
        stream.options = {"crf": str(QUALITY), "preset": "fast", "threads": "1", "flags": "+bitexact"}
        for scene in film:
            planes = video_planes(np.asarray(paint(scene), dtype=np.int32))
            file.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format="yuv420p")))
        file.mux(stream.encode(None))
    return buffer.getvalue()


@contextmanager
def zeroed() -> Iterator[None]:
    """Memory that is handed out meanwhile holds zeros, where the C library can see to that (glibc): x264 looks at some
    that it has not written, so that one film in a dozen would now and then have other bytes."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        yield
        return
    mallopt(M_PERTURB, TO_ZERO)
    try:
        yield
    finally:
        mallopt(M_PERTURB, int(os.environ.get("MALLOC_PERTURB_") or 0))


def video_planes(rgb: np.ndarray) -> np.ndarray:
    """An RGB picture (height, width, 3) as planar YUV 4:2:0, BT.601: uint8 (height * 3 / 2, width).

    In whole numbers, by ITU-R BT.601 at 8 bits. ffmpeg's own conversion rounds differently with how the picture lies
    in memory, so that one seed would give several clips.
    """
    import numpy as np

    red, green, blue = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    luma = 16 + ((66 * red + 129 * green + 25 * blue + 128) >> 8)
    chroma = (
        128 + ((-38 * red - 74 * green + 112 * blue + 128) >> 8),
        128 + ((112 * red - 94 * green - 18 * blue + 128) >> 8),
    )
    height, width = luma.shape
    quarters = [(plane.reshape(height // 2, 2, width // 2, 2).sum(axis=(1, 3)) + 2) >> 2 for plane in chroma]
    return np.concatenate([luma.ravel(), *(plane.ravel() for plane in quarters)]).reshape(-1, width).astype(np.uint8)


def paint(scene: Scene) -> Image:
    """The scene as a PIL picture, RGB."""
    covers = [(mask(placed, scene.width, scene.height), PALETTE[placed.thing.colour]) for placed in scene.placed]
    return painted(scene.width, scene.height, scene.ground, covers)


def painted(width: int, height: int, ground: int, covers: Iterable[tuple[Image, Ink]]) -> Image:
    """A plain grey picture, RGB, and on it, one after the other, what each mask covers in its ink."""
    from PIL import Image

    canvas = Image.new("RGB", (width, height), (ground,) * 3)
    for cover, ink in covers:
        canvas.paste(ink, (0, 0), cover)
    return canvas


@lru_cache(maxsize=256)
def mask(placed: Placed, width: int, height: int) -> Image:
    """Where the thing covers the picture: 0..255, `width` x `height` pixels."""
    left, top = placed.x - placed.size / 2, placed.y - placed.size / 2
    icon = tuple(
        (kind, tuple((left + x * placed.size, top + y * placed.size) for x, y in points))
        for kind, points in ICONS[placed.thing.noun]
    )
    return covered(icon, width, height)


def covered(icon: Icon, width: int, height: int) -> Image:
    """Where figures, their corners in pixels, cover the picture: 0..255, smoothed."""
    from PIL import Image, ImageDraw

    mask = Image.new("L", (width * SMOOTHING, height * SMOOTHING))
    draw = ImageDraw.Draw(mask)
    for kind, points in icon:
        draw.polygon([(x * SMOOTHING, y * SMOOTHING) for x, y in points], fill=255 if kind == "ink" else 0)
    return mask.reduce(SMOOTHING)
