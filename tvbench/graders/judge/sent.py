"""What was handed to a judge's engine, noted before it goes: a call that is under way when its process dies may be
billed, and nobody would know of it.

    sent.jsonl    {"key", "tokens_in", "tokens_out"} before a request is handed over, with what it may cost at most;
                  {"key", "failed"} when the engine gave up on it

A call is unaccounted for where it was sent more often than it failed and was answered. Knows lines and engines by their
protocol; knows no judge, no price and no case.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, NamedTuple

from tvbench.engines.protocol import Engine, EngineInfo, Feed, Prepared
from tvbench.graders.judge.spend import most_tokens
from tvbench.runs.disk import storage_error
from tvbench.runs.lines import json_line, read_lines
from tvbench.types import Response

SENT = "sent.jsonl"


class Call(NamedTuple):
    """What one call may have used at most."""

    tokens_in: int
    tokens_out: int


def lost_calls(folder: Path, answered: Collection[str]) -> list[Call]:
    """The calls of earlier sessions that nobody knows the end of; `answered` are the keys that have a reply."""
    path = folder / SENT
    if not path.is_file():
        return []
    calls: dict[str, Call] = {}
    open_: Counter[str] = Counter()
    for _, line in read_lines(path, []):
        key = line.get("key")
        if line.get("failed"):
            open_[key] -= 1
        elif isinstance(key, str) and type(line.get("tokens_in")) is type(line.get("tokens_out")) is int:
            calls[key] = Call(line["tokens_in"], line["tokens_out"])
            open_[key] += 1
    return [call for key, call in calls.items() for _ in range(open_[key] - (key in answered))]


class NotedEngine:
    """An engine that is handed nothing before it is noted in `folder`; `thinking` are tokens that it may think beside
    those of a reply. Raises StoreError where a note cannot be written."""

    def __init__(self, engine: Engine, folder: Path, thinking: int = 0) -> None:
        self.engine = engine
        self.thinking = thinking
        self.path = folder / SENT

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    def serve(self, feed: Feed) -> Iterator[Response]:
        """See Engine.serve."""
        try:
            with self.path.open("a+", encoding="utf-8", errors="surrogatepass") as file:
                _end_line(file)
                for response in self.engine.serve(_NotedFeed(feed, file, self.thinking)):
                    if response.error is not None:
                        _note(file, [{"key": response.key, "failed": True}])
                    yield response
        except OSError as error:
            raise storage_error(error, self.path) from error

    def close(self) -> None:
        self.engine.close()


class _NotedFeed:
    """A Feed that notes what is taken."""

    def __init__(self, feed: Feed, file: IO[str], thinking: int) -> None:
        self.feed = feed
        self.thinking = thinking
        self.file = file

    @property
    def dry(self) -> bool:
        return self.feed.dry

    def take(self, limit: int, *, wait: bool) -> list[Prepared]:
        taken = self.feed.take(limit, wait=wait)
        _note(self.file, [_sent(prepared, self.thinking) for prepared in taken])
        return taken


def _sent(prepared: Prepared, thinking: int) -> dict[str, object]:
    tokens_in, tokens_out = most_tokens(prepared.request, thinking)
    return {"key": prepared.request.key, "tokens_in": tokens_in, "tokens_out": tokens_out}


def _note(file: IO[str], lines: list[dict[str, object]]) -> None:
    """Hand the lines to the operating system, so that `kill -9` cannot lose them."""
    if lines:
        file.write("".join(map(json_line, lines)))
        file.flush()


def _end_line(file: IO[str]) -> None:
    """What a killed writer left of a line stays by itself."""
    size = file.seek(0, 2)
    if size:
        file.seek(size - 1)
        if file.read(1) != "\n":
            file.write("\n")
