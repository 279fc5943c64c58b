"""Where things lie: the folders that are searched for tasks and models, the user's own configuration, and the cache.

Knows paths only: it reads no file in them.
"""

from __future__ import annotations

import os
from pathlib import Path


def search_folders(kind: str) -> tuple[Path, ...]:
    """The existing folders named `kind` (`tasks`, `models`), nearest first.

    The working directory, then the user's own configuration, then the checkout beside the package (an editable
    install), then what travels inside the wheel. A folder beside an installed package is somebody else's unless a
    pyproject.toml says that it is a checkout.
    """
    candidates = [Path.cwd() / kind, *_own_candidates(kind)]
    return tuple(dict.fromkeys(folder.resolve() for folder in candidates if folder.is_dir()))


def nearby_folder(kind: str) -> Path | None:
    """The working directory's folder named `kind`, where only it is searched for: neither the user's own configuration
    nor what ships with tvbench. Whoever wrote it need not be the user."""
    folder = (Path.cwd() / kind).resolve()
    own = {one.resolve() for one in _own_candidates(kind)}
    return folder if folder.is_dir() and folder not in own else None


def config_root() -> Path:
    """$XDG_CONFIG_HOME/tvbench, or ~/.config/tvbench: cards and tasks that the user vouches for. It need not exist."""
    root = Path(os.environ.get("XDG_CONFIG_HOME", ""))
    # As the XDG rules have it; a relative one would be the working directory again.
    return (root if root.is_absolute() else Path(os.environ.get("HOME", "")) / ".config") / "tvbench"


def _own_candidates(kind: str) -> list[Path]:
    package = Path(__file__).resolve().parents[1]
    candidates = [config_root() / kind] if config_root().is_absolute() else []
    if (package.parent / "pyproject.toml").is_file():
        candidates.append(package.parent / kind)
    return [*candidates, package / "shipped" / kind]


def cache_root() -> Path:
    """$TVBENCH_CACHE, or ~/.cache/tvbench. It need not exist yet."""
    root = os.environ.get("TVBENCH_CACHE")
    return Path(root) if root else Path.home() / ".cache" / "tvbench"
