"""Small runs whose engine is made up, and heartbeats as other machines' writers may have left them."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tvbench.engines.open import EngineOptions
from tvbench.engines.protocol import EngineInfo, Feed
from tvbench.errors import EngineError
from tvbench.runs.heartbeat import heartbeat_path
from tvbench.runs.listening import Listener, PhaseWatch
from tvbench.runs.plan import Overrides, Plan, plan_task
from tvbench.runs.session import RunSession, SessionOptions
from tvbench.runs.shards import read_shard
from tvbench.types import Build, BuildOptions, Item, Message, ModelCard, Response, Short, Task

CARD = ModelCard("m", "folder", "x")
LANGUAGES = ("de", "fr")


class EchoEngine:
    """Answers with the prompt's own text, until it dies."""

    info = EngineInfo("echo", "1")

    def __init__(self, die_after: int | None = None) -> None:
        self.die_after = die_after
        self.served = 0

    def serve(self, feed: Feed) -> Iterator[Response]:
        while batch := feed.take(3, wait=True):
            for prepared in batch:
                if self.die_after is not None and self.served >= self.die_after:
                    raise EngineError("the engine died")
                self.served += 1
                yield Response(prepared.request.key, text=str(prepared.request.messages[0].parts[0]), tokens_out=1)

    def close(self) -> None:
        """Nothing is held."""


class Quiet:
    """A watch to whom nothing matters."""

    def begin(self, total: int, kept: int) -> None:
        self.total, self.kept = total, kept

    def answered(self, response: Response) -> None:
        """As it comes."""


def plan_of(count: int) -> Plan:
    """So many questions of the task `t`, in German and French by turns."""
    items = [
        Item(str(n), "t", LANGUAGES[n % 2], (Message("user", (f"text {n}",)),), Short(("x",))) for n in range(count)
    ]
    task = Task("t", "1", "T", lambda options: Build(items, "d"), {"tvbench": ""}, "accuracy", ())
    return Plan(CARD, (plan_task(task, BuildOptions("tvbench"), CARD, Overrides()),), {})


def session(folder: Path, engine: Any, count: int = 5, listener: Listener | None = None, shard: str = "") -> None:
    """One session of a run in `folder`; `engine` opens what answers."""
    options = SessionOptions(EngineOptions(), shard=read_shard(shard) if shard else None)
    with (
        patch("tvbench.runs.session.open_engine", lambda *given, **options: engine()),
        RunSession(folder, plan_of(count), "echo", options) as one,
    ):
        one.answer(Quiet() if listener is None else PhaseWatch(listener, "run"))


def told(folder: Path, part: str = "") -> dict[str, Any]:
    """The heartbeat as it lies there: one line of JSON."""
    text = heartbeat_path(folder, part).read_text()
    assert text.endswith("}\n") and text.count("\n") == 1
    return dict(json.loads(text))


def until(true: Callable[[], bool]) -> None:
    """Wait for a thread, however busy the machine is."""
    while not true():
        time.sleep(0.01)


def write_pulse(folder: Path, part: str = "", *, age: float = 0.0, file_age: float | None = None, **more: Any) -> Path:
    """A heartbeat as another machine's writer may have left it."""
    at = datetime.fromtimestamp(time.time() - age, UTC).isoformat(timespec="milliseconds")
    line = {"at": at, "pid": 4242, "host": "node7", "part": part, "done": 5, "failed": 1, "total": 9, "per_second": 2.0}
    path = heartbeat_path(folder, part)
    path.write_text(json.dumps({**line, "phase": "asking", **more}) + "\n")
    then = time.time() - (age if file_age is None else file_age)
    os.utime(path, (then, then))
    return path
