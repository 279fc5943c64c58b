"""Asks an engine for the log-probabilities of texts, outside of any run. Knows the engines' protocol."""

from __future__ import annotations

from collections.abc import Sequence

from tvbench.data.media.clips import Clip, Decoded
from tvbench.engines.protocol import Engine, ListFeed, Prepared
from tvbench.errors import EngineError
from tvbench.types import Media, Message, Request, Response, Sampling

Scores = dict[str, tuple[float, ...]]
"""Log-probabilities of the answer's tokens, by prompt."""


def prepared_prompt(key: str, question: str, answer: str, *media: Decoded) -> Prepared:
    """Media and a question, and the answer that is scored."""
    shown = tuple(Media("video" if isinstance(medium, Clip) else "image", key, lambda: b"") for medium in media)
    messages = (Message("user", (*shown, question)),)
    return Prepared(Request(key, messages, Sampling(max_new_tokens=1), answer), tuple(media))


def scores(engine: Engine, asked: Sequence[Prepared]) -> Scores:
    """Log-probabilities of every prompt's answer. Raises EngineError when a prompt fails."""
    return {response.key: _logs(response) for response in engine.serve(ListFeed(asked))}


def _logs(response: Response) -> tuple[float, ...]:
    if response.error is not None or response.logprobs is None:
        raise EngineError(f"the {response.key} prompt fails: {response.error}")
    return tuple(response.logprobs)
