"""What stands in a cell: text in one form whatever the file's kind, lists however they are written, base64.

Knows values; no column and no file.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from tvbench.data.authoring import literal
from tvbench.data.splitting import labelled_spans, split_label, texts_of
from tvbench.errors import MediaError

LONG = 64
"""A longer text in a cell for media may be the picture itself, in base64 (as in VLMEvalKit)."""
NOTHING = ("nan", "NaN")
"""Beside no text at all: what pandas writes for nothing. As an answer or an option it is a bread."""
SEPARATORS = ("\n", "|", ";", " / ", "/", "\u061b", "\uff1b", "\u3001", "\uff0c", "\u060c", ",")
"""What may stand between options or references that share a cell, the surest first."""
LABELS = "labels"
"""Stands for `A) red B) blue`: the labels separate."""


class Reading(Protocol):
    """Reads a cell again, from the file."""

    def __call__(self) -> Any: ...


@dataclass(frozen=True, slots=True)
class Large:
    """A picture in base64 that a cell of text holds; it is read again when it is wanted. `digest` tells equal ones,
    `place` is its place in a cell with several."""

    digest: str
    read: Reading = field(repr=False, compare=False)
    place: int = 0

    def load(self) -> bytes:
        """The picture's bytes. Raises MediaError."""
        pieces = base64_pieces(self.read())
        found = decoded(pieces[self.place]) if self.place < len(pieces) else None
        if found is None:
            raise MediaError("the cell does not hold what it held before, or is no base64")
        return found


def text_in(value: Any) -> str:
    """A cell as text, without blanks at its ends: 3 and "3" are one, and a number of pandas without value is none."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value).strip()


def is_empty(value: Any) -> bool:
    """Whether nothing stands in a cell."""
    if isinstance(value, Mapping):
        return not any(value.values())
    if isinstance(value, list | tuple):
        return all(map(is_empty, value))
    return isinstance(value, str | float | type(None)) and text_in(value) == ""


def listed(value: Any) -> list[str] | None:
    """The texts of a cell that is a list by itself: a list, {"A": ...}, or either written in JSON or Python. None for
    any other text."""
    if isinstance(value, str):
        text = value.strip()
        if text[:1] + text[-1:] not in ("[]", "{}"):
            return None
        value = literal(text)
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, Sequence) or isinstance(value, str | bytes):
        return None
    return [text for entry in value if (text := text_in(entry))]


def cut(text: str, separator: str) -> list[str]:
    """The pieces of a text between separators; a label before each is left out where all have theirs."""
    pieces = texts_of(text, labelled_spans(text)) if separator == LABELS else text.split(separator)
    return unlabelled([piece.strip() for piece in pieces if piece.strip()])


def unlabelled(options: Sequence[str]) -> list[str]:
    """Options without `A.`, `(B)`, ..., where all have them in order: letters of our own are shown."""
    split = [split_label(option) for option in options]
    if (
        len(split) < 2
        or [place for place, _ in split] != list(range(len(options)))
        or not all(text for _, text in split)
    ):
        return list(options)
    return [text for _, text in split]


# ── Base64 ────────────────────────────────────────────────────────────────────────────────────────

_BASE64 = re.compile(r"[A-Za-z0-9+/_\s-]+={0,2}\s*")


def base64_pieces(value: Any) -> list[str]:
    """The pictures in base64 that a cell holds as text: one, or a list of them. None of them is decoded."""
    if isinstance(value, str) and value.lstrip()[:1] == "[":
        value = literal(value)
    pieces = value if isinstance(value, list | tuple) else [value]
    return [piece for piece in pieces if isinstance(piece, str) and is_base64(piece)]


def is_base64(text: str) -> bool:
    """Whether a text may be media in base64: too long for a path, or announced as data."""
    if text.startswith("data:"):
        return True
    return len(text) > LONG and all(_BASE64.fullmatch(part) for part in (text[:400], text[-400:]))


def decoded(text: str) -> bytes | None:
    """The bytes of a text in base64; None where it is none."""
    body = text.split(",", 1)[1] if text.startswith("data:") and "," in text else text
    body = "".join(body.split())
    try:
        return base64.b64decode(body + "=" * (-len(body) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None


def flat(value: Any) -> Iterator[Any]:
    """The entries of lists in lists."""
    if isinstance(value, list | tuple):
        for entry in value:
            yield from flat(entry)
    else:
        yield value
