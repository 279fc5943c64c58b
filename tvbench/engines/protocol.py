"""What every engine can do, and what it is handed.

An engine pulls prepared requests from a `Feed` whenever it has room and yields a `Response` for each, in any
order. It knows nothing of tasks, scores or files. Heavy imports (torch, vllm) live in the engines' own modules.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from tvbench.data.media.clips import Clip, Decoded
from tvbench.types import EngineInfo as EngineInfo  # where it is looked for
from tvbench.types import Request, Response


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request whose media are decoded: `media` in the order in which they stand in the messages.

    `encoded` are the same media as the bytes that came from the data (an OpenAI server wants those);
    `notes` go into the response as they are.
    """

    request: Request
    media: tuple[Decoded, ...] = ()
    encoded: tuple[bytes, ...] = ()
    notes: tuple[str, ...] = ()
    pixels: int | None = None
    """Bytes that the decoded media take, where some of them are not in memory."""
    digests: tuple[str, ...] = ()
    """SHA-256 of each of `encoded`, where somebody has hashed them: by it an engine knows a picture again."""

    @property
    def memory(self) -> int:
        """Bytes that it holds: encoded and decoded media (PIL takes four for a pixel)."""
        pixels = sum(
            medium.frames.nbytes if isinstance(medium, Clip) else 4 * medium.width * medium.height
            for medium in self.media
        )
        return sum(map(len, self.encoded)) + (pixels if self.pixels is None else self.pixels)


@dataclass(frozen=True, slots=True)
class Sight:
    """What an engine takes of media, so that no more is kept. An engine may have one as its attribute `sight`.

    `frame_size`: each frame of a clip is resized to a square of that side, bicubic (None: taken as it is). `files`:
    pictures of these formats that all programs read alike are sent as encoded bytes, and nobody looks at their pixels.
    `encoded`: it decodes all media itself, and wants nothing but their bytes.
    """

    frame_size: int | None = None
    files: frozenset[str] = frozenset()
    encoded: bool = False


ALL_OF_IT = Sight()


@dataclass(frozen=True, slots=True)
class StoredResponse(Response):
    """A Response that whoever gave it has written into the run's folder already."""


class Feed(Protocol):
    """Where an engine gets its work. Safe to call from one thread."""

    def take(self, limit: int, *, wait: bool) -> list[Prepared]:
        """Up to `limit` requests, fewer where they are large. With `wait` it blocks until there is at least one or the
        feed is dry; without, it returns what is ready now, perhaps nothing. Empty after `wait=True` means dry."""
        ...

    @property
    def dry(self) -> bool:
        """True when everything has been taken and nothing will follow."""
        ...


class ListFeed:
    """A Feed over requests that are all ready."""

    def __init__(self, prepared: Sequence[Prepared]) -> None:
        self.rest = list(prepared)

    def take(self, limit: int, *, wait: bool) -> list[Prepared]:
        taken, self.rest = self.rest[:limit], self.rest[limit:]
        return taken

    @property
    def dry(self) -> bool:
        return not self.rest


class Engine(Protocol):
    """A model made ready to answer."""

    @property
    def info(self) -> EngineInfo: ...

    def serve(self, feed: Feed) -> Iterator[Response]:
        """Answer everything in `feed`. A request that cannot be answered yields a Response with `error`;
        only EngineError (nothing further can be answered) ends the iteration early."""
        ...

    def close(self) -> None:
        """Give back memory, processes and connections. Safe to call twice."""
        ...
