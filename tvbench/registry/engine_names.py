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

if TYPE_CHECKING:  # both take longer to import than a list of models needs; they are imported where they are used
    import ast
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

    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError, RecursionError):
        return None
    if not any(map(_imports_tvbench, ast.walk(tree))) or not any(map(_declares, tree.body)):
        return None
    return EngineFile(path, tuple(_spelt_names(tree)) or (path.stem.replace("_", "-"),))


def _imports_tvbench(node: ast.AST) -> bool:
    import ast

    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] == "tvbench"
    return isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "tvbench" for alias in node.names)


def _declares(node: ast.stmt) -> bool:
    import ast

    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id in DECLARATIONS for target in targets)


def _spelt_names(tree: ast.Module) -> Iterator[str]:
    """Names in calls of `EngineSpec("mine", ...)` or `EngineSpec(name="mine", ...)`."""
    import ast

    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called != "EngineSpec":
            continue
        given = [keyword.value for keyword in node.keywords if keyword.arg == "name"] or node.args[:1]
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value
