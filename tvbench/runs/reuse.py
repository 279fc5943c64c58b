"""Answers that other runs of the same model hold already, found by their keys.

A key covers the model, the question and the sampling; the engine and its settings it does not, so they must be equal
too. Of the neighbours only manifests are read, and answers of those that fit; a neighbour may be written at this
moment, or be damaged: what cannot be read is passed over. Reads only. Knows the store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from tvbench.errors import TvbenchError
from tvbench.runs.manifest import Manifest, RunAsk
from tvbench.runs.store import MANIFEST, RunFolder
from tvbench.types import EngineInfo, Response


@dataclass(frozen=True, slots=True)
class Reusable:
    """`answers` by key, each marked with the run that it is from; `runs` holds how many each run gives; `engines` are
    those that gave them, as their manifests have it; `damaged` are neighbours that could not be read."""

    answers: Mapping[str, Response] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)
    engines: tuple[EngineInfo, ...] = ()
    damaged: tuple[str, ...] = ()

    def said(self, total: int) -> str:
        """`512 of 700 answered in RUN: reused; --no-reuse asks again`."""
        names = list(self.runs)
        where = names[0] if len(names) == 1 else ", ".join(f"{name} ({self.runs[name]})" for name in names)
        return f"{len(self.answers)} of {total} answered in {where}: reused; --no-reuse asks again"


def reusable(folder: Path, ask: Mapping[str, Any], wanted: Collection[str]) -> Reusable:
    """What the neighbours of the run `folder` have of the keys `wanted`, the newest run first."""
    found: dict[str, Response] = {}
    runs: Counter[str] = Counter()
    engines: list[EngineInfo] = []
    damaged: list[str] = []
    who = RunAsk(ask).who
    fitting = [(manifest, run) for manifest, run in _neighbours(folder, damaged) if who and manifest.ask.who == who]
    for manifest, run in sorted(fitting, key=lambda pair: pair[0].updated, reverse=True):
        if len(found) == len(wanted):
            break
        new = {key: answer for key, answer in _answers(run, damaged).items() if key in wanted and key not in found}
        if new:
            found |= new
            runs[run.name] += len(new)
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


def _answers(run: RunFolder, damaged: list[str]) -> dict[str, Response]:
    """What is answered in `run`, each marked with its origin."""
    try:
        answers = run.responses()
    except (TvbenchError, OSError, ValueError, TypeError, RecursionError):
        damaged.append(run.name)
        return {}
    return {
        key: replace(answer, reused_from=answer.reused_from or run.name)
        for key, answer in answers.items()
        if _whole(answer)
    }


def _whole(answer: Response) -> bool:
    """Whether it is an answer, and not a failure or something that was edited by hand."""
    numbers = isinstance(answer.logprobs, tuple) and all(isinstance(number, int | float) for number in answer.logprobs)
    told = isinstance(answer.text, str) or (answer.text is None and numbers)
    return told and answer.error is None and isinstance(answer.reused_from, str | None)
