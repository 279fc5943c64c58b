"""YAML and JSON of strangers: read within bounds of size, depth and alias expansion, or refused in one sentence.

Whatever is wrong (other bytes than UTF-8, a bomb of aliases, an anchor that holds itself, a key given twice, a number
of a million digits, a tag that fits no value) is one ValueError with one line. Knows nobody.
"""

from __future__ import annotations

import json
import math
import stat
from json.scanner import make_scanner
from pathlib import Path
from typing import Any

DEEPEST = 50
"""Mappings and lists inside each other."""
MOST_NODES = 200_000
"""Values of a YAML file, every alias counted as what it stands for."""
MOST_YAML = 4 << 20
"""Bytes of a YAML file; the largest that ships has 30 kB."""
MOST_JSON = 1 << 30
"""Bytes of any other JSON file."""
MOST_OBJECT = 256 << 20
"""Bytes of a JSON file of a checkpoint. Tokenizers of a quarter of a million tokens take 40 MB."""
_scan = make_scanner(json.JSONDecoder())  # type: ignore[arg-type]  # typeshed names the class after itself
"""The value at a place of a text, and where it ends; StopIteration where there is none."""


def read_text(path: Path, most: int) -> str:
    """The text of an ordinary file of at most `most` bytes. Raises OSError, and ValueError for any other."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise ValueError("it is not an ordinary file")
    if about.st_size > most:
        raise ValueError(f"it has {about.st_size:,} bytes, more than the {most:,} that are read")
    try:
        return path.read_bytes().decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise ValueError(f"it is not UTF-8 (byte {error.start:,})") from error


def is_plain(value: Any) -> bool:
    """Whether JSON can hold it: no dates, bytes, sets or infinities, which YAML has."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and is_plain(inner) for name, inner in value.items())
    if isinstance(value, list):
        return all(map(is_plain, value))
    return value is None or isinstance(value, str | int) or (isinstance(value, float) and math.isfinite(value))


# ── JSON ──────────────────────────────────────────────────────────────────────────────────────────


def json_value(text: str | bytes, deepest: int = DEEPEST) -> Any:
    """The value of a JSON text. Raises ValueError, also for one that is nested more than `deepest` levels deep."""
    try:
        value = _loaded(text)
    except RecursionError:
        raise ValueError(f"it is nested more than {deepest} levels deep") from None
    except ValueError as error:
        if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
            raise
        raise ValueError("it holds a number of more digits than can be read") from error
    opened = text.count("{") + text.count("[") if isinstance(text, str) else text.count(b"{") + text.count(b"[")
    if opened > deepest and _is_deeper(value, deepest):
        raise ValueError(f"it is nested more than {deepest} levels deep")
    return value


def _loaded(text: str | bytes) -> Any:
    """As `json.loads`, in less time for one of many short texts with nothing around the value."""
    if isinstance(text, bytes):
        return json.loads(text)
    try:
        value, end = _scan(text, 0)
    except StopIteration:
        return json.loads(text)
    return value if text[end:] in ("", "\n") else json.loads(text)


def read_json(path: Path) -> Any:
    """The value of a JSON file. Raises OSError or ValueError."""
    return json_value(read_text(path, MOST_JSON))


def read_object(path: Path) -> dict[str, Any]:
    """The JSON object in a checkpoint's file. Raises OSError or ValueError, which do not name the file."""
    check_ordinary(path)
    value = json_value(read_text(path, MOST_OBJECT))
    if not isinstance(value, dict):
        raise ValueError("it does not hold a JSON object")
    return value


def check_ordinary(path: Path) -> None:
    """Raise OSError unless `path` is a file, or a link to one: no folder, pipe, device or link to itself."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(f"{path.name} is not an ordinary file")


def _is_deeper(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most + 1):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return True


# ── YAML ──────────────────────────────────────────────────────────────────────────────────────────


def read_yaml(path: Path) -> Any:
    """The value of a YAML file. Raises OSError or ValueError."""
    return yaml_value(read_text(path, MOST_YAML))


def yaml_value(text: str, *, twice: bool = False) -> Any:
    """The value of a YAML text, of plain types only. `twice`: a key may be given twice, the later counts.

    Raises ValueError with one line.
    """
    import yaml

    # The C loader is ten times faster, and safe in the same way; not every build of PyYAML has it.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    if len(text) > MOST_YAML:
        raise ValueError(f"it has more than {MOST_YAML:,} characters")
    try:
        _check_events(yaml.parse(text, Loader=loader), twice=twice)
        return loader(text).get_single_data()
    except yaml.YAMLError as error:
        raise ValueError("; ".join(line.strip() for line in str(error).splitlines()[:4])) from error
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        # What PyYAML's constructors raise for values that do not fit their tag: `!!bool x`, `!!int ""`, 2026-13-45.
        if isinstance(error, OutOfBounds):
            raise
        raise ValueError(f"a value does not fit its type ({type(error).__name__}: {str(error)[:80]})") from error


class OutOfBounds(ValueError):
    """Well-formed, but not within the bounds."""


class _Frame:
    """A list or a mapping that is being read: how many values it stands for, and the keys that it has."""

    def __init__(self, event: Any, *, keyed: bool) -> None:
        self.anchor, self.weight, self.keyed = event.anchor, 1, keyed
        self.places, self.keys = 0, set[str]()

    def add(self, weight: int, key: str | None, *, twice: bool) -> None:
        if self.keyed and self.places % 2 == 0 and key is not None and key != "<<":
            if key in self.keys and not twice:
                raise OutOfBounds(f"the key {key[:60]!r} is given twice")
            self.keys.add(key)
        self.places, self.weight = self.places + 1, self.weight + weight


def _check_events(events: Any, *, twice: bool) -> None:
    """Depth, alias expansion and keys, before anything is built. Raises Refused."""
    import yaml.events as kinds

    known: dict[str, int] = {}
    frames: list[_Frame] = []
    for event in events:
        key: str | None = None
        if isinstance(event, kinds.CollectionStartEvent):
            frames.append(_Frame(event, keyed=isinstance(event, kinds.MappingStartEvent)))
            if len(frames) > DEEPEST:
                raise OutOfBounds(f"it is nested more than {DEEPEST} levels deep")
            continue
        if isinstance(event, kinds.CollectionEndEvent):
            done = frames.pop()
            anchor, weight = done.anchor, done.weight
        elif isinstance(event, kinds.AliasEvent):
            named = str(event.anchor)
            if any(frame.anchor == named for frame in frames):
                raise OutOfBounds(f"the anchor {named[:60]} holds itself")
            anchor, weight = None, known.get(named, 1)
        elif isinstance(event, kinds.ScalarEvent):
            anchor, weight, key = event.anchor, 1, event.value
        else:
            continue
        if anchor is not None:
            known[anchor] = weight
        if frames:
            frames[-1].add(weight, key, twice=twice)
        if weight > MOST_NODES or (frames and frames[-1].weight > MOST_NODES):
            raise OutOfBounds(f"its aliases and values stand for more than {MOST_NODES:,} values")
