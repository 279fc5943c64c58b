"""The address of a server in one spelling, so that one server is one, and another is another.

Knows text only: nothing is asked or resolved.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from tvbench.errors import UsageError

EXAMPLE = "openai:NAME@http://HOST:PORT/v1"
DEFAULT_PORTS = {"http": 80, "https": 443}
ENDS = ("/chat/completions", "/completions", "/models")


def server_address(url: str) -> str:
    """`url` with scheme and host in lower case, without the scheme's own port and a last `/`, and with `/v1`.

    Raises UsageError, which never repeats the address, for what is no address, or holds a password, a `?` or a `#`.
    """
    text = url.strip()
    text = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UsageError("the server's address has no valid host or port", f"use {EXAMPLE}") from None
    if "@" in parts.netloc:
        raise UsageError(
            "the URL holds a password, which would be stored with the run",
            f"put the key into the environment variable OPENAI_API_KEY, and use {EXAMPLE}",
        )
    for mark in "?#":
        if mark in text:
            raise UsageError(
                f"the server's address holds a `{mark}`: a server is found by host, port and path alone",
                f"leave out the `{mark}` and what follows it: {EXAMPLE}",
            )
    if parts.scheme not in DEFAULT_PORTS or not _is_host(parts.hostname) or port == 0 or not _is_plain(text):
        raise UsageError("that is not the address of a server", f"use {EXAMPLE}")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    place = host if port in (None, DEFAULT_PORTS[parts.scheme]) else f"{host}:{port}"
    return f"{parts.scheme}://{place}{_path(parts.path)}"


def shown_address(url: str) -> str:
    """A server's address as people write it: without `/v1`."""
    return re.sub(r"/v\d+\w*$", "", url)


def _path(path: str) -> str:
    path = path.rstrip("/")
    for end in ENDS:
        path = path.removesuffix(end).rstrip("/")
    return path if re.search(r"/v\d+\w*(/|$)", path) else f"{path}/v1"


def _is_host(host: str | None) -> bool:
    return bool(host) and bool((host or "").strip("."))


def _is_plain(text: str) -> bool:
    return text.isprintable() and not any(char.isspace() or char == "\\" for char in text)
