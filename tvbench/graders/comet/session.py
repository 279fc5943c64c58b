"""Scores a run's translations by COMET: sends what is not there yet to a worker, and keeps each result as it comes.

Killed and run again, nothing is scored twice. A worker that dies or falls silent is started again while it gets on.
Knows the run folder, the checkpoint and the worker's protocol; the command line watches.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from tvbench.errors import EngineError, UsageError
from tvbench.graders.comet import worker as comet_worker
from tvbench.graders.comet.checkpoints import find_checkpoint
from tvbench.graders.comet.process import SILENCE_S, WorkerError, WorkerProcess
from tvbench.graders.comet.record import Appender, CometRecord, Model
from tvbench.graders.comet.segments import NO_REFERENCE, NOT_TEXT, Asked, Segment, asked_of
from tvbench.registry.environments import comet_python
from tvbench.runs.answered import answered
from tvbench.runs.disk import StoreError
from tvbench.runs.heartbeat import COMET, Heart
from tvbench.runs.overhearing import beating
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Item, Response

RESTARTS = 2
BATCH_SIZE = 16
PRECISION = "fp16"


class CometWatch(Protocol):
    """A progress listener: is told how the scoring goes."""

    def begin(self, total: int, kept: int) -> None:
        """`total` distinct segments, of which `kept` were scored before."""
        ...

    def scored(self) -> None:
        """One more segment is scored."""
        ...

    def doing(self, text: str) -> None:
        """What the worker says that it does, every few seconds."""
        ...

    def note(self, text: str) -> None:
        """Something that a person should know."""
        ...


class NoWatch:
    """Nobody watches."""

    def begin(self, total: int, kept: int) -> None:
        """See CometWatch."""

    def scored(self) -> None:
        """See CometWatch."""

    def doing(self, text: str) -> None:
        """See CometWatch."""

    def note(self, text: str) -> None:
        """See CometWatch."""


@dataclass(frozen=True, slots=True)
class CometSummary:
    """What a session did. `scores` by (task, item id); `system` is their plain mean, COMET's system score.

    `segments` distinct ones were wanted: `new` were scored now, the others lay there. `failures` are reasons by key.
    """

    metric: str
    definition: str
    segments: int
    new: int
    scores: Mapping[tuple[str, str], float]
    failures: Mapping[str, str]
    notes: tuple[str, ...] = ()

    @property
    def system(self) -> float | None:
        return math.fsum(self.scores.values()) / len(self.scores) if self.scores else None

    @property
    def complete(self) -> bool:
        """Whether every segment has a score."""
        return not self.failures


@dataclass(slots=True)
class _Work:
    """All segments by key, what is still to be done of them, and what became of the rest in this session."""

    segments: Mapping[str, Segment]
    missing: dict[str, Segment]
    failures: dict[str, str] = field(default_factory=dict)
    new: int = 0


@dataclass(frozen=True, slots=True)
class _Sinks:
    """Where results go."""

    model: Model
    record: CometRecord
    appender: Appender
    watch: CometWatch


def score_run(
    run: RunFolder,
    checkpoint: str,
    *,
    batch_size: int = BATCH_SIZE,
    precision: str = PRECISION,
    silence_s: float = SILENCE_S,
    offline: bool = False,
    watch: CometWatch | None = None,
    worker: Sequence[str] | None = None,
) -> CometSummary:
    """Score every answered translation of `run` that has no score yet. `worker` is another program to talk to.

    Raises UsageError without translations, without the environment, or while another process scores the run;
    WorkerError or EngineError when COMET cannot go on: what was scored until then is kept.
    """
    watch = watch or NoWatch()
    answers = _answers(run)
    command = list(worker) if worker is not None else _worker_command()
    found = find_checkpoint(checkpoint, offline=offline)
    model = Model(found.metric, found.name, found.revision, found.identity, precision, found.reads_reference, "", {})
    asked = asked_of(answers, reads_reference=model.reads_reference)
    if not asked:
        raise UsageError(
            f"{run.name} has no answered translations: COMET scores nothing else",
            "`tvbench tasks` names the translation tasks",
        )
    found_segments = [translation.segment for translation in asked if translation.segment is not None]
    segments = {segment.key(model.identity, precision): segment for segment in found_segments}
    record = CometRecord(run, model.metric)
    heart = Heart(run.path, COMET, "comet")
    with RunWriter(record.folder), beating(watch, heart) as watch:
        scored = {key for key, result in record.results().items() if result.score is not None}
        work = _Work(segments, {key: segment for key, segment in segments.items() if key not in scored})
        watch.begin(len(segments), len(segments) - len(work.missing))
        if work.missing:
            command += [str(found.path), "--precision", precision, "--batch-size", str(batch_size)]
            with _timed(record, work), Appender(record) as appender:
                _score_missing(command, work, _Sinks(model, record, appender, watch), silence_s)
        else:
            record.write_model(record.models().get((model.identity, precision), model))
        return _summary(record, model, asked, len(segments), work)


@contextlib.contextmanager
def _timed(record: CometRecord, work: _Work) -> Iterator[None]:
    """Note how long it takes, however it ends."""
    started = time.monotonic()
    try:
        yield
    finally:
        with contextlib.suppress(StoreError, OSError, ValueError):  # the scores matter more
            record.add_spent(work.new, time.monotonic() - started)


def _answers(run: RunFolder) -> list[tuple[Item, Response]]:
    return [reply for task in answered(run).values() for reply in task.replies]


def _worker_command() -> list[str]:
    """Isolated: neither our PYTHONPATH nor this folder's modules may be found by COMET's Python."""
    return [str(comet_python()), "-I", "-W", "ignore", str(Path(comet_worker.__file__).resolve())]


def _score_missing(command: Sequence[str], work: _Work, sinks: _Sinks, silence_s: float) -> None:
    """One worker after another until nothing is missing. WorkerError when one got nowhere, or after RESTARTS."""
    restarts = 0
    while work.missing:
        before = len(work.missing)
        try:
            with WorkerProcess(
                command, name="the COMET worker", silence_s=silence_s, on_beat=sinks.watch.doing
            ) as worker:
                _talk(worker, work, sinks)
        except WorkerError as error:
            if len(work.missing) == before or restarts == RESTARTS:
                stored = f"{work.new} segments were scored and are kept, {len(work.missing)} are left"
                hint = f"{error.hint}; " if error.hint else ""
                raise WorkerError(error.message, f"{hint}{stored}: the same command goes on") from error
            restarts += 1
            sinks.watch.note(
                f"{error.message}\n  starting it again ({restarts} of {RESTARTS}); {work.new} scored so far"
            )


def _talk(worker: WorkerProcess, work: _Work, sinks: _Sinks) -> None:
    """One worker's life: ready, all that is missing, done."""
    while (message := worker.receive())["tvbench"] != "done":
        match message["tvbench"]:
            case "fatal":
                said = f"the COMET checkpoint cannot be loaded: {message.get('error')}"
                raise EngineError(said, "is it whole, and its encoder in the cache or the hub to be reached?")
            case "ready":
                sinks.record.write_model(_with_versions(sinks.model, message))
                segments = [segment.message(key) for key, segment in work.segments.items()]
                done = [key for key in work.segments if key not in work.missing]
                worker.send({"tvbench": "score", "segments": segments, "done": done})
            case "note":
                sinks.watch.note(str(message.get("text")))
            case "result" | "error":
                _keep(message, work, sinks)
    for key in list(work.missing):
        _keep({"tvbench": "error", "id": key, "error": "the worker left it out"}, work, sinks)
    # Everything is stored by now: a worker that breaks on its way out has done its work.
    with contextlib.suppress(WorkerError):
        worker.finish()


def _keep(message: Mapping[str, Any], work: _Work, sinks: _Sinks) -> None:
    """Write a result down. One that nobody asked for is garbage, and ignored."""
    key = str(message.get("id"))
    if key not in work.missing:
        return
    score = message.get("score")
    if message["tvbench"] == "error" or not isinstance(score, (int, float)) or not math.isfinite(score):
        reason = str(message.get("error", f"the score is {score}"))
        sinks.appender.append({"key": key, "error": reason})
        work.failures[key] = reason
    else:
        spans = {"error_spans": message["error_spans"]} if "error_spans" in message else {}
        sinks.appender.append({"key": key, "score": float(score), **spans})
        work.new += 1
    del work.missing[key]
    sinks.watch.scored()


def _with_versions(model: Model, ready: Mapping[str, Any]) -> Model:
    """`model` with what the worker says of itself."""
    versions = {package: [str(found)] for package, found in dict(ready.get("versions", {})).items()}
    return replace(model, class_name=str(ready.get("class", "")), versions=versions)


def _summary(record: CometRecord, model: Model, asked: Sequence[Asked], segments: int, work: _Work) -> CometSummary:
    results = record.results()
    scores: dict[tuple[str, str], float] = {}
    for translation in asked:
        result = (
            results.get(translation.segment.key(model.identity, model.precision))
            if translation.segment is not None
            else None
        )
        if result is not None and result.score is not None:
            scores[translation.item.task, translation.item.id] = result.score
    definition = record.models()[model.identity, model.precision].definition
    return CometSummary(model.metric, definition, segments, work.new, scores, work.failures, _notes(asked))


def _notes(asked: Sequence[Asked]) -> tuple[str, ...]:
    several = sum(
        translation.references > 1 and translation.segment is not None and translation.segment.reference is not None
        for translation in asked
    )
    without = sum(translation.flag == NO_REFERENCE for translation in asked)
    wrong = sum(translation.flag == NOT_TEXT for translation in asked)
    found = (
        (several, "items have several references: COMET reads the first"),
        (without, "items have no reference, which this model needs: unscored"),
        (wrong, "items hold something else than text: unscored"),
    )
    return tuple(f"{count} {text}" for count, text in found if count)


def summary_lines(summary: CometSummary, label: str) -> list[tuple[str, bool]]:
    """The session in a few lines, and of each whether it is a detail; failures and unscored items are none."""
    kept = summary.segments - summary.new - len(summary.failures)
    lines = [(f"{label}: {summary.new} segments scored, {kept} scored before", True)]
    if summary.system is not None:
        lines.append((f"  system score {summary.system:.4f} (the mean of {len(summary.scores)} items)", True))
    lines += [(f"  {note}", False) for note in summary.notes]
    if summary.failures:
        first = next(iter(summary.failures.values())).splitlines()[0]
        lines.append((f"  {len(summary.failures)} segments could not be scored, the first: {first}", False))
    return lines
