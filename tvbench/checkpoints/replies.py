"""Generated token ids as what a model answered: its text, its thinking apart, both within their own limits.

A model that thinks gets tokens for that beside those of its answer. What it thinks beyond them, or answers beyond its
own, is cut as if it had been stopped there, so that its answers are as long as those of a model that does not think; a
budget that ends before the thinking does leaves no answer. Stop strings count in the answer only. The same for every
local engine. Knows tokenizers; no model.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from tvbench.registry.thinking import Thinking
from tvbench.registry.thoughts import SPECIAL, Split, split, thinking_opens_at_end
from tvbench.types import Sampling

SCORED_INSIDE = "the text was scored inside the model's thinking, which its prompt opens: --no-thinking would not"
TAIL = 32
"""Tokens at the end of a prompt, among which an opening tag is looked for."""


@dataclass(frozen=True, slots=True)
class Generated:
    """`text` is the answer; `reasoning` what was thought before it (None: nothing), in `tokens_thinking` tokens."""

    text: str
    finish: str
    reasoning: str | None = None
    tokens_thinking: int | None = None


class Replies:
    """Reads what one model generates."""

    def __init__(self, tokenizer: Any, thinking: Thinking) -> None:
        self.tokenizer = tokenizer
        self.thinking = thinking
        self._special, self._tags = _special_ids(tokenizer, thinking)

    def text(self, ids: Sequence[int]) -> str:
        """The text of ids without special tokens, but with those that are tags of thinking."""
        if self._tags.isdisjoint(ids):
            found: str = self.tokenizer.decode(list(ids), skip_special_tokens=True)
            return found
        kept = [token for token in ids if token not in self._special or token in self._tags]
        whole: str = self.tokenizer.decode(kept, skip_special_tokens=False)
        return whole

    def opened(self, prompt: Sequence[int]) -> bool:
        """Whether the prompt ends inside the thinking: the card says so, or its last tokens are an opening tag."""
        if self.thinking.opened is not None and self.thinking.on:
            return self.thinking.opened
        return thinking_opens_at_end(
            self.tokenizer.decode(list(prompt[-TAIL:]), skip_special_tokens=False), self.thinking.tags
        )

    def scoring_notes(self, prompt: Sequence[int]) -> tuple[str, ...]:
        """What must be said of a continuation that is scored after `prompt`."""
        return (SCORED_INSIDE,) if self.opened(prompt) else ()

    def limit(self, sampling: Sampling) -> int:
        """How many tokens may be generated, for thinking and answer together."""
        return sampling.max_new_tokens + self.thinking.tokens

    def stops(self, sampling: Sampling, prompt: Sequence[int]) -> tuple[str, ...]:
        """The stop strings that may end the generation: none where they could end the thinking."""
        return () if sampling.stop and (self.thinking.on or self.opened(prompt)) else sampling.stop

    def read(self, ids: Sequence[int], prompt: Sequence[int], sampling: Sampling, finish: str) -> Generated:
        """What was generated after `prompt`; `finish` is why it ended."""
        raw = self.text(ids)
        found = self._split(raw, prompt)
        if found is None:
            return self._answer(ids, sampling, finish, raw)
        used = len(ids) if not found.closed and not found.answer else self._place(ids, found.start)
        budget = self.thinking.tokens
        if budget and used > budget:
            return Generated("", "length", self._thought(ids[:budget], prompt), budget)
        room = used + sampling.max_new_tokens
        if self.thinking.on and len(ids) > room:
            finish, found = "length", self._split(self.text(ids[:room]), prompt) or found
        text = cut(found.answer, sampling.stop)
        return Generated(text, finish if text == found.answer else "stop", found.reasoning, used)

    def _answer(self, ids: Sequence[int], sampling: Sampling, finish: str, raw: str) -> Generated:
        """One without thinking. A model that may think had more tokens than an answer has."""
        if self.thinking.on and len(ids) > sampling.max_new_tokens:
            finish, raw = "length", self.text(ids[: sampling.max_new_tokens])
        text = cut(raw, sampling.stop)
        return Generated(text, "stop" if self.thinking.on and text != raw else finish)

    def _split(self, raw: str, prompt: Sequence[int]) -> Split | None:
        return split(raw, self.thinking.tags, opened=self.opened(prompt), thinks=self.thinking.on)

    def _thought(self, ids: Sequence[int], prompt: Sequence[int]) -> str:
        raw = self.text(ids)
        found = self._split(raw, prompt)
        return raw.strip() if found is None else found.reasoning

    def _place(self, ids: Sequence[int], start: int) -> int:
        """How many ids lie within the first `start` characters: looked for by halves, since a text only grows."""
        low, high = 0, len(ids)
        while low < high:
            middle = (low + high + 1) // 2
            if len(self.text(ids[:middle])) <= start:
                low = middle
            else:
                high = middle - 1
        return low


def _special_ids(tokenizer: Any, thinking: Thinking) -> tuple[frozenset[int], frozenset[int]]:
    """The ids that are left out of a text, and those of them that are tags of thinking."""
    added: dict[int, Any] = getattr(tokenizer, "added_tokens_decoder", {})
    special = {number for number, token in added.items() if token.special} | set(tokenizer.all_special_ids)
    own = thinking.literal
    tags = {number for number in special if number in added and str(added[number].content) in {*SPECIAL, *own}}
    return frozenset(special), frozenset(tags)


def cut(text: str, stop: Iterable[str]) -> str:
    """`text` up to the first occurrence of any stop string."""
    ends = [place for place in (text.find(mark) for mark in stop if mark) if place >= 0]
    return text[: min(ends)] if ends else text
