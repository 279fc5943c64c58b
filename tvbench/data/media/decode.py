"""Uniform frames of a clip by PyAV, decoded forward. Runs inside the decoding process (decode_worker.py).

`frames` positions are spread evenly over the clip's frames by index, first and last included, as decord users do with
`linspace`. What cannot be decoded is said: a damaged clip gives what it has, its last good frame repeated, and a note.
How many frames there should be is what the header says, in frames or in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL.Image import Resampling

from tvbench.data.media.clips import Clip
from tvbench.data.media.container import declared_end, is_cut, open_clip, video_stream
from tvbench.data.media.images import shrunk
from tvbench.errors import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer

CLIP_BYTES = 256 << 20
"""Of a clip's frames as they are handed over. Larger ones are shrunk: to 2.8 million pixels each where there are 32."""
SHORTEST_GAP_S = 0.5
"""What is missing at a clip's end and less than this, or three frames, is rounding."""
MOST_FRAMES = 100_000_000


@dataclass(slots=True)
class FirstPass:
    """What a first pass found. `expected`: frames by the header (0: it does not say). `broken`: what went wrong;
    `spoilt`: frames that decoded with errors."""

    present: int = 0
    expected: int = 0
    broken: str = ""
    spoilt: int = 0
    width: int = 0
    height: int = 0
    first: float = 0.0
    last: float = 0.0
    gap: float = 0.0
    """Seconds between two frames, as the stream has it."""
    heard: float = 0.0
    """The end of the last packet of any stream, in seconds."""


def decode_clip(data: bytes, name: str, frames: int, size: int | None) -> tuple[Clip, tuple[str, ...]]:
    """`frames` RGB frames as uint8 (frames, height, width, 3), resized to `size` x `size` by bicubic if given.

    Two passes, so that memory holds only the frames asked for. Raises MediaError when nothing can be decoded.
    """
    if not data:
        raise MediaError(f"{name} is empty (zero bytes)")
    found = _count(data, name)
    if found.present == 0:
        raise MediaError(f"{name} has no frame that can be decoded" + (f" ({found.broken})" if found.broken else ""))
    total = max(found.present, found.expected)
    wanted = np.linspace(0, total - 1, frames).round().astype(int)
    reachable = np.minimum(wanted, found.present - 1)
    shown, notes = _shown_size(found, frames, size, name)
    pictures, times = _collect(data, name, {int(index) for index in reachable}, shown)
    clip = Clip(
        np.stack([pictures[int(index)] for index in reachable]),
        tuple(times[int(index)] for index in reachable),
        max(times.values()),
    )
    notes += _remarks(name, found, frames, int((wanted > found.present - 1).sum()))
    return clip, tuple(notes)


def _remarks(name: str, found: FirstPass, frames: int, missing: int) -> list[str]:
    notes = []
    if missing:
        notes.append(f"{name}: {frames - missing} of {frames} frames decoded; the last was repeated")
    elif found.broken:
        notes.append(f"{name}: damaged ({found.broken}); {found.present} frames decoded")
    if (total := max(found.present, found.expected)) < frames:
        notes.append(f"{name}: only {total} frames for {frames} asked; some were repeated")
    return notes


def _shown_size(found: FirstPass, frames: int, size: int | None, name: str) -> tuple[tuple[int, int] | None, list[str]]:
    """The (width, height) that frames are resized to (None: as they are), and a note where we chose it."""
    if size is not None:
        return (size, size), []
    small = shrunk((found.width, found.height), max(1, CLIP_BYTES // (3 * frames)))
    if small == (found.width, found.height):
        return None, []
    note = f"{name}: {frames} frames of {found.width} x {found.height} were resized to {small[0]} x {small[1]}"
    return small, [note]


def _count(data: bytes, name: str) -> FirstPass:
    import av

    found, end = FirstPass(), None
    try:
        with open_clip(data, name) as file:
            stream = video_stream(file, name)
            found.expected = max(0, stream.frames or 0)
            end = declared_end(file)
            _run_through(file, stream, found)
    except (av.FFmpegError, ValueError, EOFError) as error:
        found.broken = f"{type(error).__name__}: {error}"
    if not found.expected and end is not None and found.present:
        found.expected = _by_length(found, end)
    if not found.broken:
        found.broken = "the file is cut off" if is_cut(data) else "frames with errors" if found.spoilt else ""
    return found


def _run_through(file: InputContainer, stream: Any, found: FirstPass) -> None:
    """Decode all frames. Other streams' packets tell how far the file goes: a clip's sound may be longer."""
    for packet in file.demux():
        if packet.pts is not None and packet.time_base is not None:
            found.heard = max(found.heard, float((packet.pts + (packet.duration or 0)) * packet.time_base))
        if packet.stream.index != stream.index:
            continue
        for frame in stream.decode(packet):
            time = float(frame.time or 0.0)
            if not found.present:
                found.first, found.width, found.height = time, frame.width, frame.height
                found.gap = 1 / float(stream.average_rate or stream.guessed_rate or 25)
            found.present += 1
            found.last = max(found.last, time)
            found.spoilt += bool(frame.is_corrupt)


def _by_length(found: FirstPass, end: float) -> int:
    """The number of frames up to `end` seconds, going on as those that are there; 0 where nothing is missing."""
    gap = (found.last - found.first) / (found.present - 1) if found.present > 1 else found.gap
    seen = found.last + gap
    reached = seen if found.broken else max(seen, found.heard)
    if gap <= 0 or end - reached < max(SHORTEST_GAP_S, 3 * gap):
        return 0
    return found.present + round(min((end - seen) / gap, MOST_FRAMES))


def _collect(
    data: bytes, name: str, wanted: set[int], size: tuple[int, int] | None
) -> tuple[dict[int, np.ndarray], dict[int, float]]:
    pictures: dict[int, np.ndarray] = {}
    times: dict[int, float] = {}
    last = max(wanted)
    with open_clip(data, name) as file:
        for index, frame in enumerate(file.decode(video_stream(file, name))):
            if index in wanted:
                image = frame.to_image()
                image = image if size is None else image.resize(size, Resampling.BICUBIC)
                pictures[index] = np.asarray(image, dtype=np.uint8)
                times[index] = float(frame.time or 0.0)
            if index >= last:
                break
    return pictures, times
