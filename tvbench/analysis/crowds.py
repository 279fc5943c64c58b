"""Which rows of a very long table need not be looked at: those that are left out, and are too many to be ranked.

A group of equal signatures that more than MOST runs share has no ranks in any column, so that only how many they are
counts. Knows rows and places; no figure, and no layout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from tvbench.analysis.entries import group_meant
from tvbench.analysis.ranks import MOST
from tvbench.analysis.rows import ModelRow, Place


@dataclass(frozen=True, slots=True)
class Crowd:
    """The rows' groups in the columns of one task and kind of metric. `large` ones have no ranks; `common` is the one
    that most runs share."""

    groups: Sequence[str | None]
    large: frozenset[str]
    common: str | None

    def needs(self, row: int) -> bool:
        """Whether a row that is left out counts for the ranks of others."""
        return self.groups[row] not in self.large


def crowd(rows: Sequence[ModelRow], place: Place, metric: str | None) -> Crowd:
    """Of the columns that are of the task and kind of `place`."""
    entries = [row.entries.get(place.task) for row in rows]
    groups = [None if entry is None else group_meant(entry.result, place.kind, metric) for entry in entries]
    ranked = Counter(
        group
        for group, entry in zip(groups, entries, strict=True)
        if group is not None and entry is not None and entry.result.counts.all_answered
    )
    common = Counter(group for group in groups if group is not None).most_common(1)
    large = frozenset(group for group, count in ranked.items() if count > MOST)
    return Crowd(groups, large, common[0][0] if common else None)
