"""A stranger's engine, as docs/extend.md has it: answers with the prompt."""

from __future__ import annotations

from collections.abc import Iterator

from tvbench.engines.protocol import EngineInfo, Feed, Prepared
from tvbench.engines.spec import EngineSpec, Opening, Option
from tvbench.types import Response


class EchoEngine:
    """Answers with the prompt's own text."""

    def __init__(self, opening: Opening) -> None:
        self.shout = bool(opening.arguments["shout"])
        self.info = EngineInfo("echo", "1", {"shout": True} if self.shout else {})

    def serve(self, feed: Feed) -> Iterator[Response]:
        while taken := feed.take(8, wait=True):
            yield from map(self.answer, taken)

    def answer(self, prepared: Prepared) -> Response:
        request = prepared.request
        if request.continuation is not None:
            return Response(request.key, error="the echo engine has no log-probabilities", notes=prepared.notes)
        words = [part for message in request.messages for part in message.parts if isinstance(part, str)]
        kept = " ".join(words).split()[: request.sampling.max_new_tokens]
        text = " ".join(kept)
        return Response(
            request.key,
            text=text.upper() if self.shout else text,
            finish="stop",
            tokens_out=len(kept),
            notes=prepared.notes,
        )

    def close(self) -> None:
        """Nothing is held."""


ENGINE = EngineSpec(
    "echo",
    "answers with the prompt",
    EchoEngine,
    options=(
        Option("shout", bool, False, "in capitals"),
        Option("threads", int, 1, "how many at once", moves=False, least=1),
    ),
)
