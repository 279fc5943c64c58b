"""JSON schemas of files that people write, made from the declarations by which they are read (fitting.py): editors
complete keys and underline mistakes with them. Knows no file."""

from __future__ import annotations

import collections.abc
import inspect
import types
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from tvbench.safety.fitting import declared

Schema = dict[str, Any]
DIALECT = "https://json-schema.org/draft/2020-12/schema"
NUMBER = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
"""YAML 1.1 reads 1e-3 as text, and so do we take it."""
KINDS: Mapping[Any, Schema] = {int: {"type": "integer"}, bool: {"type": "boolean"}, str: {"type": "string"}, Any: {}}


def document(title: str, schema: Schema) -> Schema:
    """The schema of a whole file."""
    return {"$schema": DIALECT, "title": title, **schema}


def schema_of(kind: Any, *, partial: bool = False, without: tuple[str, ...] = ()) -> Schema:
    """The schema of a dataclass; `partial`: no key is required."""
    needed = [field.name for field in fields(kind) if field.default is MISSING and field.default_factory is MISSING]
    properties = {name: schema_for(hint) for name, hint in declared(kind).items() if name not in without}
    required = [name for name in needed if name in properties]
    return {
        "description": (inspect.getdoc(kind) or "").split("\n\n")[0],
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        **({"required": required} if required and not partial else {}),
    }


def schema_for(hint: Any, rules: Mapping[str, Any] | None = None) -> Schema:
    """The schema of an annotation."""
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return schema_for(inner[0], {name: value for rule in inner[1:] for name, value in rule.schema.items()})
    return {**_schema_for(hint, origin, inner, rules or {}), **({} if hint is float else rules or {})}


def _schema_for(hint: Any, origin: Any, inner: tuple[Any, ...], rules: Mapping[str, Any]) -> Schema:
    if is_dataclass(hint):
        return schema_of(hint, partial=True)
    if hint is float:
        return {"anyOf": [{"type": "number", **rules}, {"type": "string", "pattern": NUMBER}]}
    if origin is Literal:
        return {"enum": list(inner)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [schema_for(part) if part is not type(None) else {"type": "null"} for part in inner]}
    if origin is tuple and inner[1:] != (Ellipsis,):
        return {
            "type": "array",
            "prefixItems": [schema_for(part) for part in inner],
            "minItems": len(inner),
            "maxItems": len(inner),
        }
    if origin is tuple:
        return {"type": "array", "items": schema_for(inner[0])}
    if origin is collections.abc.Mapping:
        keys = {"propertyNames": schema_for(inner[0])} if inner[0] is not str else {}
        return {"type": "object", **keys, "additionalProperties": schema_for(inner[1])}
    return dict(KINDS[hint])
