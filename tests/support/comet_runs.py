"""What the tests of COMET share: run folders with translations, made without an engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from run_folders import write_manifest

from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Item, Response, Translation

TASK = "multi30k"
Row = tuple[str, str | None, tuple[str, ...]]
"""Source, answer (None: it failed), references."""


def write_translations(folder: Path, rows: Sequence[Row]) -> RunFolder:
    """A run whose items are `0`, `1`, ... in the order of `rows`, every second one German, the others French."""
    entry = {"task": TASK, "protocol": "p", "primary": "bleu", "signature": f"task:{TASK}@1", "warnings": []}
    with RunWriter(folder) as writer:
        write_manifest(
            writer,
            {
                "run": folder.name,
                "model": {"name": "m", "revision": "1"},
                "updated": "2026-01-01",
                "tasks": [entry],
                "engine": {"name": "fake", "version": "1", "settings": {}},
            },
        )
        writer.write_requests(
            (f"key-{number}", item(number, source, references), ())
            for number, (source, _, references) in enumerate(rows)
        )
        writer.start()
        for number, (_, answer, _) in enumerate(rows):
            failed = "timed out" if answer is None else None
            writer.append(Response(f"key-{number}", text=answer, error=failed))
    return RunFolder(folder)


def item(number: int, source: str, references: tuple[str, ...]) -> Item:
    return Item(str(number), TASK, ("de", "fr")[number % 2], (), Translation(source, references))


def answered(run: RunFolder) -> list[tuple[Item, Response]]:
    responses = run.responses()
    return [(item, responses[key]) for key, item in run.requests() if key in responses]
