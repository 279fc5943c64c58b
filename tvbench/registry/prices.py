"""What an answer costs: a price by tokens, or by the hour of a rented machine; as a card has it, and as it is typed.

    price: {input: 2.5, output: 10, cached: 0.25}     dollars for a million tokens; `cached` of those read from a cache
    price: {hour: 2.0}                                dollars for an hour

    --price 2.5,10    --price 2.5,10,0.25    --price 2/h    and, where there are several models, --price NAME=2.5,10

A price moves no answer, so it is part of no key, no name and no signature. Knows cards; knows no run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tvbench.errors import UsageError
from tvbench.types import ModelCard

MILLION = 1_000_000
HOUR = 3600.0
MOST = 1e9
HOW = "dollars for a million tokens in and out: --price 2.5,10; for an hour of a rented machine: --price 2/h"
TOKENS, TIME = ("input", "output"), "hour"
NAMES = (*TOKENS, "cached", TIME)
GIVE = "--price IN,OUT (dollars for a million tokens), --price 2/h (for an hour), or `price:` in the model's card"
"""How one gives a price, for whoever has none."""


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars: for a million tokens in and out (`cached`: of those in that came from a cache; None: as any), for an
    `hour`, or both."""

    input: float | None = None
    output: float | None = None
    cached: float | None = None
    hour: float | None = None

    @property
    def by_tokens(self) -> bool:
        return self.input is not None and self.output is not None

    def of_tokens(self, tokens_in: float, tokens_out: float, cached: float = 0) -> float:
        """Dollars for so many tokens; `cached` of those in came from a cache. 0 where only time has a price."""
        if self.input is None or self.output is None:
            return 0.0
        read = min(cached, tokens_in) if self.cached is not None else 0
        return ((tokens_in - read) * self.input + read * (self.cached or 0) + tokens_out * self.output) / MILLION

    def of_time(self, seconds: float) -> float:
        """Dollars for so much time; 0 where only tokens have a price."""
        return (self.hour or 0.0) * seconds / HOUR

    def as_card(self) -> dict[str, float]:
        """As a card has it."""
        return {name: value for name in NAMES if (value := getattr(self, name)) is not None}

    @property
    def typed(self) -> str:
        """As one types it."""
        if not self.by_tokens:
            return f"{self.hour}/h"
        return ",".join(str(amount) for amount in (self.input, self.output, self.cached) if amount is not None)

    def __str__(self) -> str:
        """`$2.5 in and $10 out a million tokens`."""
        parts = [f"${self.input:g} in and ${self.output:g} out a million tokens"] if self.by_tokens else []
        if self.by_tokens and self.cached is not None:
            parts[0] = f"${self.input:g} in (${self.cached:g} from a cache) and ${self.output:g} out a million tokens"
        parts += [f"${self.hour:g} an hour"] if self.hour is not None else []
        return " and ".join(parts)


def price_in(prices: Mapping[str, Any]) -> Price | None:
    """The price that a card, or a manifest, holds; None where it holds none. Raises ValueError for what is none."""
    if not prices:
        return None
    values = {name: _amount(name, prices[name]) for name in NAMES if name in prices}
    if problem := shape_problem(values):
        raise ValueError(problem)
    return Price(**values)


def shape_problem(names: Iterable[str]) -> str | None:
    """What is wrong with a price that has these entries; None where it is one."""
    given = set(names)
    tokens = given & set(TOKENS)
    if tokens and len(tokens) < len(TOKENS):
        return f"it has no {next(name for name in TOKENS if name not in given)}"
    if "cached" in given and not tokens:
        return "it has no input and no output"
    return None if given else "it is empty"


def price_typed(text: str, flag: str = "--price") -> Price:
    """`2.5,10`, `2.5,10,0.25` or `2/h`. Raises UsageError."""
    hourly = _hourly(text)
    parts = [hourly] if hourly is not None else text.replace("/", ",").split(",")
    try:
        amounts = [_amount(flag, float(part)) for part in parts]
    except ValueError:
        amounts = []
    if hourly is not None and amounts:
        return Price(hour=amounts[0])
    if len(amounts) not in (2, 3):
        raise UsageError(f"{flag} {text} is not two amounts", HOW.replace("--price", flag))
    return Price(*amounts)


def price_given(given: str | tuple[float, ...] | list[float] | None, flag: str = "--price") -> Price | None:
    """The same of what came from Python too: two amounts. Raises UsageError."""
    if given is None or isinstance(given, str):
        return None if given is None else price_typed(given, flag)
    return price_typed(",".join(map(str, given)), flag)


def prices_typed(texts: Iterable[str], flag: str = "--price") -> dict[str, Price]:
    """`--price NAME=2.5,10 --price 2/h` by the model's name; "" stands for all others. Raises UsageError."""
    found: dict[str, Price] = {}
    for text in texts:
        name, equals, amounts = text.rpartition("=")
        if equals and not name.strip():
            raise UsageError(f"{flag} {text} names no model", f"{flag} NAME=2.5,10, or {flag} 2.5,10 for all others")
        if name.strip() in found:
            raise UsageError(f"{flag} is given twice for {name.strip() or 'all models'}", "say it once")
        found[name.strip()] = price_typed(amounts, flag)
    return found


def priced(card: ModelCard, price: Price | None) -> ModelCard:
    """The card with this price, where one is given. Raises UsageError where its own cannot be used."""
    if price is None:
        price_of(card)
        return card
    return replace(card, prices=price.as_card())


def price_of(card: ModelCard) -> Price | None:
    """What the card says. Raises UsageError for what is no price."""
    try:
        return price_in(card.prices)
    except ValueError as error:
        raise UsageError(f"the price of {card.name} cannot be used: {error}", HOW) from error


def _hourly(text: str) -> str | None:
    """The amount in `2/h`; None where it is no price of an hour."""
    amount, slash, unit = text.strip().rpartition("/")
    return amount if slash and unit.strip().casefold() in ("h", "hour", "hr") else None


def _amount(name: str, value: Any) -> float:
    """Raises ValueError for what is no amount of dollars."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 <= value <= MOST:
        raise ValueError(f"{name} is {value!r}, which is no amount of dollars")
    return float(value)
