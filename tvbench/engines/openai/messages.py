"""Requests and replies in the form of the OpenAI chat API, and what servers take of it.

Knows how pictures and clips are written into a message, which sampling fields a kind of server understands, and how a
reply reads. Knows no network.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Literal
from urllib.parse import urlsplit

from tvbench.checkpoints.prompt import arranged
from tvbench.data.media.clips import Clip, Decoded
from tvbench.data.media.images import as_picture, plain_format, png
from tvbench.engines.openai.retry import Json, Trouble, UsableReply
from tvbench.engines.openai.thinking import apart
from tvbench.engines.protocol import Prepared, Sight
from tvbench.errors import EngineError, MediaError
from tvbench.registry.thinking import SILENT, SWITCHES, Thinking
from tvbench.types import Media, ModelCard, Request, Response

MIME = {"PNG": "image/png", "JPEG": "image/jpeg", "WEBP": "image/webp", "GIF": "image/gif"}
"""The formats that every server reads. Others are sent as PNG."""
SIGHT = Sight(files=frozenset(MIME))
"""What is taken of media: files as they are, where every server reads them alike."""
CLIPS = ((4, b"ftyp", "video/mp4"), (0, b"\x1a\x45\xdf\xa3", "video/webm"), (0, b"RIFF", "video/x-msvideo"))
NEUTRAL = {"top_p": 1.0, "top_k": -1, "min_p": 0.0, "repetition_penalty": 1.0, "repeat_penalty": 1.0}
OPTIONAL = (
    "response_format",
    "top_k",
    "min_p",
    "repetition_penalty",
    "repeat_penalty",
    "repeat_last_n",
    "seed",
    "stop",
    "top_p",
    "temperature",
)
"""What may be left out when a server refuses it, the extensions of local servers first."""
EXTENSIONS = frozenset(OPTIONAL[1:6])
REFUSED_AT = {"api.openai.com": frozenset({"top_k", "min_p", "repetition_penalty"})}
"""By host: what its documentation does not have, and its server refuses."""
REFUSAL = re.compile(
    r"unsupported|not support|unrecogni[sz]ed|unknown|unexpected|extra|forbidden|permitted|allowed|"
    r"invalid|must be|no longer|deprecated",
    re.IGNORECASE,
)

LONGEST_ANSWER = 1 << 20
"""Characters. No request asks for so many."""
LONGEST_NAME = 200
REASONING = ("reasoning_content", "reasoning")
"""Where servers put what was thought: vLLM before 0.10, SGLang, llama.cpp, DeepSeek; vLLM since, OpenRouter."""
THOUGHT = ("thinking", "reasoning")
"""Types of parts of an answer that are thinking."""
MOST_TOKENS = 10**9
MOST_DOLLARS = 1e6

VideoAs = Literal["frames", "video_url"]


class BrokenReply(ValueError):
    """A reply without an answer in it."""


class Dialect:
    """What one server takes; learns from its refusals. `kind` is vllm, sglang, llamacpp, or "" when not known.

    Every sampling field is sent even where it is neutral: a server would otherwise put the values of the model's
    generation_config.json in its place (vLLM does). A field that the server refuses is left out from then on, and
    where that may change answers each response has a note.
    """

    def __init__(
        self,
        model: str,
        kind: str = "",
        video: VideoAs = "frames",
        thinking: Thinking = SILENT,
        *,
        refused: Iterable[str] = (),
    ) -> None:
        self.model = model
        self.thinking = thinking
        self.kind = kind
        self.video = video
        self.limit_name = "max_tokens"
        self.refused = set(refused)

    def body(self, request: Request, messages: list[Json]) -> Json:
        """The JSON of a chat request."""
        fields = self._sampling(request)
        body = {"model": self.model, "messages": messages, "stream": False}
        body.update((name, value) for name, value in fields.items() if name not in self.refused)
        if self.thinking.enabled is not None:
            body["chat_template_kwargs"] = {self.thinking.switch or SWITCHES[0]: self.thinking.enabled}
        if messages and messages[-1]["role"] == "assistant" and self.kind in ("vllm", "sglang"):
            body.update(continue_final_message=True)
            if self.kind == "vllm":
                body.update(add_generation_prompt=False)
        return body

    def adapt(self, trouble: Trouble, sent: Json) -> bool:
        """Learn from a 400 or 422. True when the request is worth another try in the form that `body` gives now."""
        if not REFUSAL.search(trouble.message):
            return False
        if "chat_template_kwargs" in sent and _names(trouble, "chat_template_kwargs"):
            raise EngineError(
                f"the server does not take chat_template_kwargs, by which a model is told whether to think: "
                f"{trouble.message}",
                "leave --thinking or --no-thinking out (--thinking-tokens N alone is never sent)",
            )
        if "max_completion_tokens" in trouble.message and "max_tokens" in sent and "too large" not in trouble.message:
            self.limit_name = "max_completion_tokens"
            return True
        named = {name for name in OPTIONAL if name in sent and _names(trouble, name)}
        if not named and not self.kind:
            # An unknown server that does not say what it dislikes: try what every server takes.
            named = {name for name in EXTENSIONS if name in sent and sent[name] == NEUTRAL.get(name)}
        self.refused |= named
        return bool(named)

    def notes(self, request: Request) -> tuple[str, ...]:
        """What was asked of the sampling and could not be sent."""
        fields = self._sampling(request)
        # Stop strings are cut by us, what should be JSON is read with care, and a greedy answer needs neither seed
        # nor a nucleus.
        greedy = request.sampling.temperature <= 0
        unneeded = {"stop", "repeat_last_n", "response_format"} | ({"seed", "top_p", "top_k"} if greedy else set())
        return tuple(
            f"{name}={fields[name]} was not sent: the server refuses it"
            for name in OPTIONAL
            if name in self.refused and name in fields and name not in unneeded and fields[name] != NEUTRAL.get(name)
        )

    def _sampling(self, request: Request) -> Json:
        asked = request.sampling
        fields: Json = {
            self.limit_name: asked.max_new_tokens + self.thinking.tokens,
            "temperature": asked.temperature,
            "top_p": asked.top_p,
            "seed": request_seed(request) if asked.temperature > 0 else asked.seed,
            # -1 is "all tokens" for vLLM, SGLang and llama.cpp alike; 0 is not.
            "top_k": asked.top_k if asked.top_k > 0 else NEUTRAL["top_k"],
            "min_p": NEUTRAL["min_p"],
        }
        if self.kind == "llamacpp":
            fields.update(repeat_penalty=asked.repetition_penalty, repeat_last_n=-1)
        else:
            fields.update(repetition_penalty=asked.repetition_penalty)
        if self.thinking.on:  # either could end the thinking, or forbid it; the answer is cut and read by us
            return fields
        if asked.stop:
            fields["stop"] = list(asked.stop)
        if request.reply_schema:
            schema = {"name": "reply", "strict": True, "schema": json.loads(request.reply_schema)}
            fields["response_format"] = {"type": "json_schema", "json_schema": schema}
        return fields


def _names(trouble: Trouble, name: str) -> bool:
    """Whether the server blames that field. Plain English words count only in quotes."""
    if trouble.parameter == name:
        return True
    pattern = rf"\b{name}\b" if "_" in name else rf"['\"`]{name}['\"`]"
    return re.search(pattern, trouble.message) is not None


def refused_at(url: str) -> frozenset[str]:
    """The fields that are known to be refused at an address, before anything is asked there."""
    return REFUSED_AT.get(urlsplit(url).hostname or "", frozenset())


def request_seed(request: Request) -> int:
    """31 bits, the same as the local engines draw with (engines/sampling.py, which imports torch). Repeats differ."""
    digest = hashlib.sha256(f"{request.sampling.seed}:{request.key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


# ── Messages ──────────────────────────────────────────────────────────────────────────────────────


def messages_of(prepared: Prepared, card: ModelCard | None, video: VideoAs = "frames") -> list[Json]:
    """The messages of a request as they are sent, arranged as the card wants them (None: as they stand)."""
    if card is None:
        return chat_messages(prepared, video)
    request = replace(prepared.request, messages=tuple(arranged(prepared.request.messages, card)))
    return chat_messages(replace(prepared, request=request), video)


def chat_messages(prepared: Prepared, video: VideoAs = "frames") -> list[Json]:
    """The conversation with its media as data: URLs, in order. A turn of text only is a plain string."""
    media = _media(prepared)
    messages: list[Json] = []
    for message in prepared.request.messages:
        if all(isinstance(part, str) for part in message.parts):
            messages.append({"role": message.role, "content": "".join(str(part) for part in message.parts)})
            continue
        parts: list[Json] = []
        for part in message.parts:
            if isinstance(part, Media):
                medium = next(media, None)
                if medium is None:
                    raise MediaError(f"{part.name} is missing")
                parts.extend(_medium(*medium, video))
            elif part:
                parts.append({"type": "text", "text": part})
        messages.append({"role": message.role, "content": parts})
    return messages


def _media(prepared: Prepared) -> Iterator[tuple[Decoded, bytes]]:
    encoded = prepared.encoded or (b"",) * len(prepared.media)
    return zip(prepared.media, encoded, strict=True)


def _medium(decoded: Decoded, encoded: bytes, video: VideoAs) -> list[Json]:
    if isinstance(decoded, Clip):
        if video == "video_url" and encoded:
            return [_data_url("video_url", clip_mime(encoded), encoded)]
        return [_data_url("image_url", "image/png", png(as_picture(frame))) for frame in decoded.frames]
    mime = faithful_mime(encoded)
    if mime is None:
        return [_data_url("image_url", "image/png", png(decoded))]
    return [_data_url("image_url", mime, encoded)]


def faithful_mime(encoded: bytes) -> str | None:
    """The type of picture bytes that any server decodes to what we decoded; None: send our pixels instead.

    Servers differ on transparency, rotation flags, CMYK, 16-bit and animated pictures, and on rarer formats.
    """
    if not encoded:
        return None
    return MIME.get(plain_format(encoded))


def clip_mime(encoded: bytes) -> str:
    """The type of a video file by its first bytes; mp4 where they say nothing."""
    return next((mime for at, mark, mime in CLIPS if encoded[at : at + len(mark)] == mark), "video/mp4")


def _data_url(kind: str, mime: str, data: bytes) -> Json:
    return {"type": kind, kind: {"url": f"data:{mime};base64,{base64.b64encode(data).decode('ascii')}"}}


# ── Replies ───────────────────────────────────────────────────────────────────────────────────────


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
