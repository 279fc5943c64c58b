"""Objects that other people's Python made, held against their annotations: what no type checker has seen.

Says where a value is of another kind, and converts nothing. Knows no vocabulary and no file.
"""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, Literal, Union, get_args, get_origin

from tvbench.safety.fitting import declared

KINDS: Mapping[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a text"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "True or False"),
    type(None): ((type(None),), "None"),
}
SHOWN = 60
"""Characters of a wrong value in a message."""


def misfits(value: Any, hint: Any, place: str) -> Iterator[str]:
    """Where `value` is not what the annotation says; lists are taken for tuples."""
    if hint in KINDS:
        kinds, said = KINDS[hint]
        if not isinstance(value, kinds) or (isinstance(value, bool) and hint is not bool):
            yield f"{place} is no {said.removeprefix('a ')}, but {_shown(value)}"
        return
    if isinstance(hint, type) and is_dataclass(hint):
        kind: Any = type(value)
        for name, inner in declared(kind).items():
            yield from misfits(getattr(value, name), inner, f"{place}.{name}" if place else name)
        return
    yield from _compound(value, get_origin(hint), get_args(hint), place)


def _compound(value: Any, origin: Any, inner: tuple[Any, ...], place: str) -> Iterator[str]:
    if origin in (Union, types.UnionType):
        yield from _of_several(value, inner, place)
    elif origin is Literal and value not in inner:
        yield f"{place} is {_shown(value)}: it is one of {', '.join(map(repr, inner))}"
    elif origin is tuple and not isinstance(value, tuple | list):
        yield f"{place} is no tuple, but {_shown(value)}: write (..., ), with the comma"
    elif origin is tuple:
        for number, element in enumerate(value):
            yield from misfits(element, inner[0], f"{place}[{number}]")
    elif origin is collections.abc.Mapping and not isinstance(value, Mapping):
        yield f"{place} is no mapping, but {_shown(value)}"
    elif origin is collections.abc.Mapping:
        for name, element in value.items():
            yield from misfits(name, inner[0], f"a key of {place}")
            yield from misfits(element, inner[1], f"{place}[{name!r}]")
    elif origin is collections.abc.Callable and not callable(value):
        yield f"{place} is no function, but {_shown(value)}"


def _of_several(value: Any, kinds: tuple[Any, ...], place: str) -> Iterator[str]:
    """Nothing where one of the kinds fits; else what the likeliest of them says."""
    own = next((kind for kind in kinds if is_dataclass(kind) and isinstance(value, kind)), None)  # type: ignore[arg-type]
    if own is not None:
        yield from misfits(value, own, place)
        return
    found = [list(misfits(value, kind, place)) for kind in kinds if not is_dataclass(kind)]
    yield from min(found, key=len, default=[f"{place} is {_shown(value)}"])


def _shown(value: Any) -> str:
    return f"{value!r:.{SHOWN}}"
