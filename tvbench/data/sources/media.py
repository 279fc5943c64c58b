"""The picture or clip that a cell holds or names: its bytes, in time. Nothing outside the data folder is ever read
(paths.py)."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tvbench.data.sources.paths import FileBytes, safe_path
from tvbench.errors import MediaError

LONGEST_PATH = 200
"""Longer text in a cell may be the media itself, in base64."""


@dataclass(frozen=True, slots=True)
class Blob:
    """The bytes of one picture or clip, read on demand. `name` is how a person finds it again."""

    name: str
    load: Callable[[], bytes] = field(repr=False, compare=False)


def media_in(value: Any, folder: Path, name: str, beside: str = "") -> tuple[str, Callable[[], bytes]]:
    """(what to call it, how to read its bytes) for the value of a cell. A path is meant from the top of `folder`, or
    from its folder `beside`. Raises MediaError where there is none."""
    if isinstance(value, Mapping):
        content = value.get("bytes")
        value = content if content else value.get("path")
    if isinstance(value, Blob):
        return value.name, value.load
    if isinstance(value, bytes | bytearray) and value:
        data = bytes(value)
        return name, lambda: data
    if isinstance(value, str) and value.strip():
        if (len(value) > LONGEST_PATH or value.startswith("data:")) and (decoded := _base64(value)) is not None:
            return name, lambda: decoded
        path = safe_path(folder, value, name, beside)
        return value, FileBytes(folder, path, name)
    raise MediaError(f"{name}: there is no picture or clip in the data")


def _base64(text: str) -> bytes | None:
    body = text.split(",", 1)[1] if text.startswith("data:") and "," in text else text
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return None
