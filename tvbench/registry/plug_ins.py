"""Finds what other packages add by entry points, without `importlib.metadata` where no package adds anything.

That module alone takes longer to import than a quick command may; here only the names of folders and the heads of
`entry_points.txt` are read. Whatever is not a plain folder of installed packages goes the long way. Knows nobody.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

INFO = (".dist-info", ".egg-info")


def plug_ins(group: str) -> list[EntryPoint]:
    """The entry points of `group` in all installed packages."""
    if not may_have(group):
        return []
    from importlib.metadata import entry_points

    return list(entry_points(group=group))


def may_have(group: str, paths: Iterable[str] | None = None) -> bool:
    """Whether a package in `paths` (`sys.path`) may add to `group`; False is certain."""
    if any(hasattr(finder, "find_distributions") and not _is_pythons(finder) for finder in sys.meta_path):
        return True
    return any(_folder_may_have(path or os.curdir, group) for path in (sys.path if paths is None else paths))


def _is_pythons(finder: object) -> bool:
    return getattr(finder, "__module__", "") in ("_frozen_importlib", "_frozen_importlib_external")


def _folder_may_have(folder: str, group: str) -> bool:
    try:
        with os.scandir(folder) as found:
            infos = [entry.path for entry in found if entry.name.casefold().endswith(INFO)]
    except NotADirectoryError:
        return True  # an archive
    except OSError:
        return False
    return any(_speaks_of(f"{info}/entry_points.txt", group) for info in [*infos, f"{folder}/EGG-INFO"])


def _speaks_of(path: str, group: str) -> bool:
    try:
        with open(path, "rb") as file:
            return group.encode() in file.read()
    except OSError:
        return False
