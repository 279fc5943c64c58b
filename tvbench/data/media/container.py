"""Clip files: which container formats are read, and how one is opened. The only module that opens a clip.

The kind is told from the first bytes and given to libav by name, so that it never guesses: a text could be a playlist
that names other files, or a description of a stream on the network. Bytes are handed over as a file object, and no
protocol is allowed besides. Knows PyAV and nothing of frames.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from tvbench.errors import MediaError

if TYPE_CHECKING:
    from av.container import InputContainer

READ = "MP4, MOV, 3GP, Matroska, WebM, AVI, FLV, MPEG, MPEG-TS, Ogg and GIF"
CONVERT = "convert it to MP4"
MAX_FRAME_PIXELS = 36_000_000
"""Of one frame: 8K has 33 million."""
THREADS = 2
MOST_FILLED = 64 << 20
"""Bytes of zeros in place of what was cut off."""
ISO_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot"})
"""What an MP4 or QuickTime file may begin with."""
TS_PACKETS = ((0, 188), (4, 192), (0, 204))
"""Where the first mark of an MPEG transport stream stands, and how long its packets are."""
EBML, SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def kind_of(data: bytes) -> str:
    """libav's name of the container; "" for anything that is not read."""
    start = data[:12]
    if start[4:8] in ISO_BOXES:
        return "mov"
    if start.startswith(b"RIFF") and start[8:12] in (b"AVI ", b"AVIX"):
        return "avi"
    marks = (
        (EBML, "matroska"),
        (b"FLV\x01", "flv"),
        (b"OggS", "ogg"),
        (b"\0\0\1\xba", "mpeg"),
        (b"\0\0\1\xb3", "mpegvideo"),
        (b"GIF8", "gif"),
    )
    found = next((name for mark, name in marks if start.startswith(mark)), "")
    return found or ("mpegts" if _packet_length(data) else "")


def known_kind(data: bytes, name: str) -> str:
    """libav's name of the container. Raises MediaError for a kind that is not read."""
    kind = kind_of(data)
    if not kind:
        raise MediaError(f"{name} has no frame that can be decoded: it is none of {READ}", CONVERT)
    return kind


def open_clip(data: bytes, name: str) -> InputContainer:
    """The opened container. Raises MediaError for a kind that is not read, and what PyAV raises for a damaged one."""
    import av

    kind = known_kind(data, name)
    options = {"protocol_whitelist": "none", "format_whitelist": kind, "max_pixels": str(MAX_FRAME_PIXELS)}
    if kind == "mov":
        options |= {"enable_drefs": "0", "use_absolute_path": "0"}
    file: InputContainer = av.open(io.BytesIO(data), format=kind, options=options)
    return file


def video_stream(file: InputContainer, name: str) -> Any:
    """The first video stream, its decoder held to MAX_FRAME_PIXELS. Raises MediaError where there is none."""
    if not file.streams.video:
        raise MediaError(f"{name} has no video stream (audio only?)")
    stream = file.streams.video[0]
    if stream.codec_context is None:
        raise MediaError(f"{name} is in a video format that is not known")
    stream.codec_context.options = {"max_pixels": str(MAX_FRAME_PIXELS)}
    stream.codec_context.thread_count = THREADS
    return stream


def declared_end(file: InputContainer) -> float | None:
    """Seconds at which the header says that the clip ends, from its first frame on or (Matroska, FLV) from 0.

    None where the container's header holds no length: libav then guesses one from what is there, cut or not.
    """
    if not file.duration or not file.format.name.startswith(("mov", "matroska", "flv")):
        return None
    relative = file.format.name.startswith("mov")
    return (file.duration + (file.start_time or 0 if relative else 0)) / 1_000_000


# ── Files that end before they should ─────────────────────────────────────────────────────────────


def is_cut(data: bytes) -> bool:
    """Whether the container's own lengths say that the file goes on behind its last byte."""
    kind = kind_of(data)
    if kind == "mov":
        return _boxes_end(data) > len(data)
    if kind == "avi":
        return 8 + int.from_bytes(data[4:8], "little") > len(data)
    if kind == "matroska":
        return _segment_end(data) > len(data)
    if kind == "flv":
        return _tags_end(data) > len(data)
    if kind == "ogg":
        return not _pages_end(data)
    if kind == "gif":
        return not data.rstrip(b"\0").endswith(b";")
    return kind == "mpegts" and len(data) % _packet_length(data) != 0


def filled(data: bytes) -> bytes:
    """A cut MP4 with zeros for what is missing, if that is not too much; anything else as it is. Some libraries read
    all packets first, and refuse a file in which the last one is not whole."""
    missing = _boxes_end(data) - len(data) if kind_of(data) == "mov" else 0
    return data + bytes(missing) if 0 < missing <= MOST_FILLED else data


def _packet_length(data: bytes) -> int:
    """Of an MPEG transport stream; 0 for anything else."""
    for first, length in TS_PACKETS:
        places = range(first, min(len(data), first + 5 * length), length)
        if len(places) >= 3 and all(data[place] == 0x47 for place in places):
            return length
    return 0


def _boxes_end(data: bytes) -> int:
    """Where the last box of an MP4 ends, by its own word."""
    place = 0
    while place + 8 <= len(data):
        size = int.from_bytes(data[place : place + 4], "big")
        if size == 1 and place + 16 <= len(data):
            size = int.from_bytes(data[place + 8 : place + 16], "big")
        if size < 8:  # 0: to the end of the file; others are no boxes
            return len(data)
        place += size
    return place


def _segment_end(data: bytes) -> int:
    """Where a Matroska file's segment ends, by its own word; 0 where it does not say."""
    head, width = _vint(data, 4)
    place = 4 + width + head
    if data[place : place + 4] != SEGMENT:
        return 0
    size, width = _vint(data, place + 4)
    unknown = size == (1 << 7 * width) - 1
    return 0 if unknown or not width else place + 4 + width + size


def _vint(data: bytes, place: int) -> tuple[int, int]:
    """A number of EBML and the bytes it takes; (0, 0) where there is none."""
    if place >= len(data) or not data[place]:
        return 0, 0
    width = 9 - data[place].bit_length()
    value = int.from_bytes(data[place : place + width], "big")
    return value & ((1 << 7 * width) - 1), width


def _tags_end(data: bytes) -> int:
    """Where the last tag of an FLV ends, by its own word."""
    place = int.from_bytes(data[5:9], "big") + 4
    while place + 11 <= len(data):
        if data[place] & 0x1F not in (8, 9, 18):  # no tag: what follows is none of ours
            return len(data)
        place += 11 + int.from_bytes(data[place + 1 : place + 4], "big") + 4
    return place


def _pages_end(data: bytes) -> bool:
    """Whether the last page of an Ogg file is whole, and says that it is the last."""
    page = data[data.rfind(b"OggS") :]
    table = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return len(page) > 26 and len(page) >= 27 + page[26] + sum(table) and bool(page[5] & 4)
