"""One HTTP exchange with a server that may say anything: one deadline and one limit of bytes for the whole of it.

The deadline covers connecting, sending and receiving: a server that sends a byte now and then cannot hold it. No
redirect is followed, no cookie is kept, and what comes compressed is unpacked no further than the limit. Knows HTTP;
knows nothing of chats.
"""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import urlsplit

import httpx

from tvbench.engines.openai.secret import Secret

LARGEST_REPLY = 16 << 20
"""Bytes of a reply, as sent and unpacked. The longest known, log-probabilities of 100,000 tokens, take 10 MiB."""
LARGEST_REFUSAL = 1 << 16
"""Bytes that are read of a refusal; what follows is left."""
CONNECT_S = 10.0
PACKED = frozenset({"gzip", "x-gzip", "deflate"})
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

# What they write down for debugging holds the server's headers and its status line.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)


class NoReply(Exception):
    """Nothing usable came: no connection, a broken one, too late or too much. Its text is without the key."""

    def __init__(self, message: str, *, timed_out: bool = False) -> None:
        super().__init__(message)
        self.timed_out = timed_out


@dataclass(frozen=True, slots=True)
class Reply:
    """What came: `body` is unpacked and whole, that of a refusal perhaps cut."""

    status: int
    reason: str
    headers: httpx.Headers
    body: bytes

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300

    @property
    def text(self) -> str:
        """JSON is UTF-8, whatever else the header says of it."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON. Raises ValueError for everything else."""
        try:
            return json.loads(self.body)
        except RecursionError:
            raise ValueError("it is nested too deep") from None

    def is_page(self) -> bool:
        """Whether a proxy or a web server answered in the API's place."""
        return "html" in self.headers.get("Content-Type", "").lower() or self.body[:100].lstrip()[:1] == b"<"


class Wire:
    """Connections to one server. For one event loop."""

    def __init__(self, url: str, secret: Secret, *, connections: int, timeout_s: float) -> None:
        self.secret = secret
        self.timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            headers=secret.headers() | {"Accept-Encoding": "identity"},
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            timeout=httpx.Timeout(timeout_s, connect=min(CONNECT_S, timeout_s), pool=None),
            trust_env=uses_proxy(url),
            verify=_tls(),
            follow_redirects=False,
            cookies=_NoCookies(),
        )

    async def get(self, url: str, timeout_s: float | None = None) -> Reply:
        """GET `url` within `timeout_s`, by default the connection's own. Raises NoReply."""
        return await self._exchange("GET", url, None, {}, timeout_s or self.timeout_s)

    async def post(self, url: str, body: bytes) -> Reply:
        """POST JSON to `url`. Raises NoReply."""
        return await self._exchange("POST", url, body, {"Content-Type": "application/json"}, self.timeout_s)

    async def close(self) -> None:
        """Give back the connections."""
        await self._client.aclose()

    async def _exchange(
        self, method: str, url: str, body: bytes | None, headers: dict[str, str], timeout_s: float
    ) -> Reply:
        try:
            async with (
                asyncio.timeout(timeout_s),
                self._client.stream(method, url, content=body, headers=headers) as reply,
            ):
                content = await _received(reply)
        except NoReply:
            raise
        except (TimeoutError, httpx.TimeoutException):
            raise NoReply(f"no answer within {timeout_s:g} s", timed_out=True) from None
        except Exception as error:  # noqa: BLE001 - whatever a server's bytes provoke below is one reply that is none
            words = self.secret.message(str(error)) or "the connection broke"
            raise NoReply(f"{type(error).__name__}: {words}") from None
        return Reply(reply.status_code, reply.reason_phrase, reply.headers, content)


def get_once(url: str, secret: Secret, *, timeout_s: float) -> Reply:
    """GET `url` on a connection of its own; where an event loop runs, as in a notebook, from a thread of its own.
    Raises NoReply."""

    async def get() -> Reply:
        wire = Wire(url, secret, connections=1, timeout_s=timeout_s)
        try:
            return await wire.get(url)
        finally:
            await wire.close()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(get())
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, get()).result()


@lru_cache(maxsize=1)
def _tls() -> ssl.SSLContext:
    """The certificates, read once: that takes longer than most exchanges."""
    return httpx.create_ssl_context()


def uses_proxy(url: str) -> bool:
    """Whether the proxy of the environment applies. A proxy cannot reach this machine's own loopback."""
    return urlsplit(url).hostname not in LOOPBACK


# ── Bodies ────────────────────────────────────────────────────────────────────────────────────────


async def _received(reply: httpx.Response) -> bytes:
    """The body, unpacked. Raises NoReply when a good reply is longer than the limit."""
    most = LARGEST_REPLY if reply.is_success else LARGEST_REFUSAL
    unpack = _Unpacking(reply.headers.get("Content-Encoding", ""), most)
    async for chunk in reply.aiter_raw():
        if not unpack.add(chunk):
            break
    if unpack.overfull and reply.is_success:
        raise NoReply(f"the reply is longer than {most >> 20} MiB")
    return unpack.body()


class _Unpacking:
    """Collects a body of at most `most` bytes, and never holds more of it."""

    def __init__(self, encoding: str, most: int) -> None:
        packed = encoding.strip().lower()
        if packed not in PACKED | {"", "identity"}:
            raise NoReply("the reply is packed in a way that was not asked for")
        # 47: zlib finds out by itself whether it is gzip or deflate.
        self._zlib = zlib.decompressobj(47) if packed in PACKED else None
        self._parts: list[bytes] = []
        self._came = self._size = 0
        self._most = most

    @property
    def overfull(self) -> bool:
        return max(self._came, self._size) > self._most

    def add(self, chunk: bytes) -> bool:
        """Whether there is room for more."""
        self._came += len(chunk)
        left = self._most + 1 - self._size
        piece = self._zlib.decompress(chunk, left) if self._zlib else chunk[:left]
        self._parts.append(piece)
        self._size += len(piece)
        return not self.overfull

    def body(self) -> bytes:
        """What was collected, cut to the limit."""
        return b"".join(self._parts)[: self._most]


class _NoCookies(CookieJar):
    """Keeps none: nothing a server says may go with later requests."""

    def extract_cookies(self, response: Any, request: Any) -> None:
        """Pass over them."""
