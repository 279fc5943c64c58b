"""What letters a file of rows is written in, what separates its cells, and a digest of its bytes.

UTF-8 and UTF-16 are told by their marks or tried; what is neither is read as Windows writes western European text, and
that is said. Knows bytes and text; no column has a meaning here but that its name is known.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from tvbench.errors import UsageError

BLOCK = 1 << 20
MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
WESTERN = "cp1252"
DELIMITERS = (",", ";", "\t", "|")
LOOKED_AT = 20
"""Rows by which a delimiter is told."""


@dataclass(frozen=True, slots=True)
class Lettering:
    """How a file is written: its encoding, the bytes before the text, a digest of everything, and what to say of it."""

    encoding: str
    skip: int
    digest: str
    note: str = ""


def written(path: Path, encoding: str = "") -> Lettering:
    """How `path` is written; `encoding` is what a person says. One pass. Raises UsageError where no encoding fits."""
    digest = hashlib.sha256()
    try:
        with path.open("rb") as file:
            head = file.read(4096)
            skip, guess = _guess(head)
            name = encoding or guess
            decoder = _decoder(path, name)
            good = _decodes(decoder, head[skip:])
            digest.update(head)
            while block := file.read(BLOCK):
                digest.update(block)
                good = good and _decodes(decoder, block)
            good = good and _decodes(decoder, b"", final=True)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from error
    if good:
        return Lettering(name, skip, digest.hexdigest(), "" if name == "utf-8" else f"read as {name.upper()}")
    if encoding or guess != "utf-8":
        raise UsageError(f"{path} is not written in {name}", "save it as UTF-8, or write encoding: in task.yaml")
    return _western(path, digest.hexdigest())


def _western(path: Path, digest: str) -> Lettering:
    decoder = _decoder(path, WESTERN)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            if not _decodes(decoder, block):
                raise UsageError(
                    f"{path} is neither UTF-8 nor UTF-16 nor Windows' western text",
                    "save it as UTF-8, or write encoding: in task.yaml (such as encoding: shift_jis)",
                )
    note = f"read as {WESTERN} (Windows), as it is not UTF-8; where letters look wrong, save it as UTF-8"
    return Lettering(WESTERN, 0, digest, note)


def _guess(head: bytes) -> tuple[int, str]:
    """(bytes of the mark, encoding) by the beginning of a file."""
    for mark, name in MARKS:
        if head.startswith(mark):
            return len(mark), name
    if len(head) >= 4 and head.count(0) > len(head) // 4:
        return 0, "utf-16-le" if head[1::2].count(0) > head[::2].count(0) else "utf-16-be"
    return 0, "utf-8"


def _decoder(path: Path, name: str) -> codecs.IncrementalDecoder:
    try:
        return codecs.getincrementaldecoder(name)("strict")
    except LookupError as error:
        raise UsageError(f"{path}: {name} is no encoding", "such as encoding: utf-8, cp1252 or shift_jis") from error


def _decodes(decoder: codecs.IncrementalDecoder, block: bytes, final: bool = False) -> bool:
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


# ── What separates the cells ──────────────────────────────────────────────────────────────────────


def delimiter_of(path: Path, lines: Sequence[str], known: Collection[str]) -> str:
    """The delimiter by the first `lines`: the one that gives the most columns of `known` names (folded), the same
    number of cells in each row, and the most cells; of equals the one that the file's ending says."""
    expected = "\t" if path.suffix.lower() == ".tsv" else ","

    def merit(delimiter: str) -> tuple[int, bool, int, bool]:
        try:
            rows = list(islice((row for row in csv.reader(lines, delimiter=delimiter) if any(row)), LOOKED_AT))
        except csv.Error:
            return (0, False, 0, delimiter == expected)
        if not rows:
            return (0, False, 0, delimiter == expected)
        named = sum(folded(cell) in known for cell in rows[0])
        return (named, len({len(row) for row in rows}) == 1, len(rows[0]), delimiter == expected)

    return max(DELIMITERS, key=merit)


def folded(name: object) -> str:
    """The name of a column without case, blanks and hyphens: `File Name` is `file_name`."""
    text = str(name).strip().casefold().replace("-", " ").replace("_", " ")
    return "_".join(text.split())
