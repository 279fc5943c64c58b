"""The names of the arguments that the installed vLLM takes, read from its source without importing it.

Importing vLLM takes half a minute and touches the machine; a misspelt argument is to be told in a moment. Knows where
vLLM keeps its arguments; knows no card.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib.util import find_spec
from pathlib import Path

FIELDS = ("engine/arg_utils.py", "EngineArgs")
CONSTRUCTOR = ("entrypoints/llm.py", "LLM")


@cache
def installed_arguments() -> frozenset[str] | None:
    """The fields of `EngineArgs` and the arguments of `vllm.LLM`; None where vLLM is not installed, or looks different
    from what we know."""
    found = find_spec("vllm")
    if found is None or not found.submodule_search_locations:
        return None
    folder = Path(next(iter(found.submodule_search_locations)))
    fields = [
        node.target.id
        for node in _body(folder, *FIELDS)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]
    if "dtype" not in fields:
        return None
    makers = [
        node for node in _body(folder, *CONSTRUCTOR) if isinstance(node, ast.FunctionDef) and node.name == "__init__"
    ]
    given = [argument.arg for node in makers for argument in (*node.args.args, *node.args.kwonlyargs)]
    return frozenset({*fields, *given} - {"self"})


def _body(folder: Path, file: str, name: str) -> list[ast.stmt]:
    """The statements of the class `name`; none where there is no such file or class."""
    try:
        tree = ast.parse((folder / file).read_text(encoding="utf-8"))
    except (OSError, ValueError, SyntaxError):
        return []
    return next((node.body for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name), [])
