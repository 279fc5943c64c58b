"""Answers that other runs of the same model hold already, found by their keys.

A key covers the model, the question and the sampling; the engine and its settings it does not, so they must be equal
too. Of the neighbours only manifests are read, and answers of those that fit, each again when it is asked for; a
neighbour may be written at this moment, or be damaged: what cannot be read is passed over. Reads only. Knows the store.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Collection, Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tvbench.errors import TvbenchError
from tvbench.runs.answer_index import AnswerIndex, NumberedAnswers
from tvbench.runs.manifest import Manifest, RunAsk
from tvbench.runs.store import MANIFEST, RunFolder
from tvbench.types import EngineInfo, Response


@dataclass(frozen=True, slots=True)
class Reusable:
    """`answers` by key, each marked with the run that it is from; `runs` holds how many each run gives; `engines` are
    those that gave them, as their manifests have it; `damaged` are neighbours that could not be read."""

    answers: Mapping[str, Response] = field(default_factory=lambda: ReusedAnswers())
    runs: Mapping[str, int] = field(default_factory=dict)
    engines: tuple[EngineInfo, ...] = ()
    damaged: tuple[str, ...] = ()

    def said(self, total: int) -> str:
        """`512 of 700 answered in RUN: reused; --no-reuse asks again`."""
        names = list(self.runs)
        where = names[0] if len(names) == 1 else ", ".join(f"{name} ({self.runs[name]})" for name in names)
        return f"{len(self.answers)} of {total} answered in {where}: reused; --no-reuse asks again"


class ReusedAnswers(NumberedAnswers):
    """Answers of several runs by their keys, each marked with the run that asked."""

    def __init__(self) -> None:
        super().__init__()
        self._run_of = array("I")
        self._runs: list[tuple[str, AnswerIndex]] = []

    def _at(self, key: str, number: int) -> Response:
        name, index = self._runs[self._run_of[number]]
        answer = index[key]
        return replace(answer, reused_from=answer.reused_from or name)

    def take(self, name: str, index: AnswerIndex, wanted: Container[str]) -> int:
        """Take the answers that are `wanted` and not here yet; how many there were."""
        before = len(self)
        for key in index:
            if key in wanted and key not in self._keys and _whole(index[key]):
                self._keys.add(key)
                self._run_of.append(len(self._runs))
        if len(self) > before:
            self._runs.append((name, index))
        return len(self) - before


class Known(Mapping[str, Response]):
    """What is answered: in the run itself, else in others."""

    def __init__(self, kept: Mapping[str, Response], reused: Mapping[str, Response]) -> None:
        self._kept, self._reused = kept, reused

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __bool__(self) -> bool:
        return bool(self._kept) or bool(self._reused)

    def __iter__(self) -> Iterator[str]:
        yield from self._kept
        yield from (key for key in self._reused if key not in self._kept)

    def __contains__(self, key: object) -> bool:
        return key in self._kept or key in self._reused

    def __getitem__(self, key: str) -> Response:
        return self._kept[key] if key in self._kept else self._reused[key]


def reusable(folder: Path, ask: Mapping[str, Any], wanted: Collection[str]) -> Reusable:
    """What the neighbours of the run `folder` have of the keys `wanted`, the newest run first."""
    found = ReusedAnswers()
    runs: Counter[str] = Counter()
    engines: list[EngineInfo] = []
    damaged: list[str] = []
    who = RunAsk(ask).who
    fitting = [(manifest, run) for manifest, run in _neighbours(folder, damaged) if who and manifest.ask.who == who]
    for manifest, run in sorted(fitting, key=lambda pair: pair[0].updated, reverse=True):
        if len(found) == len(wanted):
            break
        try:
            new = found.take(run.name, run.index(), wanted)
        except (TvbenchError, OSError, ValueError, TypeError, RecursionError):
            damaged.append(run.name)
            continue
        if new:
            runs[run.name] += new
            engines.append(manifest.engine)
    return Reusable(found, dict(runs), tuple(engines), tuple(damaged))


def _neighbours(folder: Path, damaged: list[str]) -> Iterator[tuple[Manifest, RunFolder]]:
    """The other runs beside `folder` with their manifests; the names of unreadable ones are added to `damaged`."""
    try:
        paths = sorted(folder.parent.iterdir())
    except OSError:
        return
    for path in paths:
        try:
            if path.name != folder.name and (path / MANIFEST).is_file():
                yield RunFolder(path).manifest(), RunFolder(path)
        except (TvbenchError, OSError, ValueError, RecursionError):
            damaged.append(path.name)


def _whole(answer: Response) -> bool:
    """Whether it is an answer, and not a failure or something that was edited by hand."""
    numbers = isinstance(answer.logprobs, tuple) and all(isinstance(number, int | float) for number in answer.logprobs)
    told = isinstance(answer.text, str) or (answer.text is None and numbers)
    return told and answer.error is None and isinstance(answer.reused_from, str | None)
