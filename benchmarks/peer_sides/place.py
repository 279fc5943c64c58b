"""What is compared, and where: a side is a program with what it wrote; the place holds model, questions and outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PARTS = Path(__file__).resolve().parent
ROOT = PARTS.parents[1]
CONTEXT, SEQUENCES = 2048, 32
PROCESSOR = {"use_fast": False}
"""All sides prepare pictures by the slow processors, for answers that can be compared."""
PORT = 8765


@dataclass(frozen=True, slots=True)
class Place:
    """Where everything lies: the checkpoint, the questions with their pictures, and a folder for a side's outputs.
    `served`: one server answers all sides."""

    model: Path
    data: Path
    out: Path
    tokens: int
    python: Mapping[str, Path]
    vlmevalkit: Path | None = None
    served: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """A program under test. `answers` and `seconds` are read from what it wrote; `done` is its progress from 0 to 1
    while it runs (None: not yet asking), and `asked` how many questions its last run sent to the engine."""

    name: str
    command: Callable[[Place], list[str]]
    answers: Callable[[Place], dict[str, str]]
    seconds: Callable[[Place], float | None] = lambda place: None
    folder: Callable[[Place], Path] = lambda place: place.out
    variables: Mapping[str, str] = field(default_factory=dict)
