"""Keys by the million: each once, numbered in the order in which they came, in about 50 bytes a key.

A key is the SHA-256 of a request (keys.py), and is held as its 32 bytes; any other text is held as it is. Knows no
file, and no meaning of a key.
"""

from __future__ import annotations

import hashlib
import struct
from array import array
from collections.abc import Iterator

SIZE = 32
FEWEST_PLACES = 1 << 8


def digest_of(key: str) -> bytes:
    """The 32 bytes of a key; of a text that is no SHA-256 in hex, those of its own SHA-256."""
    if len(key) == 2 * SIZE:
        try:
            digest = bytes.fromhex(key)
        except ValueError:
            digest = b""
        if digest.hex() == key:
            return digest
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()


class KeyTable:
    """Keys, each with its number. Looking one up takes as long among many as among few, whatever they look like.

    The digests lie one after the other. Of the places, at most half are taken: each says 1 more than a number. A key
    is looked for from the place that its digest's hash names, on to the first that is free.
    """

    def __init__(self) -> None:
        self._digests = bytearray()
        self._places = array("I", [0]) * FEWEST_PLACES
        self._others: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self._digests) // SIZE

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.number(key) is not None

    def __iter__(self) -> Iterator[str]:
        return map(self.key, range(len(self)))

    def key(self, number: int) -> str:
        """The key of that number."""
        other = self._others.get(number)
        return self._digests[SIZE * number : SIZE * number + SIZE].hex() if other is None else other

    def number(self, key: str) -> int | None:
        """The number of a key; None of one that is not here."""
        return self.number_of(digest_of(key))

    def add(self, key: str) -> int:
        """The number of a key, which is added where it is new: it was, if the number is what the length has been."""
        digest = digest_of(key)
        new = len(self)
        number = self.add_digest(digest)
        if number == new and digest.hex() != key:
            self._others[number] = key
        return number

    def number_of(self, digest: bytes) -> int | None:
        """The number of a key by its 32 bytes."""
        _, taken = self._look(digest)
        return taken - 1 if taken else None

    def add_digest(self, digest: bytes) -> int:
        """The same for adding."""
        at, taken = self._look(digest)
        if taken:
            return taken - 1
        self._digests += digest
        number = len(self)
        self._places[at] = number
        if 2 * number > len(self._places):
            self._grow()
        return number - 1

    def _look(self, digest: bytes) -> tuple[int, int]:
        """(the place of a digest, or the free one where it belongs; what stands there)."""
        places, digests = self._places, self._digests
        last = len(places) - 1
        at = hash(digest) & last
        while (taken := places[at]) and digests[SIZE * taken - SIZE : SIZE * taken] != digest:
            at = at + 1 & last
        return at, taken

    def _grow(self) -> None:
        last = 2 * len(self._places) - 1
        places = self._places = array("I", [0]) * (last + 1)
        for number, (digest,) in enumerate(struct.iter_unpack(f"{SIZE}s", self._digests), 1):
            at = hash(digest) & last
            while places[at]:
                at = at + 1 & last
            places[at] = number


class TextSet:
    """Texts by the million, each with its number as keys have theirs; the texts themselves are not held."""

    def __init__(self) -> None:
        self._table = KeyTable()

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self._table.number_of(_hashed(text)) is not None

    def add(self, text: str) -> int:
        """The number of a text, which is added where it is new."""
        return self._table.add_digest(_hashed(text))


def _hashed(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
