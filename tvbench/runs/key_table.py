"""Keys by the million: each once, numbered in the order in which they came, in about 50 bytes a key.

A key is the SHA-256 of a request (keys.py), and is held as its 32 bytes; any other text is held as it is. Knows no
file, and no meaning of a key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

SIZE = 32
BUCKETS = 1 << 12
MARK = 8
"""Bytes of a digest that a bucket holds; the rest of it is looked up."""
RECORD = MARK + 4


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
    """Keys, each with its number. Looking one up takes as long among many as among few."""

    def __init__(self) -> None:
        self._digests = bytearray()
        self._buckets: list[bytearray | None] = [None] * BUCKETS
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
        return self._find(digest_of(key))

    def add(self, key: str) -> int:
        """The number of a key, which is added where it is new: it was, if the number is what the length has been."""
        digest = digest_of(key)
        found = self._find(digest)
        if found is not None:
            return found
        number = len(self)
        self._digests += digest
        place = _bucket(digest)
        bucket = self._buckets[place]
        if bucket is None:
            bucket = self._buckets[place] = bytearray()
        bucket += digest[2 : 2 + MARK] + number.to_bytes(RECORD - MARK, "little")
        if digest.hex() != key:
            self._others[number] = key
        return number

    def _find(self, digest: bytes) -> int | None:
        bucket = self._buckets[_bucket(digest)]
        if bucket is None:
            return None
        mark = digest[2 : 2 + MARK]
        at = bucket.find(mark)
        while at >= 0:
            if at % RECORD == 0:
                number = int.from_bytes(bucket[at + MARK : at + RECORD], "little")
                if self._digests[SIZE * number : SIZE * number + SIZE] == digest:
                    return number
            at = bucket.find(mark, at + 1)
        return None


def _bucket(digest: bytes) -> int:
    return digest[0] << 4 | digest[1] >> 4


class TextSet:
    """Texts by the million, each with its number as keys have theirs; the texts themselves are not held."""

    def __init__(self) -> None:
        self._table = KeyTable()

    def __len__(self) -> int:
        return len(self._table)

    def __contains__(self, text: object) -> bool:
        return isinstance(text, str) and self._table.number(_hashed(text)) is not None

    def add(self, text: str) -> int:
        """The number of a text, which is added where it is new."""
        return self._table.add(_hashed(text))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
