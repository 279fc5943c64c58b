"""Pictures and clips: what is usable is made uniform, what is not is said in words."""

from __future__ import annotations

import io
import sys
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from tvbench.data.media.decode import decode_clip
from tvbench.data.media.images import open_image
from tvbench.data.media.video import Decoder
from tvbench.errors import MediaError


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def clip_bytes(frames: int, *, size: int = 32, times: list[int] | None = None) -> bytes:
    """A clip whose frame n is grey of value 4n. `times` are presentation times in 1/100 s."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width = stream.height = size
        stream.options = {"qp": "0", "bf": "0"}
        stream.codec_context.time_base = Fraction(1, 100)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(np.full((size, size, 3), 4 * number, dtype=np.uint8), format="rgb24")
            frame.pts = times[number] if times else number * 10
            frame.time_base = Fraction(1, 100)
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def greys(frames: np.ndarray) -> list[int]:
    return [round(float(frame.mean()) / 4) for frame in frames]


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "LA"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    form = "JPEG" if mode == "CMYK" else "PNG"
    image = open_image(encoded(Image.new(mode, (7, 5)), form), "p")
    assert image.mode == "RGB" and image.size == (7, 5)


def test_transparent_is_white_and_sixteen_bits_keep_their_shades() -> None:
    assert open_image(encoded(Image.new("RGBA", (2, 2), (255, 0, 0, 0))), "p").getpixel((0, 0)) == (255, 255, 255)
    grey = Image.fromarray(np.full((2, 2), 32768, dtype=np.uint16))
    assert open_image(encoded(grey), "p").getpixel((0, 0)) == (128, 128, 128)


def test_exif_turns_the_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    assert open_image(encoded(Image.new("RGB", (8, 4)), "JPEG", exif=exif), "p").size == (4, 8)


@pytest.mark.parametrize(
    ("data", "message"),
    [(b"", "empty"), (b"<html>", "not a picture"), (encoded(Image.new("RGB", (64, 64)))[:70], "truncated")],
)
def test_bad_pictures_are_named(data: bytes, message: str) -> None:
    with pytest.raises(MediaError, match=f"p.png.*{message}"):
        open_image(data, "p.png")


def test_the_limit_is_checked_before_decoding() -> None:
    with pytest.raises(MediaError, match="20 x 30 pixels"):
        open_image(encoded(Image.new("RGB", (20, 30)))[:60], "p", max_pixels=599)


def test_frames_are_spread_evenly_ends_included() -> None:
    clip, notes = decode_clip(clip_bytes(31), "c", 4, None)
    assert greys(clip.frames) == [0, 10, 20, 30] and notes == ()
    assert clip.times == pytest.approx((0.0, 1.0, 2.0, 3.0), abs=0.01)


def test_variable_frame_rate_is_sampled_by_index() -> None:
    clip, _ = decode_clip(clip_bytes(5, times=[0, 1, 2, 300, 301]), "c", 5, 16)
    assert greys(clip.frames) == [0, 1, 2, 3, 4] and clip.frames.shape == (5, 16, 16, 3)


def test_a_short_clip_repeats_frames_and_says_so() -> None:
    clip, notes = decode_clip(clip_bytes(2), "c", 4, None)
    assert len(clip.frames) == 4 and "only 2 frames for 4" in notes[0]


def test_a_cut_clip_gives_what_it_has_and_counts(tmp_path: Path) -> None:
    whole = clip_bytes(60, size=64)
    moved = tmp_path / "fast.mp4"
    with av.open(io.BytesIO(whole)) as source, av.open(str(moved), "w", options={"movflags": "faststart"}) as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    fast = moved.read_bytes()
    clip, notes = decode_clip(fast[: len(fast) - (len(fast) - fast.index(b"mdat")) // 2], "c", 8, None)
    assert len(clip.frames) == 8
    assert "of 8 frames decoded" in notes[0]


def test_the_process_answers_like_the_function_and_many_times() -> None:
    decoder = Decoder(timeout_s=300)
    try:
        data = clip_bytes(9)
        for _ in range(2):
            clip, notes = decoder.decode(data, "c", 3, 16)
            straight, _ = decode_clip(data, "c", 3, 16)
            assert np.array_equal(clip.frames, straight.frames) and notes == ()
        for bad, message in ((b"", "empty"), (b"x" * 500, "no frame")):
            with pytest.raises(MediaError, match=message):
                decoder.decode(bad, "c", 3)
        assert decoder.decode(data, "c", 3, 16)[0].frames.shape == (3, 16, 16, 3)
    finally:
        decoder.close()


def test_a_hang_is_ended_and_the_next_clip_gets_a_new_process() -> None:
    decoder = Decoder(timeout_s=0.5, workers=1, command=(sys.executable, "-c", "import time; time.sleep(60)"))
    try:
        for _ in range(2):
            started = time.monotonic()
            with pytest.raises(MediaError, match="longer than 0.5 s"):
                decoder.decode(b"data", "c.mp4", 3)
            assert time.monotonic() - started < 50
    finally:
        decoder.close()


def test_a_crash_costs_one_clip() -> None:
    decoder = Decoder(timeout_s=300, workers=1, command=(sys.executable, "-c", "import sys; sys.exit(3)"))
    try:
        with pytest.raises(MediaError, match="crashed"):
            decoder.decode(b"data", "c.mp4", 3)
    finally:
        decoder.close()
