"""What COMET has said of a run: RUN/comet/METRIC.jsonl, one line a segment, and METRIC.json, who said it.

    METRIC.jsonl   {"key", "score", "error_spans" (where the model marks errors), "sum"}   or   {"key", "error", "sum"}
    METRIC.json    {"format", "models": [{"name", "revision", "precision", "versions", ...}, ...]}, the current one last

Scores are found by the content of their segments, so that an answer that was given anew is simply not scored yet. A
torn last line, and one whose checksum differs, are left out by readers and removed by the next writer. Knows the
store's errors; knows no worker.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from tvbench.errors import UsageError
from tvbench.graders.comet.segments import asked_of
from tvbench.runs.disk import storage_error, write_atomically
from tvbench.runs.lines import Damage, ends_torn, json_line, read_lines
from tvbench.runs.signature import write_signature
from tvbench.runs.spent import amount
from tvbench.runs.store import RunFolder
from tvbench.safety.bounded import read_json
from tvbench.types import Item, Response, SideScores

FOLDER = "comet"
FORMAT = 1
FAILED = "comet_failed"


@dataclass(frozen=True, slots=True)
class Model:
    """Who scored: one checkpoint at one precision. `versions` by package, each as often as it differed."""

    metric: str
    name: str
    revision: str
    identity: str
    precision: str
    reads_reference: bool
    class_name: str
    versions: Mapping[str, Sequence[str]]

    @property
    def definition(self) -> str:
        """The metric's signature. A build's suffix (`+cpu`) is left out of the versions."""
        versions = {
            package: ",".join(dict.fromkeys(version.partition("+")[0] for version in found))
            for package, found in self.versions.items()
        }
        return write_signature({"comet": f"{self.name}@{self.revision}", **versions, "precision": self.precision})


@dataclass(frozen=True, slots=True)
class Result:
    """What became of one segment: a score, or why there is none."""

    score: float | None
    error: str | None = None


class CometRecord:
    """The scores of one metric (its id, or the name of its files) in one run folder."""

    def __init__(self, run: RunFolder, metric: str) -> None:
        stem = metric.replace(":", "-")
        self.folder = run.path / FOLDER
        self.scores = self.folder / f"{stem}.jsonl"
        self.about = self.folder / f"{stem}.json"

    def results(self) -> dict[str, Result]:
        """By key. A score beats a failure. Lines that cannot be read are left out: their keys count as missing."""
        found: dict[str, Result] = {}
        if not self.scores.is_file():
            return found
        for _, line in read_lines(self.scores, []):
            key, result = _result(line)
            if result is not None and (result.score is not None or key not in found):
                found[key] = result
        return found

    def models(self) -> dict[tuple[str, str], Model]:
        """Every model that scored under the metric's name, by (identity, precision), the current one last.

        Raises UsageError where the file is damaged.
        """
        if not self.about.is_file():
            return {}
        try:
            data = read_json(self.about)
            if data["format"] != FORMAT:
                raise ValueError(f"format {data['format']}")
            models = [Model(**model) for model in data["models"]]
        except (OSError, ValueError, KeyError, TypeError) as error:
            hint = "delete it and score again with `tvbench comet`: the scores next to it are kept"
            raise UsageError(f"{self.about} cannot be read ({error})", hint) from error
        return {(model.identity, model.precision): model for model in models}

    def write_model(self, model: Model) -> None:
        """Make `model` the current one; versions that another session had stay beside the new ones."""
        models = self.models()
        before = models.pop((model.identity, model.precision), model)
        packages = dict.fromkeys([*before.versions, *model.versions])
        versions = {
            package: list(dict.fromkeys([*before.versions.get(package, ()), *model.versions.get(package, ())]))
            for package in packages
        }
        entries = [*models.values(), replace(model, versions=versions)]
        segments, seconds = self.spent()
        spent = {"spent": {"segments": segments, "seconds": seconds}} if segments else {}
        data = {"format": FORMAT, "models": [asdict(entry) for entry in entries], **spent}
        write_atomically(self.about, [json.dumps(data, ensure_ascii=False, indent=1), "\n"])

    def spent(self) -> tuple[int, float]:
        """How many segments were scored in how many seconds, in all sessions that noted it; 0 where that cannot be
        read."""
        try:
            told = read_json(self.about)["spent"]
            segments, seconds = told["segments"], amount(told["seconds"])
        except (OSError, ValueError, LookupError, TypeError):
            return 0, 0.0
        sound = type(segments) is int and segments > 0 and seconds is not None
        return (segments, seconds or 0.0) if sound else (0, 0.0)

    def add_spent(self, segments: int, seconds: float) -> None:
        """A session more. Nothing is noted where no model has told of itself. Raises StoreError."""
        if segments and self.about.is_file():
            before = self.spent()
            data = read_json(self.about)
            data["spent"] = {"segments": before[0] + segments, "seconds": round(before[1] + seconds, 3)}
            write_atomically(self.about, [json.dumps(data, ensure_ascii=False, indent=1), "\n"])


class Appender:
    """Adds results to a record, each handed to the operating system at once. Use as a context manager."""

    def __init__(self, record: CometRecord) -> None:
        self.path = record.scores
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Appender:
        try:
            _mend(self.path)
            self._file = self.path.open("ab")
        except OSError as error:
            raise storage_error(error, self.path) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()

    def append(self, line: Mapping[str, Any]) -> None:
        """Raises StoreError when the disk is full."""
        assert self._file is not None
        try:
            self._file.write(json_line(line).encode("utf-8", "surrogatepass"))
            self._file.flush()
        except OSError as error:
            raise storage_error(error, self.path) from error


def _mend(path: Path) -> None:
    """Take torn and damaged lines out of the file. Raises OSError, StoreError."""
    if not path.is_file():
        return
    faults: list[Damage] = []
    lines = [json_line(line) for _, line in read_lines(path, faults)]
    if faults or ends_torn(path):
        write_atomically(path, lines)


def _result(line: Any) -> tuple[str, Result | None]:
    try:
        key, score = str(line["key"]), line.get("score")
        if score is None:
            return key, Result(None, str(line["error"]))
        return key, Result(float(score)) if math.isfinite(score) else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return "", None


def side_scores(run: RunFolder, task: str, answers: Sequence[tuple[Item, Response]]) -> list[SideScores]:
    """COMET's scores of the answers to `task`, one entry for each metric that scored the run; no worker is needed.

    An item that was not sent yet has no value; one that could not be scored has None, and a flag that says why.
    Raises UsageError for a damaged folder.
    """
    folder = run.path / FOLDER
    sides: list[SideScores] = []
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        record = CometRecord(run, path.stem)
        models = list(record.models().values())
        if models and (side := _side(models[-1], record.results(), task, answers)) is not None:
            sides.append(side)
    return sides


def _side(
    model: Model, results: Mapping[str, Result], task: str, answers: Sequence[tuple[Item, Response]]
) -> SideScores | None:
    values: dict[str, float | None] = {}
    flags: dict[str, tuple[str, ...]] = {}
    for asked in asked_of(answers, reads_reference=model.reads_reference):
        if asked.item.task != task:
            continue
        if asked.segment is None:
            values[asked.item.id], flags[asked.item.id] = None, (asked.flag,)
            continue
        result = results.get(asked.segment.key(model.identity, model.precision))
        if result is not None:
            values[asked.item.id] = result.score
            if result.score is None:
                flags[asked.item.id] = (FAILED,)
    return SideScores(model.metric, model.definition, values, flags) if values else None
