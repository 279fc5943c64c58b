"""The pictures and clips of a row: files beside the table, base64 or bytes in a cell, or those of another row.

A path is meant from the table's folder, then from the top of the data; nothing outside is read (sources/paths.py).
Nothing is opened here: what is not there is a `Missing` medium, which the gate makes its item's problem.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from tvbench.data.authoring import Missing, literal
from tvbench.data.own.cells import NOTHING, Large, base64_pieces, decoded, flat, is_empty, text_in
from tvbench.data.own.columns import Medium, Roles
from tvbench.data.own.layout import CLIPS
from tvbench.data.sources.media import Blob, media_in
from tvbench.data.sources.paths import FileBytes, safe_path
from tvbench.errors import MediaError
from tvbench.types import Media

SEVERAL = re.compile(r"\s*[;|\n]\s*|,\s*")
"""What separates several file names in one cell, where it is not the name of one file."""
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
SHORTEST_INDEX = 64
"""A longer text is no other row's index (as in VLMEvalKit)."""
SHOWN = 80


@dataclass(frozen=True, slots=True)
class Found:
    """One picture or clip of a row, and what tells it from others."""

    media: Media
    key: str

    @property
    def problem(self) -> str | None:
        return self.media.load.problem if isinstance(self.media.load, Missing) else None


@dataclass(slots=True)
class Album:
    """Where the media of a table are looked for: its folder, and pictures of other rows by their index."""

    folder: Path
    beside: str = ""
    frames: int | None = None
    by_index: Mapping[str, Any] = field(default_factory=dict)

    def of_row(self, cells: Mapping[str, Any], roles: Roles, name: str) -> list[Found]:
        """The media of a row in the order of their columns; `name` is who asks."""
        found = list(self._in_columns(cells, roles.media, name))
        return found or list(self._in_columns(cells, roles.instead, name))

    def _in_columns(self, cells: Mapping[str, Any], columns: tuple[Medium, ...], name: str) -> Iterator[Found]:
        for column in columns:
            value = cells.get(column.column)
            if not is_empty(value) and value not in NOTHING:
                for place, entry in enumerate(self._entries(value)):
                    yield self._one(entry, column.kind, f"{name}.{column.column}" + (f"[{place}]" if place else ""))

    def _entries(self, value: Any) -> list[Any]:
        """The media that a cell holds or names."""
        if isinstance(value, str):
            text = value.strip()
            if text[:1] == "[" and isinstance(inner := literal(text), list):
                return [entry for entry in flat(inner) if not is_empty(entry)]
            if not self._is_there(text) and len(parts := [part for part in SEVERAL.split(text) if part]) > 1:
                return parts if "data:" not in text and self._is_there(parts[0]) else [text]
        return [entry for entry in flat(value) if not is_empty(entry)]

    def _one(self, value: Any, kind: str, name: str) -> Found:
        if isinstance(value, Large):
            return Found(Media(self._kind(kind, ""), name, value.load, frames=self._frames(kind)), value.digest)
        if isinstance(value, Blob | bytes | bytearray) or (isinstance(value, Mapping) and value.get("bytes")):
            label, load = media_in(value, self.folder, name, self.beside)
            ending = str(value.get("path") or "") if isinstance(value, Mapping) else ""
            content = value if isinstance(value, bytes) else value.get("bytes") if isinstance(value, Mapping) else None
            key = hashlib.sha256(content).hexdigest()[:16] if isinstance(content, bytes) else label
            return Found(self._made(kind, ending, label, load), key)
        text = text_in(value.get("path") if isinstance(value, Mapping) else value)
        if pieces := base64_pieces(text):
            return self._base64(pieces[0], kind, name)
        return self._named(text, kind, name)

    def _base64(self, text: str, kind: str, name: str) -> Found:
        content = decoded(text)
        key = hashlib.sha256(text.encode()).hexdigest()[:16]
        load = (lambda: content) if content is not None else Missing(f"{name}: the text is neither a file nor base64")
        return Found(self._made(kind, "", name, load), key)

    def _named(self, text: str, kind: str, name: str) -> Found:
        """The file at a path, or the picture of the row of that index."""
        try:
            path = self._path(text, name)
        except MediaError as error:
            other = self.by_index.get(text) if len(text) <= SHORTEST_INDEX else None
            if other is not None:
                return self._one(other, kind, name)
            return Found(self._made(kind, text, text[:SHOWN], Missing(self._why(text, error))), text)
        key = path.relative_to(Path(self.folder).resolve()).as_posix()
        return Found(self._made(kind, text, key, FileBytes(Path(self.folder), path, name)), key)

    def _why(self, text: str, error: MediaError) -> str:
        if ADDRESS.match(text):
            return f"{text[:SHOWN]} is an address, and tvbench downloads none: put the file next to the table"
        return error.message

    def _path(self, text: str, name: str) -> Path:
        """Raises MediaError where there is no such file in the folder."""
        failure: MediaError | None = None
        for spelt in dict.fromkeys(_spellings(text)):
            for relative in dict.fromkeys((f"{self.beside}/{spelt}" if self.beside not in ("", ".") else spelt, spelt)):
                try:
                    return safe_path(self.folder, relative, name)
                except MediaError as error:
                    failure = failure or error
        assert failure is not None
        raise failure

    def _is_there(self, text: str) -> bool:
        try:
            return len(text) < 1000 and bool(self._path(text, ""))
        except MediaError:
            return False

    def _made(self, kind: str, ending: str, name: str, load: Any) -> Media:
        kind = self._kind(kind, ending or name)
        return Media("video" if kind == "video" else "image", name, load, frames=self._frames(kind))

    def _kind(self, kind: str, name: str) -> Literal["image", "video"]:
        """What the column says, but for a file whose ending says otherwise."""
        if kind == "video" or name.lower().endswith(CLIPS):
            return "video"
        return "image"

    def _frames(self, kind: str) -> int | None:
        return self.frames if kind == "video" else None


def _spellings(text: str) -> Iterator[str]:
    """A path as it stands, with the slashes of this machine, and in the Unicode forms of others."""
    yield text
    if "\\" in text:
        yield text.replace("\\", "/")
    for form in ("NFC", "NFD"):
        yield unicodedata.normalize(form, text.replace("\\", "/"))
