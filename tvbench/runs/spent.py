"""What was used: tokens in and out, the seconds of asking, and dollars where a server names them.

A session keeps it as it goes (metering.py), and the manifest holds it. Knows responses; no file, no engine, no price.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from typing import Any

from tvbench.types import Response

COUNTS = ("answers", "uncounted", "tokens_in", "tokens_out", "tokens_thinking", "tokens_cached", "told")
AMOUNTS = ("dollars", "seconds", "latency")
PRICE_FACTOR = "price_factor"
"""In an answer's `extra`: what it cost of the price by tokens (of hosted batches half)."""


@dataclass(frozen=True, slots=True)
class Spent:
    """`answers` in all, `uncounted` of them without a number of tokens; `tokens_thinking` of the `tokens_out`, and
    `tokens_cached` of the `tokens_in`, as far as they are told apart. `told` answers came with their price, `dollars`
    together. `seconds` of asking, by the clock (None: not known); `latency` is what the answers took one by one, which
    overlap. `damaged` names what a file held that cannot be."""

    answers: int = 0
    uncounted: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    tokens_thinking: int = 0
    tokens_cached: int = 0
    told: int = 0
    dollars: float = 0.0
    latency: float = 0.0
    seconds: float | None = None
    damaged: tuple[str, ...] = ()

    def __add__(self, other: Spent) -> Spent:
        sums = {name: getattr(self, name) + getattr(other, name) for name in (*COUNTS, "dollars", "latency")}
        known = [seconds for seconds in (self.seconds, other.seconds) if seconds is not None]
        return Spent(**sums, seconds=sum(known) if known else None, damaged=(*self.damaged, *other.damaged))

    def less(self, other: Spent) -> Spent:
        """What is left of it, of nothing less than none; no time."""
        return Spent(
            **{name: max(0, getattr(self, name) - getattr(other, name)) for name in (*COUNTS, "dollars", "latency")}
        )

    @property
    def counted(self) -> int:
        """The answers whose tokens are known."""
        return self.answers - self.uncounted


def spent_on(response: Response) -> Spent:
    """What one answer took. A failure that tells nothing is nothing."""
    tokens_in, tokens_out = _count(response.tokens_in), _count(response.tokens_out)
    known = tokens_in is not None and tokens_out is not None
    dollars = amount(response.dollars)
    return Spent(
        answers=int(response.error is None),
        uncounted=int(response.error is None and not known),
        tokens_in=tokens_in or 0 if known else 0,
        tokens_out=tokens_out or 0 if known else 0,
        tokens_thinking=_count(response.tokens_thinking) or 0,
        tokens_cached=_count(response.tokens_cached) or 0,
        told=int(dollars is not None),
        dollars=dollars or 0.0,
        latency=amount(response.seconds) or 0.0,
    )


def price_factor(response: Response) -> float:
    """What an answer cost of the price by tokens: 1 where nothing else was noted."""
    factor = amount(response.extra.get(PRICE_FACTOR)) if isinstance(response.extra, Mapping) else None
    return 1.0 if factor is None else factor


def total(parts: Iterable[Spent]) -> Spent:
    """The sum; nothing of nothing."""
    whole = Spent()
    for part in parts:
        whole += part
    return whole


# ── In a manifest ─────────────────────────────────────────────────────────────────────────────────


def spent_to_json(spent: Spent) -> dict[str, Any]:
    """What is known, without what is 0."""
    values = {field.name: getattr(spent, field.name) for field in fields(Spent) if field.name != "damaged"}
    rounded = {name: round(value, 6) if isinstance(value, float) else value for name, value in values.items()}
    return {name: value for name, value in rounded.items() if value or name == "seconds" and value is not None}


def spent_from_json(data: Any) -> Spent:
    """What was written; of what cannot be, the name stands in `damaged`, and it counts as not there."""
    if data is None:
        return Spent()
    if not isinstance(data, Mapping):
        return Spent(damaged=("spent",))
    readers: dict[str, Any] = {**dict.fromkeys(COUNTS, _count), **dict.fromkeys(AMOUNTS, amount)}
    values = {name: reader(data[name]) for name, reader in readers.items() if name in data}
    damaged = tuple(name for name, value in values.items() if value is None)
    return Spent(**{name: value for name, value in values.items() if value is not None}, damaged=damaged)


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= 10**15 else None


def amount(value: Any) -> float | None:
    """A number that is 0 or more; None for anything else."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if number and 0 <= value <= 1e15 else None
