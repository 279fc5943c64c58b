"""What is seen of a reply before any metric: signs, and why none applies. Knows no metric."""

from __future__ import annotations

from dataclasses import dataclass

from tvbench.scoring.normalise import is_blank


@dataclass(frozen=True, slots=True)
class Seen:
    """`flags` name what was seen (`empty`, `unparsed`); `unscored` says why no metric of the item's kind applies."""

    flags: tuple[str, ...] = ()
    unscored: str | None = None


def empty_flag(text: str) -> tuple[str, ...]:
    """`empty` for an answer that shows nothing."""
    return ("empty",) if is_blank(text) else ()
