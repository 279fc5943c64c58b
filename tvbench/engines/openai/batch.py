"""The engine's requests and replies as lines of a batch: a file of requests that somebody else has answered, later.

One line a request, `{"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": {...}}`, whose body is
what the engine posts for the same request; one line an answer, as OpenAI, those who do as it does, and vLLM's
`run-batch` write it, read as the engine reads a reply. Knows no network and no file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from tvbench.engines.openai.answers import read_chat, to_response
from tvbench.engines.openai.dialect import Dialect, refused_at
from tvbench.engines.openai.engine import clean_key, own_key, without_key
from tvbench.engines.openai.messages import VideoAs, messages_of
from tvbench.engines.openai.retry import Json, Trouble, UsableReply, blamed_words
from tvbench.engines.openai.secret import Secret
from tvbench.engines.openai.server import PAGES
from tvbench.engines.protocol import Prepared
from tvbench.errors import EngineError
from tvbench.registry.influence import prompt_settings
from tvbench.registry.thinking import thinking_of
from tvbench.safety.bounded import json_value
from tvbench.types import ModelCard, Request, Response

ENDPOINT = "/v1/chat/completions"
DEEPEST = 40
"""Levels of a reply."""
NO_STATUS = 0
FINGERPRINT = re.compile(r"vllm-\d+(?:\.\w+){0,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Spoken:
    """How a wave was written: what a Dialect needs to read its answers. `refused` are fields that were left out."""

    model: str
    kind: str = ""
    video: VideoAs = "frames"
    refused: tuple[str, ...] = ()
    limit_name: str = "max_tokens"

    def dialect(self, card: ModelCard) -> Dialect:
        dialect = Dialect(self.model, self.kind, self.video, thinking_of(shaping(card)), refused=self.refused)
        dialect.limit_name = self.limit_name
        return dialect


@dataclass(frozen=True, slots=True)
class Returned:
    """One line of a batch's results: a reply's `body`, or what went `wrong`."""

    custom_id: str
    body: Json | None = None
    wrong: Trouble | None = None
    name: str = ""
    """Who tells this line from another of the same custom_id: the service's own id of it."""


def spoken_to(card: ModelCard, label: str, learned: Spoken | None = None) -> Spoken:
    """How the server of `card` is spoken to; `label` is what it says it is (ServerFacts.label), and `learned` what its
    refusals in earlier waves taught."""
    kind = label.partition("-")[0]
    video = card.engine.get("openai", {}).get("video", "frames")
    refused = set(refused_at(card.url)) | set(learned.refused if learned else ())
    limit = learned.limit_name if learned else "max_tokens"
    return Spoken(card.location, kind if kind in PAGES else "", video, tuple(sorted(refused)), limit)


def shaping(card: ModelCard) -> ModelCard | None:
    """The card where it says something of the prompt; else None, and messages are sent as they stand."""
    return card if prompt_settings(card) or card.reasoning else None


def request_line(prepared: Prepared, dialect: Dialect, card: ModelCard) -> bytes:
    """The line of one request. Raises MediaError."""
    messages = messages_of(prepared, shaping(card), dialect.video)
    body = dialect.body(prepared.request, messages)
    line = {"custom_id": prepared.request.key, "method": "POST", "url": ENDPOINT, "body": body}
    return json.dumps(line, separators=(",", ":")).encode() + b"\n"


def returned(line: bytes) -> Returned:
    """What one line of results says. Raises ValueError, in words for a person, for what is no such line."""
    value = json_value(line, DEEPEST)
    if not isinstance(value, dict):
        raise ValueError("it is not a JSON object")
    custom_id = value.get("custom_id")
    if not isinstance(custom_id, str) or not custom_id:
        raise ValueError("it has no custom_id")
    if "response" not in value and "error" not in value:
        asked = "body" in value and "method" in value
        raise ValueError("it is a request, not an answer" if asked else "it has neither a response nor an error")
    name = value["id"] if isinstance(value.get("id"), str) else ""
    response = value.get("response")
    if not isinstance(response, dict):
        return Returned(custom_id, wrong=_trouble(NO_STATUS, value.get("error")), name=name)
    status, body = response.get("status_code", 200), _body(response)
    good = isinstance(status, int | str) and str(status).isdecimal() and 200 <= int(status) < 300
    if good and isinstance(body, dict) and not value.get("error"):
        return Returned(custom_id, body, name=name)
    code = int(status) if isinstance(status, int | str) and str(status)[:4].isdecimal() and not good else NO_STATUS
    return Returned(custom_id, wrong=_trouble(code, value.get("error") or body), name=name)


def answer_of(request: Request, body: Json, dialect: Dialect, notes: Iterable[str] = ()) -> Response:
    """The Response of a reply, as the engine makes it of the same one; a reply without an answer is a failure."""
    prepared = Prepared(request, notes=tuple(notes))
    try:
        response = to_response(prepared, UsableReply(read_chat(body), 1), dialect)
    except (ValueError, RecursionError) as error:
        return failure_of(request.key, Trouble(f"not the JSON asked for: {error}"), notes)
    return without_key(response, _secret(own_key()))


def software(body: Json) -> str:
    """What answered, where a reply tells it: `vllm-0.32.0`; "" of others."""
    found = FINGERPRINT.match(said) if isinstance(said := body.get("system_fingerprint"), str) else None
    return found[0] if found else ""


def failure_of(key: str, trouble: Trouble, notes: Iterable[str] = ()) -> Response:
    """The failure of one request."""
    return Response(key, error=_secret(own_key()).message(trouble.message), notes=tuple(notes))


def taught(spoken: Spoken, trouble: Trouble, request: Request, card: ModelCard) -> Spoken:
    """How the server is to be spoken to after it refused `request`: the engine would have asked once more so."""
    if trouble.status not in (400, 422):
        return spoken
    dialect = spoken.dialect(card)
    try:
        dialect.adapt(trouble, dialect.body(request, []))
    except EngineError:
        return spoken  # nothing that is left out would help; the failure says why
    return replace(spoken, refused=tuple(sorted(dialect.refused)), limit_name=dialect.limit_name)


def _body(response: Mapping[str, Any]) -> Any:
    """The body of a response: an object, the same as text, or no body of its own around the reply."""
    body = response.get("body", response if "choices" in response else None)
    if not isinstance(body, str):
        return body
    try:
        return json_value(body, DEEPEST)
    except ValueError:
        return body


def _trouble(status: int, said: Any) -> Trouble:
    message, blamed = blamed_words(said, _secret(own_key()))
    text = message or "no answer, and no word why"
    return Trouble(f"HTTP {status}: {text}" if status else text, status or None, blamed)


@cache
def _secret(key: str | None) -> Secret:
    """A service may repeat the key in its words, as a server may."""
    return Secret(clean_key(key))
