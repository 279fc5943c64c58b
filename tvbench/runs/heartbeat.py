"""A run's heartbeat: one line of JSON in its folder, by which others see who writes the run and how far it is.

    heartbeat.json      {"at":"2026-11-26T20:15:02.118+00:00","pid":71,"host":"node7","part":"","phase":"asking",
                         "done":812,"failed":3,"total":1596,"per_second":9.8, ...}
    heartbeat.2of8.json the same of a part's writer, whose counts are those of its own questions
    heartbeat.comet.json, heartbeat.judge-NAME.json: of who grades the answers, whose counts are those of what it grades

Replaced atomically, at most once a second; a disk that is full or read-only is nobody's failure here. It is removed
when its session ends; a part's stays, with the phase `ended`, since others count with it. Knows listeners; no run, no
engine, and of other machines only what they wrote.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeAlias

from tvbench.runs.listening import EngineState, Listener, Phase, TaskLanguage
from tvbench.runs.pace import Pace
from tvbench.runs.processes import place, started
from tvbench.types import Response

Doing: TypeAlias = Literal["loading", "asking", "judging", "comet", "scoring", "ended"]
"""What a session does: the engine is being opened, it is asked (who grades: judging, comet), the answers are scored,
nothing any more."""
JUDGE, COMET = "judge-", "comet"
"""The parts under which whoever grades beats: a judge by the name of its folder, COMET."""
NAME = "heartbeat"
EVERY, AT_REST = 1.0, 5.0
"""Seconds between two beats at least, and at most."""


def heartbeat_path(folder: Path, part: str = "") -> Path:
    """Where the heartbeat of a run's writer lies, or of the writer of one of its parts."""
    return folder / (f"{NAME}.{part}.json" if part else f"{NAME}.json")


def forget_heartbeats(folder: Path) -> None:
    """Remove what writers of before have left. Only for whoever knows that nobody else writes there."""
    for path in [*folder.glob(f"{NAME}*.json"), *folder.glob(f".{NAME}*.json.*")]:
        with suppress(OSError):
            path.unlink()


class Heart(Listener):
    """Beats in `folder` from `start` to `stop`, in a thread of its own: a model that loads or thinks for long is alive
    all the same. Is told, as any listener, what happens."""

    def __init__(self, folder: Path, part: str = "", working: Doing = "asking", *, every: float = EVERY) -> None:
        self._working = working
        self.path = heartbeat_path(folder, part)
        self._own = {
            "pid": os.getpid(),
            "host": platform.node(),
            "part": part,
            "began": _iso(time.time()),
            "place": place(),
            "started": started(os.getpid()),
        }
        self._every = every
        self._counts = _Counts()
        self._doing: Doing = "loading"
        self._standing: Callable[[], EngineState] | None = None
        self._changed = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    # ── What it is told ───────────────────────────────────────────────────────────────────────────

    def questions(self, parts: Mapping[str, Sequence[TaskLanguage]], kept: Collection[str]) -> None:
        """See Listener."""
        self._counts.plan(parts, kept)

    def begin(self, phase: Phase, total: int, kept: int, before: str) -> None:
        """See Listener."""
        self._counts.begin(total, kept)
        self._changed = True

    def opened(self) -> None:
        """See Listener."""
        self._counts.start()
        self._do(self._working)

    def serving(self, standing: Callable[[], EngineState]) -> None:
        """See Listener."""
        self._standing = standing

    def answered(self, response: Response) -> None:
        """See Listener."""
        self._counts.add(response)
        self._changed = True

    def scored(self) -> None:
        """See Listener. COMET's first score tells that it is loaded."""
        if self._doing == "loading":
            self.opened()
        self._counts.scored()
        self._changed = True

    def scoring(self) -> None:
        """All that could be asked is answered; the scores are computed."""
        self._standing = None
        self._counts.over()
        self._do("scoring")

    def _do(self, doing: Doing) -> None:
        self._doing, self._changed = doing, True

    # ── How it beats ──────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        """The first beat, and all that follow."""
        self._beat()
        self._thread = threading.Thread(target=self._go_on, name=NAME, daemon=True)
        self._thread.start()

    def stop(self, *, forget: bool = True) -> None:
        """No beat comes after this. The file goes; where it is not to be forgotten, it says that it has ended."""
        self._ended.set()
        if self._thread is None:
            return
        self._thread.join()
        self._thread = None
        if forget:
            with suppress(OSError):
                self.path.unlink()
        else:
            self._do("ended")
            self._beat()

    def _go_on(self) -> None:
        last = time.monotonic()
        while not self._ended.wait(self._every):
            if self._changed or time.monotonic() - last >= AT_REST:
                last = time.monotonic()
                self._beat()

    def _beat(self) -> None:
        self._changed = False
        beside = self.path.with_name(f".{self.path.name}.{os.getpid()}")
        try:
            beside.write_text(json.dumps(self.told(), separators=(",", ":")) + "\n", encoding="utf-8")
            beside.replace(self.path)
        except OSError:  # the answers matter, and whoever stores them says what is wrong with the disk
            with suppress(OSError):
                beside.unlink()

    def told(self) -> dict[str, Any]:
        """What a beat says."""
        return {"at": _iso(time.time()), **self._own, "phase": self._doing, **self._counts.told(), **self._told_by()}

    def _told_by(self) -> dict[str, Any]:
        """What the engine says of itself, if it does."""
        if self._standing is None:
            return {}
        try:
            standing = self._standing()
        except Exception:  # noqa: BLE001 - an engine that cannot tell is asked all the same
            return {}
        replicas = {str(name): dict(counts) for name, counts in standing.replicas.items()}
        return {"in_flight": standing.in_flight, **({"replicas": replicas} if replicas else {})}


class _Counts:
    """Done, failed and in all: of keys, and of items by task and language."""

    def __init__(self) -> None:
        self.total = self.kept = self.done = self.failed = 0
        self._parts: Mapping[str, Sequence[TaskLanguage]] = {}
        self._tasks: dict[str, dict[str, list[int]]] = {}
        self._pace = Pace()

    def plan(self, parts: Mapping[str, Sequence[TaskLanguage]], kept: Collection[str]) -> None:
        """What is asked, and what of it is answered already."""
        tasks: dict[str, dict[str, list[int]]] = {}
        for key, some in parts.items():
            known = key in kept
            for part in some:
                count = tasks.setdefault(part.task, {}).setdefault(part.language, [0, 0, 0])
                count[0] += 1
                count[1] += known
        self._parts, self._tasks = parts, tasks

    def begin(self, total: int, kept: int) -> None:
        self.total, self.kept = total, kept

    def start(self) -> None:
        """The clock of the speed starts: loading counts for nobody."""
        self._pace.start()

    def add(self, response: Response) -> None:
        self._pace.add()
        failed = response.error is not None
        self.failed += failed
        self.done += not failed
        for part in self._parts.get(response.key, ()):
            self._tasks[part.task][part.language][2 if failed else 1] += 1

    def over(self) -> None:
        """No more answers come: where each question belongs is let go."""
        self._parts = {}

    def scored(self) -> None:
        self._pace.add()
        self.done += 1

    def told(self) -> dict[str, Any]:
        left = max(0, self.total - self.kept - self.done - self.failed)
        lately, overall = self._pace.lately(), self._pace.overall(ended=not left)
        speed = lately or overall
        return {
            "done": self.kept + self.done,
            "failed": self.failed,
            "total": self.total,
            "kept": self.kept,
            "per_second": round(overall, 3),
            "per_second_now": round(lately, 3),
            "seconds_left": round(left / speed, 1) if speed else None,
            "tasks": self._tasks,
        }


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
