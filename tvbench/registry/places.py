"""Where things lie: the folders that are searched for tasks and models, the user's own configuration, and the cache.

Knows paths only: it reads no file in them. Works on plain text, because importing `pathlib` is a good part of a quick
command's start; everybody else gets paths.
"""

from __future__ import annotations

import os
from os.path import abspath, dirname, expanduser, isabs, isdir, isfile, join, realpath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

DEFAULT_RESULTS = "./results"
INCLUDE = "TVBENCH_INCLUDE_PATH"
"""Folders that are searched before all others, as PATH writes them; `--include-path` goes before it."""

_included: list[str] = []


def include(folders: Iterable[object]) -> None:
    """Search these folders first, in place of those of the last call."""
    _included[:] = map(str, folders)


def included() -> tuple[str, ...]:
    """The folders of `--include-path` and of $TVBENCH_INCLUDE_PATH, whether they exist or not."""
    named = os.environ.get(INCLUDE, "").split(os.pathsep)
    return tuple(dict.fromkeys(realpath(expanduser(folder)) for folder in (*_included, *named) if folder))


def search_folders(kind: str) -> tuple[Path, ...]:
    """The existing folders named `kind` (`tasks`, `models`), nearest first.

    Those that were included, each itself and its folder `kind`; the working directory, then the user's own
    configuration, then the checkout beside the package (an editable install), then what travels inside the wheel. A
    folder beside an installed package is somebody else's unless a pyproject.toml says that it is a checkout.
    """
    return tuple(map(_path, folder_names(kind)))


def folder_names(kind: str) -> tuple[str, ...]:
    """The names of the same."""
    first = [name for folder in included() for name in (folder, join(folder, kind))]
    candidates = [*first, abspath(kind), *_own_candidates(kind)]
    return tuple(dict.fromkeys(realpath(folder) for folder in candidates if isdir(folder)))


def nearby_folder(kind: str) -> Path | None:
    """The working directory's folder named `kind`, where only it is searched for: neither the user's own configuration
    nor what ships with tvbench. Whoever wrote it need not be the user."""
    folder = realpath(kind)
    return _path(folder) if isdir(folder) and folder not in map(realpath, _own_candidates(kind)) else None


def only_ours(kind: str) -> bool:
    """Whether nothing but what comes with tvbench is searched."""
    return not included() and nearby_folder(kind) is None and not os.path.exists(join(_config_root(), kind))


def is_shipped(folder: str | Path, kind: str) -> bool:
    """Whether `folder` is the one named `kind` that belongs to tvbench itself."""
    return realpath(folder) in map(realpath, _shipped(kind))


def config_root() -> Path:
    """$XDG_CONFIG_HOME/tvbench, or ~/.config/tvbench: cards and tasks that the user vouches for. It need not exist."""
    return _path(_config_root())


def _config_root() -> str:
    root = os.environ.get("XDG_CONFIG_HOME", "")
    # As the XDG rules have it; a relative one would be the working directory again.
    return join(root if isabs(root) else join(os.environ.get("HOME", ""), ".config"), "tvbench")


def _own_candidates(kind: str) -> list[str]:
    return [*([join(_config_root(), kind)] if isabs(_config_root()) else []), *_shipped(kind)]


def _shipped(kind: str) -> list[str]:
    package = dirname(dirname(realpath(__file__)))
    beside = [join(dirname(package), kind)] if isfile(join(dirname(package), "pyproject.toml")) else []
    return [*beside, join(package, "shipped", kind)]


def cache_root() -> Path:
    """$TVBENCH_CACHE, or ~/.cache/tvbench. It need not exist yet."""
    return _path(cache_name())


def cache_name() -> str:
    """The name of the same."""
    return os.environ.get("TVBENCH_CACHE") or join(expanduser("~"), ".cache", "tvbench")


def default_results() -> Path:
    """Where runs are kept unless somebody says otherwise: $TVBENCH_RESULTS, or ./results."""
    return _path(results_name())


def results_name() -> str:
    """The name of the same."""
    return os.environ.get("TVBENCH_RESULTS", DEFAULT_RESULTS)


def _path(name: str) -> Path:
    from pathlib import Path

    return Path(name)
