"""How a run, its tasks and a suite stand, as values: what is done, failed and missing, and what follows from it.

They are counted in missing.py; here they are added up, and told as JSON. Knows heartbeats; reads nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from tvbench.runs.pulses import Pulse, running
from tvbench.types import LOGGED


@dataclass(frozen=True, slots=True)
class LanguageState:
    """Items of one language of one task."""

    asked: int = 0
    done: int = 0
    failed: int = 0

    @property
    def missing(self) -> int:
        return self.asked - self.done - self.failed


@dataclass(frozen=True, slots=True)
class TaskState:
    """One task of one run. `for_judge` and `for_comet` are answers that wait to be graded, as far as that was asked
    for; `open` are answers that only a judge could grade, and none was asked for."""

    task: str
    protocol: str
    languages: Mapping[str, LanguageState] = field(default_factory=dict)
    for_judge: int = 0
    for_comet: int = 0
    open: int = 0

    @property
    def total(self) -> LanguageState:
        """All languages together."""
        some = self.languages.values()
        return LanguageState(sum(s.asked for s in some), sum(s.done for s in some), sum(s.failed for s in some))

    @property
    def complete(self) -> bool:
        answered = 0 < self.total.asked == self.total.done or self.protocol == LOGGED
        return answered and not self.for_judge and not self.for_comet


@dataclass(frozen=True, slots=True)
class RunState:
    """One run. `process` is who writes it now; `problem` says what is wrong with its folder; `command` goes on;
    `pulses` are the heartbeats that lie there; `about`: all tasks together, where no more than that was counted; `out`:
    how many questions are out in a batch, in words in `waves`."""

    run: str
    model: str
    tasks: tuple[TaskState, ...] = ()
    variation: Mapping[str, Any] = field(default_factory=dict)
    begun: bool = True
    process: int | None = None
    problem: str = ""
    command: tuple[str, ...] = ()
    pulses: tuple[Pulse, ...] = ()
    about: LanguageState | None = None
    out: int = 0
    waves: str = ""

    @property
    def total(self) -> LanguageState:
        """All tasks together."""
        if self.about is not None:
            return self.about
        some = [task.total for task in self.tasks]
        return LanguageState(sum(s.asked for s in some), sum(s.done for s in some), sum(s.failed for s in some))

    @property
    def running(self) -> list[Pulse]:
        """Who is at it, as far as heartbeats tell."""
        return running(self.pulses)

    @property
    def asking(self) -> list[Pulse]:
        """Who of them asks questions, and does not grade."""
        return [pulse for pulse in self.running if not pulse.grades]

    @property
    def awaited(self) -> bool:
        """Whether all that is missing is out in a batch."""
        return bool(self.out) and self.out == self.total.missing

    @property
    def going(self) -> bool:
        """Whether somebody is at it."""
        return self.process is not None or bool(self.running)

    @property
    def complete(self) -> bool:
        if self.problem or self.about is not None or self.running:
            return False
        return bool(self.tasks) and all(task.complete for task in self.tasks)


@dataclass(frozen=True, slots=True)
class SuiteState:
    """All runs of a suite; or, without a name, the runs of a folder."""

    suite: str
    runs: tuple[RunState, ...] = ()
    updated: str = ""
    outdated: str = ""
    """The suite's file, where it was changed since."""

    @property
    def complete(self) -> bool:
        return bool(self.runs) and all(run.complete for run in self.runs) and not self.outdated

    @property
    def commands(self) -> list[tuple[str, ...]]:
        """What goes on with the runs that are not complete, each command once; none that is under way, and none where
        there is nothing to ask while a batch is out."""
        begun = {run.command for run in self.runs if run.going}
        open_runs = (run for run in self.runs if not run.complete and (not run.awaited or run.total.failed))
        waiting = (run.command for run in open_runs if run.command)
        return list(dict.fromkeys(command for command in waiting if command not in begun))

    def as_json(self) -> dict[str, Any]:
        """Everything, with what follows from it."""
        runs = [_run_json(run) for run in self.runs]
        return {"suite": self.suite, "complete": self.complete, "outdated": bool(self.outdated), "runs": runs}


def _run_json(run: RunState) -> dict[str, Any]:
    tasks = [
        asdict(task)
        | {"complete": task.complete}
        | {"languages": {code: asdict(s) | {"missing": s.missing} for code, s in task.languages.items()}}
        for task in run.tasks
    ]
    whole = run.total
    counts = asdict(whole) | {"missing": whole.missing}
    told = {name: value for name, value in asdict(run).items() if name not in ("pulses", "about")}
    told |= {"counted": "items" if run.about is None else "lines", "writers": [_pulse_json(one) for one in run.pulses]}
    return told | {"complete": run.complete, "tasks": tasks, "command": list(run.command), **counts}


def _pulse_json(pulse: Pulse) -> dict[str, Any]:
    """A heartbeat in plain numbers."""
    told = {name: value for name, value in asdict(pulse).items() if name not in ("tasks", "age", "file_age")}
    return told | {"missing": pulse.missing, "age_s": round(pulse.age, 1), "file_age_s": round(pulse.file_age, 1)}


def all_complete(states: Sequence[SuiteState]) -> bool:
    """Whether nothing is missing."""
    return all(state.complete for state in states if state.runs)
