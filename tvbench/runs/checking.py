"""One pass over a run folder, whatever is wrong with it: each item with its answer, and then whether the folder still
holds what was asked and answered: what is missing, stands in it twice, is damaged or came from elsewhere, in words for
whoever scores it.

Reads; corrects nothing. Of an item and its answer some hundred bytes are held. The manifest is believed: it says how
many items there are, and its signature which prompts.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from tvbench.errors import UsageError
from tvbench.runs.answer_index import AnswerIndex
from tvbench.runs.key_table import TextSet
from tvbench.runs.lines import Damage, in_words, read_lines
from tvbench.runs.manifest import TaskEntry
from tvbench.runs.signature import PROMPTS_FORMAT, is_current, prompt_row, read_signature, short_hash, write_signature
from tvbench.runs.sorted_rows import SortedRows
from tvbench.runs.store import REQUESTS, RunFolder
from tvbench.types import Item, Response

AGAIN = "run the same `tvbench run` command again: answers are kept"
IMPORTED = "import the logs again"
ASKED_AGAIN = "the same command asks it again"


class AskedItem(NamedTuple):
    """An item with its answer, or failure, if there is one. `offset` is where its line begins; `number` that of its key
    among those that were answered, and `new` whether no item before had that key."""

    item: Item
    response: Response | None
    offset: int
    number: int | None
    new: bool


@dataclass(frozen=True, slots=True)
class CheckedTask:
    """What is said of one task: `signature` is its own, one of an earlier version with its prompts hashed as today;
    `expected` items were asked; `damaged` counts lines that make it incomplete, and `warnings` say what they are."""

    signature: str
    expected: int
    damaged: int
    warnings: tuple[str, ...]


class RunReading:
    """Goes over a run's items once, each id of a task once; what is wrong is known at the end.

    Raises UsageError where the manifest, or the file of the requests, is gone.
    """

    def __init__(self, run: RunFolder) -> None:
        manifest = run.manifest()
        self.run = run
        self.entries = manifest.entries
        self.imported = manifest.imported
        self._faults: list[Damage] = []
        self._broken: list[Damage] = []
        self._foreign: Counter[str] = Counter()
        self._tasks = {name: _Check(entry) for name, entry in self.entries.items()}
        self._unused = 0
        self.answers: AnswerIndex | None = None
        """Where the answers lie, as long as items are gone over."""

    def __iter__(self) -> Iterator[AskedItem]:
        answers = self.answers = AnswerIndex(self.run.response_files(), self._broken)
        used = bytearray(len(answers))
        for offset, key, item in self.run.each_request(self._faults):
            if item.task not in self._tasks:
                self._foreign[item.task] += 1
            elif self._tasks[item.task].add(item):
                number = answers.number(key)
                if number is None:
                    yield AskedItem(item, None, offset, None, False)
                    continue
                new, used[number] = not used[number], 1
                yield AskedItem(item, self._response(answers, number), offset, number, new)
        self._unused = used.count(0)

    def _response(self, answers: AnswerIndex, number: int) -> Response:
        try:
            return answers.at(number)
        except (OSError, ValueError) as error:
            raise UsageError(
                f"{self.run.path} was written while it was read: {error}", "give the same command again"
            ) from error

    # ── What is wrong ─────────────────────────────────────────────────────────────────────────────

    @property
    def again(self) -> str:
        return IMPORTED if self.imported else AGAIN

    @property
    def whole(self) -> bool:
        """Whether the requests are all there, each once."""
        return not self._faults and all(task.whole for task in self._tasks.values())

    @property
    def damaged(self) -> int:
        """How many lines of requests.jsonl are of no known task."""
        return len(self._faults) + self._foreign.total()

    def checked(self) -> dict[str, CheckedTask]:
        """What is said of each task."""
        return {name: task.checked(len(self._faults), self.again) for name, task in self._tasks.items()}

    def warnings(self, tasks: dict[str, CheckedTask]) -> tuple[str, ...]:
        """Of lines of no known task, and of lines of answers."""
        told = [f"{text}; {self.again}" for text in in_words(self._faults)]
        told += [
            f"requests.jsonl holds {count} items of {name}, which this run did not ask: left out; {self.again}"
            for name, count in self._foreign.items()
        ]
        if not told and not any(task.warnings for task in tasks.values()):
            told += [f"{self._unused} answers belong to none of the items: not used"] * (self._unused > 0)
        told += _answers_told(self._broken, IMPORTED if self.imported else ASKED_AGAIN)
        told += _answers_told(_damaged_below(self.run), ASKED_AGAIN)
        return tuple(told)


class _Check:
    """One task's items against its entry in the manifest."""

    def __init__(self, entry: TaskEntry) -> None:
        self.entry = entry
        self.lines = 0
        self._ids = TextSet()
        self._prompts = _Prompts(entry.signature)

    def add(self, item: Item) -> bool:
        """Whether it is the first of its id."""
        self.lines += 1
        held = len(self._ids)
        if self._ids.add(item.id) != held:
            return False
        self._prompts.add(item)
        return True

    @property
    def whole(self) -> bool:
        return self.entry.items is None or self.lines == len(self._ids) == self.entry.items

    def checked(self, faults: int, again: str) -> CheckedTask:
        """`faults` lines may have been its own."""
        kept = len(self._ids)
        wanted = kept + faults if self.entry.items is None else self.entry.items
        twice, more = self.lines - kept, max(0, kept - wanted)
        signature, as_signed = self._prompts.compared()
        other = kept == wanted and not as_signed
        told = {
            f"requests.jsonl holds {kept} of the {wanted} items that were asked": kept < wanted,
            f"requests.jsonl holds {twice} items a second time: the first of each counts": twice > 0,
            f"requests.jsonl holds {kept} items, and {wanted} were asked": more > 0,
            "requests.jsonl holds other prompts than the signature stands for": other,
        }
        warnings = tuple(f"{text}; {again}" for text, so in told.items() if so)
        return CheckedTask(signature, max(wanted, kept), twice + more + other, warnings)


class _Prompts:
    """The prompts of a task against the hash in its signature; one without a hash, or with an earlier format's, cannot
    tell."""

    def __init__(self, signature: str) -> None:
        self.signature = signature
        self.signed = read_signature(signature).get("prompts", "")
        self._rows = SortedRows()
        self._ordered = None if is_current(signature) else hashlib.sha256()

    def add(self, item: Item) -> None:
        if not self.signed:
            return
        row = prompt_row(item)
        self._rows.add(row)
        if self._ordered is not None:
            for text in row[2:]:
                self._ordered.update(text.encode("utf-8", "surrogatepass") + b"\x00")

    def compared(self) -> tuple[str, bool]:
        """(the signature with today's hash, whether the prompts are those of the signature)."""
        if not self.signed:
            return self.signature, True
        if self._ordered is not None and self.signed != self._ordered.hexdigest()[: len(short_hash(()))]:
            return self.signature, True
        today = PROMPTS_FORMAT + short_hash(self._rows.lines())
        if self._ordered is None:
            return self.signature, self.signed == today
        return write_signature(read_signature(self.signature) | {"prompts": today}), True


def _answers_told(faults: list[Damage], again: str) -> list[str]:
    lost = in_words(fault for fault in faults if fault.lost)
    twice = in_words(fault for fault in faults if not fault.lost)
    return [f"{text}: counted as missing; {again}" for text in lost] + [f"{text}: the later counts" for text in twice]


def _damaged_below(run: RunFolder) -> list[Damage]:
    """Damaged lines of what judges and COMET said."""
    faults: list[Damage] = []
    for path in sorted(run.path.glob("*/**/*.jsonl")):
        if path.name != REQUESTS:
            for _ in read_lines(path, faults):
                pass
    return faults
