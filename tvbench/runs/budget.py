"""`run --budget`: nothing is handed to an engine that could cost more than what is left.

Each question that is under way counts at its dearest, so the limit is never passed by answers that arrive; by the hour,
time runs on while the last ones come. What a run has cost before counts too. Knows prices, and engines by their
protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tvbench.engines.protocol import Engine, EngineInfo, Feed, Prepared
from tvbench.registry.prices import Price
from tvbench.registry.thinking import thinking_of
from tvbench.runs.guesses import FRAMES, TEMPLATE, TOKENS_PER_FRAME, TOKENS_PER_IMAGE
from tvbench.runs.keys import media_of
from tvbench.runs.metering import Meter
from tvbench.runs.spent import price_factor, spent_on
from tvbench.types import Media, ModelCard, Request, Response


def dollars_of(response: Response, price: Price) -> float:
    """What one answer cost: as its server says, else by its tokens."""
    spent = spent_on(response)
    if spent.told:
        return spent.dollars
    return price_factor(response) * price.of_tokens(spent.tokens_in, spent.tokens_out, spent.tokens_cached)


def most_dollars(request: Request, card: ModelCard, price: Price) -> float:
    """The most that one question can cost: no token is shorter than a byte, no answer longer than its limit."""
    texts = [part for message in request.messages for part in message.parts if isinstance(part, str)]
    size = sum(len(text.encode("utf-8", "surrogatepass")) for text in texts) + len(request.reply_schema) + TEMPLATE[-1]
    media = sum(_most_tokens(one, card) for one in media_of(request.messages))
    return price.of_tokens(size + media, request.sampling.max_new_tokens + thinking_of(card).tokens)


class Purse:
    """What a run may still cost: `budget` dollars, of which `before` are spent; `meter` has the time."""

    def __init__(self, budget: float, price: Price, before: float, meter: Meter) -> None:
        self.budget = budget
        self.price = price
        self.dearest = 0.0
        self.stopped = False
        self.under_way = 0
        self._spent = before
        self._meter = meter

    def expect(self, requests: Iterable[Request], card: ModelCard) -> None:
        """These may be asked."""
        self.dearest = max((most_dollars(one, card, self.price) for one in requests), default=0.0)

    @property
    def spent(self) -> float:
        return self._spent + self.price.of_time(self._meter.spent.seconds or 0.0)

    def room(self, limit: int) -> int:
        """How many more may be asked now, up to `limit`."""
        left = self.budget - self.spent - self.under_way * self.dearest
        if self.dearest <= 0:
            return limit if left > 0 else 0
        return max(0, min(limit, int(left / self.dearest + 1e-9)))

    def answered(self, response: Response) -> None:
        """One came back. What cost more than was thought possible counts for the next ones."""
        dollars = dollars_of(response, self.price)
        self._spent += dollars
        self.dearest = max(self.dearest, dollars)
        self.under_way = max(0, self.under_way - 1)

    @property
    def said(self) -> str:
        """Why it stopped, and what to type."""
        each = f"; one question may cost up to ${self.dearest:.2g}" if self.dearest else ""
        return (
            f"the budget of ${self.budget:g} is used up: ${self.spent:.4g} are spent{each}; "
            "the same command with a higher --budget goes on"
        )


class Budgeted:
    """An engine that is handed what the purse has room for."""

    def __init__(self, engine: Engine, purse: Purse) -> None:
        self._engine = engine
        self._purse = purse

    @property
    def info(self) -> EngineInfo:
        return self._engine.info

    def serve(self, feed: Feed) -> Iterator[Response]:
        """See Engine.serve."""
        for response in self._engine.serve(_PurseFeed(feed, self._purse)):
            self._purse.answered(response)
            yield response

    def close(self) -> None:
        self._engine.close()


class _PurseFeed:
    """A Feed that ends where the purse is empty."""

    def __init__(self, feed: Feed, purse: Purse) -> None:
        self._feed = feed
        self._purse = purse

    @property
    def dry(self) -> bool:
        return self._purse.stopped or self._feed.dry

    def take(self, limit: int, *, wait: bool) -> list[Prepared]:
        purse = self._purse
        room = 0 if purse.stopped else purse.room(limit)
        if not room:
            purse.stopped = purse.stopped or ((wait or not purse.under_way) and not self._feed.dry)
            return []
        taken = self._feed.take(room, wait=wait)
        purse.under_way += len(taken)
        return taken


def _most_tokens(media: Media, card: ModelCard) -> float:
    if media.kind == "video":
        return (media.frames or FRAMES) * float(card.chat.get("tokens_per_frame", TOKENS_PER_FRAME[-1]))
    return float(card.chat.get("tokens_per_image", TOKENS_PER_IMAGE[-1]))
