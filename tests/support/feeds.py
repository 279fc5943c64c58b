"""Feeds and requests for tests of engines, without a runner, a store or a file."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterable, Sequence

from PIL import Image

from tvbench.data.media.clips import Decoded
from tvbench.engines.protocol import Prepared
from tvbench.types import Media, Message, Part, Request, Sampling


class ListFeed:
    """A Feed over a list. `slow` makes it ready one at a time, and only when it is waited for or asked twice.

    `taken` counts what was handed out; `threads` are those from which it was called.
    """

    def __init__(self, items: Iterable[Prepared], *, slow: bool = False) -> None:
        self.items = list(items)
        self.slow = slow
        self.taken = 0
        self.asked = 0
        self.threads: set[int] = set()

    def take(self, limit: int, *, wait: bool) -> list[Prepared]:
        self.threads.add(threading.get_ident())
        self.asked += 1
        if self.slow:
            limit = min(limit, 1 if wait or self.asked % 2 else 0)
        batch = self.items[self.taken : self.taken + limit]
        self.taken += len(batch)
        return batch

    @property
    def dry(self) -> bool:
        return self.taken == len(self.items)


def question(
    key: str,
    *parts: Part,
    sampling: Sampling = Sampling(),
    media: Sequence[Decoded] = (),
    encoded: Sequence[bytes] = (),
    continuation: str | None = None,
    system: str = "",
) -> Prepared:
    """One prepared request; without `parts` its text is its key."""
    messages: tuple[Message, ...] = (Message("user", parts or (key,)),)
    if system:
        messages = (Message("system", (system,)), *messages)
    request = Request(key, messages, sampling, continuation)
    return Prepared(request, tuple(media), tuple(encoded), ("19 of 32 frames decoded",) if key == "noted" else ())


def questions(count: int) -> list[Prepared]:
    return [question(f"q{number}") for number in range(count)]


def picture(mode: str = "RGB", kind: str = "PNG", colour: object = None, **save: object) -> tuple[Image.Image, bytes]:
    """A small picture and its encoded bytes."""
    image = Image.new(mode, (5, 4), colour)  # type: ignore[arg-type]
    buffer = io.BytesIO()
    image.save(buffer, kind, **save)
    return image.convert("RGB"), buffer.getvalue()


def medium(kind: str = "image", name: str = "a.png") -> Media:
    return Media(kind, name, lambda: b"")  # type: ignore[arg-type]
