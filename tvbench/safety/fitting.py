"""Values as YAML gives them, held to what an annotated dataclass declares: cards, recipes and mixtures.

`1e-3` is a number though YAML reads it as text; `no` is no language though YAML reads it as false. Every error names
the place and says what to write. The same declarations become JSON schemas for editors (schema.py). Knows no file.
"""

from __future__ import annotations

import collections.abc
import math
import types
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from tvbench.errors import UsageError, unknown_name

QUOTE = "YAML reads no, yes, on and off as true or false: quote it"
SHOWN = 80
"""Characters of a wrong value in a message."""
LONGEST = 20_000
"""Characters of a text."""
Built = TypeVar("Built")


@dataclass(frozen=True, eq=False, slots=True)
class Rule:
    """What holds of a value beyond its kind (`Annotated[int, AT_LEAST_1]`), how that is said, and how a JSON schema
    says it."""

    holds: Callable[[Any], bool]
    said: str
    schema: Mapping[str, Any]

    def check(self, value: Any, place: str) -> None:
        """Raises UsageError where it does not hold."""
        if not self.holds(value):
            text = f"{value:g}" if isinstance(value, float) else shown(value)
            raise UsageError(f"{place}: {text} is not possible", f"it is {self.said}")


ABOVE_0 = Rule(lambda value: value > 0, "above 0", {"exclusiveMinimum": 0})
AT_LEAST_0 = Rule(lambda value: value >= 0, "0 or more", {"minimum": 0})
AT_LEAST_1 = Rule(lambda value: value >= 1, "1 or more", {"minimum": 1})
PART = Rule(lambda value: 0 <= value <= 1, "0 to 1", {"minimum": 0, "maximum": 1})
PART_BELOW_1 = Rule(lambda value: 0 <= value < 1, "from 0 to below 1", {"minimum": 0, "exclusiveMaximum": 1})
TEXT = Rule(
    lambda text: bool(text.strip()) and "\0" not in text and len(text) <= LONGEST,
    f"text that is not empty, of at most {LONGEST:,} characters",
    {"pattern": r"\S", "maxLength": LONGEST},
)
Text = Annotated[str, TEXT]


@cache
def declared(kind: Any) -> dict[str, Any]:
    """The fields of a dataclass with their annotations, rules included."""
    hints = get_type_hints(kind, include_extras=True)
    return {field.name: hints[field.name] for field in fields(kind)}


def build(kind: type[Built], values: Mapping[Any, Any], place: str) -> Built:
    """One of `kind` with these values. Raises UsageError for an unknown or missing key, or a misfit."""
    made = fitted_fields(kind, values, place)
    try:
        return kind(**made)
    except TypeError as error:
        raise UsageError(f"{place}: {str(error).partition('__init__() ')[2] or error}") from error


def fitted_fields(kind: type, values: Mapping[Any, Any], place: str) -> dict[str, Any]:
    """The values of those fields of `kind` that are given. Raises UsageError for an unknown key, or a misfit."""
    hints = declared(kind)
    for name in values:
        if name not in hints:
            raise unknown_name(f"key of {place}" if place else "key", str(name), hints)
    prefix = f"{place}." if place else ""
    return {name: fitted(value, hints[name], f"{prefix}{name}") for name, value in values.items()}


def fitted(value: Any, hint: Any, place: str, said: str = "") -> Any:
    """`value` as the annotation has it; `said` describes it. Raises UsageError where it cannot be."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        made = fitted(value, inner[0], place, inner[1].said)
        for rule in inner[1:]:
            rule.check(made, place)
        return made
    if origin is Literal:
        if value not in inner:
            raise unknown_name(place, str(value), map(str, inner))
        return value
    if origin in (Union, types.UnionType):
        return None if value is None else fitted(value, next(kind for kind in inner if kind is not type(None)), place)
    if origin is tuple:
        return _list(value, inner, place)
    if origin is collections.abc.Mapping:
        return _mapping(value, inner, place, said)
    if hint is Any:
        return _plain(value, place)
    if isinstance(hint, type) and is_dataclass(hint) and not isinstance(value, hint):
        return fitted_fields(hint, _mapping(value, (str, Any), place, said), place)
    return _scalar(value, hint, place, said) if hint in _SPOKEN else value


def _list(value: Any, inner: tuple[Any, ...], place: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        example = ", ".join(_SPOKEN[bare(kind)][1] for kind in inner if bare(kind) in _SPOKEN)
        raise UsageError(f"{place}: must be a list, not {shown(value)}", f"for example [{example}]" if example else "")
    kinds = inner[:1] * len(value) if len(inner) == 2 and inner[1] is Ellipsis else inner
    if len(kinds) != len(value):
        raise UsageError(f"{place}: {len(kinds)} values are needed, not {len(value)}", "a list is [a, b]")
    return tuple(fitted(element, kind, place) for element, kind in zip(value, kinds, strict=True))


def _mapping(value: Any, inner: tuple[Any, ...], place: str, said: str) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        raise UsageError(
            f"{place}: must be a mapping, not {shown(value)}", f"it is {said}" if said else "for example {KEY: VALUE}"
        )
    for name in value:
        if not isinstance(name, str):
            raise UsageError(
                f"{place}: the key {name!r} is no text", QUOTE if isinstance(name, bool) else f"quote it: '{name}'"
            )
        fitted(name, inner[0], f"key of {place}")
    return {name: fitted(element, inner[1], f"{place}.{name}") for name, element in value.items()}


def _plain(value: Any, place: str) -> Any:
    """What JSON can hold: no dates, bytes, sets or infinities, which YAML has."""
    if isinstance(value, Mapping):
        return _mapping(value, (str, Any), place, "")
    if isinstance(value, list | tuple):
        return [_plain(element, place) for element in value]
    if value is not None and not isinstance(value, str | int | float):
        raise UsageError(f"{place}: must be text, a number, a list or a mapping, not {shown(value)}")
    return _finite(value, place) if isinstance(value, float) else value


def _scalar(value: Any, kind: type, place: str, said: str) -> Any:
    if kind is float and isinstance(value, str | int) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            return _finite(float(value), place)  # YAML reads 1e-3 as text
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        spoken, example = _SPOKEN[kind]
        hint = f"it is {said}" if said else f"for example {example}"
        if kind is str and isinstance(value, bool | int | float):
            hint = (
                QUOTE
                if isinstance(value, bool)
                else (f'put it in quotes: {place.rpartition(".")[2]}: "{str(value)[:SHOWN]}"')
            )
        raise UsageError(f"{place}: must be {spoken}, not {shown(value)}", hint)
    return _finite(value, place) if isinstance(value, float) else value


def _finite(value: float, place: str) -> float:
    if not math.isfinite(value):
        raise UsageError(f"{place}: {value} is not possible", "it is a finite number")
    return value


def bare(hint: Any) -> Any:
    """An annotation without its rules."""
    return get_args(hint)[0] if get_origin(hint) is Annotated else hint


def shown(value: Any) -> str:
    """A value as a message repeats it: its beginning."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


_SPOKEN = {
    int: ("a whole number", "64"),
    float: ("a number", "1e-5"),
    bool: ("true or false", "true"),
    str: ("text", "en"),
}
