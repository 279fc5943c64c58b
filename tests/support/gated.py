"""Small runs for the gate: two tasks, four languages, answers right or wrong by a fixed draw, and what is changed."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path

from run_folders import write_manifest

from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Choice, Item, Message, Response, Translation

LANGUAGES = ("ar", "de", "fr", "hi")


def question(number: int, language: str, task: str = "quiz") -> Item:
    return Item(
        f"{language}/{number}",
        task,
        language,
        (Message("user", ("Which?",)),),
        Choice(("red", "blue"), number % 2, "AB"[number % 2], letters=True),
        cluster=f"picture {number // 2}",
    )


def sentence(number: int) -> Item:
    target = Translation("A red house.", (f"Ein rotes Haus steht an der Straße Nummer {number}.",))
    return Item(f"de/{number}", "texts", "de", (Message("user", ("Translate",)),), target)


def write_run(
    results: Path,
    name: str,
    *,
    items: int = 200,
    languages: Sequence[str] = LANGUAGES,
    fall: Mapping[str, float] = {},
    answers: Mapping[str, str | None] = {},
    missing: Sequence[str] = (),
    texts: int = 80,
    broken: float = 0.0,
    signature: str = "task:x|protocol:p|data:y",
    seed: int = 0,
) -> RunFolder:
    """`fall`: the share of a language's right answers that are wrong; `answers` by item id go before (None: failed);
    `missing` have none; `broken`: the share of the translations that are."""
    rng = random.Random(f"{name}{seed}")
    asked: list[tuple[Item, str | None]] = []
    for language in languages:
        for number in range(items):
            item = question(number, language)
            good = random.Random(f"{language}{number}").random() < 0.7 and rng.random() >= fall.get(language, 0.0)
            asked.append((item, answers.get(item.id, "AB"[(number + (not good)) % 2])))
    for number in range(texts):
        right = f"Ein rotes Haus steht an der Straße Nummer {number}."
        asked.append((sentence(number), "Ein Haus." if rng.random() < broken else right))
    with RunWriter(results / name) as writer:
        write_manifest(writer, _manifest(name, signature, [item.task for item, _ in asked]))
        writer.write_requests((f"{name}/{item.task}/{item.id}", item, ()) for item, _ in asked)
        writer.start()
        for item, text in asked:
            key = f"{name}/{item.task}/{item.id}"
            if item.id not in missing:
                writer.append(Response(key, error="no") if text is None else Response(key, text=text, finish="stop"))
    return RunFolder(results / name)


def _manifest(name: str, signature: str, tasks: Sequence[str]) -> dict[str, object]:
    return {
        "run": name,
        "model": {"name": name, "revision": "1"},
        "engine": {"name": "e", "version": "1", "settings": {}},
        "sessions": [{"command": ["tvbench", "run", "--model", name]}],
        "tasks": [
            {
                "task": task,
                "protocol": "p",
                "primary": "chrfpp" if task == "texts" else "aligned",
                "signature": f"{signature}|model:{name}@1|engine:e@1",
            }
            for task in dict.fromkeys(tasks)
        ],
    }
