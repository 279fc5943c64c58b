"""Does an engine keep the protocol? Eight contracts, tried on a real one with a few small requests.

    assert not broken_contracts(lambda: open_engine("mine", card))

Texts only, unless `pictures` is said, so that any model will do: what is answered does not matter, only that it is.
Knows engines by their protocol.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict

from PIL import Image

from tvbench.engines.protocol import Engine, EngineInfo, ListFeed, Prepared
from tvbench.errors import EngineError
from tvbench.types import Media, Message, Request, Response, Sampling

MOST_AT_ONCE = 4096
"""Requests that an engine may ask a feed for in one go: pictures wait in memory with them."""
TOKENS = 4


def broken_contracts(open_engine: Callable[[], Engine], *, pictures: bool = False) -> list[str]:
    """What the engine does that it must not, in sentences; empty where it keeps all contracts. Opens it once."""
    engine = open_engine()
    try:
        found = [
            *_info(engine.info),
            *_answers(engine, pictures),
            *_dribbles(engine),
            *_dry(engine),
            *_failures(engine),
            *_continuations(engine),
            *_abandoned(engine),
        ]
    finally:
        engine.close()
    try:
        engine.close()
    except Exception as error:  # noqa: BLE001 - whatever a second close raises is the finding
        found.append(f"close twice raises {type(error).__name__}: {error}")
    return found


# ── The contracts ─────────────────────────────────────────────────────────────────────────────────


def _info(info: EngineInfo) -> Iterator[str]:
    """1. It says what answers: a name, a version, and settings that a manifest can hold."""
    if not info.name or not info.version:
        yield "info has no name or no version"
    try:
        json.dumps(dict(info.settings), allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"info.settings cannot be written down: {error}"


def _answers(engine: Engine, pictures: bool) -> Iterator[str]:
    """2. Every request is answered once, by its key, with a text or an error; what is asked for is kept to."""
    asked = [_asked(f"k{number}", f"Say the number {number}. " * (1 + number % 3)) for number in range(9)]
    if pictures:
        asked += [_asked("picture", "What is this?", Image.new("RGB", (40, 30), "red"))]
    came, problem = _served(engine, asked)
    yield from problem
    yield from _once_each(asked, came)
    for answer in came:
        yield from _whole(answer)
        if answer.key == "picture" and answer.error is not None:
            yield f"a picture cannot be answered: {answer.error}"
    if came and all(answer.error is not None for answer in came):
        yield f"every request failed, such as: {came[0].error}"


def _dribbles(engine: Engine) -> Iterator[str]:
    """3. It waits for a feed that is slow, and takes no more than it can hold."""
    asked = [_asked(f"slow{number}", "Count to three.") for number in range(5)]
    feed = _Slow(asked)
    came, problem = _served(engine, asked, feed)
    yield from problem
    if feed.most > MOST_AT_ONCE:
        yield f"it asks the feed for {feed.most:,} requests at once"
    yield from _once_each(asked, came)


def _dry(engine: Engine) -> Iterator[str]:
    """4. Nothing to ask is no error."""
    came, problem = _served(engine, [])
    yield from problem
    if came:
        yield "it answers where nothing was asked"


def _failures(engine: Engine) -> Iterator[str]:
    """5. A request that cannot be answered is one failed response among answers: here its picture is missing."""
    lost = Prepared(
        Request(
            "lost",
            (Message("user", (Media("image", "lost.png", _unreadable), "What is this?")),),
            Sampling(max_new_tokens=TOKENS),
        )
    )
    asked = [_asked("before", "Say yes."), lost, _asked("after", "Say no.")]
    came, problem = _served(engine, asked)
    yield from problem
    yield from _once_each(asked, came)
    for answer in came:
        yield from _whole(answer)
        if answer.key != "lost" and answer.error is not None:
            yield f"one request that cannot be answered fails another: {answer.error}"


def _continuations(engine: Engine) -> Iterator[str]:
    """6. A continuation gets log-probabilities, or an error where the engine has none: never another text."""
    came, problem = _served(engine, [_asked("scored", "The sky is", continuation=" blue")])
    yield from problem
    for answer in came:
        yield from _whole(answer)
        if answer.error is None and not answer.logprobs:
            yield "a continuation is answered without log-probabilities (an error says that they cannot be had)"
        if any(not math.isfinite(value) or value > 1e-6 for value in answer.logprobs or ()):
            yield f"log-probabilities are not natural logarithms of probabilities: {answer.logprobs}"


def _abandoned(engine: Engine) -> Iterator[str]:
    """7. An iteration that is given up leaves nothing behind: the next one answers its own requests only."""
    answers = engine.serve(ListFeed([_asked(f"left{number}", "Say something.") for number in range(6)]))
    next(iter(answers), None)
    close = getattr(answers, "close", None)
    if close is None:
        yield "serve returns no generator, so that it cannot be given up"
        return
    close()
    asked = [_asked("again", "Say yes.")]
    came, problem = _served(engine, asked)
    yield from problem
    yield from _once_each(asked, came)


# ── Asking ────────────────────────────────────────────────────────────────────────────────────────


class _Slow:
    """A feed that has nothing ready every other time."""

    def __init__(self, asked: Sequence[Prepared]) -> None:
        self.rest = list(asked)
        self.most = 0
        self._ready = False

    def take(self, limit: int, *, wait: bool) -> list[Prepared]:
        self.most = max(self.most, limit)
        self._ready = wait or not self._ready
        if not self._ready or limit < 1:
            return []
        taken, self.rest = self.rest[:1], self.rest[1:]
        return taken

    @property
    def dry(self) -> bool:
        return not self.rest


def _asked(key: str, text: str, picture: Image.Image | None = None, continuation: str | None = None) -> Prepared:
    media = () if picture is None else (picture,)
    shown = tuple(Media("image", f"{key}.png", _unreadable) for _ in media)
    request = Request(key, (Message("user", (*shown, text)),), Sampling(max_new_tokens=TOKENS), continuation)
    return Prepared(request, media, tuple(map(_png, media)), notes=("a note",))


def _served(engine: Engine, asked: Sequence[Prepared], feed: _Slow | None = None) -> tuple[list[Response], list[str]]:
    """The responses, and what ended them early."""
    came: list[Response] = []
    try:
        came.extend(engine.serve(feed or ListFeed(asked)))
    except EngineError as error:
        return came, [f"it gave up: {error.message}"]
    except Exception as error:  # noqa: BLE001 - that it raises anything but EngineError is the finding
        return came, [f"serve raises {type(error).__name__}: {error}"]
    return came, []


def _once_each(asked: Sequence[Prepared], came: Sequence[Response]) -> Iterator[str]:
    wanted, got = sorted(prepared.request.key for prepared in asked), sorted(response.key for response in came)
    if wanted != got:
        yield f"asked were {', '.join(wanted)}; answered were {', '.join(got) or 'none'}"


def _whole(answer: Response) -> Iterator[str]:
    """8. A response says what protocol and store need."""
    if (answer.text is None) == (answer.error is None) and not (answer.logprobs and answer.error is None):
        yield f"{answer.key}: exactly one of text and error must be there"
    if answer.error is not None and not answer.error.strip():
        yield f"{answer.key}: the error says nothing"
    if answer.error is None and answer.key != "lost" and "a note" not in answer.notes:
        yield f"{answer.key}: notes of the prepared request are lost"
    if answer.error is None and answer.logprobs is None and answer.finish not in ("stop", "length"):
        yield f"{answer.key}: finish is {answer.finish!r}, neither stop nor length"
    if answer.error is None and answer.logprobs is None and (answer.tokens_out or 0) > TOKENS:
        yield f"{answer.key}: {answer.tokens_out} tokens where {TOKENS} were asked for at most"
    try:
        json.dumps(asdict(answer), allow_nan=False)
    except (TypeError, ValueError) as error:
        yield f"{answer.key}: the response cannot be written down: {error}"


def _png(picture: Image.Image) -> bytes:
    import io

    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()


def _unreadable() -> bytes:
    raise OSError("the media of a prepared request are read already")
