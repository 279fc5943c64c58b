"""A replica's place: who fills it, what it holds, how often it died. Knows no Ray and no engine."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

from tvbench.runs.replicas.cluster import Actor
from tvbench.runs.replicas.parcels import OpenedEngine
from tvbench.types import Request, Response

IN_A_ROW, IN_ALL, EACH = 3, 20, 50
"""A replica that died so often without an answer in between, or in all, is not replaced; for so many answers it may die
once more."""


@dataclass
class Slot:
    """`actor` None: given up, because of `last`. `held` are the requests that it was handed and has not answered;
    `serial` tells the actors of a driver apart. `has_begun`: its process was heard of. `room`: it may be handed more;
    `hungry`: its engine waits."""

    number: int
    actor: Actor | None = None
    serial: int = 0
    opened: OpenedEngine | None = None
    held: dict[str, Request] = field(default_factory=dict)
    room: bool = False
    hungry: bool = False
    backlog: int = 0
    answered: int = 0
    failed: int = 0
    deaths: int = 0
    in_a_row: int = 0
    last: Any = None
    heard: int = 0
    since: float = field(default_factory=time.monotonic)
    has_begun: bool = False
    begun_at: float = 0.0
    polled_at: float = 0.0
    answered_at: float = 0.0

    @property
    def is_open(self) -> bool:
        return self.actor is not None and self.opened is not None

    @property
    def called(self) -> str:
        """For a person."""
        where = f" ({self.opened.host}, process {self.opened.pid})" if self.opened is not None else ""
        return f"replica {self.number}{where}"

    def begin(self, serial: int, actor: Actor) -> None:
        """A process is started to fill it."""
        self.serial, self.actor, self.has_begun = serial, actor, False
        self.begun_at = time.monotonic()

    def hand(self, requests: dict[str, Request]) -> None:
        """It is handed these."""
        if not self.held:
            self.answered_at = time.monotonic()
        self.held |= requests
        self.backlog += len(requests)
        self.room = self.hungry = False

    def take_back(self, response: Response) -> bool:
        """Count an answer; False where it was not asked for here."""
        if self.held.pop(response.key, None) is None:
            return False
        self.answered += response.error is None
        self.failed += response.error is not None
        self.in_a_row = 0
        self.answered_at = time.monotonic()
        return True

    def died(self) -> dict[str, Request]:
        """Count a death; what it held."""
        held, self.held = self.held, {}
        self.deaths, self.in_a_row = self.deaths + 1, self.in_a_row + 1
        self.actor = self.opened = None
        self.room = self.hungry = False
        return held

    def found_stored(self, answers: int) -> None:
        """Count what it had stored when it died, and had not told."""
        self.answered += answers
        self.in_a_row = 1 if answers else self.in_a_row

    def excuse(self) -> None:
        """The last death was a question's doing."""
        self.in_a_row = max(0, self.in_a_row - 1)

    @property
    def replaceable(self) -> bool:
        return self.in_a_row < IN_A_ROW and self.deaths < IN_ALL + self.answered // EACH

    def counts(self) -> dict[str, float]:
        """For whoever watches."""
        seconds = max(time.monotonic() - self.since, 1e-9)
        return {
            "answered": self.answered,
            "failed": self.failed,
            "held": len(self.held),
            "died": self.deaths,
            "open": float(self.is_open),
            "per_second": self.answered / seconds,
        }
