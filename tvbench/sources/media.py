"""The picture or clip that a cell holds or names: its bytes, in time. Nothing outside the data folder is ever read."""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tvbench.errors import MediaError

MEDIA_FOLDERS = ("", "images", "videos", "data", "media")
LONGEST_PATH = 200
"""Longer text in a cell may be the media itself, in base64."""


@dataclass(frozen=True, slots=True)
class Blob:
    """The bytes of one picture or clip, read on demand. `name` is how a person finds it again."""

    name: str
    load: Callable[[], bytes] = field(repr=False, compare=False)


def media_in(value: Any, folder: Path, name: str) -> tuple[str, Callable[[], bytes]]:
    """(what to call it, how to read its bytes) for the value of a cell. Raises MediaError where there is none."""
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
        path = safe_path(folder, value, name)
        return value, path.read_bytes
    raise MediaError(f"{name}: there is no picture or clip in the data")


def _base64(text: str) -> bytes | None:
    body = text.split(",", 1)[1] if text.startswith("data:") and "," in text else text
    try:
        return base64.b64decode("".join(body.split()), validate=True)
    except (binascii.Error, ValueError):
        return None


def safe_path(folder: Path, relative: str, name: str) -> Path:
    """A file below `folder` or its media folders. Raises MediaError for one outside, or none.

    The path itself must not lead out of the folder, and no link either. The hub's cache is an exception: the files of a
    snapshot are links into the `blobs` of the same repository.
    """
    root = folder.resolve()
    linked = root.parents[1] if root.parent.name == "snapshots" else root
    for sub in MEDIA_FOLDERS:
        path = Path(os.path.normpath(root / sub / relative))
        try:
            if not path.is_relative_to(root) or not path.resolve().is_relative_to(linked):
                raise MediaError(f"{name}: {relative} lies outside the data folder {root}, or is a link that leads out "
                                 "of it; name the folder that it leads to as the data's own")
            if path.is_file():
                return path
        except (OSError, ValueError) as error:  # longer than a path may be, or with a zero byte in it
            raise MediaError(f"{name}: {relative[:60]!r} is neither a file nor base64") from error
    raise MediaError(f"{name}: the file {relative} is not in {folder}")
