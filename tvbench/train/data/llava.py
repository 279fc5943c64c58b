"""LLaVA-style JSON and JSON lines as a corpus that is never in memory as a whole.

A file is scanned once for where each sample begins, how long it is, and its columns; that index is kept in the cache
(numpy arrays, no pickle). A sample is then one seek and one parse. Pictures lie beside the file, or below
`options.images`. Knows no filter and no tensor.
"""

from __future__ import annotations

import hashlib
import json
import mmap
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tvbench.data.sources.media import media_in
from tvbench.errors import UsageError
from tvbench.registry.places import cache_root
from tvbench.safety.bounded import json_value
from tvbench.train.data.columns import Columns, columns_of, joined
from tvbench.train.data.entries import Entry
from tvbench.train.data.rows import outline_of, sample_of
from tvbench.train.data.sample import BrokenSample, Outline, TrainSample
from tvbench.types import Media

FORMAT = 2
"""Raise when the index changes: older ones are then made again."""
OPTIONS = ("images", "columns")
SUFFIXES = (".json", ".jsonl")
LINES_TRIED = 5
"""A file whose first lines are all no JSON objects is not one of JSON lines."""
_PIECES = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)


class LlavaCorpus:
    """All samples of an entry's files. Raises UsageError for a missing or unreadable file."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry
        self.renamed: Mapping[str, str] = entry.options.get("columns", {})
        self.files = [_File(path, entry, self.renamed) for path in files_of(str(entry.path))]
        self._ends = np.cumsum([len(file) for file in self.files])

    def __len__(self) -> int:
        return int(self._ends[-1])

    def columns(self) -> Columns:
        """Of every sample."""
        return joined([file.columns for file in self.files])

    def outline(self, index: int) -> Outline:
        file, place = self._find(index)
        return file.columns.outline(place)

    def sample(self, index: int) -> TrainSample:
        file, place = self._find(index)
        return file.sample(place)

    def _find(self, index: int) -> tuple[_File, int]:
        number = int(np.searchsorted(self._ends, index, side="right"))
        return self.files[number], index - (int(self._ends[number - 1]) if number else 0)


def files_of(pattern: str) -> list[Path]:
    """The files that a path means: `/data/{a,b}.json` joins two, `*` is a glob, a folder gives all its JSON files.

    Raises UsageError where there is none.
    """
    found: list[Path] = []
    for expanded in braces(pattern):
        path = Path(expanded).expanduser()
        if path.is_dir():
            found += _files_in(path)
        elif any(sign in expanded for sign in "*?["):
            found += sorted(Path(path.anchor or ".").glob(str(path.relative_to(path.anchor))))
        elif path.is_file():
            found.append(path)
        else:
            raise UsageError(f"there is no {path}", "set the dataset's path: --set datasets.NAME.path=FILE")
    if not found:
        raise UsageError(f"no JSON or JSON-lines file is at {pattern}")
    return found


def _files_in(folder: Path) -> list[Path]:
    """The data files of a folder; where it has none itself, those of the folders in it."""
    here = sorted(inner for inner in folder.iterdir() if inner.suffix in SUFFIXES)
    return here or sorted(inner for inner in folder.rglob("*") if inner.suffix in SUFFIXES)


def braces(pattern: str) -> list[str]:
    """`a{b,c}d` as `abd` and `acd`, from left to right."""
    match = re.search(r"\{([^{}]*)\}", pattern)
    if match is None:
        return [pattern]
    return [
        expanded
        for choice in match[1].split(",")
        for expanded in braces(pattern[: match.start()] + choice.strip() + pattern[match.end() :])
    ]


class _File:
    """One file with its index."""

    def __init__(self, path: Path, entry: Entry, renamed: Mapping[str, str]) -> None:
        for name in entry.options:
            if name not in OPTIONS:
                raise UsageError(f"{entry.name}: unknown option '{name}'", f"known: {', '.join(OPTIONS)}")
        self.path, self.entry, self.renamed = path, entry, renamed
        self.images = Path(entry.options.get("images", path.parent)).expanduser()
        self.starts, self.lengths, self.columns = self._index()

    def __len__(self) -> int:
        return len(self.starts)

    def sample(self, place: int) -> TrainSample:
        """Raises BrokenSample."""
        name = f"{self.path.name}#{place}"
        with self.path.open("rb") as file:
            file.seek(int(self.starts[place]))
            text = file.read(int(self.lengths[place]))
        row = _parsed(text)
        if row is None:
            raise BrokenSample(name, "not a JSON object")
        return sample_of(row, name, self.entry.name, self._media, self.renamed)

    def _media(self, value: Any, kind: Literal["image", "video"], name: str) -> Media:
        label, load = media_in(value, self.images, name)
        return Media(kind, label, load)

    def _index(self) -> tuple[np.ndarray, np.ndarray, Columns]:
        stat = self.path.stat()
        said = json.dumps(
            [
                FORMAT,
                str(self.path.resolve()),
                stat.st_size,
                stat.st_mtime_ns,
                self.entry.name,
                sorted(self.renamed.items()),
            ]
        )
        cached = cache_root() / "train-index" / f"{hashlib.sha256(said.encode()).hexdigest()[:24]}.npz"
        return _read_index(cached) or self._scanned(cached)

    def _scanned(self, cached: Path) -> tuple[np.ndarray, np.ndarray, Columns]:
        with self.path.open("rb") as file:
            if self.path.stat().st_size == 0:
                raise UsageError(f"{self.path} is empty")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                spans = self._spans(data)
                columns = columns_of(self._outlines(data, spans))
        if not spans:
            raise UsageError(f"{self.path} holds no sample")
        starts, lengths = (np.asarray(column, dtype=np.int64) for column in zip(*spans, strict=True))
        _write_index(cached, starts, lengths, columns)
        return starts, lengths, columns

    def _spans(self, data: mmap.mmap) -> list[tuple[int, int]]:
        """Where the samples are. Raises UsageError where the file is damaged so that some would be lost unnoticed."""
        if _is_list(data):
            try:
                return list(list_spans(data))
            except ValueError as error:
                raise UsageError(
                    f"{self.path}: {error}",
                    "it was cut off, or is no JSON; `python -m json.tool` says "
                    "where. As JSON lines, a broken sample costs only itself",
                ) from error
        spans = list(line_spans(data))
        if spans and all(_parsed(data[start : start + length]) is None for start, length in spans[:LINES_TRIED]):
            raise UsageError(
                f"{self.path} is neither a JSON list nor JSON lines", "a list of samples, or one sample on each line"
            )
        return spans

    def _outlines(self, data: mmap.mmap, spans: list[tuple[int, int]]) -> Iterator[tuple[Outline, float | None]]:
        for start, length in spans:
            row = _parsed(data[start : start + length])
            yield (
                (Outline(0, "text", "en", self.entry.name), None)
                if row is None
                else outline_of(row, self.entry.name, self.renamed)
            )


def line_spans(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Start and length of every line that is not blank."""
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        if data[start:end].strip():
            yield start, end - start
        start = end + 1


def list_spans(data: mmap.mmap) -> Iterator[tuple[int, int]]:
    """Start and length of every object in a JSON list, and of what else stands between its commas. Whole strings are
    stepped over, whatever they hold. Raises ValueError where brackets do not match: samples would be lost."""
    depth = start = end = count = 0
    for piece in _PIECES.finditer(data):
        sign = piece[0]
        if sign in (b"{", b"["):
            if depth < 2:
                yield from _other(data, end, piece.start())
                start = end = piece.end() if depth == 0 else piece.start()
            depth += 1
        elif sign in (b"}", b"]"):
            depth -= 1
            if depth == 1:
                end, count = piece.end(), count + 1
                yield start, end - start
            elif depth == 0:
                yield from _other(data, end, piece.start())
                if data[piece.end() :].strip():
                    place = f"after {count:,} samples, at byte {piece.start():,}"
                    raise ValueError(f"the list ends {place}, with more behind it")
                return
    raise ValueError(f"the list does not end; {count:,} samples are whole, up to byte {end:,}")


def _other(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int]]:
    """What stands between two objects, if it is more than commas."""
    if data[start:end].strip(b"\xef\xbb\xbf \t\r\n,"):
        yield start, end - start


def _is_list(data: mmap.mmap) -> bool:
    return data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")


def _parsed(text: bytes) -> dict[str, Any] | None:
    try:
        row = json_value(text)
    except ValueError:
        return None
    return row if isinstance(row, dict) else None


def _write_index(path: Path, starts: np.ndarray, lengths: np.ndarray, columns: Columns) -> None:
    """Keep the index; where that cannot be, it is made again the next time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        work = path.with_suffix(".partial.npz")
        np.savez(
            work,
            starts=starts,
            lengths=lengths,
            words=columns.words,
            modality=columns.modality,
            language=columns.language,
            languages=np.asarray(columns.languages, dtype=np.str_),
            source=columns.source,
            sources=np.asarray(columns.sources, dtype=np.str_),
            score=columns.score,
        )
        work.rename(path)
    except OSError:
        return


def _read_index(path: Path) -> tuple[np.ndarray, np.ndarray, Columns] | None:
    try:
        with np.load(path, allow_pickle=False) as kept:
            columns = Columns(
                kept["words"],
                kept["modality"],
                kept["language"],
                tuple(kept["languages"].tolist()),
                kept["source"],
                tuple(kept["sources"].tolist()),
                kept["score"],
            )
            return kept["starts"], kept["lengths"], columns
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error):
        return None  # damaged: it is made again
