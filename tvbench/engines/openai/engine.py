"""The engine that talks to an OpenAI-compatible server: `vllm serve`, SGLang, llama.cpp, hosted APIs.

Requests run concurrently on an event loop in a thread of its own; answers come back as they arrive. A request that the
server refuses is one failed response. A server that is gone ends the run; what it left unanswered is not failed, and
the same command asks it again. Knows the protocol; knows no task and no file of a run.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import CancelledError, Future
from dataclasses import dataclass, replace
from typing import Any, TypeAlias, TypeVar

from tvbench.engines.openai.answers import read_chat, to_response
from tvbench.engines.openai.dialect import Dialect, refused_at
from tvbench.engines.openai.logprobs import OFFERED_BY, not_offered, score
from tvbench.engines.openai.messages import SIGHT, VideoAs, messages_of
from tvbench.engines.openai.retry import KEPT, Caller, Patience, Refused, Unanswered
from tvbench.engines.openai.secret import Secret
from tvbench.engines.openai.server import LOOK_TIMEOUT_S, ServerFacts, base_url, look_at
from tvbench.engines.openai.wire import NoReply, Wire
from tvbench.engines.protocol import EngineInfo, Feed, Prepared
from tvbench.errors import EngineError, MediaError, UsageError
from tvbench.registry.thinking import no_switch, switch_in, thinking_of
from tvbench.types import ModelCard, Response

T = TypeVar("T")
WINDOW = 2
"""Requests handed over for each one under way, so that no connection waits for the feed."""
HELD_BYTES = 256 << 20
"""Of media in requests under way: pictures as files, clips mostly as frames."""
POLL_S = 0.02
"""How often a feed that had nothing ready is asked again while answers are awaited."""
MOST_HELD = 8
"""So many requests in a row without any answer: the server is gone, whatever its other pages say."""
KEY_NAMES = ("TVBENCH_API_KEY", "OPENAI_API_KEY")


@dataclass(frozen=True, slots=True)
class Held:
    """A request whose tries are used up. `failed` is what it becomes when it turns out to be its own fault."""

    failed: Response
    reason: str
    answers_before: int
    timed_out: bool


Outcome: TypeAlias = Response | Held


class OpenAIEngine:
    """See engines/protocol.py. `url` with or without `/v1`.

    `api_key` None takes TVBENCH_API_KEY or OPENAI_API_KEY, "" sends none; the key is sent to the server and nowhere
    else. `timeout_s` is for one try, `retries` follow the first one, with waits that double from `backoff_s` seconds.
    `video="video_url"` sends clips as files, and the server chooses the frames; the default sends frames as pictures.
    Of what a `card` says about the prompt, its system text and the place of media are sent; the template is the
    server's.

    Raises UsageError for a bad address, EngineError when nobody answers there or the key is refused.
    """

    def __init__(
        self,
        model: str,
        url: str,
        *,
        api_key: str | None = None,
        concurrency: int = 16,
        timeout_s: float = 120.0,
        retries: int = 5,
        backoff_s: float = 0.5,
        video: VideoAs = "frames",
        card: ModelCard | None = None,
    ) -> None:
        if concurrency < 1 or retries < 0 or timeout_s <= 0:
            raise UsageError("concurrency and time-out must be above 0, retries 0 or more")
        self.url = base_url(url)
        key = clean_key(own_key() if api_key is None else api_key)
        secret = Secret(key)
        self._look_s = min(LOOK_TIMEOUT_S, timeout_s)
        facts = look_at(self.url, secret, pause_s=backoff_s, timeout_s=self._look_s)
        thinking = thinking_of(card)
        if thinking.enabled is not None and facts.template and not switch_in(facts.template, thinking):
            raise no_switch(model, thinking)
        self.concurrency = concurrency
        self.dialect = Dialect(model, facts.kind, video, thinking, refused=refused_at(self.url))
        self.info = EngineInfo("openai", facts.label(), engine_settings(model, facts.models, video))
        self.sight = SIGHT
        self._card = card
        self._closed = False
        self._under_way: dict[Future[Outcome], int] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="openai", daemon=True)
        self._thread.start()
        # One connection more than slots: whether the server is there is asked while all others wait for it.
        self._wire = Wire(self.url, secret, connections=concurrency + 1, timeout_s=timeout_s)
        self._caller = Caller(self._wire, Patience(retries, backoff_s), facts.model_hint(model))
        self._slots = asyncio.Semaphore(concurrency)

    def serve(self, feed: Feed) -> Iterator[Response]:
        """See Engine.serve. All calls of `feed` come from the thread that iterates."""
        finished: queue.SimpleQueue[Future[Outcome]] = queue.SimpleQueue()
        held: list[Held] = []
        try:
            while True:
                self._hand_over(feed, finished)
                if not self._under_way:
                    break
                outcome = self._next(finished, feed)
                if outcome is None:
                    continue
                yield from self._judge(outcome, held)
            # The server is there (each was checked), and nothing came after them: it was these requests.
            yield from (item.failed for item in held if not self._closed)
        finally:
            self._drop_all()

    def close(self) -> None:
        """See Engine.close. Requests under way are dropped."""
        if self._closed:
            return
        self._closed = True
        self._drop_all()
        self._run(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10.0)
        if not self._thread.is_alive():
            self._loop.close()

    # ── The iterating thread ──────────────────────────────────────────────────────────────────────

    def _hand_over(self, feed: Feed, finished: queue.SimpleQueue[Future[Outcome]]) -> None:
        """Fill the window; waits for the feed only when nothing is under way."""
        room = self.concurrency * WINDOW - len(self._under_way)
        if room <= 0 or self._closed or sum(self._under_way.values()) > HELD_BYTES:
            return
        for prepared in feed.take(room, wait=not self._under_way):
            future = asyncio.run_coroutine_threadsafe(self._answer(prepared), self._loop)
            self._under_way[future] = prepared.memory
            future.add_done_callback(finished.put)

    def _next(self, finished: queue.SimpleQueue[Future[Outcome]], feed: Feed) -> Outcome | None:
        """The next outcome; None when it is time to ask the feed again, or the request was dropped."""
        full = len(self._under_way) >= self.concurrency * WINDOW
        try:
            future = finished.get(timeout=None if full or feed.dry else POLL_S)
        except queue.Empty:
            return None
        self._under_way.pop(future, None)
        try:
            return future.result()
        except CancelledError:
            return None

    def _judge(self, outcome: Outcome, held: list[Held]) -> Iterator[Response]:
        """An answer, and with it the failures that it proves to be failures. Raises EngineError when the server is
        gone: then nothing that is held becomes a failure."""
        if isinstance(outcome, Response):
            yield outcome
            yield from (item.failed for item in held)
            held.clear()
        elif outcome.answers_before < self._caller.answers:
            yield outcome.failed
        else:
            held.append(outcome)
            if len(held) >= max(2, min(MOST_HELD, self.concurrency)) or not self._run(self._alive()):
                raise self._gone(outcome)

    def _gone(self, last: Held) -> EngineError:
        said = "stopped answering" if self._caller.answers else "gives no answers"
        slow = "; a slow server needs a larger --timeout" if last.timed_out else ""
        return EngineError(
            f"the server at {self.url} {said}: {last.reason}", f"{KEPT}start it and run the same command again{slow}"
        )

    def _drop_all(self) -> None:
        for future in list(self._under_way):
            future.cancel()
        self._under_way.clear()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    # ── The event loop's thread ───────────────────────────────────────────────────────────────────

    async def _answer(self, prepared: Prepared) -> Outcome:
        key = prepared.request.key
        async with self._slots:
            started = time.monotonic()
            try:
                response = await self._ask(prepared)
            except (Refused, MediaError) as error:
                return Response(key, error=str(error), notes=prepared.notes)
            except Unanswered as error:
                failed = Response(key, error=str(error), notes=prepared.notes, extra={"attempts": error.attempts})
                return Held(failed, error.trouble.message, error.answers_before, error.trouble.timed_out)
            except EngineError:
                raise
            except Exception as error:  # noqa: BLE001 - whatever one request provokes, here or there, fails it alone
                said = self._wire.secret.message(f"{type(error).__name__}: {error}")
                return Response(key, error=f"the request or its reply cannot be handled: {said}", notes=prepared.notes)
            seconds = round(time.monotonic() - started, 4)
            return replace(without_key(response, self._wire.secret), seconds=seconds)

    async def _ask(self, prepared: Prepared) -> Response:
        request = prepared.request
        dialect = self.dialect
        if request.continuation is not None and dialect.kind != OFFERED_BY:
            raise Refused(not_offered(dialect.kind))
        # PNG and base64 of many frames take a while: beside the event loop.
        messages = await asyncio.to_thread(messages_of, prepared, self._card, dialect.video)
        if request.continuation is not None:
            return await score(self._caller, self.url, prepared, messages, dialect)
        reply = await self._caller.post(
            f"{self.url}/chat/completions", lambda: dialect.body(request, messages), read_chat, dialect.adapt
        )
        return to_response(prepared, reply, dialect)

    async def _alive(self) -> bool:
        """Whether the server answers anything at all."""
        try:
            reply = await self._wire.get(f"{self.url}/models", self._look_s)
        except NoReply:
            return False
        return reply.status < 500

    async def _end(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._wire.close()
        await self._loop.shutdown_default_executor()


def look(url: str, api_key: str | None = None) -> ServerFacts:
    """What the server at `url` says of itself, asked with the key that the engine would use. Raises as the engine."""
    url = base_url(url)
    key = clean_key(own_key() if api_key is None else api_key)
    return look_at(url, Secret(key))


def engine_settings(model: str, models: tuple[str, ...], video: VideoAs) -> dict[str, Any]:
    """What goes into the signature: the model's name there, and the one that really answers where it is another."""
    settings: dict[str, Any] = {"model": model}
    if len(models) == 1 and models[0] != model:
        settings["served"] = models[0]
    if video != "frames":
        settings["video"] = video
    return settings


def own_key() -> str | None:
    """The key of the environment."""
    return next((os.environ[name] for name in KEY_NAMES if os.environ.get(name)), None)


def without_key(response: Response, secret: Secret) -> Response:
    """The response as it may be stored: a server that repeats the key finds it nowhere in a run."""
    text, thought = (secret.hide_in_answer(said) if said else said for said in (response.text, response.reasoning))
    hidden = text != response.text or thought != response.reasoning
    noted = ("the server's answer held the API key, which is hidden",) if hidden else ()
    extra = {name: secret.hide(value) if isinstance(value, str) else value for name, value in response.extra.items()}
    notes = (*(secret.hide(note) for note in response.notes), *noted)
    return replace(response, text=text, reasoning=thought, notes=notes, extra=extra)


def clean_key(key: str | None) -> str | None:
    """The key without the line end that a file or a shell left on it. Raises UsageError for one that cannot be sent."""
    text = (key or "").strip()
    if not text.isascii() or not text.isprintable():
        raise UsageError("the API key has characters that no key has", f"set {KEY_NAMES[0]} again")
    return text or None
