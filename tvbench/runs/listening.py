"""Whoever wants to hear how a run goes, from its first question to its last score. Knows no run and no screen."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from types import TracebackType
from typing import Any, Literal, NamedTuple, TypeAlias

from tvbench.types import Response

Phase: TypeAlias = Literal["run", "judge", "comet"]
"""What is under way: the model is asked, a judge is, or COMET scores."""


class TaskLanguage(NamedTuple):
    """A question's place: the task and the language that it is asked for."""

    task: str
    language: str


class EngineState(NamedTuple):
    """How an engine stands: questions that it has taken and not answered, and what it counts of each replica, where it
    has some (such as `done`, `failed`, `per_second`)."""

    in_flight: int
    replicas: Mapping[str, Mapping[str, float]]


class Listener:
    """A progress listener. Override what you want to hear; all of it may come from another thread than the caller's."""

    def say(self, text: str, *, detail: bool = False) -> None:
        """A line for a person. A `detail` may be left out where nobody wants to know much."""

    def begin(self, phase: Phase, total: int, kept: int, before: str) -> None:
        """`total` questions (or segments) in all, of which `kept` were answered `before`: when and by whom."""

    def questions(self, parts: Mapping[str, Sequence[TaskLanguage]], kept: Collection[str]) -> None:
        """Where each question of a run belongs, by its key, and which are answered already. Told before it begins."""

    def opening(self, name: str) -> None:
        """The engine is being opened: the model called `name` is loaded."""

    def opened(self) -> None:
        """The engine is open, and is being asked."""

    def serving(self, standing: Callable[[], EngineState]) -> None:
        """The engine is being asked from now on; `standing()` says at any time how it stands."""

    def answered(self, response: Response) -> None:
        """One more answer, or one more failure (`response.error`)."""

    def scored(self) -> None:
        """One more segment is scored by COMET."""

    def doing(self, text: str) -> None:
        """What COMET's worker does, every few seconds."""

    def end(self, phase: Phase) -> None:
        """It has ended, well or not."""


class PhaseWatch:
    """Hands on to a listener what a phase tells of itself (runner.Watch, comet.session.Watch). A context manager."""

    def __init__(self, listener: Listener, phase: Phase, before: Callable[[], str] = str) -> None:
        self.listener = listener
        self.phase = phase
        self.before = before

    def begin(self, total: int, kept: int) -> None:
        self.listener.begin(self.phase, total, kept, self.before() if kept else "")

    def questions(self, parts: Mapping[str, Sequence[TaskLanguage]], kept: Collection[str]) -> None:
        self.listener.questions(parts, kept)

    def opening(self, name: str) -> None:
        self.listener.opening(name)

    def opened(self) -> None:
        self.listener.opened()

    def serving(self, standing: Callable[[], EngineState]) -> None:
        self.listener.serving(standing)

    def answered(self, response: Response) -> None:
        self.listener.answered(response)

    def scored(self) -> None:
        self.listener.scored()

    def doing(self, text: str) -> None:
        self.listener.doing(text)

    def note(self, text: str) -> None:
        self.listener.say(text)

    def __enter__(self) -> PhaseWatch:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.listener.end(self.phase)


HEARD = ("say", "begin", "questions", "opening", "opened", "serving", "answered", "scored", "doing", "end")
"""What a listener is told."""


class Both(Listener):
    """Tells two listeners everything."""

    def __init__(self, one: Listener, other: Listener) -> None:
        for name in HEARD:
            setattr(self, name, _in_turn(getattr(one, name), getattr(other, name)))


def _in_turn(one: Callable[..., None], other: Callable[..., None]) -> Callable[..., None]:
    def told(*said: Any, **how: Any) -> None:
        one(*said, **how)
        other(*said, **how)

    return told


class Noting(Listener):
    """Tells another listener everything, and keeps what was said."""

    def __init__(self, other: Listener | None) -> None:
        self.other = other or Listener()
        self.said: list[str] = []
        for name in HEARD[1:]:
            setattr(self, name, getattr(self.other, name))

    def say(self, text: str, *, detail: bool = False) -> None:
        if not detail:
            self.said.append(text)
        self.other.say(text, detail=detail)
