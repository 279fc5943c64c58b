"""What the screen at the end of a run needs of the answers: tokens, how many were cut off, and a few of each language.

Seen in the pass that scores them, or in one of its own. Of the answers only their places are held. Knows runs; no
metric and no table.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from tvbench.errors import UsageError
from tvbench.runs import codec
from tvbench.runs.answer_index import AnswerIndex
from tvbench.runs.checking import AskedItem, RunReading
from tvbench.runs.lines import line_value
from tvbench.runs.store import REQUESTS, RunFolder
from tvbench.types import Item, Response

SAMPLED = 300
"""So many answers of a language are looked at, at most."""


@dataclass(frozen=True, slots=True)
class LanguageReplies:
    """The answers of one language of a task that are texts, and no continuations: how many, how many of them ended at
    the limit of tokens, and where some of them lie: the line of the item, and file and line of the answer."""

    texted: int
    cut: int
    places: tuple[tuple[int, Path, int], ...]


@dataclass(frozen=True, slots=True)
class RunReplies:
    """The answers of a run by task and language. `tokens` were read and written, each answer once."""

    folder: Path
    tokens: int = 0
    tasks: Mapping[str, Mapping[str, LanguageReplies]] = field(default_factory=dict)

    def sampled(self, language: LanguageReplies) -> list[tuple[Item, Response]]:
        """Some items with their answers, in the order in which they were asked."""
        found: list[tuple[Item, Response]] = []
        with ExitStack() as opened:
            files: dict[Path, IO[bytes]] = {}
            for asked, path, answered in language.places:
                for name in (self.folder / REQUESTS, path):
                    if name not in files:
                        files[name] = opened.enter_context(name.open("rb"))
                item = codec.item_from_json(_value_at(files[self.folder / REQUESTS], asked)["item"])
                found.append((item, codec.response_from_json(_value_at(files[path], answered))))
        return found


def _value_at(file: IO[bytes], offset: int) -> dict[str, Any]:
    file.seek(offset)
    line = file.readline()
    found: dict[str, Any] = line_value(line if line.endswith(b"\n") else line + b"\n")
    return found


class _Seen:
    """One language of one task."""

    def __init__(self) -> None:
        self.cut = 0
        self.items, self.numbers = array("q"), array("i")

    def done(self, answers: AnswerIndex) -> LanguageReplies:
        step = 1 + len(self.items) // SAMPLED
        chosen = zip(self.items[::step], self.numbers[::step], strict=True)
        places = tuple((offset, *answers.place_at(number)) for offset, number in chosen)
        return LanguageReplies(len(self.items), self.cut, places)


class Seeing:
    """Takes what a pass over a run gives."""

    def __init__(self, run: RunFolder) -> None:
        self._folder = run.path
        self._tokens = 0
        self._tasks: dict[str, dict[str, _Seen]] = {}

    def add(self, asked: AskedItem) -> None:
        """One item with its answer."""
        item, response = asked.item, asked.response
        if response is None or asked.number is None:
            return
        if asked.new:
            self._tokens += (response.tokens_in or 0) + (response.tokens_out or 0)
        if response.text is None or item.continuation is not None:
            return
        seen = self._tasks.setdefault(item.task, {}).setdefault(item.language, _Seen())
        seen.items.append(asked.offset)
        seen.numbers.append(asked.number)
        seen.cut += response.finish == "length"

    def done(self, reading: RunReading) -> RunReplies:
        """At the end of the pass; nothing where the requests are not whole, which the results say already."""
        answers = reading.answers
        if not reading.whole or answers is None:
            return RunReplies(self._folder)
        tasks = {
            task: {code: seen.done(answers) for code, seen in languages.items()}
            for task, languages in self._tasks.items()
        }
        return RunReplies(self._folder, self._tokens, tasks)


def replies_of(run: RunFolder) -> RunReplies:
    """The same in a pass of its own; nothing of a damaged folder."""
    try:
        reading = RunReading(run)
        seeing = Seeing(run)
        for asked in reading:
            seeing.add(asked)
    except UsageError:
        return RunReplies(run.path)
    return seeing.done(reading)
