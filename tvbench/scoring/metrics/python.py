"""A plain Python function as a metric: `Task(scorers={"mine": fn})`, where `fn(item, text)` gives a number or None.

Its definition holds a digest of the function's source, of the functions of the same file that it calls and of the plain
values that it reads, so that a changed scorer is another metric. Knows no task and no file.
"""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
from collections.abc import Callable, Iterator
from types import CodeType, FunctionType
from typing import Any

from tvbench.scoring.metric import FRACTION, Metric, stated
from tvbench.types import Item, OwnScorer

PREFIX = "python:"
PLAIN = (str, bytes, int, float, complex, bool, type(None), tuple, list, dict, set, frozenset, re.Pattern)
"""Values that read the same in every process."""


class PythonScorer(Metric):
    """A task's own function."""

    def __init__(self, name: str, scorer: OwnScorer) -> None:
        assert scorer.function is not None
        super().__init__(
            id=name,
            label=scorer.label or name,
            unit=scorer.unit or FRACTION,
            better=scorer.better or "higher",
            meaning=scorer.meaning or first_line(scorer.function),
            definition=stated(
                f"{PREFIX}{name}|source:{source_digest(scorer.function)}",
                scorer.unit or FRACTION,
                scorer.better or "higher",
            ),
        )
        self.function = scorer.function

    def of_item(self, item: Item, text: str) -> float | None:
        """Whatever the function returns; the caller checks it."""
        return self.function(item, text)


def first_line(function: Callable[..., Any]) -> str:
    """The first line of what a function says of itself."""
    return (inspect.getdoc(function) or "").strip().partition("\n")[0] if inspect.isroutine(function) else ""


def source_digest(function: Callable[..., Any]) -> str:
    """Twelve hex digits over everything that makes the function what it is."""
    digest = hashlib.sha256()
    for part in _parts(function, set()):
        digest.update(part.encode("utf-8", "surrogatepass") + b"\0")
    return digest.hexdigest()[:12]


def _parts(value: Any, seen: set[int]) -> Iterator[str]:
    if id(value) in seen:
        return
    seen.add(id(value))
    if isinstance(value, functools.partial):
        for part in (value.func, *value.args, *value.keywords.items()):
            yield from _parts(part, seen)
    elif inspect.ismethod(value):
        yield from _parts(value.__func__, seen)
    elif isinstance(value, FunctionType):
        yield from _function_parts(value, seen)
    elif isinstance(value, PLAIN):
        yield _plain(value)
    elif isinstance(value, type):
        yield _source(value)
    elif callable(value) and not inspect.isbuiltin(value):
        yield _source(type(value))


def _function_parts(function: FunctionType, seen: set[int]) -> Iterator[str]:
    """Its source, then what it reads: of its file and of the functions around it."""
    yield _source(function)
    for default in (*(function.__defaults__ or ()), *sorted((function.__kwdefaults__ or {}).items())):
        yield from _parts(default, seen)
    for name in sorted(set(_names(function.__code__))):
        value = function.__globals__.get(name)
        if isinstance(value, PLAIN) or getattr(value, "__module__", None) == function.__module__:
            yield name
            yield from _parts(value, seen)
    for cell in function.__closure__ or ():
        try:
            yield from _parts(cell.cell_contents, seen)
        except ValueError:  # not filled yet
            continue


def _names(code: CodeType) -> Iterator[str]:
    """The names that a function, and what is written inside it, looks up."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


def _source(value: Any) -> str:
    try:
        return inspect.getsource(value)
    except (OSError, TypeError):
        code = getattr(value, "__code__", None)
        return f"{getattr(value, '__qualname__', value)}" if code is None else code.co_code.hex()


def _plain(value: Any) -> str:
    """`value` in words that do not depend on the process: sets in order."""
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(map(_plain, value)))}}}"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_plain(key)}: {_plain(entry)}' for key, entry in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"({', '.join(map(_plain, value))})"
    return repr(value) if isinstance(value, PLAIN) else type(value).__qualname__
