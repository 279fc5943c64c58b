"""Reads a JSON object from a file that a stranger may have made: an ordinary file, of a bearable size and depth.

Knows no format. A named pipe would wait for ever, a device would never end, and deep nesting breaks the parser.
"""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

LARGEST = 256 << 20
"""Bytes. Tokenizers of a quarter of a million tokens take 40 MB."""


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in `path`. Raises OSError and ValueError, each with a sentence that does not name the file."""
    check_ordinary(path)
    if path.stat().st_size > LARGEST:
        raise ValueError(f"it is larger than {LARGEST >> 20} MB")
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            raise
        raise ValueError("it holds a number of more digits than can be read") from error
    if not isinstance(value, dict):
        raise ValueError("it does not hold a JSON object")
    return value


def check_ordinary(path: Path) -> None:
    """Raise OSError unless `path` is a file, or a link to one: no folder, pipe, device or link to itself."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path.name} is not an ordinary file")
