"""Where an OpenAI-compatible server is, what it is, and which models it has. Asks a few GETs, once."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx

from tvbench.engines.openai_identity import Facts, told_of
from tvbench.engines.openai_retry import error_text, hidden, is_page
from tvbench.errors import EngineError, UsageError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
OWNERS = {"library": "ollama"}
"""What stands as a model's owner where it is not the server's kind."""
PAGES = {"vllm": ("/version",), "llamacpp": ("/props",), "sglang": ("/get_server_info", "/get_model_info"),
         "ollama": ("/api/version", "/api/tags")}
"""Where each kind says more of itself. The first page holds its version."""
VERSIONS = {"llamacpp": "build_info"}
LOOKS = 3
"""How often a server that does not answer is looked at before the run is refused."""
LOOK_TIMEOUT_S = 10.0
NOT_READY = frozenset({429, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself. `kind` is vllm, sglang, llamacpp, ollama, or "" when it does not tell; `told` is
    what it says of each model (openai_identity.py)."""

    kind: str = ""
    version: str = ""
    models: tuple[str, ...] = ()
    told: Mapping[str, Facts] = field(default_factory=dict)

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


def uses_proxy(url: str) -> bool:
    """Whether the proxy of the environment applies. A proxy cannot reach this machine's own loopback."""
    return urlsplit(url).hostname not in LOOPBACK


def look_at(url: str, headers: Mapping[str, str], secret: str | None, *, pause_s: float = 0.5) -> ServerFacts:
    """Ask the server what it is. Raises EngineError when nobody answers, or the key is refused."""
    with httpx.Client(headers=headers, timeout=LOOK_TIMEOUT_S, trust_env=uses_proxy(url)) as client:
        reply = _get(client, f"{url}/models", pause_s)
        if reply.status_code == 401:
            raise EngineError(
                hidden(f"the server at {url} refuses the key: {error_text(reply)[0]}", secret),
                "set TVBENCH_API_KEY (or OPENAI_API_KEY) to a key for this server",
            )
        if reply.is_success and is_page(reply):
            raise EngineError(f"at {url} there is a web page, not an OpenAI-compatible server",
                              "the address usually ends in /v1")
        listed = _listed(reply)
        owners = {str(model.get("owned_by") or "").lower() for model in listed}
        kinds = {OWNERS.get(owner, owner) for owner in owners}
        kind = next((one for one in sorted(kinds) if one in PAGES), "")
        names = tuple(str(model["id"]) for model in listed if model.get("id"))
        pages = {path: _json(_get(client, root_url(url) + path, pause_s)) for path in PAGES.get(kind, ())}
        told = {str(model["id"]): told_of(model, pages, lambda text: hidden(text, secret))
                for model in listed if model.get("id")}
        return ServerFacts(kind, _version(kind, pages), names, told)


def _get(client: httpx.Client, url: str, pause_s: float) -> httpx.Response:
    """The reply to GET `url`, whatever its status. Raises EngineError when there is none, or the server lists no models
    yet: what it does not tell now it tells later, and would then seem to be another."""
    problem, reply = "", None
    for look in range(LOOKS):
        if look:
            time.sleep(pause_s)
        try:
            reply = client.get(url)
        except httpx.TransportError as error:
            problem = f"{type(error).__name__}: {error}"
            continue
        if reply.status_code not in NOT_READY:
            return reply
        problem = f"HTTP {reply.status_code}"
    if reply is not None and not url.endswith("/models"):
        return reply
    raise EngineError(f"no server answers at {url} ({problem})", "start it and run the same command again")


def _listed(reply: httpx.Response) -> list[dict[str, Any]]:
    """The models of the list; none where the server keeps no list."""
    listed = _json(reply).get("data")
    return [model for model in listed if isinstance(model, dict)] if isinstance(listed, list) else []


def _version(kind: str, pages: Mapping[str, Mapping[str, Any]]) -> str:
    """The server's version, where its kind tells one."""
    first = pages[PAGES[kind][0]] if kind else {}
    return str(first.get(VERSIONS.get(kind, "version")) or "")


def _json(reply: httpx.Response) -> dict[str, Any]:
    """The JSON object of a good reply; empty for anything else."""
    try:
        value = reply.json() if reply.is_success else None
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
