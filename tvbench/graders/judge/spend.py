"""Tokens and money: what judging has cost so far, and what it may still cost at most.

Replies count as they were stored, unreadable ones too. A call that was under way when its process died counts at its
dearest (sent.py). One that broke off otherwise may have been billed without our knowing; the number of tries is shown
beside the sum.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from tvbench.errors import UsageError
from tvbench.registry.prices import price_of, price_typed
from tvbench.types import Item, ModelCard, Request, Response

PER_PRICE = 1_000_000
MESSAGE_OVERHEAD = 64
"""Tokens that a chat template may add to a request."""
BYTES_PER_TOKEN = 3
"""For replies without token counts: an estimate, and said to be one."""


@dataclass(frozen=True, slots=True)
class Prices:
    """US dollars for a million tokens."""

    tokens_in: float
    tokens_out: float


@dataclass(frozen=True, slots=True)
class Spend:
    """What was used. `dollars` is None where no prices are known; `guessed` replies came without token counts. `lost`
    calls were under way when a process died: `dollars` holds the most that they can have cost, which is `reserved`."""

    replies: int
    tries: int
    tokens_in: int
    tokens_out: int
    guessed: int
    dollars: float | None
    lost: int = 0
    reserved: float = 0.0


def prices_of(text: str | None, card: ModelCard) -> Prices | None:
    """`--price IN,OUT`, else the card's `prices`, else None. Raises UsageError for what is not two amounts."""
    price = price_of(card) if text is None else price_typed(text)
    if price is not None and price.input is not None and price.output is not None:
        return Prices(price.input, price.output)
    if text is not None:
        raise UsageError(
            f"--price {text} is not two amounts",
            "a judge is paid by tokens: dollars for a million of them in and out, such as --price 2.5,10",
        )
    return None


def spent(replies: Iterable[tuple[Item, Response]], prices: Prices | None) -> Spend:
    """The sum over stored replies, each with the item that it answered; failures cost nothing that we know of."""
    count = tries = tokens_in = tokens_out = guessed = 0
    for item, response in replies:
        tries += int(response.extra.get("attempts", 1))
        if response.text is None:
            continue
        count += 1
        known = response.tokens_in is not None and response.tokens_out is not None
        guessed += not known
        tokens_in += response.tokens_in if response.tokens_in is not None else _guess(_request_bytes(item))
        said = response.text + (response.reasoning or "")
        tokens_out += response.tokens_out if response.tokens_out is not None else _guess(len(said.encode()))
    return Spend(count, tries, tokens_in, tokens_out, guessed, cost(tokens_in, tokens_out, prices))


def cost(tokens_in: int, tokens_out: int, prices: Prices | None) -> float | None:
    """Dollars; None without prices."""
    if prices is None:
        return None
    return (tokens_in * prices.tokens_in + tokens_out * prices.tokens_out) / PER_PRICE


def with_lost(spend: Spend, calls: Sequence[tuple[int, int]], prices: Prices | None) -> Spend:
    """`spend` with calls whose end nobody knows, each given as the tokens that it may have used at most."""
    reserved = cost(sum(call[0] for call in calls), sum(call[1] for call in calls), prices)
    if reserved is None or spend.dollars is None:
        return replace(spend, lost=len(calls))
    return replace(spend, lost=len(calls), reserved=reserved, dollars=spend.dollars + reserved)


def most_tokens(asked: Item | Request, thinking: int = 0) -> tuple[int, int]:
    """The most that one call can use: no token is shorter than a byte, and no reply longer than its limit and that of
    its `thinking`."""
    return _request_bytes(asked) + MESSAGE_OVERHEAD, asked.sampling.max_new_tokens + thinking


def most(item: Item, prices: Prices, thinking: int = 0) -> float:
    """The most that one call can cost."""
    dollars = cost(*most_tokens(item, thinking), prices)
    assert dollars is not None
    return dollars


def estimate(items: Iterable[Item], prices: Prices | None, thinking: int = 0) -> Spend:
    """What a first round over `items` will use, at about three bytes a token and half of each reply's limit."""
    rest = list(items)
    tokens_in = sum(_guess(_request_bytes(item)) + MESSAGE_OVERHEAD // 2 for item in rest)
    tokens_out = sum((item.sampling.max_new_tokens + thinking) // 2 for item in rest)
    return Spend(len(rest), len(rest), tokens_in, tokens_out, len(rest), cost(tokens_in, tokens_out, prices))


def _request_bytes(asked: Item | Request) -> int:
    texts = [part for message in asked.messages for part in message.parts if isinstance(part, str)]
    return sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + len(asked.reply_schema)


def _guess(size: int) -> int:
    return math.ceil(size / BYTES_PER_TOKEN)
