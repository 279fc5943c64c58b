"""A stranger's engine for runs in several processes: answers with the prompt, slowly, and writes down what it is asked
and where it runs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

from PIL import Image

from tvbench.engines.protocol import EngineInfo, Feed
from tvbench.engines.spec import EngineSpec, Opening, Option
from tvbench.types import Response


class ParrotEngine:
    """`log` is a folder: `asked` has a line a question, `processes` one an engine (its process, its GPUs)."""

    def __init__(self, opening: Opening) -> None:
        self.pause = float(opening.arguments["pause"])
        self.log = Path(opening.arguments["log"])
        self.info = EngineInfo("parrot", "1")
        self.write("processes", f"{os.getpid()} {os.environ.get('CUDA_VISIBLE_DEVICES', '-')}")

    def write(self, name: str, line: str) -> None:
        with (self.log / name).open("a") as file:
            file.write(f"{line}\n")

    def serve(self, feed: Feed) -> Iterator[Response]:
        while taken := feed.take(4, wait=True):
            for prepared in taken:
                request = prepared.request
                self.write("asked", request.key)
                time.sleep(self.pause)
                text = " ".join(part for message in request.messages for part in message.parts if isinstance(part, str))
                sizes = [
                    f"{medium.width}x{medium.height}" for medium in prepared.media if isinstance(medium, Image.Image)
                ]
                yield Response(request.key, text=" ".join((text, *sizes)), finish="stop", tokens_in=9, tokens_out=1)

    def close(self) -> None:
        """Nothing is held."""


ENGINE = EngineSpec(
    "parrot",
    "repeats what it is asked",
    ParrotEngine,
    options=(Option("pause", float, 0.0, moves=False), Option("log", str, ".", moves=False)),
)
