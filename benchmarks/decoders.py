"""The frames of one clip set by each decoder that is installed: the same positions, the same pixels, how much work, and
what becomes of cut files.

    python benchmarks/decoders.py [--csv benchmarks/decoders.csv] [--clips 3]

Clips are made here: ten seconds of moving shapes, 854 x 480, in the codecs and containers below; 32 frames are shown in
their own size. Every frame carries its number as a row of black and white blocks, so that it can be read which one was
shown. `positions`: frames that are those that the decoder was asked for (decord: rounded down, as the authors' code;
others: to the nearest), `same` those that PyAV shows. `pixels`: the mean difference from PyAV's own frames of the same
numbers, of 255. `cpu`: seconds of the decoding process for a clip. `cut`: what is said of the first 60 %.

Measured with PyAV 18.1.0, decord 0.6.0 and torchcodec 0.12.0 (`decoders.csv`). PyAV shows the frames that it is asked
for in all twelve. decord's are 17 of PyAV's 32, because it is asked otherwise; but in HEVC only 25, and in MPEG-TS 1
of 32 are those that it was asked for (torchcodec: 12 of 32), it reads no AV1, and a cut AVI kills it. Of the same
frames not one pixel differs, but in 10 bit (decord 0.99, torchcodec 0.71 of 255). Work: alike, 0.15 to 0.4 seconds a
clip, up to 0.8 in MPEG-TS. An MPEG-TS that ends between two of its packets looks whole to all: nothing in it says how
long it is. (torchcodec's cut VP8 and AVI were of four seconds.)

torchcodec's wheels of 0.16 and 0.17 ask for CUDA's libraries (libtorch_cuda, libnvrtc) and do not load beside the CPU
build of torch 2.13; 0.12 does, with FFmpeg's libraries of versions 4 to 8 on the library path.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from fractions import Fraction
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [] if "tvbench" in sys.modules else [str(ROOT)]

os.environ.setdefault("SVT_LOG", "0")
import av  # noqa: E402
import numpy as np  # noqa: E402

from tvbench.data.media.decode_forward import spread  # noqa: E402
from tvbench.data.media.decode_numbered import OPENERS  # noqa: E402
from tvbench.data.media.decoders import LIBRARIES, require_decoder, version_of  # noqa: E402
from tvbench.data.media.video import Decoder  # noqa: E402
from tvbench.errors import MediaError, UsageError  # noqa: E402

KINDS = (
    ("mp4", "libx264", "yuv420p"),
    ("mp4", "libx264", "yuv420p10le"),
    ("mp4", "libx265", "yuv420p"),
    ("mp4", "libsvtav1", "yuv420p"),
    ("matroska", "libx264", "yuv420p"),
    ("webm", "libvpx-vp9", "yuv420p"),
    ("webm", "libvpx", "yuv420p"),
    ("mov", "mpeg4", "yuv420p"),
    ("avi", "mpeg4", "yuv420p"),
    ("flv", "libx264", "yuv420p"),
    ("mpegts", "libx264", "yuv420p"),
    ("mpegts", "mpeg2video", "yuv420p"),
)
FRAMES, RATE, SECONDS, BITS, BLOCK = 32, 25, 10, 10, 32
TICKS = Path("/proc")
NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class Compared:
    """One line of the table."""

    clip: str
    decoder: str
    positions: str
    same: str
    pixels: str
    cpu: str
    cut: str


def clip(form: str, codec: str, pixels: str, size: tuple[int, int], seconds: float) -> bytes:
    """Moving shapes with the frame's number on top; a key frame every two seconds, and an MP4's index in front."""
    quick = {"libx264": "veryfast", "libx265": "ultrafast", "libsvtav1": "12"}
    options = {"g": str(2 * RATE), **({"preset": quick[codec]} if codec in quick else {})}
    options |= {"x265-params": "log-level=none"} if codec == "libx265" else {}
    front = {"movflags": "faststart"} if form in ("mp4", "mov") else {}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "clip")
        with av.open(path, "w", format=form, options=front) as file:
            stream = file.add_stream(codec, rate=RATE, options=options)
            (stream.width, stream.height), stream.pix_fmt = size, pixels
            stream.bit_rate = 1_500_000
            for number, picture in enumerate(pictures(size, round(RATE * seconds))):
                frame = av.VideoFrame.from_ndarray(picture, "rgb24")
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                file.mux(stream.encode(frame))
            file.mux(stream.encode(None))
        return Path(path).read_bytes()


def pictures(size: tuple[int, int], count: int) -> Iterator[np.ndarray]:
    """Tiles that drift to the right, and the number in blocks."""
    rng, (width, height) = np.random.default_rng(3), size
    tiles = rng.integers(0, 256, (8, 12, 3), dtype=np.uint8)
    ground = np.kron(tiles, np.ones((height // 8 + 1, width // 12 + 1, 1), np.uint8))[:height, :width]
    for number in range(count):
        picture = np.roll(ground, 3 * number, axis=1)
        for bit in range(BITS):
            picture[:BLOCK, bit * BLOCK : (bit + 1) * BLOCK] = 235 if number >> bit & 1 else 16
        yield np.ascontiguousarray(picture)


def numbers(frames: np.ndarray) -> np.ndarray:
    """The numbers that frames carry."""
    row = frames[:, BLOCK // 4 : 3 * BLOCK // 4, : BITS * BLOCK].mean(axis=(1, 3)).reshape(len(frames), BITS, BLOCK)
    bits = row[:, :, BLOCK // 4 : 3 * BLOCK // 4].mean(-1) > 127
    shown: np.ndarray = (bits << np.arange(BITS)).sum(-1)
    return shown


def asked(by: str, total: int) -> np.ndarray:
    """The positions that a decoder is asked for."""
    return OPENERS[by][1](total, FRAMES) if by in OPENERS else spread(total, FRAMES)


def installed() -> list[str]:
    """The decoders that can be loaded."""
    found = []
    for name in LIBRARIES:
        try:
            require_decoder(name)
            found.append(name)
        except UsageError as error:
            print(f"left out: {error.message}", file=sys.stderr)
    return found


def work(decoder: Decoder) -> float:
    """CPU seconds of the decoding process so far."""
    (process,) = decoder._started
    spent = (TICKS / str(process.pid) / "stat").read_text().rpartition(")")[2].split()
    return (int(spent[11]) + int(spent[12])) / 100


def cut(decoder: Decoder, data: bytes, by: str) -> str:
    """What is said of a file that ends too early."""
    try:
        notes = decoder.decode(data[: int(len(data) * 0.6)], "it", FRAMES, None, by)[1]
    except MediaError as error:
        return "crashes" if "crashed" in error.message else "refused"
    of_the_end = [note for note in notes if "roughly" not in note]
    return (of_the_end[0].removeprefix("it: ").split(";")[0].split(" (")[0]) if of_the_end else NOTHING


def compared(decoder: Decoder, by: str, name: str, data: bytes, plain: np.ndarray, total: int, clips: int) -> Compared:
    """One decoder on one clip; `plain` are all frames by PyAV."""
    try:
        frames = decoder.decode(data, "it", FRAMES, None, by)[0].frames
    except MediaError as error:
        said = "crashes" if "crashed" in error.message else "refused"
        return Compared(name, by, said, "", "", "", cut(decoder, data, by))
    began = work(decoder)
    for number in range(clips):
        decoder.decode(data + bytes(number + 1), "it", FRAMES, None, by)
    cpu = (work(decoder) - began) / clips
    shown = numbers(frames)
    right, same = (int((shown == asked(one, total)).sum()) for one in (by, "pyav"))
    apart = np.mean(
        [np.abs(frame.astype(int) - plain[min(n, total - 1)]).mean() for frame, n in zip(frames, shown, strict=True)]
    )
    said = cut(decoder, data, by)
    return Compared(name, by, f"{right} of {FRAMES}", f"{same} of {FRAMES}", f"{apart:.2f}", f"{cpu:.2f}", said)


def rows(clips: int, size: tuple[int, int], seconds: float) -> Iterator[Compared]:
    """All clips by all decoders."""
    known = installed()
    for form, codec, pixels in KINDS:
        total = round(RATE * seconds)
        data = clip(form, codec, pixels, size, seconds)
        name = f"{codec} {form}" + (" 10 bit" if "10" in pixels else "")
        plain = every(data)
        for by in known:
            with closing(Decoder(timeout_s=300, workers=1)) as decoder:
                yield compared(decoder, by, name, data, plain, total, clips)


def every(data: bytes) -> np.ndarray:
    """All frames, by PyAV."""
    with av.open(io.BytesIO(data)) as file:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in file.decode(video=0)])


def main(words: Sequence[str] | None = None) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=3, metavar="N", help="clips for each measurement of time")
    parser.add_argument("--csv", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="small clips, for a test")
    args = parser.parse_args(words)
    began, found = time.monotonic(), []
    for row in rows(args.clips, (384, 96) if args.quick else (854, 480), 2 if args.quick else SECONDS):
        found.append(row)
        print(
            "  ".join(
                f"{value:<{width}}" for value, width in zip(asdict(row).values(), (22, 11, 9, 9, 6, 5, 30), strict=True)
            )
        )
    versions = ", ".join(f"{name} {version_of(name)}" for name in LIBRARIES if version_of(name))
    print(f"{versions}; {time.monotonic() - began:.0f} s", file=sys.stderr)
    if args.csv:
        with args.csv.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, [field.name for field in fields(Compared)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(row) for row in found)
    return int(any(row.cut == NOTHING and not row.clip.endswith("mpegts") for row in found))


if __name__ == "__main__":
    raise SystemExit(main())
