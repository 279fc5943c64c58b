"""Frames by PyAV, decoded forward from the first to the last, upright as the file says.

One pass where the header, or the packets, tell how many frames there are; where they were wrong, a second one takes
what the first did not know of. Memory holds only the frames asked for.
"""

from __future__ import annotations

import struct
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL.Image import Transpose

from tvbench.data.media.canvas import Canvas
from tvbench.data.media.container import open_clip, video_stream
from tvbench.data.media.survey import Surveyed, remarks, survey
from tvbench.errors import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer
    from PIL import Image

TURNS = {
    (0, 1, -1, 0): Transpose.ROTATE_270,
    (-1, 0, 0, -1): Transpose.ROTATE_180,
    (0, -1, 1, 0): Transpose.ROTATE_90,
    (-1, 0, 0, 1): Transpose.FLIP_LEFT_RIGHT,
    (1, 0, 0, -1): Transpose.FLIP_TOP_BOTTOM,
    (0, 1, 1, 0): Transpose.TRANSPOSE,
    (0, -1, -1, 0): Transpose.TRANSVERSE,
}
"""What makes a frame upright, by the signs of its display matrix. Turns by other angles are left out."""


def draw(data: bytes, canvas: Canvas) -> tuple[list[float], list[str]]:
    """Draw a clip's frames; gives their times in seconds, and notes. Raises MediaError where there are none."""
    name, frames = canvas.name, canvas.frames
    sketch = _Sketch(canvas, spread(_guessed(data, name), frames))
    found = _first_pass(data, name, sketch)
    if found.present == 0:
        raise MediaError(f"{name} has no frame that can be decoded" + (f" ({found.broken})" if found.broken else ""))
    wanted = spread(found.total, frames)
    reachable = np.minimum(wanted, found.present - 1)
    sketch.complete(reachable, found.present - 1)
    if lacking := sketch.lacking(reachable):
        _second_pass(data, name, sketch, lacking)
    missing = int((wanted > found.present - 1).sum())
    return [sketch.times[int(index)] for index in reachable], remarks(name, found, frames, missing)


def spread(total: int, frames: int) -> np.ndarray:
    """The numbers of `frames` frames out of `total`, the first and the last among them."""
    return np.linspace(0, total - 1, frames).round().astype(int)


class _Sketch:
    """Which frame each row of the canvas shows."""

    def __init__(self, canvas: Canvas, guessed: np.ndarray) -> None:
        self.canvas = canvas
        self.times: dict[int, float] = {}
        self.rows: Mapping[int, list[int]] = _rows_of(guessed)
        self._shown: dict[int, int] = {}
        self._last: Any = None
        self._turn: Transpose | None = None

    def offer(self, index: int, frame: Any, rows: Mapping[int, list[int]]) -> None:
        """The frame of that number; drawn where it is wanted."""
        if self._last is None:
            self._turn = turn_of(frame)
        if index in rows:
            self.canvas.put(rows[index], upright(frame, self._turn))
            self._shown.update(dict.fromkeys(rows[index], index))
            self.times[index] = float(frame.time or 0.0)
        self._last = frame

    def complete(self, reachable: np.ndarray, last: int) -> None:
        """Draw the last frame that there is where later ones were hoped for."""
        if rows := self.lacking(reachable).get(last):
            self.offer(last, self._last, {last: rows})

    def lacking(self, wanted: np.ndarray) -> dict[int, list[int]]:
        """The rows that do not show the frame that is wanted there, by its number."""
        return {
            index: left
            for index, rows in _rows_of(wanted).items()
            if (left := [row for row in rows if self._shown.get(row) != index])
        }


def _rows_of(numbers: np.ndarray) -> dict[int, list[int]]:
    rows: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(numbers):
        rows[int(number)].append(row)
    return dict(rows)


def _guessed(data: bytes, name: str) -> int:
    """How many frames there seem to be, before any is decoded."""
    import av

    try:
        with open_clip(data, name) as file:
            told = video_stream(file, name).frames or 0
    except (av.FFmpegError, ValueError, EOFError):
        told = 0
    return max(1, told or survey(data, name).total)


def _first_pass(data: bytes, name: str, sketch: _Sketch) -> Surveyed:
    import av

    found = Surveyed()
    try:
        with open_clip(data, name) as file:
            stream = video_stream(file, name)
            found.read_header(file, stream)
            _run_through(file, stream, found, sketch)
    except (av.FFmpegError, ValueError, EOFError) as error:
        found.broken = f"{type(error).__name__}: {error}"
    found.conclude(data)
    return found


def _run_through(file: InputContainer, stream: Any, found: Surveyed, sketch: _Sketch) -> None:
    """Decode all frames. Other streams' packets tell how far the file goes."""
    for packet in file.demux():
        found.hear(packet)
        if packet.stream.index != stream.index:
            continue
        for frame in stream.decode(packet):
            if not found.present:
                found.gap = 1 / float(stream.average_rate or stream.guessed_rate or 25)
            sketch.offer(found.present, frame, sketch.rows)
            found.see(float(frame.time or 0.0))
            found.spoilt += bool(frame.is_corrupt)


def _second_pass(data: bytes, name: str, sketch: _Sketch, lacking: Mapping[int, list[int]]) -> None:
    last = max(lacking)
    with open_clip(data, name) as file:
        for index, frame in enumerate(file.decode(video_stream(file, name))):
            sketch.offer(index, frame, lacking)
            if index >= last:
                break


def upright(frame: Any, turn: Transpose | None) -> Image.Image:
    """The frame as it is to be seen: phones film lying down, and say so."""
    image: Image.Image = frame.to_image()
    return image if turn is None else image.transpose(turn)


def turn_of(frame: Any) -> Transpose | None:
    """What makes the frames of a clip upright, by its first. Asked once: afterwards only the garbage collector lets go
    of the frame, and of its decoder's threads."""
    from av.sidedata.sidedata import Type

    found = frame.side_data.get(Type.DISPLAYMATRIX)
    if found is None or len(matrix := bytes(found)) < 36:
        return None
    a, b, _, c, d, *_ = struct.unpack("=9i", matrix[:36])
    return TURNS.get(tuple(int(value / 65536) if value % 65536 == 0 else 2 for value in (a, b, c, d)))  # type: ignore[arg-type]
