"""A whole suite, from its name to its runs: found, combined, checked, planned, written down, asked.

`begin` ends before the first question, `finish` asks. Knows the parts of this room; how one run is planned, answered
and graded is given to it (tvbench.api).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tvbench.runs.asking import Say
from tvbench.runs.shards import without_shard
from tvbench.runs.store import check_results
from tvbench.suites.combining import Given, combinations
from tvbench.suites.declaration import Suite
from tvbench.suites.planning import MakeReady, SuiteRun, check_names, plan_all
from tvbench.suites.record import SuiteRecord, write_record
from tvbench.suites.running import SuiteSteps, ask_all, failures
from tvbench.suites.shelf import find_suite


class Finished(Protocol):
    """A run as tvbench.api gives it."""

    @property
    def complete(self) -> bool: ...


One = TypeVar("One", bound=Finished)


@dataclass(frozen=True, slots=True)
class PlannedSuite:
    """A suite with everything that it will ask."""

    suite: Suite
    runs: tuple[SuiteRun, ...]
    results: Path
    command: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SuiteOutcome(Generic[One]):
    """The runs of a suite that were asked, in order; `failures` says why others were not, by model; `record` is what
    lies in RESULTS/suites/NAME.json."""

    suite: Suite
    runs: tuple[One, ...]
    failures: dict[str, str]
    record: SuiteRecord

    @property
    def complete(self) -> bool:
        """Whether every run was asked, answered and graded as a whole."""
        return not self.failures and bool(self.runs) and all(run.complete for run in self.runs)


def begin(
    name: str, given: Given, results: Path, make_ready: MakeReady, say: Say, command: tuple[str, ...] = ()
) -> PlannedSuite:
    """Find the suite, and plan all of its runs. Raises UsageError."""
    check_results(results)
    suite = find_suite(name)
    if suite.nearby:
        code = [name for name in (*suite.tasks, str(suite.options.get("engine", ""))) if name.endswith(".py")]
        runs = f", and {', '.join(code)} are run as Python" if code else ""
        say(f"note: suite {suite.name} is {suite.path}: servers that it names get no API key{runs}")
    combined = combinations(suite, given)
    if later := dict.fromkeys(name for one in combined for name in one.later):
        say(f"note: {' and '.join(later)} of {suite.name} wait: the same command without --shard grades whole runs")
    checked = check_names(suite, combined, say)
    return PlannedSuite(suite, tuple(plan_all(checked, make_ready)), results, command)


def finish(begun: PlannedSuite, steps: SuiteSteps[Any, One], say: Say) -> SuiteOutcome[One]:
    """Write down which runs there are, and ask them. Raises StoreError."""
    command = without_shard(begun.command)
    record = write_record(begun.results, begun.suite.name, begun.suite.path, begun.runs, command)
    ends = list(ask_all(begun.runs, steps, say))
    runs = tuple(end.outcome for end in ends if end.outcome is not None)
    return SuiteOutcome(begun.suite, runs, failures(ends), record)
