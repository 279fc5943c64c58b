"""Memory is bounded by bytes: of what is decoded at once, of what waits, and of what an engine has in hand."""

from __future__ import annotations

import io
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from typing import Any

import numpy as np
import pytest
from feeds import ListFeed
from PIL import Image

from tvbench.data.media import images
from tvbench.data.media.clips import Clip
from tvbench.data.media.decoders import environment
from tvbench.data.media.room import Room, admit
from tvbench.data.media.video import Decoder
from tvbench.engines.batches import take_alike
from tvbench.engines.inputs import EncodedRequest, fit_frames
from tvbench.engines.protocol import Prepared, Sight
from tvbench.runs import preparing
from tvbench.runs.feed import DecodeAhead
from tvbench.runs.preparing import prepare
from tvbench.types import Media, Message, Request, Response, Sampling

pytestmark = pytest.mark.slow

MEGABYTE = 1 << 20


def requests(count: int) -> list[Request]:
    return [Request(f"q{number}", (), Sampling()) for number in range(count)]


def holding(size: int) -> Callable[[Request], Prepared]:
    return lambda request: Prepared(request, encoded=(bytes(size),))


def asked(media: Media) -> Request:
    return Request("q", (Message("user", (media, "what?")),), Sampling())


def encoded(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


# ── What waits ────────────────────────────────────────────────────────────────────────────────────


def settled(feed: DecodeAhead) -> int:
    """Bytes that wait in the feed once nothing more is begun."""
    before = -1
    while before != feed._held or feed._busy:
        before = feed._held
        time.sleep(0.2)
    return before


@pytest.mark.parametrize("size", [1, 10, 300])
def test_no_more_waits_than_there_is_room_for(size: int) -> None:
    feed = DecodeAhead(requests(40), holding(size), threads=4, window=32, most_bytes=100)
    try:
        assert size <= settled(feed) <= max(100 + size, 4 * size)
        found: list[Prepared] = []
        while taken := feed.take(40, wait=True):
            assert sum(prepared.memory for prepared in taken) <= 50 + size
            found += taken
        assert sorted(prepared.request.key for prepared in found) == sorted(request.key for request in requests(40))
        assert feed.dry and feed._held == 0
    finally:
        feed.close()


def test_a_feed_that_is_full_can_be_closed() -> None:
    feed = DecodeAhead(requests(40), holding(300), threads=2, window=32, most_bytes=100)
    settled(feed)
    feed.close()
    feed._pool.shutdown(wait=True)


def known_late(sizes: dict[str, int], most: list[int], alive: set[str]) -> Callable[[Request], Prepared]:
    """Sizes that are known only while it is prepared; notes the bytes of all that were admitted and not yet taken."""

    def prepare(request: Request) -> Prepared:
        admit(sizes[request.key])
        alive.add(request.key)
        most.append(sum(sizes[key] for key in alive))
        time.sleep(0.002)
        return Prepared(request, encoded=(bytes(sizes[request.key]),))

    return prepare


@pytest.mark.parametrize("huge", [0, 20, 39, None])
def test_it_does_not_matter_where_among_small_clips_the_huge_one_is(huge: int | None) -> None:
    sizes = {f"q{number}": 90 if huge in (None, number) else 10 for number in range(40)}
    most: list[int] = []
    alive: set[str] = set()
    feed = DecodeAhead(requests(40), known_late(sizes, most, alive), threads=8, window=32, most_bytes=100)
    try:
        while feed._held < 80:  # as much as fits, or nearly
            time.sleep(0.01)
        found = []
        while taken := feed.take(3, wait=True):
            found += [prepared.request.key for prepared in taken]
            alive.difference_update(found)
        assert sorted(found) == sorted(sizes) and not feed.failures()
        assert max(most) <= 100 + 90 and feed._held == feed._promised == feed._known == 0
        assert max(most[:4]) <= 180, "while nothing was taken"
    finally:
        feed.close()


def test_what_is_larger_than_the_room_comes_alone_and_two_clips_of_one_question_never_wait_for_each_other() -> None:
    def prepare(request: Request) -> Prepared:
        for _ in range(3):
            admit(70)
        return Prepared(request, encoded=(bytes(210),))

    feed = DecodeAhead(requests(9), prepare, threads=4, window=8, most_bytes=100)
    try:
        found: list[Prepared] = []
        while taken := feed.take(1, wait=True):
            found += taken
        assert len(found) == 9 and not feed.failures()
    finally:
        feed.close()


def test_whoever_waits_for_room_is_let_go_when_the_feed_is_closed() -> None:
    """The first has its room until the feed is closed, so that the others wait in turn however busy the machine is."""
    closed = threading.Event()

    def prepare(request: Request) -> Prepared:
        admit(80)
        closed.wait()
        return Prepared(request, encoded=(bytes(80),))

    feed = DecodeAhead(requests(9), prepare, threads=4, window=8, most_bytes=100)
    while not feed._turns:
        time.sleep(0.01)
    feed.close()
    closed.set()
    feed._pool.shutdown(wait=True)


def test_memory_of_a_request_is_that_of_its_media() -> None:
    request = requests(1)[0]
    media = (Image.new("RGB", (10, 20)), Clip(np.zeros((2, 3, 4, 3), np.uint8)))
    assert Prepared(request, media, (b"12345", b"")).memory == 800 + 72 + 5
    assert Prepared(request, media, (b"12345", b""), pixels=0).memory == 5


# ── What is decoded at once ───────────────────────────────────────────────────────────────────────


def test_room_is_given_in_turn_and_never_twice() -> None:
    room, lock, now, most, order = Room(10), threading.Lock(), 0, 0, []

    def work(number: int, size: int) -> None:
        nonlocal now, most
        with room.of(size):
            with lock:
                order.append(number)
                now += size
                most = max(most, now if size <= 10 else 0)
                assert size <= 10 or now == size, "what is larger than the room is alone"
            time.sleep(0.01)
            with lock:
                now -= size

    threads = []
    for number, size in enumerate([4, 5, 20, 1, 1, 6, 3, 40, 2]):
        threads.append(threading.Thread(target=work, args=(number, size)))
        threads[-1].start()
        while len(order) + len(room._queue) <= number:
            time.sleep(0.001)
    for thread in threads:
        thread.join(timeout=60)
    assert order == sorted(order) and most <= 10 and now == 0


def test_a_picture_is_decoded_in_the_room_that_its_header_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[int] = []
    room = Room(10)
    monkeypatch.setattr(preparing, "DECODING", room)
    whole = room.of

    def noting(size: int) -> AbstractContextManager[None]:
        given.append(size)
        return whole(size)

    monkeypatch.setattr(room, "of", noting)
    data = encoded(Image.new("RGB", (300, 200)))
    prepare(asked(Media("image", "p", lambda: data)), Decoder())
    assert len(given) == 1 and given[0] >= 2 * 4 * 60_000


PEAK = """
import io, resource, sys
from PIL import Image
from tvbench.runs.feed import DecodeAhead
from tvbench.runs.preparing import prepare
from tvbench.data.media.video import Decoder
from tvbench.types import Media, Message, Request, Sampling
count, mode, width, height, form = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
buffer = io.BytesIO()
image = Image.new(mode, (width, height))
image.save(buffer, form)
del image
with open("/proc/self/clear_refs", "w") as file:
    file.write("5")
data = buffer.getvalue()
asked = [Request(str(n), (Message("user", (Media("image", "p", lambda: data), "?")),), Sampling())
         for n in range(count)]
feed = DecodeAhead(asked, lambda request: prepare(request, Decoder()), threads=4, window=128)
answered, window = 0, feed.take(32, wait=True)
while window:
    answered += len(window)
    window = feed.take(32, wait=True)
assert not feed.failures(), "all can be decoded"
peak = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(answered, peak // 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read from /proc")
@pytest.mark.parametrize(
    ("count", "mode", "width", "height", "form"),
    [(4, "P", 9999, 9999, "PNG"), (2, "RGBA", 8000, 8000, "PNG"), (40, "RGB", 4000, 3000, "JPEG")],
)
def test_large_pictures_do_not_pile_up(count: int, mode: str, width: int, height: int, form: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PEAK, *map(str, (count, mode, width, height, form))],
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
    )
    answered, peak = map(int, done.stdout.split()) if done.stdout else (0, 0)
    assert answered == count, done.stderr
    assert peak < 1100, f"{peak} MB"


# ── What an engine takes ──────────────────────────────────────────────────────────────────────────


def film(frames: int = 6) -> bytes:
    import av

    buffer = io.BytesIO()
    rng = np.random.default_rng(3)
    with av.open(buffer, "w", format="mp4") as file:
        stream = file.add_stream("libx264", rate=10)
        stream.width, stream.height = 96, 64
        for _ in range(frames):
            file.mux(stream.encode(av.VideoFrame.from_ndarray(rng.integers(0, 256, (64, 96, 3), np.uint8), "rgb24")))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def test_frames_come_in_the_size_that_the_engine_makes_of_them() -> None:
    data = film()
    with closing(Decoder()) as decoder:
        whole = prepare(asked(Media("video", "c", lambda: data, frames=4)), decoder)
        small = prepare(asked(Media("video", "c", lambda: data, frames=4)), decoder, Sight(frame_size=28))
        chosen = prepare(asked(Media("video", "c", lambda: data, frames=4, size=40)), decoder, Sight(frame_size=28))
    assert isinstance(whole.media[0], Clip) and isinstance(small.media[0], Clip) and isinstance(chosen.media[0], Clip)
    assert np.array_equal(small.media[0].frames, fit_frames(whole.media[0].frames, 28)), "not one number differs"
    assert chosen.media[0].frames.shape == (4, 40, 40, 3) and small.memory < whole.memory


@pytest.mark.parametrize(("form", "kept"), [("JPEG", True), ("PNG", True), ("BMP", False)])
def test_pixels_that_are_sent_as_files_are_not_kept(form: str, kept: bool) -> None:
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (30, 40, 3), np.uint8))
    data = encoded(image, form)
    found = prepare(asked(Media("image", "p", lambda: data)), Decoder(), Sight(files=frozenset({"JPEG", "PNG"})))
    assert found.memory == len(data) + (0 if kept else 4 * 30 * 40)
    plain = prepare(asked(Media("image", "p", lambda: data)), Decoder())
    assert np.array_equal(np.asarray(found.media[0]), np.asarray(plain.media[0])), "they are still to be had"


def test_a_picture_that_was_shrunk_has_a_note(monkeypatch: pytest.MonkeyPatch) -> None:
    data = encoded(Image.new("RGB", (5000, 4000)), "JPEG")
    found = prepare(asked(Media("image", "p", lambda: data)), Decoder())
    assert found.media[0].width * found.media[0].height <= images.SEEN_PIXELS  # type: ignore[union-attr]
    assert found.notes == ("p: 5000 x 4000 pixels were resized to 4579 x 3663",)
    sent = prepare(asked(Media("image", "p", lambda: data)), Decoder(), Sight(files=frozenset({"JPEG"})))
    assert sent.notes == (), "the file itself is sent"


def test_the_transformers_engine_holds_few_large_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    from tvbench.engines import transformers

    engine: Any = transformers.TransformersEngine.__new__(transformers.TransformersEngine)
    engine.batch_size = 8
    items = [holding(60)(request) for request in requests(50)]
    monkeypatch.setattr(transformers, "WINDOW_BYTES", 100)
    feed = ListFeed(items, slow=True)
    assert [len(engine._taken(feed, [])) for _ in range(3)] == [2, 2, 2]
    pool = [EncodedRequest(prepared, 1, ()) for prepared in engine._taken(feed, [])]
    assert engine._taken(feed, pool) == [], "those that wait count"
    assert len(engine._taken(feed, pool[:1])) == 1
    monkeypatch.setattr(transformers, "WINDOW_BYTES", 1 << 30)
    assert len(engine._taken(feed, pool)) == 30


def test_the_transformers_engine_computes_requests_of_like_length_together() -> None:
    lengths = [20, 90, 40, 60, 20, 70, 30] * 40
    kinds = [(number // 140,) for number in range(len(lengths))]
    waiting = [
        EncodedRequest(Prepared(one), length, kind)
        for one, length, kind in zip(requests(len(lengths)), lengths, kinds, strict=True)
    ]
    pool: list[EncodedRequest] = []
    batches: list[list[EncodedRequest]] = []
    while waiting or pool:
        while waiting and len(pool) < 32:
            pool.append(waiting.pop(0))
        oldest = pool[0]
        batches.append(take_alike(pool, 8))
        assert oldest in batches[-1], "nobody waits for ever"
    assert sum(map(len, batches)) == len({item.prepared.request.key for batch in batches for item in batch}) == 280
    assert all(len({item.kind for item in batch}) == 1 for batch in batches)
    assert all(batch == sorted(batch, key=lambda item: -item.length) for batch in batches), "the longest comes first"
    padded = sum(len(batch) * batch[0].length for batch in batches)
    assert padded < 1.1 * sum(lengths), "windows of 32, each sorted by itself, take 1.18, the order of asking 1.9"


def test_the_transformers_engine_holds_no_more_clips_than_a_batch_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    from tvbench.engines import transformers

    engine: Any = transformers.TransformersEngine.__new__(transformers.TransformersEngine)
    engine.batch_size = 4
    alive: list[weakref.ref[Clip]] = []

    def held() -> int:
        return sum(one() is not None for one in alive)

    class Films:
        rest = requests(20)

        @property
        def dry(self) -> bool:
            return not self.rest

        def take(self, limit: int, *, wait: bool) -> list[Prepared]:
            seen.append(held())
            taken = [Prepared(one, (Clip(np.zeros((2, 3, 4, 3), np.uint8)),)) for one in self.rest[:limit]]
            del self.rest[:limit]
            alive.extend(weakref.ref(medium) for one in taken for medium in one.media if isinstance(medium, Clip))
            return taken

    seen: list[int] = []
    encode = lambda prepared: EncodedRequest(prepared, 1, ())  # noqa: E731
    monkeypatch.setattr(engine, "_encode", encode)
    monkeypatch.setattr(
        engine, "_answer", lambda batch: [Response(item.prepared.request.key, text="a") for item in batch]
    )
    assert len(list(engine.serve(Films()))) == 20
    assert set(seen) == {0}, "while it waits for the next batch, the last one is gone"
