"""COMET's near side with a fake worker on a run folder."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from comet_runs import Row, write_translations

from tvbench.graders.comet.session import CometSummary, NoWatch, score_run

FAKE = Path(__file__).with_name("fake_comet_worker.py")
ROWS: list[Row] = [(f"A dog, number {n}.", f"Ein Hund {'x' * n}", (f"Hund {n}.",)) for n in range(20)]


class Notes(NoWatch):
    def __init__(self) -> None:
        self.notes: list[str] = []
        self.begun: tuple[int, int] | None = None

    def begin(self, total: int, kept: int) -> None:
        self.begun = (total, kept)

    def note(self, text: str) -> None:
        self.notes.append(text)


class Bench:
    """A run, a checkpoint that nobody loads, and a fake worker that follows a plan."""

    def __init__(self, folder: Path, rows: list[Row]) -> None:
        self.folder = folder
        self.run = write_translations(folder / "results" / "run", rows)
        self.checkpoint = checkpoint(folder / "tiny")
        self.watch = Notes()

    def plan(self, **plan: object) -> None:
        (self.folder / "plan.json").write_text(json.dumps(plan))

    def score(self, checkpoint: Path | None = None, **options: Any) -> CometSummary:
        worker = [sys.executable, str(FAKE), str(self.folder)]
        return score_run(self.run, str(checkpoint or self.checkpoint), worker=worker, watch=self.watch, **options)

    def log(self, field: str) -> list[Any]:
        path = self.folder / "log.jsonl"
        lines = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [line[field] for line in lines if field in line]

    def sent(self) -> list[list[str]]:
        """The keys of each message."""
        return self.log("sent")

    def stored(self) -> list[dict[str, object]]:
        (path,) = (self.run.path / "comet").glob("*.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()]


def checkpoint(folder: Path, kind: str = "regression_metric", weights: bytes = b"weights") -> Path:
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "checkpoints" / "model.ckpt").write_bytes(weights)
    (folder / "hparams.yaml").write_text(f"class_identifier: {kind}\npretrained_model: {folder}\n")
    return folder
