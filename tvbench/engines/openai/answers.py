"""What a reply of the OpenAI chat API says: the answer, what was thought, tokens and dollars.

Nothing in a reply is believed: what is no text, no count or no amount is none. Knows no network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tvbench.engines.openai.dialect import Dialect
from tvbench.engines.openai.retry import Json, UsableReply
from tvbench.engines.openai.thinking import apart
from tvbench.engines.protocol import Prepared
from tvbench.types import Response

LONGEST_ANSWER = 1 << 20
"""Characters. No request asks for so many."""
LONGEST_NAME = 200
REASONING = ("reasoning_content", "reasoning")
"""Where servers put what was thought: vLLM before 0.10, SGLang, llama.cpp, DeepSeek; vLLM since, OpenRouter."""
THOUGHT = ("thinking", "reasoning")
"""Types of parts of an answer that are thinking."""
MOST_TOKENS = 10**9
MOST_DOLLARS = 1e6


class BrokenReply(ValueError):
    """A reply without an answer in it."""


@dataclass(frozen=True, slots=True)
class ChatAnswer:
    """What a chat reply says. `text` is "" for an empty or refused answer."""

    text: str
    finish: str | None
    tokens_in: int | None
    tokens_out: int | None
    model: str | None
    notes: tuple[str, ...] = ()
    prompt_logprobs: tuple[Any, ...] = ()
    reasoning: str | None = None
    tokens_thinking: int | None = None
    tokens_cached: int | None = None
    dollars: float | None = None


def read_chat(reply: Json) -> ChatAnswer:
    """The answer in a chat reply. Raises BrokenReply for a shape that holds none, or an error sent with status 200."""
    choices = reply.get("choices")
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise BrokenReply(f"no choices: {str(reply.get('error') or sorted(reply))}")
    choice, usage = choices[0], reply.get("usage")
    message = choice.get("message")
    finish = choice.get("finish_reason")
    if not isinstance(message, dict) or finish in ("abort", "error"):
        raise BrokenReply(f"generation was broken off ({finish}): {str(choice.get('error') or '')}")
    notes = []
    if message.get("refusal"):
        notes.append(f"refused: {str(message['refusal'])[:200]}")
    if finish == "content_filter":
        notes.append("cut by the server's content filter")
    return ChatAnswer(
        text=_text(message.get("content")),
        finish=_finish(finish),
        tokens_in=_count(usage, "prompt_tokens"),
        tokens_out=_count(usage, "completion_tokens"),
        model=name[:LONGEST_NAME] if isinstance(name := reply.get("model"), str) and name else None,
        notes=tuple(notes),
        prompt_logprobs=_rows(reply.get("prompt_logprobs") or choice.get("prompt_logprobs")),
        reasoning=_reasoning(message),
        tokens_thinking=_count(_details(usage, "completion_tokens_details"), "reasoning_tokens"),
        tokens_cached=_count(_details(usage, "prompt_tokens_details"), "cached_tokens"),
        dollars=_dollars(usage),
    )


def to_response(prepared: Prepared, reply: UsableReply[ChatAnswer], dialect: Dialect) -> Response:
    """The Response of an answered request, `seconds` left open. Stop strings are cut here too: some servers leave them
    in."""
    answer = reply.value
    request = prepared.request
    told = apart(answer, dialect.thinking, request.sampling)
    return Response(
        request.key,
        text=told.text,
        finish=told.finish,
        tokens_in=answer.tokens_in,
        tokens_out=answer.tokens_out,
        notes=prepared.notes + answer.notes + dialect.notes(request) + told.notes,
        extra={"attempts": reply.attempts, **({"server_model": answer.model} if answer.model else {})},
        reasoning=told.reasoning,
        tokens_thinking=told.tokens_thinking,
        tokens_cached=answer.tokens_cached,
        dollars=answer.dollars,
    )


def _text(content: object) -> str:
    """The text of an answer: a string, or a list of parts with text. Raises BrokenReply for anything else."""
    parts = content if isinstance(content, list) else [content]
    text = "".join(_part(part) for part in parts if part is not None)
    if len(text) > LONGEST_ANSWER:
        raise BrokenReply(f"an answer of {len(text):,} characters")
    return text


def _reasoning(message: Json) -> str | None:
    """What the server sets apart as thinking: a field of its own, or parts of the content. None where it does not."""
    fields = [message[name] for name in REASONING if isinstance(message.get(name), str) and message[name]]
    content = message.get("content")
    parts = content if isinstance(content, list) else []
    thoughts = fields[:1] or [
        _thought(part) for part in parts if isinstance(part, dict) and part.get("type") in THOUGHT
    ]
    if sum(map(len, thoughts)) > LONGEST_ANSWER:
        raise BrokenReply(f"thinking of {sum(map(len, thoughts)):,} characters")
    return "\n".join(thoughts) if thoughts else None


def _thought(part: Json) -> str:
    """The text of a part that is thinking: a string, or a list of parts with text (Mistral)."""
    told = next((part[name] for name in (*THOUGHT, "text") if part.get(name)), "")
    pieces = told if isinstance(told, list) else [told]
    texts = [piece.get("text") if isinstance(piece, dict) else piece for piece in pieces]
    return "".join(text for text in texts if isinstance(text, str))


def _part(part: object) -> str:
    if isinstance(part, dict) and part.get("type") in THOUGHT:
        return ""
    text = part.get("text") if isinstance(part, dict) else part
    if isinstance(text, str):
        return text
    if isinstance(part, dict) and part.get("type") not in (None, "text", "output_text"):
        return ""  # a picture: no part of the answer
    raise BrokenReply(f"the answer is no text but a {type(text).__name__}")


def _finish(reason: object) -> str | None:
    """`length` or `stop`; None where the server does not say, or says nothing that can be read."""
    if not isinstance(reason, str):
        return None
    return "length" if reason in ("length", "max_tokens") else "stop"


def _rows(rows: object) -> tuple[Any, ...]:
    if not isinstance(rows, list | None):
        raise BrokenReply(f"the log-probabilities are a {type(rows).__name__}")
    return tuple(rows or ())


def _details(usage: object, name: str) -> object:
    return usage.get(name) if isinstance(usage, dict) else None


def _dollars(usage: object) -> float | None:
    """What the server says that the answer cost (`usage.cost`, as OpenRouter has it); None for what is no amount."""
    value = usage.get("cost") if isinstance(usage, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MOST_DOLLARS:
        return None
    return float(value)


def _count(usage: object, name: str) -> int | None:
    """A number of tokens; None for what no number of tokens can be."""
    value = usage.get(name) if isinstance(usage, dict) else None
    counts = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MOST_TOKENS
    return value if counts else None
