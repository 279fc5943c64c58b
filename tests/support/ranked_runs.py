"""Runs of made-up questions that are right in a share of the pictures, so that ranks can be told."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from pathlib import Path

from run_folders import write_manifest

from tvbench.analysis.assess import assess
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Choice, Item, Message, Response

Answer = Callable[[Item], str | None]


def questions(count: int, languages: Sequence[str] = ("de", "en")) -> list[Item]:
    return [
        Item(
            f"{code}/{number}",
            "quiz",
            code,
            (Message("user", ("Which?",)),),
            Choice(("red", "blue"), number % 2, "AB"[number % 2], letters=True),
            cluster=f"picture {number}",
        )
        for code in languages
        for number in range(count)
    ]


def write(results: Path, name: str, items: Sequence[Item], answer: Answer, primary: str = "aligned") -> None:
    task = items[0].task
    with RunWriter(results / name) as writer:
        write_manifest(
            writer,
            {
                "run": name,
                "updated": "2026-01-01",
                "model": {"name": name, "revision": "1"},
                "engine": {"name": "e", "version": "1", "settings": {}},
                "tasks": [
                    {"task": task, "protocol": "p", "primary": primary, "signature": f"task:{task}|model:{name}"}
                ],
            },
        )
        writer.write_requests((f"{name}/{item.id}", item, ()) for item in items)
        writer.start()
        for item in items:
            text = answer(item)
            key = f"{name}/{item.id}"
            writer.append(Response(key, text=text) if text is not None else Response(key, error="no"))
    assess(RunFolder(results / name))


def right_in(share: float, seed: int) -> Answer:
    """Right in a share of the pictures."""
    rng = random.Random(seed)
    wrong: dict[str, bool] = {}

    def answer(item: Item) -> str:
        assert isinstance(item.target, Choice)
        flipped = wrong.setdefault(item.cluster or "", rng.random() >= share)
        return {"A": "B", "B": "A"}[item.target.target] if flipped else item.target.target

    return answer
