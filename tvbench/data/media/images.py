"""Pictures: opened, verified, made RGB. The only module that opens one (tests/data/test_pictures.py looks).

Only formats that benchmarks use are opened, by name: PIL knows forty, and some of them run other programs. Whatever
goes wrong at any step is a MediaError. Size and format are read from the header before anything is decoded; pictures
far larger than what any model takes are made smaller while they are decoded. Knows PIL and nothing of where the bytes
come from.
"""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from PIL import Image, UnidentifiedImageError

from tvbench.data.media.kinds import BEGINNINGS, not_read
from tvbench.errors import MediaError

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP")
"""What the benchmarks' pictures are. A JPEG that holds several pictures (MPO) is opened as JPEG."""
CONVERT = "convert it to PNG or JPEG"
MAX_PIXELS = 100_000_000
MAX_MEMORY = 800_000_000
"""Bytes. The pictures that MAX_PIXELS lets through take less, but for WebP and progressive JPEG (80 million pixels)."""
SEEN_PIXELS = 4096 * 4096
"""Larger pictures are shrunk to about so many pixels. No model at hand takes more than 12.8 million (Qwen2.5-VL); the
grids of TowerVision have 0.9 million."""
STRIP_ROWS = 256
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""How EXIF says that a picture is to be turned."""
JPEGS = ("JPEG", "MPO")
SIXTEEN_BIT = ("I", "I;16", "I;16B", "I;16L")
BYTES = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2}
"""Of one pixel in memory; other modes take four."""

Image.MAX_IMAGE_PIXELS = None  # our own limit is checked before anything is decoded, with our own message
# What PIL remarks on damaged tags would stand between a run's lines; the picture itself is what counts.
warnings.filterwarnings("ignore", module=r"PIL\.")


@dataclass(frozen=True, slots=True)
class Header:
    """What a picture says of itself before it is decoded. `memory`: bytes that decoding takes, about."""

    width: int
    height: int
    memory: int

    @property
    def shrunk(self) -> bool:
        """Whether `open_image` makes it smaller."""
        return self.width * self.height > SEEN_PIXELS


def open_image(data: bytes, name: str, *, max_pixels: int = MAX_PIXELS, seen: int = SEEN_PIXELS) -> Image.Image:
    """The first frame as RGB, turned as its EXIF says, transparency laid on white, of `seen` pixels at most.

    Raises MediaError, whatever is wrong.
    """
    with _opened(data, name) as image:
        _check_size(image, name, max_pixels)
        orientation = _orientation(image)
        if image.format in JPEGS and image.width * image.height > seen:
            image.draft(None, shrunk(image.size, seen))
        image.load()
        picture = _rgb(image, seen)
        return picture.transpose(TURNS[orientation]) if orientation in TURNS else picture


def read_header(data: bytes, name: str) -> Header:
    """No pixel is decoded. Raises MediaError."""
    with _opened(data, name) as image:
        return Header(image.width, image.height, _memory(image))


def plain_format(data: bytes) -> str:
    """The format of a picture that every program shows with the same pixels: RGB or grey, one frame, nothing
    transparent, not turned. "" for others and for what is no picture. No pixel is decoded."""
    try:
        with _opened(data, "the picture") as image:
            plain = image.mode in ("RGB", "L") and int(getattr(image, "n_frames", 1)) == 1
            plain = plain and "transparency" not in image.info and not _turns_later(image, data)
            upright = Image.Image.getexif(image).get(ORIENTATION, 1) == 1
            return image.format or "" if plain and upright else ""
    except MediaError:
        return ""


def unread(data: bytes, name: str) -> Image.Image:
    """The picture with its header read, its pixels left in `data` until somebody wants them. Raises MediaError."""
    with _bounded(name, "is a broken or truncated picture"):
        return Image.open(io.BytesIO(data), formats=FORMATS)


def png(image: Image.Image, name: str = "a picture") -> bytes:
    """As an encoded PNG. Raises MediaError."""
    with _bounded(name, "cannot be encoded"):
        buffer = io.BytesIO()
        image.save(buffer, "PNG", compress_level=1)
        return buffer.getvalue()


def as_picture(frame: np.ndarray) -> Image.Image:
    """A frame of a clip, uint8 (height, width, 3)."""
    return Image.fromarray(frame)


def shrunk(size: tuple[int, int], seen: int) -> tuple[int, int]:
    """`size` in the same shape with at most `seen` pixels; itself where it has no more."""
    width, height = size
    if width * height <= seen:
        return size
    factor = math.sqrt(seen / (width * height))
    wide = max(1, math.floor(width * factor))
    return min(wide, seen), max(1, min(math.floor(height * factor), seen // wide))


# ── Opening ───────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def _bounded(name: str, what: str) -> Iterator[None]:
    """Turns whatever is raised inside into a MediaError."""
    try:
        yield
    except MediaError:
        raise
    except Exception as error:  # the decoding boundary: whatever PIL raises is this picture's failure
        raise MediaError(f"{name} {what}: {str(error) or type(error).__name__}") from error


@contextmanager
def _opened(data: bytes, name: str) -> Iterator[Image.Image]:
    """The picture with its header read. Raises MediaError, also for whatever goes wrong inside the block."""
    if not data:
        raise MediaError(f"{name} is empty (zero bytes)")
    with _bounded(name, "is a broken or truncated picture"):
        try:
            image = Image.open(io.BytesIO(data), formats=FORMATS)
        except UnidentifiedImageError:
            raise _unknown(data, name) from None
        with image:
            yield image


def _unknown(data: bytes, name: str) -> MediaError:
    """Why PIL knew none of our formats in it."""
    if other := not_read(data):
        return MediaError(f"{name}: {other} pictures are not read", CONVERT)
    if data.startswith(BEGINNINGS):
        return MediaError(f"{name} is a broken or truncated picture: its header cannot be read")
    return MediaError(f"{name} is not a picture (no known format)")


def _check_size(image: Image.Image, name: str, max_pixels: int) -> None:
    size, hint = f"{name} has {image.width} x {image.height} pixels", "make it smaller before the run"
    if image.width * image.height > max_pixels:
        raise MediaError(f"{size}; the limit is {max_pixels // 1_000_000} million", hint)
    if (memory := _memory(image)) > MAX_MEMORY:
        kind = "a progressive JPEG" if image.format in JPEGS else f"a {image.format} picture"
        raise MediaError(
            f"{size}; as {kind} it takes {memory // 1_000_000} MB to decode, and the limit is "
            f"{MAX_MEMORY // 1_000_000}",
            hint,
        )


def _orientation(image: Image.Image) -> int:
    found = image.getexif().get(ORIENTATION, 1)
    return found if isinstance(found, int) else 1


def _turns_later(image: Image.Image, data: bytes) -> bool:
    """Whether a PNG may say behind its pixels how it is to be turned; PIL would decode it to find out."""
    known = image.format != "PNG" or "exif" in image.info
    return not known and any(mark in data for mark in (b"eXIf", b"XML:com.adobe.xmp", b"Raw profile type"))


def _memory(image: Image.Image) -> int:
    """Bytes at the peak of `open_image`, about. PIL takes four for a pixel of RGB."""
    pixels = image.width * image.height
    before = 0
    if image.format == "WEBP":
        before = 16 * pixels  # its decoder's canvases
    elif image.format in JPEGS:
        before = 6 * pixels if image.info.get("progressive") else 0  # all coefficients
        wide, high = shrunk(image.size, SEEN_PIXELS)
        scale = max(1, min(8, image.width // wide, image.height // high))
        pixels //= (1 << (scale.bit_length() - 1)) ** 2  # draft
    canvas = 0 if pixels <= SEEN_PIXELS else 4 * pixels // math.isqrt(pixels // SEEN_PIXELS) ** 2
    return before + BYTES.get(image.mode, 4) * pixels + canvas + 8 * min(pixels, SEEN_PIXELS)


# ── Pixels ────────────────────────────────────────────────────────────────────────────────────────


def _rgb(image: Image.Image, seen: int) -> Image.Image:
    """As RGB of at most `seen` pixels, by strips: a converted copy of a large picture never exists as a whole."""
    width, height = image.size
    if width * height <= seen:
        return _flat(image)
    step = min(math.isqrt(width * height // seen), width, height)
    canvas = Image.new("RGB", (math.ceil(width / step), math.ceil(height / step)))
    rows = STRIP_ROWS * step
    for top in range(0, height, rows):
        strip = _flat(image.crop((0, top, width, min(top + rows, height))))
        canvas.paste(strip.reduce(step) if step > 1 else strip, (0, top // step))
    inside = (0, 0, width / step, height / step)
    return canvas.resize(shrunk((width, height), seen), Image.Resampling.BICUBIC, box=inside)


def _flat(image: Image.Image) -> Image.Image:
    """As RGB, with nothing in `info`: what a file says besides its pixels goes no further."""
    transparent = image.mode == "P" and "transparency" in image.info
    if image.mode in SIXTEEN_BIT:
        # PIL clips 16-bit grey at 255 on conversion; scale it instead.
        image = image.point(lambda value: value / 256).convert("L")
    if image.mode in ("RGBA", "LA", "PA") or transparent:
        layer = image.convert("RGBA")
        ground = Image.new("RGBA", layer.size, "white")
        image = Image.alpha_composite(ground, layer)
    plain = image.convert("RGB")
    plain.info = {}
    return plain
