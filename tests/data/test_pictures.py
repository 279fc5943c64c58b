"""Pictures from strangers: whatever is in the file, what comes back is a picture or a MediaError."""

from __future__ import annotations

import ast
import io
import random
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from feeds import medium, picture, question
from PIL import Image, ImageOps, JpegImagePlugin
from repository import ROOT

from tvbench.data.media import images
from tvbench.data.media.images import FORMATS, open_image, read_header, shrunk
from tvbench.engines.openai.messages import chat_messages, faithful_mime
from tvbench.errors import MediaError
from tvbench.runs.feed import DecodeAhead
from tvbench.runs.planned import Keys
from tvbench.types import Item, Media, Message, ModelCard, Open, Request, Sampling

HOSTILE = ROOT.parent / "shared" / "data" / "hostile_pictures"


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def noise(width: int, height: int, seed: int = 0) -> Image.Image:
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def usable(data: bytes) -> bool:
    """Goes through every boundary that a picture meets in a run; raises for anything but a MediaError."""
    faithful_mime(data)
    try:
        image = open_image(data, "p")
    except MediaError:
        return False
    assert image.mode == "RGB" and not image.info
    images.png(image)
    return True


# ── Whatever goes wrong is one failed item ────────────────────────────────────────────────────────


def broken_exif() -> bytes:
    """A JPEG with a rotation, and beside it a tag whose value PIL reads and cannot write."""
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x011A] = 72.0
    data = encoded(Image.new("RGB", (8, 4)), "JPEG", exif=exif)
    at = data.index(b"\x01\x1a\x00\x05")
    return data[: at + 2] + b"\x00\x63" + data[at + 4 :]


def test_damaged_exif_is_no_end_of_a_run() -> None:
    assert usable(broken_exif())
    assert open_image(broken_exif(), "p").size == (4, 8)


@pytest.mark.skipif(not HOSTILE.is_dir(), reason="the hostile pictures are not here")
def test_the_pictures_that_ended_runs() -> None:
    found = sorted(HOSTILE.iterdir())
    assert len(found) >= 7
    for path in found:
        usable(path.read_bytes())


@pytest.mark.parametrize("form", FORMATS)
def test_damaged_pictures_of_every_format(form: str) -> None:
    rng = random.Random(form)
    whole = encoded(noise(24, 16), form)
    assert usable(whole)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.choice((1, 3, 20))):
            data[rng.randrange(len(data) if rng.random() < 0.5 else 64)] = rng.randrange(256)
        usable(bytes(data[: rng.randrange(len(data))] if rng.random() < 0.2 else data))


ERRORS = (
    SyntaxError,
    TypeError,
    KeyError,
    OverflowError,
    MemoryError,
    RecursionError,
    SystemError,
    Image.DecompressionBombWarning,
    Image.DecompressionBombError,
    ZeroDivisionError,
    UnicodeDecodeError,
)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.__name__)
@pytest.mark.parametrize("step", ["load", "convert", "getexif", "transpose", "crop", "save"])
def test_any_error_at_any_step(monkeypatch: pytest.MonkeyPatch, error: type[Exception], step: str) -> None:
    raised = UnicodeDecodeError("utf-8", b"", 0, 1, "bad") if error is UnicodeDecodeError else error("bad")

    def fail(*_: object, **__: object) -> None:
        raise raised

    exif = Image.Exif()
    exif[0x0112] = 6
    data = encoded(noise(30, 20), "JPEG", exif=exif)
    image = open_image(data, "p")
    monkeypatch.setattr(JpegImagePlugin.JpegImageFile if step == "load" else Image.Image, step, fail)
    with pytest.raises(MediaError, match="^p ?.*(bad|b'')"):
        images.png(image, "p") if step == "save" else open_image(data, "p", seen=100)


def test_warnings_made_errors_are_failed_items() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert usable(broken_exif())


def test_what_a_decoder_or_reader_raises_is_one_failed_item() -> None:
    def prepare(request: Request) -> object:
        raise SystemError("unknown opcode")

    feed = DecodeAhead([Request("q", (), Sampling())], prepare, threads=1, window=1)  # type: ignore[arg-type]
    assert feed.take(1, wait=True) == []
    assert [response.error for response in feed.failures()] == ["SystemError: unknown opcode"]

    def load() -> bytes:
        raise RecursionError("too deep")

    item = Item("i", "t", "de", (Message("user", (Media("image", "a.png", load), "what?")),), Open("what?", "x"))
    planned = Keys(ModelCard("m", "folder", "m")).planned(item)
    assert "too deep" in (planned.item.problem or "")


def test_a_picture_that_cannot_be_sent_is_one_failed_item(monkeypatch: pytest.MonkeyPatch) -> None:
    image, data = picture(kind="BMP")
    monkeypatch.setattr(Image.Image, "save", lambda *_, **__: 1 // 0)
    with pytest.raises(MediaError, match="cannot be encoded"):
        chat_messages(question("q", medium(), media=(image,), encoded=(data,)))


# ── Only what benchmarks use is opened ────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\0\0\0\x1cftypavif" + bytes(30), "AVIF pictures are not read"),
        (b"\0\0\0\x1cftypheic" + bytes(30), "HEIC pictures are not read"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "PostScript pictures are not read"),
        (encoded(Image.new("RGB", (4, 4)), "TIFF"), "TIFF pictures are not read"),
        (encoded(Image.new("RGB", (4, 4)), "ICO"), "ICO pictures are not read"),
        (encoded(Image.new("RGB", (4, 4)), "PPM"), "PPM pictures are not read"),
        (b"8BPS" + bytes(40), "Photoshop pictures are not read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG pictures are not read"),
    ],
)
def test_other_formats_are_named(data: bytes, said: str) -> None:
    with pytest.raises(MediaError, match=said) as caught:
        open_image(data, "p")
    assert "PNG or JPEG" in str(caught.value)


def test_no_other_decoder_of_pil_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.init()
    asked: list[str] = []

    def spy(name: str) -> Callable[[bytes], bool]:
        def asks(start: bytes) -> bool:
            asked.append(name)
            return False

        return asks

    for name, (factory, _) in dict(Image.OPEN).items():
        monkeypatch.setitem(Image.OPEN, name, (factory, spy(name)))
    with pytest.raises(MediaError):
        open_image(b"%!PS-Adobe-3.0", "p")
    assert asked and set(asked) <= set(FORMATS)


def opened_elsewhere(source: str) -> list[int]:
    """Lines that open a picture or a clip, or import the opener."""
    lines = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ("PIL", "av"):
            if any(alias.name in ("open", "ImageFile", "ImageGrab") or alias.asname for alias in node.names):
                lines.append(node.lineno)
        elif (
            isinstance(node, ast.Attribute)
            and node.attr in ("open", "preinit", "init")
            and ast.unparse(node.value) in ("Image", "PIL.Image", "av", "av.container")
        ):
            lines.append(node.lineno)
    return lines


def test_one_module_opens_pictures_and_one_opens_clips() -> None:
    allowed = {
        "tvbench/data/media/images.py",
        "tvbench/data/media/container.py",
        "tvbench/mini/render.py",
        "tvbench/data/media/decode_worker.py",
    }  # the last two write clips
    assert opened_elsewhere("from PIL import Image as I\nimport PIL\nPIL.Image.open(x)\nav.open(y)") == [1, 3, 4]
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("tvbench", "tasks")
        for path in (ROOT / folder).rglob("*.py")
        if opened_elsewhere(path.read_text(encoding="utf-8"))
    }
    assert found <= allowed, "pictures are opened by tvbench.data.media.images alone, with a list of formats"


# ── The same pixels as ever ───────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "I;16", "LA"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_pixels_are_those_of_plain_pil(mode: str, turn: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    source = noise(13, 9).convert(mode) if mode != "I;16" else Image.fromarray(np.arange(117, dtype=np.uint16) * 500)
    data = encoded(source, "JPEG" if mode == "CMYK" else "PNG", exif=exif)
    plain = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    if mode == "I;16":
        plain = plain.point(lambda value: value / 256).convert("L")
    if mode in ("RGBA", "LA"):
        layer = plain.convert("RGBA")
        plain = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer)
    assert np.array_equal(np.asarray(open_image(data, "p")), np.asarray(plain.convert("RGB")))


# ── Large pictures ────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("size", "seen"),
    [((9999, 9999), 1 << 24), ((100_000, 1), 999), ((1, 100_000), 999), ((7, 3), 20), ((50_000, 1900), 1 << 24)],
)
def test_a_shrunk_size_keeps_shape_and_bound(size: tuple[int, int], seen: int) -> None:
    wide, high = shrunk(size, seen)
    assert 0 < wide * high <= seen and wide <= size[0] and high <= size[1]
    if min(wide, high) > 30:
        assert wide / high == pytest.approx(size[0] / size[1], rel=0.05)
        assert wide * high > 0.95 * seen


@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "WEBP"])
@pytest.mark.parametrize("seen", [3000, 9000, 39_999])
def test_larger_pictures_are_shrunk_and_look_the_same(form: str, seen: int) -> None:
    small = np.linspace(0, 255, 8 * 10 * 3, dtype=np.uint8).reshape(8, 10, 3)
    source = Image.fromarray(small).resize((250, 200), Image.Resampling.BICUBIC)
    found = open_image(encoded(source, form), "p", seen=seen)
    assert found.size == shrunk((250, 200), seen) and found.size[0] * found.size[1] > 0.9 * seen
    wanted = np.asarray(source.resize(found.size, Image.Resampling.BICUBIC), dtype=float)
    assert np.abs(np.asarray(found, dtype=float) - wanted).mean() < 6


def test_pictures_up_to_the_bound_keep_every_pixel() -> None:
    source = noise(40, 30)
    assert np.array_equal(np.asarray(open_image(encoded(source), "p", seen=1200)), np.asarray(source))


def test_memory_is_told_from_the_header_and_bounded() -> None:
    plain = read_header(encoded(Image.new("RGB", (3000, 2000)), "JPEG"), "p")
    heavy = read_header(encoded(Image.new("RGB", (3000, 2000)), "JPEG", progressive=True), "p")
    assert 24_000_000 <= plain.memory < heavy.memory
    with pytest.raises(MediaError, match="progressive JPEG it takes .* MB to decode"):
        open_image(encoded(Image.new("RGB", (9900, 9900)), "JPEG", progressive=True), "p")
