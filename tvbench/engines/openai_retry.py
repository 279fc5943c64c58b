"""One JSON request to a server that may be busy, broken or gone: what is tried again, and when it is given up.

Tried again: 408, 409, 425, 429, 5xx, broken connections, time-outs, replies that are not the JSON asked for.
`Retry-After` holds back every request to that server, not only the one that was told. Not tried again: what the
server says is wrong with the request. Knows HTTP; knows nothing of messages, media or items.
"""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeAlias, TypeVar

import httpx

from tvbench.errors import EngineError

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")

TRY_AGAIN = frozenset({408, 409, 425, 429})
LONGEST_BACKOFF_S = 30.0
LONGEST_RETRY_AFTER_S = 600.0
"""A server that asks for more (a daily quota) ends the run instead of holding it."""
RATE_LIMIT_PATIENCE = 4
"""A rate limit is no fault of the request: it is tried so many times longer than a fault."""
KEPT = "what was answered is stored; "
ONE_FOR_ALL = frozenset({301, 302, 307, 308, 402, 403, 404, 405})
"""Refusals that concern the whole run when they meet the first request: wrong address, wrong model, no access."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One try that brought no usable reply. `status` is None where no HTTP reply came; `again`: worth another try."""

    message: str
    status: int | None = None
    parameter: str = ""
    again: bool = True
    retry_after: float | None = None
    timed_out: bool = False


class Refused(Exception):
    """The server says that this request is wrong."""


class Unanswered(Exception):
    """Every try failed. `answers_before` is how often the server had answered anything before the last two tries."""

    def __init__(self, trouble: Trouble, attempts: int, answers_before: int) -> None:
        super().__init__(f"{trouble.message} (attempt {attempts}, the last)")
        self.trouble = trouble
        self.attempts = attempts
        self.answers_before = answers_before


@dataclass(frozen=True, slots=True)
class Reply(Generic[T]):
    """A usable reply and the number of tries that it took."""

    value: T
    attempts: int


@dataclass(frozen=True, slots=True)
class Patience:
    """`retries` after the first try; waits double from `backoff_s`, with jitter. `timeout_s` is for one try."""

    retries: int = 5
    backoff_s: float = 0.5
    timeout_s: float = 120.0

    def wait(self, failures: int) -> float:
        """Seconds before the try that follows the given number of failures (1 or more)."""
        return min(self.backoff_s * 2.0 ** (failures - 1), LONGEST_BACKOFF_S) * random.uniform(0.5, 1.0)

    def limit(self, trouble: Trouble) -> int:
        """How many failures of this kind are borne."""
        return self.retries * (RATE_LIMIT_PATIENCE if trouble.status == 429 else 1)


class Caller:
    """Posts JSON to one server. For one event loop. `answers` counts the usable replies so far."""

    def __init__(self, client: httpx.AsyncClient, patience: Patience, hint: str, secret: str | None) -> None:
        self.client = client
        self.patience = patience
        self.hint = hint
        self.secret = secret
        self.answers = 0
        self._not_before = 0.0

    async def post(
        self, url: str, body: Callable[[], Json], read: Callable[[Json], T], adapt: Callable[[Trouble, Json], bool]
    ) -> Reply[T]:
        """POST `body()` until `read` accepts the reply (it raises ValueError when it cannot).

        After a 400 or 422 `adapt` may change what `body` gives; when it says so, the request is sent again at once.
        Raises Refused, Unanswered, or EngineError when no request to this server can succeed.
        """
        failures = attempts = 0
        before = self.answers
        while True:
            await self._hold()
            attempts += 1
            sent = body()
            result = await self._once(url, sent, read)
            if not isinstance(result, Trouble):
                self.answers += 1
                return Reply(result, attempts)
            if result.status in (400, 422) and adapt(result, sent):
                continue
            self._stop_for_all(result)
            if not result.again:
                raise Refused(result.message)
            failures += 1
            if failures > self.patience.limit(result):
                raise Unanswered(result, attempts, before)
            before = self.answers
            await self._wait(result, failures)

    async def _once(self, url: str, body: Json, read: Callable[[Json], T]) -> T | Trouble:
        # Pictures make bodies of megabytes: they are written down beside the event loop.
        content = await asyncio.to_thread(lambda: json.dumps(body).encode())
        try:
            async with asyncio.timeout(self.patience.timeout_s):
                reply = await self.client.post(url, content=content, headers={"Content-Type": "application/json"})
        except (TimeoutError, httpx.TimeoutException):
            return Trouble(f"no answer within {self.patience.timeout_s:g} s", timed_out=True)
        except (httpx.TransportError, httpx.DecodingError) as error:
            return Trouble(f"{type(error).__name__}: {error or 'the connection broke'}")
        if not reply.is_success:
            return refusal(reply, self.secret)
        try:
            return read(json_object(reply))
        except ValueError as error:
            return Trouble(hidden(f"not the JSON asked for: {error}", self.secret))

    def _stop_for_all(self, trouble: Trouble) -> None:
        """Raises EngineError for what every other request would meet too."""
        if trouble.status == 401:
            raise EngineError(f"the server refuses the key: {trouble.message}",
                              "set TVBENCH_API_KEY (or OPENAI_API_KEY) to a key for this server")
        if trouble.status in ONE_FOR_ALL and not self.answers:
            raise EngineError(f"the server refuses the first request: {trouble.message}", self.hint)
        if trouble.parameter == "insufficient_quota":
            raise EngineError(f"the account is used up: {trouble.message}", KEPT + "run the same command again later")
        if trouble.retry_after is not None and trouble.retry_after > LONGEST_RETRY_AFTER_S:
            raise EngineError(f"the server asks to wait {trouble.retry_after / 60:.0f} minutes: {trouble.message}",
                              KEPT + "run the same command again then")

    async def _wait(self, trouble: Trouble, failures: int) -> None:
        own = self.patience.wait(failures)
        if not trouble.retry_after:
            await asyncio.sleep(own)
            return
        self._not_before = max(self._not_before, time.monotonic() + trouble.retry_after)

    async def _hold(self) -> None:
        """Wait while the server wants peace; then not everybody in the same instant."""
        while (left := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(left + random.uniform(0, min(1.0, left / 4)))


def refusal(reply: httpx.Response, secret: str | None) -> Trouble:
    """What a reply of 300 and more means."""
    status = reply.status_code
    message, parameter = error_text(reply)
    if reply.is_redirect:
        message = f"it redirects to {reply.headers.get('Location', 'nowhere')}"
    return Trouble(
        hidden(f"HTTP {status}: {message}", secret),
        status=status,
        parameter=parameter,
        again=status in TRY_AGAIN or status >= 500,
        retry_after=retry_after(reply.headers.get("Retry-After"), time.time()),
    )


def error_text(reply: httpx.Response) -> tuple[str, str]:
    """The server's own words, and the parameter or code that it blames (perhaps "")."""
    try:
        value: Any = reply.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        text = "a web page, not JSON" if is_page(reply) else reply.text
        return " ".join(text.split())[:400] or reply.reason_phrase, ""
    error = value.get("error", value)
    if not isinstance(error, dict):
        return str(error)[:400], ""
    words = error.get("message") or error.get("detail") or json.dumps(error)
    return " ".join(str(words).split())[:400], str(error.get("param") or error.get("code") or error.get("type") or "")


def json_object(reply: httpx.Response) -> Json:
    """The JSON object of a good reply. Raises ValueError that says what came instead."""
    if is_page(reply):
        raise ValueError("a web page came")
    try:
        value = reply.json()
    except ValueError as error:
        raise ValueError(f"{len(reply.content)} bytes that end or break early ({error})") from error
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} came, not an object")
    return value


def is_page(reply: httpx.Response) -> bool:
    """Whether a proxy or a web server answered in the API's place."""
    return "html" in reply.headers.get("Content-Type", "") or reply.content.lstrip()[:1] == b"<"


def retry_after(text: str | None, now: float) -> float | None:
    """Seconds from now, of a number of seconds or an HTTP date (RFC 9110, 10.2.3). None when absent or unreadable."""
    words = (text or "").strip()
    if not words:
        return None
    if words.replace(".", "", 1).isdigit():
        return float(words)
    try:
        when = parsedate_to_datetime(words)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - now)


def hidden(text: str, secret: str | None) -> str:
    """`text` without the key: some servers repeat it in their complaint."""
    return text.replace(secret, "***") if secret else text
