"""One clip through every decoder that is here: the same frames where it is whole, and never silence where it is not."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from clip_files import clip_of, in_front, turned

from tvbench.data.media import decoders
from tvbench.data.media.decode import decode_clip
from tvbench.data.media.decode_numbered import OPENERS, ByNumber
from tvbench.data.media.decoders import LIBRARIES, decoder_info, require_decoder, version_of
from tvbench.data.media.video import Decoder
from tvbench.errors import MediaError, UsageError


def loads(name: str) -> bool:
    try:
        require_decoder(name)
    except UsageError:
        return False
    return True


HERE = [name for name in LIBRARIES if name == "pyav" or (version_of(name) and loads(name))]


@pytest.fixture(scope="module")
def pool() -> Iterator[Decoder]:
    with closing(Decoder(timeout_s=300, workers=1)) as decoder:
        yield decoder


decoded_by = pytest.mark.parametrize("by", HERE)
needs_decord = pytest.mark.skipif("decord" not in HERE, reason="decord is not installed")


# ── Whole clips ───────────────────────────────────────────────────────────────────────────────────


@decoded_by
@pytest.mark.parametrize(
    ("form", "codec", "pixels"),
    [
        ("mp4", "libx264", "yuv420p"),
        ("mp4", "libx264", "yuv420p10le"),
        ("mp4", "libx265", "yuv420p10le"),
        ("webm", "libvpx-vp9", "yuva420p"),
        ("matroska", "libx264", "yuv444p"),
        ("mov", "mpeg4", "yuv420p"),
    ],
)
def test_every_decoder_shows_the_frames_of_a_whole_clip(by: str, form: str, codec: str, pixels: str) -> None:
    data = clip_of(31, form=form, codec=codec, pixels=pixels)
    clip, notes = decode_clip(data, "c", 4, None, by)
    plain, _ = decode_clip(data, "c", 4, None)
    assert clip.frames.shape == (4, 64, 128, 3) and notes == ()
    assert np.abs(clip.frames.astype(int) - plain.frames).mean() < 4
    assert clip.times == pytest.approx((0.0, 1.0, 2.0, 3.0), abs=0.02)


@decoded_by
def test_a_clip_that_was_filmed_lying_down_stands_upright(by: str) -> None:
    data = clip_of(4)
    bright = {(0, 1, -1, 0): (0, 1), (-1, 0, 0, -1): (1, 1), (0, -1, 1, 0): (1, 0), (1, 0, 0, 1): (0, 0)}
    for matrix, corner in bright.items():
        clip, _ = decode_clip(turned(data, *matrix), "c", 2, None, by)
        shape = (128, 64) if matrix[0] == 0 else (64, 128)
        assert clip.frames.shape[1:3] == shape, matrix
        rows, columns = np.array_split(clip.frames[0].mean(-1), 2), ((0, 0), (0, 1), (1, 0), (1, 1))
        quarters = {place: np.array_split(rows[place[0]], 2, axis=1)[place[1]].mean() for place in columns}
        assert max(quarters, key=lambda place: quarters[place]) == corner, matrix


@decoded_by
def test_variable_rates_one_frame_and_few_frames(by: str) -> None:
    uneven = clip_of(5, times=[0, 1, 2, 300, 301])
    clip, _ = decode_clip(uneven, "c", 5, 16, by)
    assert len(np.unique(clip.frames.reshape(5, -1), axis=0)) == 5 and clip.frames.shape == (5, 16, 16, 3)
    clip, notes = decode_clip(clip_of(1), "c", 4, None, by)
    assert len(clip.frames) == 4 and "only 1 frames for 4" in notes[0]


@needs_decord
@pytest.mark.parametrize("form", ["mp4", "matroska"])
def test_decord_gives_the_frames_that_the_authors_code_does(form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from decord import VideoReader, cpu

    from tvbench.data.media import decode_numbered

    data = clip_of(47, form=form, g="12")
    reader = VideoReader(io.BytesIO(data), ctx=cpu(0), num_threads=1)
    positions = np.linspace(0, len(reader) - 1, 32, dtype=int).tolist()
    frames = reader.get_batch(positions).asnumpy()
    assert np.array_equal(decode_clip(data, "c", 32, None, "decord")[0].frames, frames)
    monkeypatch.setattr(decode_numbered, "BATCH_BYTES", 5 * 128 * 64 * 3)
    clip, _ = decode_clip(data, "c", 32, None, "decord")
    assert np.array_equal(clip.frames, frames), "and in small batches, for large frames"
    assert clip.times == pytest.approx([place / 10 for place in positions], abs=0.01)


# ── What is missing ───────────────────────────────────────────────────────────────────────────────


@decoded_by
@pytest.mark.parametrize("share", [0.3, 0.62, 0.9])
@pytest.mark.parametrize("form", ["mp4", "matroska", "flv", "mpegts"])
def test_no_decoder_takes_a_cut_clip_for_a_whole_one(pool: Decoder, by: str, form: str, share: float) -> None:
    data = clip_of(50, form=form)
    data = in_front(data) if form == "mp4" else data
    try:
        clip, notes = pool.decode(data[: int(len(data) * share)], "c", 8, None, by)
    except MediaError as error:
        assert "no frame" in str(error) or "crashed" in str(error)
        return
    assert len(clip.frames) == 8
    assert "of 8 frames decoded" in notes[0] or "damaged" in notes[0]


@decoded_by
def test_the_frames_that_are_there_are_counted(by: str) -> None:
    data = in_front(clip_of(50, g="5"))
    clip, notes = decode_clip(data[: int(len(data) * 0.6)], "c", 32, None, by)
    shown = int(notes[0].removeprefix("c: ").split()[0])
    assert (1 if by == "decord" else 8) <= shown <= 24 and "of 32 frames decoded" in notes[0]
    whole, _ = decode_clip(data, "c", 32, None, by)
    # decord loses now one, now another frame near a cut: which ones are right is not its promise, how many is ours.
    right = sum(np.array_equal(one, other) for one, other in zip(clip.frames, whole.frames, strict=True))
    assert right >= shown - 2
    if by != "decord":
        assert (clip.frames[shown:] == clip.frames[-1]).all()


class Holes:
    """A clip of which some frames cannot be decoded, and take those beside them along."""

    frames = 30
    opened = 0

    def __init__(self, data: bytes) -> None:
        type(self).opened += 1

    def take(self, numbers: Sequence[int]) -> np.ndarray:
        if any(10 <= number < 20 for number in numbers):
            raise RuntimeError("a hole")
        return np.stack([np.full((4, 4, 3), number, np.uint8) for number in numbers])

    def seconds(self, number: int) -> float:
        return float(number)


def test_a_hole_costs_its_own_frames_and_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    opener: type[ByNumber] = Holes
    monkeypatch.setitem(OPENERS, "decord", (opener, OPENERS["decord"][1]))
    clip, notes = decode_clip(clip_of(3), "c", 30, None, "decord")
    assert notes[0] == "c: 20 of 30 frames decoded; their neighbours were repeated"
    assert clip.frames[:, 0, 0, 0].tolist() == [*range(10), *[9] * 10, *range(20, 30)]
    monkeypatch.setattr(Holes, "frames", 20)
    monkeypatch.setattr(Holes, "take", lambda self, numbers: (_ for _ in ()).throw(RuntimeError("all of it")))
    with pytest.raises(MediaError, match=r"no frame that can be decoded \(RuntimeError: all of it\)"):
        decode_clip(clip_of(3), "c", 30, None, "decord")


@decoded_by
@pytest.mark.parametrize("kind", ["empty", "sound", "text", "header", "zeros"])
def test_what_is_no_clip_is_refused_in_words(pool: Decoder, by: str, kind: str) -> None:
    data = {
        "empty": b"",
        "sound": clip_of(sound_only=True),
        "text": b"#EXTM3U\nother.mp4\n",
        "header": clip_of(5)[:60],
        "zeros": b"\0\0\0\x20ftypisom" + bytes(400),
    }[kind]
    with pytest.raises(MediaError) as caught:
        pool.decode(data, "the clip", 4, None, by)
    assert "the clip" in str(caught.value) and "Traceback" not in str(caught.value)


@decoded_by
def test_any_decoder_runs_where_nothing_can_be_opened_and_memory_is_bounded(by: str) -> None:
    with closing(Decoder(timeout_s=120, workers=1)) as decoder:
        data = clip_of(12, width=1280, height=720)
        first, _ = decoder.decode(data, "c", 8, None, by)
        assert first.frames.shape == (8, 720, 1280, 3)
        (process,) = decoder._started
        limits = Path(f"/proc/{process.pid}/limits").read_text()
        files = next(line for line in limits.splitlines() if line.startswith("Max open files"))
        assert int(files.split()[3]) < 10
        assert decoder.decode(data, "c", 9, 64, by)[0].frames.shape == (9, 64, 64, 3)
        assert list(decoder._started) == [process]
        for number in range(3):
            decoder.decode(clip_of(40, form="matroska") + bytes(number), "c", 32, None, by)
        threads = next(
            line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if "Threads" in line
        )
        assert int(threads.split()[1]) < 16, "a clip that is done leaves none behind"


# ── Which there are ───────────────────────────────────────────────────────────────────────────────


@needs_decord
def test_one_pool_never_answers_for_another_decoder() -> None:
    data = clip_of(50, g="5")
    with closing(Decoder(timeout_s=120, workers=1)) as decoder:
        frames = {by: decoder.decode(data, "c", 7, None, by)[0].frames for by in ("pyav", "decord", "pyav")}
    assert np.array_equal(frames["decord"], decode_clip(data, "c", 7, None, "decord")[0].frames)
    assert not np.array_equal(frames["decord"], frames["pyav"]), "they round positions otherwise"


def test_what_is_missing_is_said_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoders, "version_of", lambda name: "")
    with pytest.raises(UsageError) as caught:
        require_decoder("decord")
    assert str(caught.value).startswith("--decoder decord: decord is not installed")
    assert "pip install 'tvbench[decord]'" in str(caught.value.hint)
    require_decoder("pyav")


def test_what_cannot_be_loaded_is_said_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "torchcodec.py").write_text("raise OSError('libavutil.so.60: cannot open shared object file')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(decoders, "version_of", lambda name: "0.17.0")
    with closing(Decoder(timeout_s=120, workers=1)) as decoder:
        with pytest.raises(MediaError, match="c: the decoder torchcodec does not start on this machine"):
            decoder.decode(clip_of(3), "c", 2, None, "torchcodec")
        assert decoder.decode(clip_of(3), "c", 2, None)[0].frames.shape[0] == 2
    with pytest.raises(UsageError, match=r"torchcodec 0.17.0 is installed and cannot be loaded: .*libavutil.so.60"):
        require_decoder("torchcodec")


def test_the_manifest_names_decoder_and_version() -> None:
    assert decoder_info() == {"name": "pyav", "version": version_of("pyav")}
    if "decord" in HERE:
        assert decoder_info("decord") == {"name": "decord", "version": version_of("decord")}
