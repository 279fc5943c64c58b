"""What there is of a clip, and what its header promises: how many frames, and whether the file is cut off.

How many frames there should be is what the header says, in frames or in seconds. Says in words what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tvbench.data.media.container import declared_end, is_cut, open_clip, video_stream

if TYPE_CHECKING:
    from av.container import InputContainer

SHORTEST_GAP_S = 0.5
"""What is missing at a clip's end and less than this, or three frames, is rounding."""
MOST_FRAMES = 100_000_000


@dataclass(slots=True)
class Surveyed:
    """What a pass over a clip found. `expected`: frames by the header (0: it does not say). `broken`: what went wrong;
    `spoilt`: frames that decoded with errors."""

    present: int = 0
    expected: int = 0
    broken: str = ""
    spoilt: int = 0
    first: float = 0.0
    last: float = 0.0
    gap: float = 0.0
    """Seconds between two frames, as the stream has it."""
    heard: float = 0.0
    """The end of the last packet of any stream, in seconds."""
    end: float | None = None
    """Where the clip ends in seconds, by its header."""
    pixels: int = 0
    """Of a frame, by the header."""

    @property
    def total(self) -> int:
        """Frames that there are, or should be."""
        return max(self.present, self.expected)

    def read_header(self, file: InputContainer, stream: Any) -> None:
        """What is known before anything is decoded."""
        self.expected = max(0, stream.frames or 0)
        self.end = declared_end(file)
        self.gap = 1 / float(stream.average_rate or stream.guessed_rate or 25)
        self.pixels = (stream.codec_context.width or 0) * (stream.codec_context.height or 0)

    def hear(self, packet: Any) -> None:
        """A packet of any stream: a clip's sound may be longer than what is seen."""
        if packet.pts is not None and packet.time_base is not None:
            self.heard = max(self.heard, float((packet.pts + (packet.duration or 0)) * packet.time_base))

    def see(self, time: float) -> None:
        """A frame at `time` seconds."""
        if not self.present:
            self.first = time
        self.present += 1
        self.last = max(self.last, time)

    def conclude(self, data: bytes) -> None:
        """After the last frame: what is missing of `data`."""
        if not self.expected and self.end is not None and self.present:
            self.expected = self._by_length(self.end)
        if not self.broken:
            self.broken = "the file is cut off" if is_cut(data) else "frames with errors" if self.spoilt else ""

    def _by_length(self, end: float) -> int:
        """The number of frames up to `end` seconds, going on as those that are there; 0 where nothing is missing."""
        gap = (self.last - self.first) / (self.present - 1) if self.present > 1 else self.gap
        seen = self.last + gap
        reached = seen if self.broken else max(seen, self.heard)
        if gap <= 0 or end - reached < max(SHORTEST_GAP_S, 3 * gap):
            return 0
        return self.present + round(min((end - seen) / gap, MOST_FRAMES))


def survey(data: bytes, name: str) -> Surveyed:
    """What a clip holds by its packets; nothing is decoded. Raises MediaError for what is no clip."""
    import av

    found = Surveyed()
    try:
        with open_clip(data, name) as file:
            stream = video_stream(file, name)
            found.read_header(file, stream)
            for packet in file.demux():
                found.hear(packet)
                if packet.stream.index == stream.index and packet.size:
                    found.see(float((packet.pts or 0) * (packet.time_base or 0)))
    except (av.FFmpegError, ValueError, EOFError) as error:
        found.broken = f"{type(error).__name__}: {error}"
    found.conclude(data)
    return found


def remarks(name: str, found: Surveyed, frames: int, missing: int, repeated: str = "the last was") -> list[str]:
    """What a person should know of a clip of which `frames` were asked and `missing` could not be shown."""
    notes = []
    if missing:
        notes.append(f"{name}: {frames - missing} of {frames} frames decoded; {repeated} repeated")
    elif found.broken:
        notes.append(f"{name}: damaged ({found.broken}); {found.present} frames decoded")
    if found.total < frames:
        notes.append(f"{name}: only {found.total} frames for {frames} asked; some were repeated")
    return notes
