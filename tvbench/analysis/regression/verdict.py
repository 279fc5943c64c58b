"""What a check of a run against a baseline found: three verdicts, and everything that speaks for them.

    Check ── comparisons (task × language) · rises (of a diagnosis) · absent · changed ──▶ pass | fail | cannot tell

Frozen and plain, so that every report (people, JUnit, GitHub, Markdown, JSON) says the same. Knows no run, no file and
no statistics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, EXIT_REGRESSION

Outcome: TypeAlias = Literal["pass", "fail", "cannot tell"]

MEAN = "mean"
"""Stands as the language of a task's macro average."""


@dataclass(frozen=True, slots=True)
class Flip:
    """An item whose score fell. `answer_before` is None where the baseline holds scores alone."""

    item: str
    language: str
    before: float
    after: float
    answer: str = ""
    answer_before: str | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of a task in one language (or MEAN), in the metric's own unit; `change` is positive where the run is
    better.

    `low` and `high` hold the change, all of a check's comparisons at once; `p` is that of "it fell by no more than
    `margin`", adjusted likewise (None: not resampled, and `why` says so). `worst`: a larger drop is ruled out, and the
    outcome is `pass` only where that is no more than `resolution`. `detectable` is the smallest drop that would have
    been found with a probability of 80 %, `needed` the number of items at which no change could be told from a drop of
    `resolution`. `fell` and `rose` count items.
    """

    task: str
    language: str
    metric: str
    outcome: Outcome
    before: float
    after: float
    change: float
    margin: float
    low: float | None = None
    high: float | None = None
    p: float | None = None
    items: int = 0
    clusters: int = 0
    detectable: float | None = None
    needed: int | None = None
    fell: int = 0
    rose: int = 0
    flips: tuple[Flip, ...] = ()
    why: str = ""
    resolution: float | None = None
    worst: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Rise:
    """A diagnosis whose share of the answers changed (`wrong language`, `cut off`, `refusal`, `failed`): counts of both
    sides."""

    task: str
    language: str
    diagnosis: str
    outcome: Outcome
    before: int
    of_before: int
    after: int
    of_after: int
    p: float | None = None


@dataclass(frozen=True, slots=True)
class Absent:
    """What the baseline has and the run lacks: a task (`language` empty), a language, or `items` of one."""

    task: str
    language: str = ""
    items: int = 0


@dataclass(frozen=True, slots=True)
class Changed:
    """A field of a task's signature that differs. `fatal`: the figures may not be held against each other for it (who
    answered is not: that is what a check is for)."""

    task: str
    what: str
    before: str
    after: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class Check:
    """The whole answer. `level` is the chance of a false alarm a check; `next` are commands to type. `waiting` items
    have no answer yet, failed as they did not before, or wait for a judge: exit code 1, unless something is worse."""

    outcome: Outcome
    run: str
    baseline: str
    level: float = 0.05
    strict: bool = False
    comparisons: tuple[Compared, ...] = ()
    rises: tuple[Rise, ...] = ()
    absent: tuple[Absent, ...] = ()
    changed: tuple[Changed, ...] = ()
    notes: tuple[str, ...] = ()
    next: tuple[str, ...] = ()
    models: tuple[str, str] = ("", "")
    waiting: int = 0

    @property
    def fails(self) -> bool:
        """Whether the exit code is 3."""
        return self.outcome == "fail" or (self.strict and self.outcome == "cannot tell")

    @property
    def exit_code(self) -> int:
        """3 for a regression, 1 where answers are missing or failed, 0 otherwise."""
        if self.outcome == "fail":
            return EXIT_REGRESSION
        if self.waiting:
            return EXIT_INCOMPLETE
        return EXIT_REGRESSION if self.fails else EXIT_GOOD
