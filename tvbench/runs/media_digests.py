"""The digests of pictures and clips, each read and hashed once, however many items show it.

What is the same is known by where it lies (a loader's `identity`: a file with its size and time, a cell of one), by the
bytes themselves where somebody holds them, or by the Media object where the items are held. Knows media; no item.
"""

from __future__ import annotations

import hashlib
from threading import Lock
from typing import Any

from tvbench.runs.key_table import SIZE, TextSet
from tvbench.types import Media

MOST_BYTES = 64 << 20
"""Of pictures that are kept to be known again; more are forgotten, the oldest first."""


class MediaDigests:
    """Safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._places = TextSet()
        self._digests = bytearray()
        self._recent: dict[int, tuple[bytes, str]] = {}
        self._size = 0
        self._media: dict[int, tuple[Media, str]] = {}

    def digest(self, media: Media) -> str:
        """SHA-256 of the encoded bytes. Raises what `media.load` raises."""
        place = _place(media)
        if place is None:
            return self._of_bytes(media.load())
        with self._lock:
            if place in self._places:
                number = self._places.add(place)
                return self._digests[SIZE * number : SIZE * number + SIZE].hex()
        digest = hashlib.sha256(media.load()).hexdigest()
        with self._lock:
            if place not in self._places and _place(media) == place:  # nobody wrote it meanwhile
                self._places.add(place)
                self._digests += bytes.fromhex(digest)
        return digest

    def of_held(self, media: Media) -> str:
        """The same of a Media object that lives as long as this: it is known again by itself too."""
        found = self._media.get(id(media))
        if found is None:
            found = self._media[id(media)] = media, self.digest(media)
        return found[1]

    def _of_bytes(self, data: bytes) -> str:
        with self._lock:
            known = self._recent.get(id(data))
        if known is not None and known[0] is data:
            return known[1]
        digest = hashlib.sha256(data).hexdigest()
        if type(data) is bytes and len(data) <= MOST_BYTES:
            self._keep(data, digest)
        return digest

    def _keep(self, data: bytes, digest: str) -> None:
        with self._lock:
            if id(data) in self._recent:
                return
            self._recent[id(data)] = data, digest
            self._size += len(data)
            while self._size > MOST_BYTES:
                oldest, _ = self._recent.pop(next(iter(self._recent)))
                self._size -= len(oldest)


def _place(media: Media) -> str | None:
    """Where its bytes lie; None where nobody can tell, or nothing lies there."""
    identity: Any = getattr(media.load, "identity", None)
    if identity is None:
        return None
    try:
        return repr(identity())
    except OSError:
        return None
