"""Values as YAML gives them, into the dataclasses of a recipe: strictly, by their annotations.

`1e-3` is a number though YAML reads it as text; `no` is no language though YAML reads it as false. Every error names
the place and says what to write. Knows dataclasses and ranges; no file.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tvbench.errors import UsageError, unknown_name
from tvbench.train.data.entries import Entry
from tvbench.train.ranges import check_ranges
from tvbench.train.stages import ModelPlan, Stage

Built = TypeVar("Built", ModelPlan, Stage, Entry)
Kind = type[ModelPlan] | type[Stage] | type[Entry]
QUOTE = "YAML reads no, yes, on and off as true or false: quote it"


def build(kind: type[Built], values: Mapping[str, Any], place: str) -> Built:
    """One of `kind` with these values. Raises UsageError for an unknown or missing key, or a misfit."""
    hints = _hints(kind)
    for name in values:
        if name not in hints:
            raise unknown_name(f"key of {place}", str(name), hints)
    made = {name: fitted(value, hints[name], f"{place}.{name}") for name, value in values.items()}
    check_ranges(made, place)
    try:
        return kind(**made)
    except TypeError as error:
        raise UsageError(f"{place}: {str(error).partition('__init__() ')[2] or error}") from error


def _hints(kind: Kind) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def names_of(kind: Kind) -> tuple[str, ...]:
    """The fields of `kind`."""
    return tuple(_hints(kind))


def fitted(value: Any, hint: Any, place: str) -> Any:
    """`value` as the annotation has it. Raises UsageError where it cannot be."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        if value not in inner:
            raise unknown_name(place, str(value), map(str, inner))
        return value
    if origin in (Union, types.UnionType):
        if value is None:
            return None
        return fitted(value, next(inner_kind for inner_kind in inner if inner_kind is not type(None)), place)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise UsageError(
                f"{place}: must be a list, not {_shortly(value)}",
                f"for example [{', '.join(_SPOKEN[kind][1] for kind in inner if kind in _SPOKEN)}]",
            )
        kinds = inner[:1] * len(value) if len(inner) == 2 and inner[1] is Ellipsis else inner
        if len(kinds) != len(value):
            raise UsageError(f"{place}: {len(kinds)} values are needed, not {len(value)}", "a list is [a, b]")
        return tuple(fitted(element, kind, place) for element, kind in zip(value, kinds, strict=True))
    if hint in (int, float, bool, str):
        return _scalar(value, hint, place)
    if origin is not None and not isinstance(value, Mapping):
        raise UsageError(f"{place}: must be a mapping, not {_shortly(value)}", "for example {KEY: VALUE}")
    if origin is not None and inner and inner[-1] is float:
        return {name: _scalar(number, float, f"{place}.{name}") for name, number in value.items()}
    return value


def _scalar(value: Any, kind: type, place: str) -> Any:
    if kind is float and isinstance(value, str | int) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            return float(value)  # YAML reads 1e-3 as text
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        said, example = _SPOKEN[kind]
        hint = QUOTE if kind is str and isinstance(value, bool) else f"for example {example}"
        raise UsageError(f"{place}: must be {said}, not {_shortly(value)}", hint)
    return value


def _shortly(value: Any) -> str:
    said = repr(value)
    return said if len(said) <= 60 else f"{said[:57]}..."


_SPOKEN = {
    int: ("a whole number", "64"),
    float: ("a number", "1e-5"),
    bool: ("true or false", "true"),
    str: ("text", "en"),
}
