"""Runs that hold answers which cost something."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from run_folders import write_manifest

from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Item, Message, Response, Short

Json = dict[str, Any]


def stored_run(
    folder: Path,
    answers: dict[tuple[str, str, str], Response],
    model: str = "m",
    prices: Json | None = None,
    sessions: list[Json] | None = None,
    **more: Any,
) -> RunFolder:
    """A run that holds these answers by task, language and item."""
    tasks = sorted({task for task, _, _ in answers})
    with RunWriter(folder) as writer:
        entry = {"protocol": "tvbench", "primary": "aligned", "signature": "task:t@1"}
        card = {"name": model, "revision": "1", "kind": "folder", "location": "m", "prices": prices or {}}
        fields = {
            "run": folder.name,
            "updated": "2026-01-01",
            "model": card,
            "engine": {"name": "fake", "version": "1", "settings": {}},
            "tasks": [{"task": task, **entry} for task in tasks],
            "sessions": sessions or [],
            **more,
        }
        write_manifest(writer, fields)
        items = {
            place: Item(place[2], place[0], place[1], (Message("user", ("?",)),), Short(("x",))) for place in answers
        }
        writer.write_requests((answer.key, items[place], ()) for place, answer in answers.items())
        writer.start()
        for answer in {answer.key: answer for answer in answers.values()}.values():
            writer.append(answer)
    return RunFolder(folder)


def session(answers: int, seconds: float | None, latency: float = 0.0, **more: Any) -> Json:
    spent = {"answers": answers, "latency": latency, **({} if seconds is None else {"seconds": seconds})}
    return {"model": "m", "answered": answers, "failed": 0, "spent": spent, **more}
