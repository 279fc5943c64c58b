"""What is made up in a campaign: the task and its questions, the engine that answers by the key alone; and constants.

Two of them are source text, written into the campaign's folder: there every process finds them by their files.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ENTRY = ROOT / "benchmarks" / "campaign.py"
"""The program that a process of the campaign is started from."""
MODEL = "openai:m@http://127.0.0.1:9/v1"
"""Nobody answers there: who answers is lent."""
DIVISIONS = (4, 3, 2)
REPLICAS = 2
REFUSED = 2
"""The exit code of who may not write."""
LINE = 65
"""Bytes of a key with its end."""
GUARD_S = 1800.0
"""Seconds without an answer after which the campaign is stuck."""
TASK = '''
from collections.abc import Iterator

from tvbench.types import Ask, Item, Message, Opened, Sampling, Setting, Short, Task

LANGUAGES = ("en", "de", "fr")


class Questions:
    """They are made anew whenever somebody goes over them."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.count))


def opened(ask: Ask) -> Opened:
    return Opened(Questions(ask.settings["items"]), f"generated@{ask.settings['items']}")


def item(number: int, ask: Ask) -> Item:
    language = LANGUAGES[number % len(LANGUAGES)]
    messages = (Message("user", (f"({language}) What is {number} modulo 7? Answer with the number alone.",)),)
    return Item(f"{language}/{number}", ask.task, language, messages, Short((str(number % 7),)), Sampling(8))


TASK = Task(
    "rests",
    "1",
    "Rests",
    source=opened,
    item=item,
    primary="accuracy",
    metrics=("accuracy",),
    languages=LANGUAGES,
    modality="text",
    settings={"items": Setting("how many", 1000, least=1)},
)
'''
ENGINE = '''
import os
import time
from collections.abc import Iterator
from pathlib import Path

from tvbench.engines.protocol import EngineInfo, Feed
from tvbench.engines.spec import EngineSpec, Opening, Option
from tvbench.types import Response


class Logged:
    """Answers by the key alone; `log` is a folder, `who` begins the name of this engine's file in it."""

    def __init__(self, opening: Opening) -> None:
        told = opening.arguments
        self.pause = told["pause"]
        self.info = EngineInfo("openai", "unknown", {"model": opening.card.location})
        path = Path(told["log"]) / f"{told['who']}-{os.getpid()}-{time.time_ns()}"
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def serve(self, feed: Feed) -> Iterator[Response]:
        while taken := feed.take(1, wait=True):
            for prepared in taken:
                key = prepared.request.key
                if self.pause:
                    time.sleep(self.pause)
                os.write(self.file, f"{key}\\n".encode())
                yield Response(key, text=str(int(key[:6], 16) % 7), finish="stop", tokens_in=9, tokens_out=1)

    def close(self) -> None:
        os.write(self.file, b"closed\\n")
        os.close(self.file)


OPTIONS = [("pause", float, 0.0), ("log", str, "."), ("who", str, "engine")]
ENGINE = EngineSpec(
    "logged",
    "answers by the key alone",
    Logged,
    kinds=frozenset({"server"}),
    options=tuple(Option(name, kind, default, moves=False) for name, kind, default in OPTIONS),
)
'''
