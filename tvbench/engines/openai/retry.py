"""One JSON request to a server that may be busy, broken or gone: what is tried again, and when it is given up.

Tried again: 408, 409, 425, 429, 5xx, broken connections, time-outs, replies that are not the JSON asked for.
`Retry-After` holds back every request to that server, not only the one that was told. Not tried again: what the
server says is wrong with the request. Knows HTTP; knows nothing of messages, media or items.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeAlias, TypeVar

from tvbench.engines.openai.secret import Secret
from tvbench.engines.openai.wire import NoReply, Reply, Wire
from tvbench.errors import EngineError

Json: TypeAlias = dict[str, Any]
T = TypeVar("T")

TRY_AGAIN = frozenset({408, 409, 425, 429})
LONGEST_BACKOFF_S = 30.0
LONGEST_RETRY_AFTER_S = 600.0
"""A server that asks for more (a daily quota) ends the run instead of holding it, also bit by bit without an answer."""
SECONDS = re.compile(r"[0-9]+(?:\.[0-9]*)?")
LONGEST_NAMED_S = 1e9
"""What is longer is no different."""
RATE_LIMIT_PATIENCE = 4
"""A rate limit is no fault of the request: it is tried so many times longer than a fault."""
LONGEST_QUIET_S = 120.0
"""A rate limit that lets no request through for so long, and names no time, is given up."""
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
class UsableReply(Generic[T]):
    """A usable reply and the number of tries that it took."""

    value: T
    attempts: int


@dataclass(frozen=True, slots=True)
class Patience:
    """`retries` after the first try; waits double from `backoff_s`, with jitter."""

    retries: int = 5
    backoff_s: float = 0.5

    def wait(self, failures: int) -> float:
        """Seconds before the try that follows the given number of failures (1 or more)."""
        return min(self.backoff_s * 2.0 ** (failures - 1), LONGEST_BACKOFF_S) * random.uniform(0.5, 1.0)

    def limit(self, trouble: Trouble) -> int:
        """How many failures of this kind are borne."""
        return self.retries * (RATE_LIMIT_PATIENCE if trouble.status == 429 else 1)


class Caller:
    """Posts JSON to one server. For one event loop. `answers` counts the usable replies so far."""

    def __init__(self, wire: Wire, patience: Patience, hint: str) -> None:
        self.wire = wire
        self.patience = patience
        self.hint = hint
        self.answers = 0
        self._answered = 0.0
        self._not_before = 0.0
        self._waited_s = 0.0

    async def post(
        self, url: str, body: Callable[[], Json], read: Callable[[Json], T], adapt: Callable[[Trouble, Json], bool]
    ) -> UsableReply[T]:
        """POST `body()` until `read` accepts the reply (it raises ValueError when it cannot).

        After a 400 or 422 `adapt` may change what `body` gives; when it says so, the request is sent again at once.
        Raises Refused, Unanswered, or EngineError when no request to this server can succeed.
        """
        failures = attempts = 0
        before = self.answers
        begun = time.monotonic()
        while True:
            await self._hold()
            attempts += 1
            sent = body()
            result = await self._once(url, sent, read)
            if not isinstance(result, Trouble):
                self.answers += 1
                self._answered = time.monotonic()
                self._waited_s = 0.0
                return UsableReply(result, attempts)
            if result.status in (400, 422) and adapt(result, sent):
                continue
            self._stop_for_all(result)
            if not result.again:
                raise Refused(result.message)
            failures += 1
            quiet_s = 0.0 if result.retry_after else time.monotonic() - max(begun, self._answered)
            if failures > self.patience.limit(result) or (result.status == 429 and quiet_s > LONGEST_QUIET_S):
                raise Unanswered(result, attempts, before)
            before = self.answers
            if not result.retry_after:
                await asyncio.sleep(self.patience.wait(failures))

    async def _once(self, url: str, body: Json, read: Callable[[Json], T]) -> T | Trouble:
        # Pictures make bodies of megabytes: they are written down beside the event loop.
        content = await asyncio.to_thread(lambda: json.dumps(body).encode())
        try:
            reply = await self.wire.post(url, content)
        except NoReply as error:
            return Trouble(str(error), timed_out=error.timed_out)
        if not reply.good:
            return refusal(reply, self.wire.secret)
        try:
            return read(json_object(reply))
        except (ValueError, RecursionError) as error:
            return Trouble(self.wire.secret.message(f"not the JSON asked for: {error}"))

    def _stop_for_all(self, trouble: Trouble) -> None:
        """Raises EngineError for what every other request would meet too."""
        if trouble.status == 401:
            raise EngineError(
                f"the server refuses the key: {trouble.message}",
                "set TVBENCH_API_KEY (or OPENAI_API_KEY) to a key for this server",
            )
        if trouble.status in ONE_FOR_ALL and not self.answers:
            raise EngineError(f"the server refuses the first request: {trouble.message}", self.hint)
        if trouble.parameter == "insufficient_quota":
            raise EngineError(f"the account is used up: {trouble.message}", KEPT + "run the same command again later")
        if trouble.again and trouble.retry_after:
            self._hold_back(trouble, trouble.retry_after)

    def _hold_back(self, trouble: Trouble, seconds: float) -> None:
        """Send nothing for so long. Raises EngineError when it is too long, at once or in all without any answer."""
        now = time.monotonic()
        held_until = max(self._not_before, now)
        more = max(0.0, now + seconds - held_until)
        if max(seconds, self._waited_s + more) > LONGEST_RETRY_AFTER_S:
            raise EngineError(
                f"the server asks to wait {_minutes(self._waited_s + seconds)}: {trouble.message}",
                KEPT + "run the same command again then",
            )
        self._not_before = held_until + more
        self._waited_s += more

    async def _hold(self) -> None:
        """Wait while the server wants peace; then not everybody in the same instant."""
        while (left := self._not_before - time.monotonic()) > 0:
            await asyncio.sleep(left + random.uniform(0, min(1.0, left / 4)))


def refusal(reply: Reply, secret: Secret) -> Trouble:
    """What a reply of 300 and more means."""
    status = reply.status
    message, parameter = error_text(reply, secret)
    if 300 <= status < 400 and "Location" in reply.headers:
        message = f"it redirects to {secret.message(reply.headers['Location'])}"
    return Trouble(
        f"HTTP {status}: {message}",
        status=status,
        parameter=parameter,
        again=status in TRY_AGAIN or status >= 500,
        retry_after=retry_after(reply.headers.get("Retry-After"), time.time()),
    )


def error_text(reply: Reply, secret: Secret) -> tuple[str, str]:
    """The server's own words, without the key, and the parameter or code that it blames (perhaps "")."""
    try:
        value = reply.json()
    except ValueError:
        value = None
    if not isinstance(value, dict):
        text = "a web page, not JSON" if reply.is_page() else reply.text
        return secret.message(text) or secret.message(reply.reason), ""
    return blamed_words(value, secret)


def blamed_words(value: object, secret: Secret) -> tuple[str, str]:
    """A complaint as JSON has it: its words, without the key, and the parameter or code that it blames."""
    error = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(error, dict):
        return secret.message(_words(error)) if error is not None else "", ""
    words = error.get("message") or error.get("detail") or error
    blamed = next((name for field in ("param", "code", "type") if (name := error.get(field))), "")
    return secret.message(_words(words)), blamed if isinstance(blamed, str) else ""


def _words(value: object) -> str:
    """A complaint of any form as text."""
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    except RecursionError:
        return "a complaint that is nested too deep"


def json_object(reply: Reply) -> Json:
    """The JSON object of a good reply. Raises ValueError that says what came instead."""
    if reply.is_page():
        raise ValueError("a web page came")
    if not reply.body.strip():
        raise ValueError("an empty reply came")
    if "event-stream" in reply.headers.get("Content-Type", "").lower() or reply.body[:5] == b"data:":
        raise ValueError("a stream of events came, though none was asked for")
    try:
        value = reply.json()
    except ValueError as error:
        raise ValueError(f"{len(reply.body)} bytes that end or break early ({error})") from error
    if not isinstance(value, dict):
        raise ValueError(f"a {type(value).__name__} came, not an object")
    return value


def retry_after(text: str | None, now: float) -> float | None:
    """Seconds from now, of a number of seconds or an HTTP date (RFC 9110, 10.2.3). None when absent or unreadable."""
    words = (text or "").strip()
    if SECONDS.fullmatch(words):
        return min(float(words), LONGEST_NAMED_S)
    try:
        when = parsedate_to_datetime(words)
        seconds = (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp() - now
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(0.0, seconds), LONGEST_NAMED_S)


def _minutes(seconds: float) -> str:
    return "more than a day" if seconds > 86_400 else f"{seconds / 60:.0f} minutes"
