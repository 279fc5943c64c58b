"""Log-probabilities of a given text through a vLLM server: the text is sent as the beginning of the answer.

Uses vLLM's `prompt_logprobs` and `/tokenize`, which render the chat template and count picture tokens on the server,
so that it works with pictures too. The OpenAI API itself and llama.cpp's server offer nothing of the kind.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tvbench.engines.openai.answers import BrokenReply, ChatAnswer, read_chat, to_response
from tvbench.engines.openai.dialect import Dialect
from tvbench.engines.openai.retry import Caller, Json, Refused, Trouble, UsableReply
from tvbench.engines.openai.server import root_url
from tvbench.engines.protocol import Prepared
from tvbench.types import Response

OFFERED_BY = "vllm"
LOWEST, HIGHEST = -1e6, 1e-3
"""Of a log-probability; a rounding error above 0 is none of ours."""


def not_offered(kind: str) -> str:
    """Why there are no log-probabilities here, and what to do."""
    return (
        f"this server ({kind or 'of unknown kind'}) gives no log-probabilities of a given text; "
        "serve the model with vLLM, or use --engine transformers or vllm"
    )


def with_continuation(messages: list[Json], text: str) -> list[Json]:
    """The conversation with `text` as (the rest of) the assistant's open turn."""
    if messages and messages[-1]["role"] == "assistant":
        return [*messages[:-1], {"role": "assistant", "content": f"{messages[-1]['content']}{text}"}]
    return [*messages, {"role": "assistant", "content": text}]


async def score(caller: Caller, url: str, prepared: Prepared, messages: list[Json], dialect: Dialect) -> Response:
    """The Response with `logprobs`, natural logs, one a token of the continuation; its text is the continuation.

    `seconds` is left open. Raises what Caller.post raises.
    """
    text = prepared.request.continuation or ""
    full = with_continuation(messages, text)
    prompt = await _tokens(caller, url, conversation(dialect.model, messages))
    whole = await _tokens(caller, url, conversation(dialect.model, full))
    wanted = await _tokens(caller, url, {"model": dialect.model, "prompt": text, "add_special_tokens": False})
    scored = whole[common_prefix(prompt, whole) :]
    if not wanted:
        raise Refused("the continuation to be scored is empty")
    if scored != wanted:
        # Most templates trim what they are given; then another text would be scored than was asked for.
        raise Refused(
            "the server's chat template changes the text to be scored (a blank at its start or end?); "
            "use --engine transformers or vllm"
        )

    def body() -> Json:
        asked = dialect.body(prepared.request, full)
        return asked | {dialect.limit_name: 1, "prompt_logprobs": 0}

    def read(reply: Json) -> tuple[ChatAnswer, tuple[float, ...]]:
        answer = read_chat(reply)
        return answer, pick(answer.prompt_logprobs, scored)

    reply = await caller.post(f"{url}/chat/completions", body, read, dialect.adapt)
    answer, logprobs = reply.value
    response = to_response(prepared, UsableReply(answer, reply.attempts), dialect)
    prompt_tokens = None if answer.tokens_in is None else answer.tokens_in - len(scored)
    return replace(
        response,
        text=text,
        finish="stop",
        tokens_in=prompt_tokens,
        tokens_out=0,
        logprobs=logprobs,
        notes=prepared.notes,
    )


def pick(rows: tuple[Any, ...], tokens: list[int]) -> tuple[float, ...]:
    """The log-probability of each of `tokens`, which end the prompt that `rows` (one a token) describe."""
    if len(rows) < len(tokens):
        raise BrokenReply(f"{len(rows)} log-probabilities for {len(tokens)} tokens")
    try:
        return tuple(
            _logprob(row[str(token)]["logprob"]) for row, token in zip(rows[-len(tokens) :], tokens, strict=True)
        )
    except (KeyError, TypeError, IndexError) as error:
        raise BrokenReply(f"the log-probabilities are those of other tokens ({error})") from error


def _logprob(value: object) -> float:
    """A log-probability. Raises BrokenReply for what is none: text, NaN, infinity, more than certain."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not LOWEST <= value <= HIGHEST:
        raise BrokenReply(f"{value} is no log-probability")
    return float(value)


def common_prefix(first: list[int], second: list[int]) -> int:
    """How many tokens the two begin with alike. A text may merge with the last token of the prompt."""
    return next(
        (at for at, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), min(len(first), len(second))
    )


def conversation(model: str, messages: list[Json]) -> Json:
    """What `/tokenize` is asked for a conversation; an assistant's last turn is left open."""
    open_turn = messages[-1]["role"] == "assistant"
    return {
        "model": model,
        "messages": messages,
        "add_generation_prompt": not open_turn,
        "continue_final_message": open_turn,
    }


async def _tokens(caller: Caller, url: str, body: Json) -> list[int]:
    """Token ids of a conversation or of a text."""

    def read(reply: Json) -> list[int]:
        tokens = reply.get("tokens")
        if not isinstance(tokens, list) or not all(type(token) is int for token in tokens):
            raise BrokenReply(f"no tokens: {sorted(reply)}")
        return tokens

    def never(trouble: Trouble, sent: Json) -> bool:
        return False

    return (await caller.post(f"{root_url(url)}/tokenize", lambda: body, read, never)).value
