"""Frames of a clip, spread evenly over its length. Runs inside the decoding process (decode_worker.py).

`frames` positions are spread over the clip's frames by index, first and last included. What cannot be decoded is said:
a damaged clip gives what it has, its last good frame repeated, and a note. PyAV decodes forward (decode_forward.py),
decord and torchcodec take frames by their numbers (decode_numbered.py).
"""

from __future__ import annotations

from collections.abc import Callable

from tvbench.data.media import decode_forward, decode_numbered
from tvbench.data.media.canvas import Canvas
from tvbench.data.media.clips import Clip
from tvbench.data.media.container import known_kind
from tvbench.data.media.decoders import DEFAULT
from tvbench.errors import MediaError


def decode_clip(
    data: bytes,
    name: str,
    frames: int,
    size: int | None,
    decoder: str = DEFAULT,
    admit: Callable[[int], None] = lambda size: None,
) -> tuple[Clip, tuple[str, ...]]:
    """`frames` RGB frames as uint8 (frames, height, width, 3), resized to `size` x `size` by bicubic if given.

    `admit` is told how many bytes they take before there is room for them, and may wait. Raises MediaError when nothing
    can be decoded.
    """
    if not data:
        raise MediaError(f"{name} is empty (zero bytes)")
    known_kind(data, name)
    canvas = Canvas(name, frames, size, admit)
    if decoder == DEFAULT:
        times, notes = decode_forward.draw(data, canvas)
    else:
        times, notes = decode_numbered.draw(data, canvas, decoder)
    return Clip(canvas.array, tuple(times), max(times)), (*canvas.notes, *notes)
