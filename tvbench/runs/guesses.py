"""How many tokens a question and its answer take, before it is asked: a guess, and between what and what it lies.

A card that says how many tokens a picture has is believed; without that, models differ tenfold. What earlier runs of
the same model have measured is better than any of it (earlier.py). Knows plans; reads nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tvbench.registry.thinking import thinking_of
from tvbench.runs.keys import media_of
from tvbench.runs.plan import PlannedItem
from tvbench.types import Media, ModelCard

CHARACTERS_PER_TOKEN = (4.5, 3.0, 1.5)
"""At best, as a rule, at worst: English, most languages, scripts that a tokenizer cuts into bytes."""
TOKENS_PER_IMAGE = (85, 2900, 2900)
"""The cheapest that a server charges; AnyRes with up to six 384-pixel tiles: a 640 x 480 picture is 2,929 tokens."""
SERVED_IMAGE = (85, 800, 2900)
"""Of a model on a server, of which nobody knows how it sees."""
TOKENS_PER_FRAME = (64, 196, 800)
TEMPLATE = (0, 16, 64)
"""What a chat template adds."""
FRAMES = 32


@dataclass(frozen=True, slots=True)
class Range:
    """Between `low` and `high`; `guess` is the likeliest."""

    low: float = 0.0
    guess: float = 0.0
    high: float = 0.0

    def __add__(self, other: Range) -> Range:
        return Range(self.low + other.low, self.guess + other.guess, self.high + other.high)

    def times(self, factor: float) -> Range:
        return Range(self.low * factor, self.guess * factor, self.high * factor)


def ranges(parts: Iterable[Range]) -> Range:
    """The sum."""
    whole = Range()
    for part in parts:
        whole += part
    return whole


def tokens_in(planned: PlannedItem, card: ModelCard) -> Range:
    """Of the prompt."""
    texts = [part for message in planned.item.messages for part in message.parts if isinstance(part, str)]
    characters = sum(map(len, texts))
    text = Range(*(characters / each for each in CHARACTERS_PER_TOKEN))
    return ranges([text, Range(*TEMPLATE), *(_of_media(media, card) for media in media_of(planned.item.messages))])


def tokens_out(planned: PlannedItem, card: ModelCard, as_a_rule: int) -> Range:
    """Of the answer: `as_a_rule` is what the task says; none is longer than its limit, that of thinking included."""
    if planned.item.continuation is not None:
        return Range()
    thinking = thinking_of(card).tokens
    limit = planned.item.sampling.max_new_tokens
    likely = min(as_a_rule, limit)
    return Range(min(likely, max(1, as_a_rule // 4)), likely + thinking // 2, limit + thinking)


def _of_media(media: Media, card: ModelCard) -> Range:
    if media.kind == "video":
        each = card.chat.get("tokens_per_frame")
        frame = Range(*TOKENS_PER_FRAME) if each is None else Range(each, each, each)
        return frame.times(media.frames or FRAMES)
    each = card.chat.get("tokens_per_image")
    unknown = SERVED_IMAGE if card.kind == "server" else TOKENS_PER_IMAGE
    return Range(*unknown) if each is None else Range(each, each, each)
