"""Objects that other people's Python made, held against their annotations: what no type checker has seen.

Says where a value is of another kind, and converts nothing. Knows no vocabulary and no file.
"""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
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


def fits(value: Any, hint: Any) -> bool:
    """Whether there is nothing that `misfits` would say, found quickly: for very many values."""
    return _check(hint)(value)


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


@cache
def _check(hint: Any) -> Callable[[Any], bool]:
    """Whether a value is what the annotation says, as a function."""
    if hint in KINDS:
        kinds, _ = KINDS[hint]
        return lambda value: isinstance(value, kinds) and (hint is bool or not isinstance(value, bool))
    if isinstance(hint, type) and is_dataclass(hint):
        return _fields_fit
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _check_several(inner)
    if origin is Literal:
        return lambda value: value in inner
    if origin is tuple:
        every = _check_every(inner[0])
        return lambda value: isinstance(value, (tuple, list)) and every(value)
    if origin is collections.abc.Mapping:
        names, values = _check_every(inner[0]), _check_every(inner[1])
        return lambda value: isinstance(value, Mapping) and names(value) and values(value.values())
    return callable if origin is collections.abc.Callable else lambda value: True


def _plain(hint: Any) -> tuple[type, ...]:
    """Types of which every value fits: whoever goes over very many asks these first."""
    if get_origin(hint) in (Union, types.UnionType):
        return tuple(kind for member in get_args(hint) for kind in _plain(member))
    return KINDS[hint][0] if hint in KINDS else ()


def _check_every(hint: Any) -> Callable[[Iterable[Any]], bool]:
    """Whether each of several values fits."""
    plain, check = _plain(hint), _check(hint)

    def every(values: Iterable[Any]) -> bool:
        for value in values:  # noqa: SIM110 - the same as `all`, in a third of the time
            if type(value) not in plain and not check(value):
                return False
        return True

    return every


def _check_several(kinds: tuple[Any, ...]) -> Callable[[Any], bool]:
    own = tuple(kind for kind in kinds if is_dataclass(kind) and isinstance(kind, type))
    checks = [_check(kind) for kind in kinds if kind not in own]
    return lambda value: _fields_fit(value) if isinstance(value, own) else any(check(value) for check in checks)


def _fields_fit(value: Any) -> bool:
    kind: Any = type(value)
    return _check_fields(kind)(value)


@cache
def _check_fields(kind: Any) -> Callable[[Any], bool]:
    """Whether a value of one class fits: its fields do, where it has any."""
    named: Any = kind
    if not is_dataclass(kind):
        return lambda value: False
    fields = [(name, _plain(hint), _check(hint)) for name, hint in declared(named).items()]

    def fit(value: Any) -> bool:
        for name, plain, check in fields:
            found = getattr(value, name)
            if type(found) not in plain and not check(found):
                return False
        return True

    return fit


def _shown(value: Any) -> str:
    return f"{value!r:.{SHOWN}}"
