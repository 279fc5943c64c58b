"""Which answers of a language a person is shown first: an order drawn at random, spread over the pictures.

The answers are laid round a circle, picture by picture, in an order that the seed decides; then the points of van der
Corput's sequence (1935), turned by an angle that the seed decides too, name one answer after another. The first n of N:

- are every answer with probability n / N exactly, for every n: to turn the circle by one answer changes nothing;
- are of n different pictures, as long as none has more than about N / 2n of the answers;
- are among the first m for every greater m: a longer sheet begins with the shorter one.

Knows names and pictures; no answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

BITS = 53
"""As many as a float holds."""


def drawn(items: Sequence[tuple[str, str]], seed: str) -> list[int]:
    """The places of `items`, (name, cluster) each, in the order in which they are drawn."""
    owners = [cluster or f"\0{name}" for name, cluster in items]
    ranks = {owner: _digest(seed, "picture", owner) for owner in set(owners)}
    keys = [(ranks[owner], _digest(seed, "answer", name)) for owner, (name, _) in zip(owners, items, strict=True)]
    circle = sorted(range(len(items)), key=keys.__getitem__)
    turn = int.from_bytes(_digest(seed, "turn", "")) >> (256 - BITS)
    order: dict[int, None] = {}
    count = 0
    while len(order) < len(items):
        point = (_reversed(count) + turn) % (1 << BITS)
        order[circle[point * len(items) >> BITS]] = None
        count += 1
    return list(order)


def _digest(seed: str, kind: str, name: str) -> bytes:
    """32 bytes that look random; the same for the same texts."""
    return hashlib.sha256(f"{kind}\0{len(seed)}:{seed}{name}".encode("utf-8", "surrogatepass")).digest()


def _reversed(count: int) -> int:
    """The bits of `count` behind the binary point, last first."""
    return int(f"{count:0{BITS}b}"[::-1], 2)
