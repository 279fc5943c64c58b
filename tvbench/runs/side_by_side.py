"""The order of asking: questions about the same picture next to each other, so that an engine's caches still have it.

Order says nothing else: keys, answers and scores do not know it. Questions are moved within blocks, so that very many
need no more memory than some thousands. Knows planned items only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from tvbench.runs.planned import PlannedItem

FIRST_BLOCK, LARGEST_BLOCK = 256, 16384
"""The first questions are not to wait for very many to be made."""


def side_by_side(items: Iterable[PlannedItem]) -> Iterator[PlannedItem]:
    """`items`, those with the same first picture or clip where the first of them stands, in their own order."""
    rest, size = iter(items), FIRST_BLOCK
    while block := list(islice(rest, size)):
        groups: dict[str, list[PlannedItem]] = {}
        for planned in block:
            groups.setdefault(planned.digests[0] if planned.digests else planned.key, []).append(planned)
        for group in groups.values():
            yield from group
        size = min(4 * size, LARGEST_BLOCK)
