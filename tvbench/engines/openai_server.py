"""Where an OpenAI-compatible server is, what it is, and which models it has. Asks a few GETs, once."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from tvbench.engines.openai_retry import error_text, hidden, is_page
from tvbench.errors import EngineError, UsageError

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
KINDS = frozenset({"vllm", "sglang", "llamacpp"})
LOOKS = 3
"""How often a server that does not answer is looked at before the run is refused."""
LOOK_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a server says of itself. `kind` is vllm, sglang, llamacpp, or "" when it does not tell."""

    kind: str = ""
    version: str = ""
    models: tuple[str, ...] = ()

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
        reply = _models(client, url, pause_s)
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
        kind = next((owner for owner in owners if owner in KINDS), "")
        names = tuple(str(model["id"]) for model in listed if model.get("id"))
        return ServerFacts(kind, _version(client, url, kind), names)


def _models(client: httpx.Client, url: str, pause_s: float) -> httpx.Response:
    """The reply to GET /models, whatever its status. Raises EngineError when there is none."""
    problem = ""
    for look in range(LOOKS):
        if look:
            time.sleep(pause_s)
        try:
            return client.get(f"{url}/models")
        except httpx.TransportError as error:
            problem = f"{type(error).__name__}: {error}"
    raise EngineError(f"no server answers at {url} ({problem})", "start it and run the same command again")


def _listed(reply: httpx.Response) -> list[dict[str, Any]]:
    """The models of the list; none where the server keeps no list."""
    value = _json(reply) if reply.is_success else {}
    listed = value.get("data")
    return [model for model in listed if isinstance(model, dict)] if isinstance(listed, list) else []


def _version(client: httpx.Client, url: str, kind: str) -> str:
    """The server's version, where its kind tells one."""
    paths = {"vllm": ("/version", "version"), "llamacpp": ("/props", "build_info"),
             "sglang": ("/get_server_info", "version")}
    if kind not in paths:
        return ""
    path, name = paths[kind]
    try:
        reply = client.get(root_url(url) + path)
    except httpx.TransportError:
        return ""
    return str(_json(reply).get(name) or "") if reply.is_success else ""


def _json(reply: httpx.Response) -> dict[str, Any]:
    try:
        value = reply.json()
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
