"""What tests of judges share: runs with open answers, the command, and what it has written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from run_folders import write_manifest

from tvbench.cli.main import main
from tvbench.runs.writer import RunWriter
from tvbench.types import Choice, Item, Message, Open, Response, Target


def open_run(
    results: Path, count: int = 12, name: str = "run", protocol: str = "tvbench", exact: int = 0, empty: int = 0
) -> Path:
    """A run of `count` open answers, answer i worth i % 6 of 5, and `exact` multiple-choice answers, half right."""
    rows: list[tuple[Item, str]] = []
    for i in range(count):
        target: Target = Open(f"Question {i}?", f"Reference {i}")
        rows.append((item(f"open-{i}", target, "de" if i % 2 else "fr"), f"answer {i} worth {i % 6}"))
    for i in range(exact):
        choice = Choice(("yes it is", "no it is not"), 0, "yes it is")
        rows.append((item(f"mcq-{i}", choice, "de"), "yes it is" if i % 2 else "no it is not"))
    folder = results / name
    with RunWriter(folder) as writer:
        write_manifest(
            writer,
            {
                "run": name,
                "created": "2026-01-01",
                "updated": "2026-01-01",
                "model": {"name": "m", "revision": "1", "kind": "folder", "location": "m"},
                "engine": {"name": "fake", "version": "1", "settings": {}},
                "tasks": [
                    {
                        "task": "alm",
                        "protocol": protocol,
                        "primary": "aligned",
                        "signature": f"task:alm@1|protocol:{protocol}|model:m@1|engine:fake@1",
                    }
                ],
            },
        )
        writer.write_requests((f"key-{one.id}", one, ()) for one, _ in rows)
        writer.start()
        for one, text in rows:
            writer.append(Response(f"key-{one.id}", text="" if empty else text))
    return folder


def item(name: str, target: Target, language: str) -> Item:
    return Item(
        name,
        "alm",
        language,
        (Message("user", (f"asked {name}",)),),
        target,
        cluster=name,
        tags={"question_type": "long" if isinstance(target, Open) else "multiple-choice"},
    )


def judge(results: Path, server_model: str, *words: str) -> int:
    """The command; nothing is planted where `words` do not say so."""
    return main(
        [
            "judge",
            "run",
            "--results",
            str(results),
            "--judge",
            server_model,
            "--timeout",
            "5",
            "--quiet",
            "--format",
            "json",
            *(() if "--planted" in words else ("--planted", "0")),
            *words,
        ]
    )


def figures(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "result.json").read_text())["tasks"][0])
