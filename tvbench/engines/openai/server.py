"""Where an OpenAI-compatible server is, what it is, and which models it has. Asks a few GETs, once."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from tvbench.engines.openai.identity import Facts, told_of
from tvbench.engines.openai.retry import error_text
from tvbench.engines.openai.secret import Secret
from tvbench.engines.openai.wire import NoReply, Reply, get_once
from tvbench.errors import EngineError, UsageError

OWNERS = {"library": "ollama"}
"""What stands as a model's owner where it is not the server's kind."""
PAGES = {
    "vllm": ("/version",),
    "llamacpp": ("/props",),
    "sglang": ("/get_server_info", "/get_model_info"),
    "ollama": ("/api/version", "/api/tags"),
}
"""Where each kind says more of itself. The first page holds its version."""
VERSIONS = {"llamacpp": "build_info"}
LOOKS = 3
"""How often a server that does not answer is looked at before the run is refused."""
LOOK_TIMEOUT_S = 10.0
LONGEST_NAME = 200
NOT_READY = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself. `kind` is vllm, sglang, llamacpp, ollama, or "" when it does not tell; `told` is
    what it says of each model (identity.py)."""

    kind: str = ""
    version: str = ""
    models: tuple[str, ...] = ()
    told: Mapping[str, Facts] = field(default_factory=dict)
    template: str = ""
    """Its chat template, where it tells that (llama.cpp does)."""

    def label(self) -> str:
        """`vllm-0.32.0`, for a signature."""
        return "-".join(part for part in (self.kind or "unknown", self.version) if part)

    def model_hint(self, model: str) -> str:
        """What to try when the server does not know `model`."""
        if not self.models:
            return f"is '{model}' the name under which the server knows the model, and the address right?"
        return f"use --model openai:NAME@URL with a NAME that the server has: {', '.join(self.models[:10])}"


def base_url(url: str) -> str:
    """The address of the API: `host:8000`, `http://host:8000/` and `http://host:8000/v1/chat/completions` are all
    `http://host:8000/v1`. Raises UsageError for what is no address, and for a password inside one."""
    text = url.strip()
    text = (text if "://" in text else f"http://{text}").rstrip("/")
    for end in ("/chat/completions", "/completions", "/models"):
        text = text.removesuffix(end)
    example = "use --model openai:NAME@http://HOST:PORT/v1"
    try:
        parts = urlsplit(text)
        port_is_good = parts.port is None or parts.port > 0
    except ValueError:
        raise UsageError("the server's address has no valid port", example) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_good:
        raise UsageError("that is not the address of a server", example)
    if parts.username or parts.password:
        raise UsageError("a password in an address ends up in files", "put the key into TVBENCH_API_KEY")
    return text if re.search(r"/v\d+\w*(/|$)", parts.path) else f"{text}/v1"


def root_url(url: str) -> str:
    """The server's root, where `/version` and `/tokenize` live: `url` without its `/v1`."""
    return re.sub(r"/v\d+\w*$", "", url)


def look_at(url: str, secret: Secret, *, pause_s: float = 0.5, timeout_s: float = LOOK_TIMEOUT_S) -> ServerFacts:
    """Ask the server what it is; `timeout_s` is for each question as a whole.

    Raises EngineError when nobody answers, or the key is refused.
    """

    def get(page: str) -> Reply:
        return _get(page, secret, pause_s, timeout_s)

    reply = get(f"{url}/models")
    if reply.status == 401:
        raise EngineError(
            f"the server at {url} refuses the key: {error_text(reply, secret)[0]}",
            "set TVBENCH_API_KEY (or OPENAI_API_KEY) to a key for this server",
        )
    if reply.good and reply.is_page():
        raise EngineError(
            f"at {url} there is a web page, not an OpenAI-compatible server", "the address usually ends in /v1"
        )
    listed = {secret.message(name)[:LONGEST_NAME]: model for model in _listed(reply) if (name := _text(model, "id"))}
    kinds = {OWNERS.get(owner, owner) for model in listed.values() if (owner := _text(model, "owned_by").lower())}
    kind = next((known for known in sorted(kinds) if known in PAGES), "")
    pages = {path: _object(get(root_url(url) + path)) for path in PAGES.get(kind, ())}
    try:
        told = {name: told_of(model, pages, secret.hide) for name, model in listed.items()}
    except RecursionError:
        raise EngineError(
            f"what the server at {url} says of itself is nested too deep", "is that the right address?"
        ) from None
    template = next((text for page in pages.values() if (text := _text(page, "chat_template"))), "")
    return ServerFacts(kind, secret.message(_version(kind, pages))[:LONGEST_NAME], tuple(listed), told, template)


def _get(url: str, secret: Secret, pause_s: float, timeout_s: float) -> Reply:
    """The reply to GET `url`, whatever its status. Raises EngineError when there is none, or the server lists no models
    yet: what it does not tell now it tells later, and would then seem to be another."""
    problem, reply = "", None
    for look in range(LOOKS):
        if look:
            time.sleep(pause_s)
        try:
            reply = get_once(url, secret, timeout_s=timeout_s)
        except NoReply as error:
            problem = str(error)
            continue
        if reply.status not in NOT_READY:
            return reply
        problem = f"HTTP {reply.status}"
    if reply is not None and not url.endswith("/models"):
        return reply
    raise EngineError(f"no server answers at {url} ({problem})", "start it and run the same command again")


def _listed(reply: Reply) -> list[dict[str, Any]]:
    """The models of the list; none where the server keeps no list."""
    listed = _object(reply).get("data")
    return [model for model in listed if isinstance(model, dict)] if isinstance(listed, list) else []


def _version(kind: str, pages: Mapping[str, Mapping[str, Any]]) -> str:
    """The server's version, where its kind tells one."""
    return _text(pages[PAGES[kind][0]], VERSIONS.get(kind, "version")) if kind else ""


def _text(value: Mapping[str, Any], name: str) -> str:
    """A field that holds text; "" where it holds anything else."""
    found = value.get(name)
    return found if isinstance(found, str) else ""


def _object(reply: Reply) -> dict[str, Any]:
    """The JSON object of a good reply; empty for anything else."""
    try:
        value = reply.json() if reply.good else None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
