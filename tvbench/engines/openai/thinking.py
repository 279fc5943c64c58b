"""A server's reply with the thinking apart from the answer, each within its own limit.

A server may set the thinking apart itself, or leave it in the text; it may count its tokens, or not. Where it does not,
the answer's share of the tokens is taken to be its share of the bytes, and a note says so. Knows replies as they were
read; no network.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from tvbench.checkpoints.replies import cut
from tvbench.registry.thinking import Thinking
from tvbench.registry.thoughts import BLANK, split
from tvbench.types import Sampling

THOUGHT_ANYWAY = "the model thought, although it was told not to"
NOTHING_ELSE = "the server put the whole reply into its reasoning, so that there is no answer"
ESTIMATED = "the server does not count the tokens of thinking: the answer was cut by its share of the bytes"


class AsRead(Protocol):
    """A chat reply, as far as it is read here."""

    @property
    def text(self) -> str: ...
    @property
    def finish(self) -> str | None: ...
    @property
    def tokens_out(self) -> int | None: ...
    @property
    def reasoning(self) -> str | None: ...
    @property
    def tokens_thinking(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Apart:
    """The answer and the thinking of one reply, as types.Response has them."""

    text: str
    finish: str | None
    reasoning: str | None = None
    tokens_thinking: int | None = None
    notes: tuple[str, ...] = ()


def apart(answer: AsRead, thinking: Thinking, sampling: Sampling) -> Apart:
    """The reply taken apart and cut to what was asked for."""
    told = _within(_split(answer, thinking), answer.tokens_out, thinking, sampling)
    text = cut(told.text, sampling.stop)
    finish = "stop" if thinking.on and text != told.text else told.finish
    notes = told.notes
    if thinking.enabled is False and told.reasoning:
        notes += (THOUGHT_ANYWAY,)
    if answer.reasoning is not None and told.finish == "stop" and not told.text.strip():
        notes += (NOTHING_ELSE,)
    return replace(told, text=text, finish=finish, notes=notes)


def _split(answer: AsRead, thinking: Thinking) -> Apart:
    """Thinking that the server set apart, and what it left in the text."""
    apart = None if answer.reasoning is None else answer.reasoning.strip(BLANK)
    if apart and thinking.enabled is False and answer.finish == "stop" and not answer.text.strip():
        # Told not to think, it did not: a server's parser that takes for thinking what nothing closes has put it there.
        return Apart(apart, answer.finish)
    found = split(answer.text, thinking.tags, opened=_opened(answer, thinking), thinks=thinking.on)
    if found is None:
        text = answer.text if apart is None else answer.text.lstrip(BLANK)
        return Apart(text, answer.finish, apart, answer.tokens_thinking)
    pieces = [piece for piece in (apart, found.reasoning) if piece]
    finish = answer.finish if found.closed else answer.finish or "length"
    return Apart(found.answer, finish, "\n\n".join(pieces), answer.tokens_thinking)


def _opened(answer: AsRead, thinking: Thinking) -> bool:
    """Whether the text begins inside the thinking though no tag tells. The server renders the prompt, so that nobody
    here knows how it ends; a reply without any tag that used up all its tokens has not come to its answer."""
    if not thinking.on or answer.reasoning is not None or not answer.text:
        return False
    if thinking.opened is not None:
        return thinking.opened
    return answer.finish == "length" and split(answer.text, thinking.tags, thinks=True) is None


def _within(told: Apart, tokens: int | None, thinking: Thinking, sampling: Sampling) -> Apart:
    """The answer no longer than it may be, and none where the thinking took more than it may."""
    if not thinking.on or tokens is None:
        return told
    if told.tokens_thinking is not None and told.tokens_thinking > thinking.tokens:
        return replace(told, text="", finish="length")
    counted = told.tokens_thinking
    used = counted if counted is not None else _share(told, tokens)
    mine, room = tokens - used, sampling.max_new_tokens
    if mine <= room or len(told.text.encode("utf-8", "surrogatepass")) <= room:
        return told
    kept = told.text[: max(1, len(told.text) * room // mine)]
    return replace(told, text=kept, finish="length", notes=() if counted is not None else (ESTIMATED,))


def _share(told: Apart, tokens: int) -> int:
    thought, answered = (len(text.encode("utf-8", "surrogatepass")) for text in (told.reasoning or "", told.text))
    return tokens * thought // (thought + answered) if thought + answered else 0
