"""Which engines there are, by name: tvbench's own, those of `engines/` folders, and entry points `tvbench.engines`.

Searched in that order, the first of a name wins, so that nothing takes the place of one of tvbench's own. Names are
read from source and metadata; nothing is imported and no file is executed. Opens nothing, knows no engine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tvbench.registry.places import nearby_folder, search_folders
from tvbench.registry.plug_ins import plug_ins

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

BUILT_IN = ("vllm", "transformers", "openai")
GROUP = "tvbench.engines"
DECLARATIONS = frozenset({"ENGINE", "ENGINES"})


@dataclass(frozen=True, slots=True)
class EngineFile:
    """A Python file that declares engines. `names` are those that its source spells out, or else the file's own name;
    `nearby`: it lies in the working directory, whose owner need not be the user."""

    path: Path
    names: tuple[str, ...]
    nearby: bool = False


def engine_names() -> tuple[str, ...]:
    """All names, tvbench's own first. Cheap: no engine is imported."""
    names = [
        *BUILT_IN,
        *(name for file in engine_files() for name in file.names),
        *(point.name for point in engine_points()),
    ]
    return tuple(dict.fromkeys(names))


def engine_points() -> tuple[EntryPoint, ...]:
    """The entry points of installed packages, not loaded."""
    return tuple(plug_ins(GROUP))


def engine_files() -> Iterator[EngineFile]:
    """The engine files of the `engines/` folders: the working directory's, then those of the user's configuration."""
    nearby = nearby_folder("engines")
    for folder in search_folders("engines"):
        for path in sorted(folder.glob("*.py")):
            found = read_engine_file(path)
            if found is not None:
                yield EngineFile(found.path, found.names, folder == nearby)


def read_engine_file(path: Path) -> EngineFile | None:
    """What `path` declares; None where it does not import tvbench and assign ENGINE or ENGINES at top level."""
    import ast

    from tvbench.registry.source_text import declared_names

    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None
    names = declared_names(tree, DECLARATIONS, "EngineSpec")
    return None if names is None else EngineFile(path, names or (path.stem.replace("_", "-"),))
