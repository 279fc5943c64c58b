"""Which line holds for each question, over all files of several folders of one run.

One pass finds where the answer to each key lies (60 bytes a key), a second one copies those lines as they are. An
answer beats a failure. Two different answers to one question are a conflict, unless one folder is preferred. Knows
lines and folders; no manifest, and writes nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from tvbench.errors import UsageError
from tvbench.runs import codec
from tvbench.runs.answer_index import KEY_AT, KEY_ENDS, key_and_failure
from tvbench.runs.key_table import KeyTable
from tvbench.runs.lines import Damage, as_written, json_line, line_value, placed_lines
from tvbench.runs.merge_checks import prefer_hint, some
from tvbench.runs.store import RESPONSES, RunFolder
from tvbench.types import Response

SHOWN_TEXT = 40
FAILED = 1
FILE_BITS = 24


class MergedLines:
    """Which line holds for each key, over the files of all folders. The folder that is written comes first; the first
    answer holds, in one file the later failure."""

    def __init__(self, folders: Sequence[RunFolder], preferred: int | None) -> None:
        self.folders = folders
        self.preferred = preferred
        order = sorted(range(len(folders)), key=lambda number: (number != 0, number != preferred))
        self.files = [(number, path) for number in order for path in _in_order(folders[number])]
        self.keys = KeyTable()
        self.faults: list[Damage] = []
        self.conflicts: dict[str, tuple[int, int]] = {}
        self.brought = [0] * len(folders)
        self.failures = self.twice = 0
        self._settled = KeyTable()
        """The keys that the preferred folder answers."""
        self._places = array("Q")
        self._open: dict[int, IO[bytes]] = {}
        self._clean = False

    def read(self) -> None:
        """Look at every line once."""
        for number, (_, path) in enumerate(self.files):
            lines, end, sound = 0, 0, True
            for line_number, offset, line, value in placed_lines(path, self.faults):
                lines, end, sound = lines + 1, offset + len(line), sound and value is None
                try:
                    key, failed = key_and_failure(line, value)
                except (KeyError, TypeError, ValueError) as error:
                    self.faults.append(Damage(path, line_number, f"{type(error).__name__}: {error}"))
                    continue
                self._note(key, offset << FILE_BITS | number << 1 | failed)
            if number == 0:
                self._clean = sound and lines == len(self.keys) and end == path.stat().st_size

    def missing(self, requests: Path) -> int:
        """How many questions have no line."""
        asked = KeyTable()
        for key in _asked(requests):
            if key not in self.keys:
                asked.add(key)
        return len(asked)

    def check(self) -> None:
        """Raises UsageError for two different answers to one question."""
        if not self.conflicts:
            return
        told = [f"{key[:12]} ({self._told(one)}, {self._told(two)})" for key, (one, two) in self.conflicts.items()]
        number = len(self.conflicts)
        many = f"{number} questions have" if number > 1 else "1 question has"
        raise UsageError(f"{many} two different answers: {some(told)}", prefer_hint(self.folders))

    def as_they_lie(self, folder: RunFolder) -> bool:
        """Whether the folder's one file holds each of these lines, and nothing else."""
        files = folder.response_files()
        if files != [folder.path / RESPONSES]:
            return not files and not self.keys
        mine = self.files[0][1] == files[0] and all(_file_of(place) == 0 for place in self._places)
        return mine and self._clean

    def chosen(self) -> Iterator[str]:
        """The lines that hold, in the order in which they lie."""
        by_file: dict[int, array[int]] = {}
        for place in self._places:
            by_file.setdefault(_file_of(place), array("Q")).append(place >> FILE_BITS)
        for number in sorted(by_file):
            for offset in sorted(by_file[number]):
                line = self._line(number, offset)
                if as_written(line):
                    yield line.decode("utf-8", "surrogatepass")
                else:
                    yield json_line(codec.response_to_json(codec.response_from_json(line_value(line))))

    def _note(self, key: str, place: int) -> None:
        new = len(self.keys)
        number = self.keys.add(key)
        folder, failed = self.files[_file_of(place)][0], place & FAILED
        if folder == self.preferred and not failed:
            self._settled.add(key)
        if number == new:
            self._places.append(place)
            self.failures += failed
            self.brought[folder] += not failed
            return
        before = self._places[number]
        if not failed and not before & FAILED:
            self._second(key, number, before, place)
        elif before & FAILED and (not failed or _file_of(before) == _file_of(place)):
            self._places[number] = place
            self.failures -= not failed
            self.brought[folder] += not failed

    def _second(self, key: str, number: int, before: int, place: int) -> None:
        """A second answer to a question."""
        self.twice += 1
        if self._equal(before, place):
            return
        first, second = (self.files[_file_of(one)][0] for one in (before, place))
        if second == self.preferred != first:
            self._places[number] = place
        elif second == self.preferred or key not in self._settled:
            self.conflicts[key] = before, place

    def _equal(self, one: int, two: int) -> bool:
        first, second = (self._line(_file_of(place), place >> FILE_BITS) for place in (one, two))
        return first == second or _meaning(first) == _meaning(second)

    def _told(self, place: int) -> str:
        number = _file_of(place)
        text = _response(self._line(number, place >> FILE_BITS)).text
        shown = (
            "log-probabilities"
            if text is None
            else repr(text if len(text) <= SHOWN_TEXT else text[:SHOWN_TEXT] + "...")
        )
        return f"{self.files[number][1]}: {shown}"

    def _line(self, number: int, offset: int) -> bytes:
        if number not in self._open:
            self._open[number] = self.files[number][1].open("rb")
        file = self._open[number]
        file.seek(offset)
        return file.readline()


def _in_order(folder: RunFolder) -> list[Path]:
    """The one file first, then the parts."""
    return sorted(folder.response_files(), key=lambda path: path.name != RESPONSES)


def _file_of(place: int) -> int:
    return (place & ((1 << FILE_BITS) - 1)) >> 1


def _response(line: bytes) -> Response:
    return codec.response_from_json(line_value(line))


def _meaning(line: bytes) -> tuple[object, ...]:
    """What an answer says, whatever it took."""
    answer = _response(line)
    return answer.text, answer.reasoning, answer.logprobs if answer.text is None else None


def _asked(requests: Path) -> Iterator[str]:
    """The keys of the questions, one a line, as they lie."""
    for _, _, line, value in placed_lines(requests, []):
        key = line[KEY_AT:KEY_ENDS]
        if value is None and key.isalnum() and line[KEY_ENDS : KEY_ENDS + 1] == b'"':
            yield key.decode("ascii")
        else:
            yield str((line_value(line) if value is None else value).get("key"))
