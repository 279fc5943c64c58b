"""Keeps what a quick command lists, together with the state of every file that had a part in it.

As Python does with its bytecode, and more strictly: a value is taken again only while size, both times and inode of all
those files and folders are what they were, and it is kept only by a process that is younger than all of them. Whatever
is wrong with the kept file, or with the cache, means that it is worked out again. Only JSON is kept. Knows where the
cache lies; knows no task and no model.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from tvbench import _LOADED, __version__
from tvbench.registry.places import cache_name

FORMAT = 1
FRESH = 2 * 10**9
"""Nanoseconds: a file younger than this may change again without another time."""
State = list[int]


def remembered(name: str, key: list[str], compute: Callable[[], tuple[Any, Iterable[object] | None]]) -> Any:
    """What was kept of `name` under this key, while it holds. Otherwise what `compute` gives: a value that JSON can
    hold, and the files and folders that it was made of besides tvbench's own modules; None: it is not to be kept."""
    identity = [FORMAT, __version__, sys.version, *_packages(), *key]
    with suppress(OSError, RuntimeError, ValueError, TypeError, KeyError):
        return _kept(f"{cache_name()}/lists/{name}.json", identity)
    value, parts = compute()
    if parts is None:
        return value
    with suppress(OSError, RuntimeError, ValueError, TypeError):
        states = {path: _state(path) for path in sorted({*map(str, parts), *_own_modules(), *_packages()})}
        if max(max(state[1:3], default=0) for state in states.values()) < _LOADED - FRESH:
            _keep(f"{cache_name()}/lists/{name}.json", {"of": identity, "states": states, "value": value})
    return value


def _kept(path: str, identity: list[Any]) -> Any:
    """Raises ValueError, or whatever reading does, for what is not there, of another key, or of other files."""
    import json

    with open(path, "rb") as file:
        kept = json.load(file)
    if kept["of"] != identity or any(_state(path) != state for path, state in kept["states"].items()):
        raise ValueError("it is of other files")
    return kept["value"]


def _keep(path: str, kept: dict[str, Any]) -> None:
    """Another process never sees half of it. A cache that is named relative to wherever one is gets nothing."""
    import json
    import tempfile
    from pathlib import Path

    if not Path(path).is_absolute():
        return
    text = json.dumps(kept, allow_nan=False)
    Path(path).parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=Path(path).parent, suffix=".part")
    try:
        with open(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


def _state(path: str) -> State:
    try:
        about = os.stat(path)  # noqa: PTH116 - some hundred of them, in a millisecond
    except FileNotFoundError:
        return []
    return [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino, about.st_dev]


def _own_modules() -> list[str]:
    """The source of every module of tvbench that is loaded: what was listed cannot have come through another."""
    loaded = (module for name, module in list(sys.modules.items()) if name.partition(".")[0] == "tvbench")
    return [str(file) for module in loaded if (file := getattr(module, "__file__", None))]


def _packages() -> list[str]:
    """The folders of installed packages: each install, upgrade and removal changes the time of one."""
    here = os.getcwd()  # noqa: PTH109
    return [path for path in dict.fromkeys(sys.path) if path not in ("", here)]
