"""Frames by decord or torchcodec, taken by their numbers.

decord is called as LLaVA-Video's code and lmms-eval do, for parity with published figures: one thread, positions by
`linspace` rounded down, `get_batch`. torchcodec is asked for the positions that PyAV is. What a decoder raises on some
frames costs these frames, and is said. PyAV reads the header, and no picture.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np
from PIL import Image

from tvbench.data.media.canvas import Canvas
from tvbench.data.media.container import THREADS, filled, kind_of
from tvbench.data.media.decode_forward import spread
from tvbench.data.media.survey import Surveyed, remarks, survey
from tvbench.errors import MediaError

BATCH_BYTES = 64 << 20
"""Of frames in their own size that are taken at once."""
ROUGH = frozenset({"mpeg", "mpegvideo", "mpegts"})
"""Containers in which frames taken by number are often others than those asked for (benchmarks/decoders.py)."""


class ByNumber(Protocol):
    """A clip that is open. Its methods raise whatever the library raises."""

    frames: int

    def take(self, numbers: Sequence[int]) -> np.ndarray:
        """Frames as uint8 (frames, height, width, 3)."""
        ...

    def seconds(self, number: int) -> float:
        """When a frame that was taken is shown."""
        ...


class DecordClip:
    """See ByNumber."""

    def __init__(self, data: bytes) -> None:
        from decord import VideoReader, cpu

        self._reader: Any = VideoReader(io.BytesIO(data), ctx=cpu(0), num_threads=1)
        self.frames = len(self._reader)
        self._rate = float(self._reader.get_avg_fps())

    def take(self, numbers: Sequence[int]) -> np.ndarray:
        taken: np.ndarray = self._reader.get_batch(list(numbers)).asnumpy()
        return taken

    def seconds(self, number: int) -> float:
        return number / self._rate if self._rate > 0 else 0.0


class TorchcodecClip:
    """See ByNumber."""

    def __init__(self, data: bytes) -> None:
        from torchcodec.decoders import VideoDecoder

        # Of bytes it refuses to look behind the end, where a cut file's header may send it; a file just ends there.
        self._decoder: Any = VideoDecoder(
            io.BytesIO(data), dimension_order="NHWC", num_ffmpeg_threads=THREADS, seek_mode="exact", device="cpu"
        )
        self.frames = int(self._decoder.metadata.num_frames or 0)
        self._times: dict[int, float] = {}

    def take(self, numbers: Sequence[int]) -> np.ndarray:
        batch = self._decoder.get_frames_at(list(numbers))
        self._times.update(zip(numbers, batch.pts_seconds.tolist(), strict=True))
        taken: np.ndarray = batch.data.numpy()
        return taken

    def seconds(self, number: int) -> float:
        return self._times.get(number, 0.0)


def rounded_down(total: int, frames: int) -> np.ndarray:
    """Positions as the authors' code has them: `linspace` of whole numbers."""
    return np.linspace(0, total - 1, frames, dtype=int)


OPENERS: dict[str, tuple[Callable[[bytes], ByNumber], Callable[[int, int], np.ndarray]]] = {
    "decord": (DecordClip, rounded_down),
    "torchcodec": (TorchcodecClip, spread),
}


def draw(data: bytes, canvas: Canvas, decoder: str) -> tuple[list[float], list[str]]:
    """See decode_forward.draw."""
    name, frames = canvas.name, canvas.frames
    opener, positions = OPENERS[decoder]
    header = survey(data, name)
    data = filled(data)
    clip = _opened(opener, data, name)
    found = Surveyed(clip.frames, 0)
    if header.broken:
        found = Surveyed(max(1, min(clip.frames, header.present)), header.expected, header.broken)
    wanted = positions(found.total, frames)
    reachable = [int(number) for number in np.minimum(wanted, found.present - 1)]
    times = _Taking(opener, data, clip, header.pixels).draw(canvas, reachable)
    lost = _fill(canvas, reachable, times)
    cut = int((wanted > found.present - 1).sum())
    missing = cut + sum(wanted[row] <= found.present - 1 for row in lost)
    notes = remarks(name, found, frames, missing, "their neighbours were" if lost else "the last was")
    if kind_of(data) in ROUGH:
        notes.append(f"{name}: {decoder} finds frames of MPEG streams only roughly")
    return [times[number] for number in _nearest(reachable, times)], notes


def _opened(opener: Callable[[bytes], ByNumber], data: bytes, name: str) -> ByNumber:
    try:
        clip = opener(data)
    except Exception as error:  # the libraries' errors share no class
        raise MediaError(f"{name} has no frame that can be decoded ({_said(error)})") from error
    if clip.frames < 1:
        raise MediaError(f"{name} has no frame that can be decoded")
    return clip


class _Taking:
    """Frames in as few calls as memory allows; after a failure each alone, from a clip opened again."""

    def __init__(self, opener: Callable[[bytes], ByNumber], data: bytes, clip: ByNumber, pixels: int) -> None:
        self._opener, self._data, self._pixels = opener, data, pixels
        self._clip: ByNumber | None = clip
        self._reason = ""

    def draw(self, canvas: Canvas, numbers: Sequence[int]) -> dict[int, float]:
        """Draw what can be decoded; gives the times of it. Raises MediaError where nothing can."""
        at_once = max(1, BATCH_BYTES // (3 * self._pixels)) if self._pixels else 1
        times: dict[int, float] = {}
        each = sorted(set(numbers))
        for start in range(0, len(each), at_once):
            for number, picture, time in self._pictures(each[start : start + at_once]):
                times[number] = time
                rows = [row for row, wanted in enumerate(numbers) if wanted == number]
                canvas.put(rows, Image.fromarray(picture))
        if not times:
            raise MediaError(f"{canvas.name} has no frame that can be decoded ({self._reason})")
        return times

    def _pictures(self, numbers: Sequence[int]) -> Iterator[tuple[int, np.ndarray, float]]:
        taken = self._take(numbers)
        if taken is None and len(numbers) > 1:
            for number in numbers:
                yield from self._pictures([number])
        elif taken is not None and self._clip is not None:
            for number, picture in zip(numbers, taken, strict=True):
                yield number, picture, self._clip.seconds(number)

    def _take(self, numbers: Sequence[int]) -> np.ndarray | None:
        try:
            self._clip = self._clip or self._opener(self._data)
            return self._clip.take(numbers)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - the libraries' errors share no class; each frame is counted
            self._clip, self._reason = None, _said(error)
            return None


def _nearest(numbers: Sequence[int], there: dict[int, float]) -> list[int]:
    """Of each number the frame that is shown for it: itself, or the nearest before, or the first that there is."""
    known = sorted(there)
    return [max((one for one in known if one <= number), default=known[0]) for number in numbers]


def _fill(canvas: Canvas, numbers: Sequence[int], times: dict[int, float]) -> list[int]:
    """Show a neighbour in each row whose frame could not be decoded; gives these rows."""
    lost = [row for row, number in enumerate(numbers) if number not in times]
    shown = _nearest(numbers, times)
    for row in lost:
        canvas.copy(row, numbers.index(shown[row]))
    return lost


def _said(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[-1][-200:]}" if lines else type(error).__name__
