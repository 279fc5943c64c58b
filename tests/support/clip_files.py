"""Clips as phones, cameras and strangers make them, written by PyAV."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from fractions import Fraction

import av
import numpy as np


def clip_of(
    frames: int = 20,
    *,
    form: str = "mp4",
    codec: str = "libx264",
    width: int = 128,
    height: int = 64,
    pixels: str = "yuv420p",
    times: Sequence[int] = (),
    sound_only: bool = False,
    **options: str,
) -> bytes:
    """A clip with a bright bar in its upper left quarter that moves right, ten frames a second. `times` are hundredths
    of a second."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as file:
        if sound_only:
            voice = file.add_stream("aac", rate=8000, layout="mono")
            quiet = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            quiet.sample_rate = 8000
            file.mux(voice.encode(quiet))
            file.mux(voice.encode(None))
            return _closed(file, buffer)
        stream = file.add_stream(codec, rate=10, options={"threads": "1", **options})
        stream.width, stream.height, stream.pix_fmt = width, height, pixels
        stream.codec_context.time_base = Fraction(1, 100)
        rng = np.random.default_rng(0)
        for number in range(frames):
            picture = rng.integers(8, 24, (height, width, 3), dtype=np.uint8)
            picture[: height // 2, : width // 2] += 40
            picture[: height // 2, number % (width // 2)] = 235
            frame = av.VideoFrame.from_ndarray(picture, "rgb24")
            frame.pts, frame.time_base = times[number] if times else 10 * number, Fraction(1, 100)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def _closed(file: av.container.OutputContainer, buffer: io.BytesIO) -> bytes:
    file.close()
    return buffer.getvalue()


def turned(data: bytes, a: int, b: int, c: int, d: int) -> bytes:
    """An MP4 whose header says how it is to be turned."""
    place = data.index(b"tkhd") + 4 + 24 + 16
    matrix = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    return data[:place] + matrix + data[place + len(matrix) :]


def in_front(data: bytes) -> bytes:
    """An MP4 with its index before its frames, so that a cut one still has it."""
    place = data.index(b"moov") - 4
    index, rest = data[place : place + int.from_bytes(data[place : place + 4], "big")], data[:place]
    media = rest.index(b"mdat") - 4
    table = bytearray(index)
    start = 0
    while (start := table.find(b"stco", start)) >= 0:
        count = int.from_bytes(table[start + 8 : start + 12], "big")
        for entry in range(start + 12, start + 12 + 4 * count, 4):
            moved = int.from_bytes(table[entry : entry + 4], "big") + len(index)
            table[entry : entry + 4] = moved.to_bytes(4, "big")
        start += 4
    return rest[:media] + bytes(table) + rest[media:]
