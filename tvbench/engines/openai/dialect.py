"""What one server takes of a request: which sampling fields it understands, learned from what it refuses.

Knows requests and kinds of servers; no picture, no reply and no network.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from tvbench.engines.openai.messages import VideoAs
from tvbench.engines.openai.retry import Json, Trouble
from tvbench.errors import EngineError
from tvbench.registry.thinking import SILENT, SWITCHES, Thinking
from tvbench.types import Request

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
