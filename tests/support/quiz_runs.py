"""Runs of a quiz of two options, written by hand: as many answers wrong, and failed, as a test wants."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from run_folders import write_manifest

from tvbench.runs.writer import RunWriter
from tvbench.types import Choice, Item, Message, Response

QUESTIONS = 120


def write_quiz(results: Path, name: str, wrong: Mapping[str, int], failed: int = 0) -> Path:
    """By language how many of the questions, the last ones, are answered wrong; the first `failed` have no answer."""
    with RunWriter(results / name) as writer:
        signature = f"task:quiz|data:rows|model:{name}"
        task = {"task": "quiz", "protocol": "p", "primary": "aligned", "signature": signature}
        engine = {"name": "e", "version": "1", "settings": {}}
        model = {"name": name, "revision": "1"}
        write_manifest(writer, {"run": name, "model": model, "engine": engine, "tasks": [task]})
        items = [question(language, number) for language in wrong for number in range(QUESTIONS)]
        writer.write_requests((f"{name}/{item.id}", item, ()) for item in items)
        writer.start()
        for place, item in enumerate(items):
            number = int(item.id.partition("/")[2])
            right = number < QUESTIONS - wrong[item.language]
            text = "AB"[number % 2 if right else 1 - number % 2]
            key = f"{name}/{item.id}"
            writer.append(Response(key, error="no") if place < failed else Response(key, text=text))
    return results / name


def question(language: str, number: int) -> Item:
    target = Choice(("red", "blue"), number % 2, "AB"[number % 2], letters=True)
    messages = (Message("user", ("Which?",)),)
    return Item(f"{language}/{number}", "quiz", language, messages, target, cluster=f"picture {number}")
