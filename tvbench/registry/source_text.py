"""What a Python file declares, read from its source: parsed, never run. Files of tasks and of engines are told so.

Imported only where a file is at hand, because `ast` is slow to import. Knows neither tasks nor engines.
"""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator


def declared_names(tree: ast.Module, variables: Collection[str], kind: str) -> tuple[str, ...] | None:
    """The names that calls of `kind` spell out, as in `Task("alm", ...)` or `Task(name="alm", ...)`. None where the
    file does not import tvbench, or assigns none of `variables` at top level."""
    if not any(map(_imports_tvbench, ast.walk(tree))) or not any(_assigns(node, variables) for node in tree.body):
        return None
    return tuple(_spelt_names(tree, kind))


def _imports_tvbench(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").split(".")[0] == "tvbench"
    return isinstance(node, ast.Import) and any(alias.name.split(".")[0] == "tvbench" for alias in node.names)


def _assigns(node: ast.stmt, variables: Collection[str]) -> bool:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    return any(isinstance(target, ast.Name) and target.id in variables for target in targets)


def _spelt_names(tree: ast.Module, kind: str) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called != kind:
            continue
        given = [keyword.value for keyword in node.keywords if keyword.arg == "name"] or node.args[:1]
        for value in given:
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                yield value.value
