"""A small validator of the JSON schemas that tvbench writes. It knows only their words, and refuses any other."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "null": (type(None),),
}
SAID = {"$schema", "title", "description"}


def problems(value: Any, schema: Mapping[str, Any], place: str = "$") -> Iterator[str]:
    """What is wrong with `value`; nothing where it is valid."""
    for word, asked in schema.items():
        if word not in SAID:
            yield from CHECKS[word](value, asked, place, schema)


def _type(value: Any, asked: Any, place: str, _: Any) -> Iterator[str]:
    kinds = [asked] if isinstance(asked, str) else asked
    good = any(isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool)) for kind in kinds)
    if not good:
        yield f"{place} is not of type {asked}"


def _properties(value: Any, asked: Any, place: str, _: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name in value.keys() & asked.keys():
            yield from problems(value[name], asked[name], f"{place}.{name}")


def _additional(value: Any, asked: Any, place: str, schema: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name in value.keys() - schema.get("properties", {}).keys():
            if asked is False:
                yield f"{place} has no key {name}"
            else:
                yield from problems(value[name], asked, f"{place}.{name}")


def _any_of(value: Any, asked: Any, place: str, _: Any) -> Iterator[str]:
    if all(list(problems(value, one, place)) for one in asked):
        yield f"{place} fits none of {len(asked)}"


def _one_of(value: Any, asked: Any, place: str, _: Any) -> Iterator[str]:
    if sum(not list(problems(value, one, place)) for one in asked) != 1:
        yield f"{place} does not fit one of {len(asked)}"


def _required(value: Any, asked: Any, place: str, _: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{place} lacks {name}" for name in asked if name not in value)


def _items(value: Any, asked: Any, place: str, _: Any) -> Iterator[str]:
    for number, one in enumerate(value if isinstance(value, list) else []):
        yield from problems(one, asked, f"{place}[{number}]")


def _prefix(value: Any, asked: Any, place: str, _: Any) -> Iterator[str]:
    for number, (one, schema) in enumerate(zip(value if isinstance(value, list) else [], asked, strict=False)):
        yield from problems(one, schema, f"{place}[{number}]")


def _names(value: Any, asked: Any, place: str, _: Any) -> Iterator[str]:
    for name in value if isinstance(value, dict) else []:
        yield from problems(name, asked, f"{place} {name}")


def _compared(kind: type | tuple[type, ...], measure: Any, holds: Any) -> Any:
    def check(value: Any, asked: Any, place: str, _: Any) -> Iterator[str]:
        if isinstance(value, kind) and not isinstance(value, bool) and not holds(measure(value), asked):
            yield f"{place}: {value!r} against {asked}"

    return check


NUMBER = (int, float)
CHECKS: dict[str, Any] = {
    "type": _type,
    "properties": _properties,
    "additionalProperties": _additional,
    "anyOf": _any_of,
    "oneOf": _one_of,
    "required": _required,
    "items": _items,
    "prefixItems": _prefix,
    "propertyNames": _names,
    "enum": lambda value, asked, place, _: [] if value in asked else [f"{place}: {value!r} is none of {asked}"],
    "pattern": _compared(str, str, lambda text, pattern: re.search(pattern, text) is not None),
    "minimum": _compared(NUMBER, lambda value: value, lambda value, least: value >= least),
    "maximum": _compared(NUMBER, lambda value: value, lambda value, most: value <= most),
    "exclusiveMinimum": _compared(NUMBER, lambda value: value, lambda value, below: value > below),
    "exclusiveMaximum": _compared(NUMBER, lambda value: value, lambda value, above: value < above),
    "maxLength": _compared(str, len, lambda length, most: length <= most),
    "minItems": _compared(list, len, lambda length, least: length >= least),
    "minProperties": _compared(dict, len, lambda length, least: length >= least),
    "maxItems": _compared(list, len, lambda length, most: length <= most),
}
