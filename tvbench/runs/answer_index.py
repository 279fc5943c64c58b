"""Where each answer of a run lies: key → file and offset, made in one pass over `responses*.jsonl`.

Takes about 60 bytes a key, whatever is answered. A mapping of responses that are read when they are asked for: one
line each, from disk. It is a picture of the files as they were; whoever writes them anew makes a new one. Knows lines
and the codec; writes nothing.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tvbench.runs import codec
from tvbench.runs.key_table import SIZE, KeyTable
from tvbench.runs.lines import BEGINNING, Damage, ends_torn, line_value, placed_lines
from tvbench.types import Response

FAILED = 1
FILE_BITS = 20
"""Of a place: its offset, its file (but the last bit), and whether it is a failure."""
READ_AT_ONCE = 1 << 10
KEY_AT = len(BEGINNING) + 1
KEY_ENDS = KEY_AT + 2 * SIZE
ERROR = b'"error"'
"""How a failure's field is written; the quotes within a text are escaped."""


class NumberedAnswers(Mapping[str, Response]):
    """A mapping of responses that are read when they are asked for; its keys have numbers, in the order in which they
    came. Who inherits says what lies at a number."""

    def __init__(self) -> None:
        self._keys = KeyTable()

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def __getitem__(self, key: str) -> Response:
        """Raises KeyError; ValueError and OSError where the file is no longer what it was."""
        number = self._keys.number(key)
        if number is None:
            raise KeyError(key)
        return self._at(key, number)

    @abstractmethod
    def _at(self, key: str, number: int) -> Response: ...


class AnswerIndex(NumberedAnswers):
    """The answers of `files`, and failures where there is no answer; of several lines the later one holds.

    Damaged lines are left out, and added to `damaged`; so are second answers in one file. Keys come in the order of
    their first lines.
    """

    def __init__(self, files: Iterable[Path], damaged: list[Damage] | None = None) -> None:
        super().__init__()
        self._files = tuple(files)
        self._open: dict[int, _Opened] = {}
        self._places = array("Q")
        self._failures = 0
        self.clean = True
        """Whether each key has one whole line, an answer with its checksum, and nothing else stands there."""
        faults = [] if damaged is None else damaged
        for number, path in enumerate(self._files):
            self._read(number, path, faults)

    def _at(self, key: str, number: int) -> Response:
        return self._response(number)

    @property
    def failures(self) -> int:
        """How many keys have a failure, and no answer."""
        return self._failures

    @property
    def answered_count(self) -> int:
        """How many keys have an answer."""
        return len(self) - self._failures

    def failed(self, key: str) -> bool:
        """Whether a key has a failure, and no answer."""
        number = self._keys.number(key)
        return number is not None and bool(self._places[number] & FAILED)

    def answered(self, key: str) -> bool:
        """Whether a key has an answer."""
        number = self._keys.number(key)
        return number is not None and not self._places[number] & FAILED

    def number(self, key: str) -> int | None:
        """The number of a key, in the order of their first lines; None of one that is not here."""
        return self._keys.number(key)

    def at(self, number: int) -> Response:
        """The response of the key of that number. Raises as `[]` does."""
        return self._response(number)

    def place_at(self, number: int) -> tuple[Path, int]:
        """The file and the offset of the line of the key of that number."""
        file, offset = _file_and_offset(self._places[number])
        return self._files[file], offset

    @property
    def without_failures(self) -> Mapping[str, Response]:
        """The answers alone, looked up here."""
        return _Answered(self)

    def place(self, key: str) -> tuple[Path, int]:
        """The file and the offset of a key's line. Raises KeyError."""
        number = self._keys.number(key)
        if number is None:
            raise KeyError(key)
        file, offset = _file_and_offset(self._places[number])
        return self._files[file], offset

    def answers(self) -> Iterator[Response]:
        """All that are no failures, read one by one."""
        return (self._response(number) for number, place in enumerate(self._places) if not place & FAILED)

    def _response(self, number: int) -> Response:
        file, offset = _file_and_offset(self._places[number])
        if file not in self._open:
            self._open[file] = _Opened(self._files[file])
        found = codec.response_from_json(line_value(self._open[file].line(offset)))
        if found.key != self._keys.key(number):
            raise ValueError(f"{self._files[file]} was written again")
        return found

    def _read(self, file: int, path: Path, faults: list[Damage]) -> None:
        self.clean &= not ends_torn(path)
        for number, offset, line, value in placed_lines(path, faults):
            self.clean &= value is None
            try:
                key, failed = key_and_failure(line, value)
            except (KeyError, TypeError, ValueError) as error:
                faults.append(Damage(path, number, f"{type(error).__name__}: {error}"))
                self.clean = False
                continue
            if self._note(key, file, offset, failed):
                faults.append(Damage(path, number, "a second answer to one request", lost=False))

    def _note(self, key: str, file: int, offset: int, failed: bool) -> bool:
        """Take a line in; whether it is a second answer in its file. An answer beats a failure; else the later line
        holds."""
        new = len(self._keys)
        number = self._keys.add(key)
        place = offset << FILE_BITS | file << 1 | failed
        self.clean &= number == new and not failed
        if number == new:
            self._places.append(place)
            self._failures += failed
            return False
        before = self._places[number]
        if failed and not before & FAILED:
            return False
        self._places[number] = place
        self._failures -= before & FAILED and not failed
        return not failed and not before & FAILED and _file_and_offset(before)[0] == file


class _Answered(Mapping[str, Response]):
    """Those keys of an index that have an answer."""

    def __init__(self, index: AnswerIndex) -> None:
        self._index = index

    def __len__(self) -> int:
        return self._index.answered_count

    def __iter__(self) -> Iterator[str]:
        return filter(self._index.answered, self._index)

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._index.answered(key)

    def __getitem__(self, key: str) -> Response:
        if key not in self:
            raise KeyError(key)
        return self._index[key]


def _file_and_offset(place: int) -> tuple[int, int]:
    return (place & ((1 << FILE_BITS) - 1)) >> 1, place >> FILE_BITS


def key_and_failure(line: bytes, value: Any) -> tuple[str, bool]:
    """The key of a line, and whether it is a failure. Raises what a line raises that is no response."""
    key = line[KEY_AT:KEY_ENDS]
    quoted = line[KEY_AT - 1 : KEY_AT] == line[KEY_ENDS : KEY_ENDS + 1] == b'"'
    if value is None and quoted and key.isalnum() and ERROR not in line:
        return key.decode("ascii"), False
    response = codec.response_from_json(line_value(line) if value is None else value)
    return response.key, response.error is not None


class _Opened:
    """A file that lines are read from, wherever they begin; closed when nobody needs it any more."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            os.close(self._descriptor)

    def line(self, offset: int) -> bytes:
        """The line that begins at `offset`, with its end where it has one."""
        found = b""
        while part := os.pread(self._descriptor, max(READ_AT_ONCE, len(found)), offset + len(found)):
            end = part.find(b"\n") + 1
            if end:
                return found + part[:end]
            found += part
        return found
