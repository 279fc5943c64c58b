"""The lines of files that a service of batches gave back: whole or torn, plain or gzip, however long.

A file that breaks off gives what it holds until there. Knows bytes; knows no run and no answer.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from tvbench.errors import UsageError

LONGEST = 32 << 20
"""Bytes of one line. The longest reply that the openai engine takes has half of that."""
GZIP = b"\x1f\x8b"
BROKEN = (EOFError, zlib.error, gzip.BadGzipFile)


@dataclass(frozen=True, slots=True)
class ResultLine:
    """One line, or what is `wrong` with it."""

    number: int
    data: bytes = b""
    wrong: str = ""


def lines_of(path: Path) -> Iterator[ResultLine]:
    """Every line that holds anything. Raises UsageError for a file that cannot be read."""
    try:
        with _opened(path) as file:
            yield from _lines(file)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", "name the files of results") from error


def _opened(path: Path) -> BinaryIO:
    if path.is_dir():
        raise UsageError(f"{path} is a folder", f"name the files of results in it: {path}/*.jsonl")
    if not path.is_file():
        raise UsageError(f"there is no file {path}", "name the files that the batch gave back")
    file = path.open("rb")
    packed = file.read(2) == GZIP
    file.seek(0)
    return cast(BinaryIO, gzip.open(file)) if packed else file


def _lines(file: BinaryIO) -> Iterator[ResultLine]:
    number = 0
    while True:
        number += 1
        try:
            data = file.readline(LONGEST + 1)
            if len(data) > LONGEST and not data.endswith(b"\n"):
                _pass_over(file)
                yield ResultLine(number, wrong=f"it is longer than {LONGEST >> 20} MB")
                continue
        except BROKEN:
            yield ResultLine(number, wrong="the packed file breaks off here")
            return
        if not data:
            return
        if text := data.removeprefix(b"\xef\xbb\xbf").strip():
            yield ResultLine(number, text)


def _pass_over(file: BinaryIO) -> None:
    """Go to the end of the line."""
    while (more := file.readline(LONGEST)) and not more.endswith(b"\n"):
        pass
