"""Clips from strangers: only clip files are opened, nothing that they name, and what is missing of one is said."""

from __future__ import annotations

import io
import queue
import subprocess
import sys
import threading
import time
from contextlib import closing
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import pytest

from tvbench.data.media import canvas, container
from tvbench.data.media.container import kind_of
from tvbench.data.media.decode import decode_clip
from tvbench.data.media.decoders import environment
from tvbench.data.media.video import COMMAND, Decoder
from tvbench.errors import MediaError

KINDS = [
    ("mp4", "libx264", "mov"),
    ("mov", "libx264", "mov"),
    ("3gp", "mpeg4", "mov"),
    ("matroska", "libx264", "matroska"),
    ("webm", "libvpx", "matroska"),
    ("mpegts", "libx264", "mpegts"),
    ("mpegts", "mpeg2video", "mpegts"),
    ("flv", "libx264", "flv"),
    ("flv", "flv", "flv"),
    ("avi", "mpeg4", "avi"),
    ("avi", "mjpeg", "avi"),
    ("mpeg", "mpeg1video", "mpeg"),
    ("ogg", "libvpx", "ogg"),
    ("gif", "gif", "gif"),
]
"""Container and codec as PyAV writes them, and libav's name of the container."""
PIXELS = {"gif": "rgb8", "mjpeg": "yuvj420p"}


@cache
def clip_bytes(form: str, codec: str, *, frames: int = 50, size: int = 64, sound: float = 0.0, **options: str) -> bytes:
    """A clip of noisy frames, ten (MPEG: 25) a second, and with `sound` seconds of silence beside it."""
    rng = np.random.default_rng(7)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form, options=options) as file:
        stream = file.add_stream(codec, rate=25 if codec.startswith("mpeg") else 10)
        stream.width = stream.height = size
        stream.pix_fmt = PIXELS.get(codec, "yuv420p")
        voice = file.add_stream("aac", rate=8000, layout="mono") if sound else None
        for number in range(frames):
            small = rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            frame = av.VideoFrame.from_ndarray(np.kron(small, np.ones((size // 8, size // 8, 1), np.uint8)), "rgb24")
            frame.pts, frame.time_base = number, Fraction(1, int(stream.average_rate or 10))
            file.mux(stream.encode(frame))
        file.mux(stream.encode(None))
        for number in range(int(sound * 8000 / 1024)):
            assert voice is not None
            quiet = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
            quiet.sample_rate, quiet.pts, quiet.time_base = 8000, 1024 * number, Fraction(1, 8000)
            file.mux(voice.encode(quiet))
        if voice:
            file.mux(voice.encode(None))
    return buffer.getvalue()


# ── What is opened ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("form", "codec", "kind"), KINDS)
def test_every_kind_of_clip_is_told_from_its_bytes_and_read(form: str, codec: str, kind: str) -> None:
    data = clip_bytes(form, codec, frames=20)
    assert kind_of(data) == kind
    clip, notes = decode_clip(data, "c", 4, 16)
    assert clip.frames.shape == (4, 16, 16, 3) and notes == ()


SDP = (
    b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 40404 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
)
LISTS = {
    "concat": b"ffconcat version 1.0\nfile other.mp4\n",
    "sdp": SDP,
    "hls": b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nother.mp4\n#EXT-X-ENDLIST\n",
    "dash": b"<?xml version='1.0'?><MPD><Period><AdaptationSet><Representation><BaseURL>other.mp4</BaseURL>"
    b"</Representation></AdaptationSet></Period></MPD>",
    "rtsp": b"RTSP/1.0 200 OK\n\n",
    "imf": b"<CompositionPlaylist/>",
    "image2": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "wmv": b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\0\xaa" + bytes(50),
}


@pytest.mark.parametrize("kind", sorted(LISTS))
def test_a_list_of_other_files_is_no_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    (tmp_path / "other.mp4").write_bytes(clip_bytes("mp4", "libx264", frames=5))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MediaError, match="none of MP4"):
        decode_clip(LISTS[kind], "c", 2, None)
    with closing(Decoder(timeout_s=60, workers=1)) as decoder, pytest.raises(MediaError, match="none of MP4"):
        decoder.decode(LISTS[kind], "c", 2)


def test_nothing_is_opened_even_where_a_list_is_taken_for_a_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other.mp4").write_bytes(clip_bytes("mp4", "libx264", frames=5))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(container, "kind_of", lambda data: "concat")
    with pytest.raises(MediaError, match="no frame that can be decoded"):
        decode_clip(LISTS["concat"], "c", 2, None)


CLOSED_OFF = """
import socket, sys
from tvbench.data.media.decode import decode_clip
from tvbench.data.media.decode_worker import close_off, warm_up
warm_up()
close_off(3)
for opener in (lambda: open("/dev/null"), lambda: socket.socket()):
    try:
        opener()
    except OSError as error:
        print(error.errno)
clip, notes = decode_clip(sys.stdin.buffer.read(), "c", 4, 16)
print(clip.frames.shape, notes)
try:
    decode_clip(b"\\0\\0\\0\\x20ftypisom" + bytes(400), "c", 4, None)
except Exception as error:
    print(type(error).__name__)
"""


@pytest.mark.parametrize(("form", "codec"), [("mp4", "libx264"), ("webm", "libvpx"), ("mpegts", "mpeg2video")])
def test_the_process_can_open_nothing(tmp_path: Path, form: str, codec: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", CLOSED_OFF],
        input=clip_bytes(form, codec, frames=9),
        check=False,
        capture_output=True,
        cwd=tmp_path,
        env=environment(),
    )
    assert done.stdout.decode().split("\n")[:4] == ["24", "24", "(4, 16, 16, 3) ()", "MediaError"], done.stderr


def test_the_process_runs_in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a file of the working directory was imported')")
    monkeypatch.chdir(tmp_path)
    with closing(Decoder(timeout_s=60, workers=1)) as decoder:
        decoder.decode(clip_bytes("mp4", "libx264", frames=3), "c", 2)
        (process,) = decoder._started
        folder = Path(f"/proc/{process.pid}/cwd").resolve()
        assert folder != tmp_path and list(folder.iterdir()) == []
    assert not folder.exists()
    assert "-P" in COMMAND


# ── What is missing ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("share", [0.3, 0.62, 0.9])
@pytest.mark.parametrize(("form", "codec", "kind"), KINDS)
def test_a_cut_clip_is_never_taken_for_a_whole_one(form: str, codec: str, kind: str, share: float) -> None:
    data = clip_bytes(form, codec)
    try:
        _, notes = decode_clip(data[: int(len(data) * share)], "c", 8, None)
    except MediaError:
        return
    assert notes and ("of 8 frames decoded" in notes[0] or "damaged" in notes[0])


@pytest.mark.parametrize(
    ("form", "codec"), [("matroska", "libx264"), ("webm", "libvpx"), ("flv", "flv"), ("flv", "libx264")]
)
def test_what_the_header_promises_in_seconds_is_counted(form: str, codec: str) -> None:
    data = clip_bytes(form, codec, frames=100)
    clip, notes = decode_clip(data[: int(len(data) * 0.4)], "c", 10, None)
    decoded = int(notes[0].removeprefix("c: ").split()[0])
    assert 2 <= decoded <= 5 and "of 10 frames decoded; the last was repeated" in notes[0]
    assert clip.times[0] < 0.5 and clip.times[1] == pytest.approx(clip.times[0] + 1.1, abs=0.21)


@pytest.mark.parametrize("form", ["mp4", "matroska", "flv", "mpegts"])
def test_sound_that_goes_on_is_no_damage(form: str) -> None:
    clip, notes = decode_clip(clip_bytes(form, "libx264", frames=20, sound=6.0), "c", 4, None)
    assert notes == () and len(clip.frames) == 4


def test_a_fragmented_file_is_counted_by_its_length() -> None:
    data = clip_bytes("mp4", "libx264", movflags="frag_keyframe+empty_moov")
    assert decode_clip(data, "c", 8, None)[1] == ()
    assert decode_clip(data[: len(data) // 2], "c", 8, None)[1] != ()


# ── How much it takes ─────────────────────────────────────────────────────────────────────────────


def test_frames_are_bounded_by_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    data = clip_bytes("mp4", "libx264", frames=10)
    monkeypatch.setattr(canvas, "CLIP_BYTES", 5 * 64 * 64 * 3)
    assert decode_clip(data, "c", 5, None)[0].frames.shape == (5, 64, 64, 3)
    clip, notes = decode_clip(data, "c", 10, None)
    assert clip.frames.nbytes <= canvas.CLIP_BYTES and clip.frames.nbytes > 0.9 * canvas.CLIP_BYTES
    assert "64 x 64 were resized to 45 x 45" in notes[0]
    assert decode_clip(data, "c", 10, 64)[0].frames.shape == (10, 64, 64, 3), "a size that was asked for stays"


def test_frames_larger_than_any_screen_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    data = clip_bytes("mp4", "libx264", frames=4)
    monkeypatch.setattr(container, "MAX_FRAME_PIXELS", 63 * 63)
    with pytest.raises(MediaError, match="no frame that can be decoded"):
        decode_clip(data, "c", 2, None)


# ── The end ───────────────────────────────────────────────────────────────────────────────────────


def test_a_closed_decoder_refuses_at_once() -> None:
    decoder = Decoder(timeout_s=60, workers=1)
    decoder.decode(clip_bytes("mp4", "libx264", frames=3), "c", 2)
    decoder.close()
    decoder.close()
    for _ in range(3):
        done: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=refused, args=(decoder, done), daemon=True).start()
        assert "closed" in done.get(timeout=60)


def test_closing_ends_what_is_under_way_and_what_waits() -> None:
    begun = "import sys, time; sys.stdin.buffer.readline(); time.sleep(600)"
    decoder = Decoder(timeout_s=500, workers=1, command=(sys.executable, "-c", begun))
    done: queue.SimpleQueue[str] = queue.SimpleQueue()
    for _ in range(3):
        threading.Thread(target=refused, args=(decoder, done), daemon=True).start()
    while not decoder._started:
        time.sleep(0.01)
    decoder.close()
    assert all("closed" in done.get(timeout=60) for _ in range(3))


def refused(decoder: Decoder, done: queue.SimpleQueue[str]) -> None:
    try:
        decoder.decode(b"data", "c", 2)
        done.put("decoded")
    except MediaError as error:
        done.put(str(error))
