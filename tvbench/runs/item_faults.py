"""What is wrong with an item as a task file made it: a field of another kind than `types.py` declares, or values that
contradict each other. `Short("red")` for `Short(("red",))` would be scored letter by letter, without a word.

Knows the vocabulary; no task, no data and no file.
"""

from __future__ import annotations

import collections.abc
import types
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from typing import Any, Literal, Union, get_args, get_origin

from tvbench.safety.fitting import declared
from tvbench.types import Choice, Contrast, Item, Media, Message, Sampling, Target

KINDS: Mapping[Any, tuple[tuple[type, ...], str]] = {
    str: ((str,), "a text"),
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "True or False"),
    type(None): ((type(None),), "None"),
}
SHOWN = 60
"""Characters of a wrong value in a message."""


def item_faults(item: Item) -> Iterator[str]:
    """Each thing that is wrong with it, as the rest of a sentence on the item."""
    if not isinstance(item.id, str) or not item.id.strip():
        yield "its id is no text"
    if not isinstance(item.language, str) or not item.language.strip():
        yield "its language is no text"
    if not isinstance(item.target, get_args(Target)):
        yield f"its target is a {type(item.target).__name__}"
    if not isinstance(item.sampling, Sampling):
        yield f"its sampling is a {type(item.sampling).__name__}"
    if not isinstance(item.messages, tuple) or not all(isinstance(one, Message) for one in item.messages):
        yield 'its messages are no tuple of Message, as in (Message("user", ("text",)),)'
        return
    if not item.messages and item.problem is None:
        yield "it has no messages"
    for message in item.messages:
        if not isinstance(message.parts, tuple) or not all(isinstance(part, str | Media) for part in message.parts):
            yield 'the parts of a message are no tuple of texts and Media, as in (picture, "text")'
            return
    found = list(_misfits(item, Item, ""))
    yield from found or _contradictions(item)


def _contradictions(item: Item) -> Iterator[str]:
    """What no field shows by itself."""
    target = item.target
    if isinstance(target, Choice) and target.gold is not None and not 0 <= target.gold < len(target.options):
        yield f"target.gold is {target.gold}, and there are {len(target.options)} options (the first is 0)"
    if isinstance(target, Contrast) and item.continuation is None and item.problem is None:
        yield "its target is a Contrast, and it has no `continuation` to be scored"
    if item.sampling.max_new_tokens < 1:
        yield f"sampling.max_new_tokens is {item.sampling.max_new_tokens}: nothing could be answered"


def _misfits(value: Any, hint: Any, place: str) -> Iterator[str]:
    """Where `value` is not what the annotation says; lists are taken for tuples."""
    if hint in KINDS:
        kinds, said = KINDS[hint]
        if not isinstance(value, kinds) or (isinstance(value, bool) and hint is not bool):
            yield f"{place} is no {said.removeprefix('a ')}, but {_shown(value)}"
        return
    if isinstance(hint, type) and is_dataclass(hint):
        kind: Any = type(value)
        for name, inner in declared(kind).items():
            yield from _misfits(getattr(value, name), inner, f"{place}.{name}" if place else name)
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
            yield from _misfits(element, inner[0], f"{place}[{number}]")
    elif origin is collections.abc.Mapping and not isinstance(value, Mapping):
        yield f"{place} is no mapping, but {_shown(value)}"
    elif origin is collections.abc.Mapping:
        for name, element in value.items():
            yield from _misfits(name, inner[0], f"a key of {place}")
            yield from _misfits(element, inner[1], f"{place}[{name!r}]")
    elif origin is collections.abc.Callable and not callable(value):
        yield f"{place} is no function, but {_shown(value)}"


def _of_several(value: Any, kinds: tuple[Any, ...], place: str) -> Iterator[str]:
    """Nothing where one of the kinds fits; else what the likeliest of them says."""
    own = next((kind for kind in kinds if is_dataclass(kind) and isinstance(value, kind)), None)  # type: ignore[arg-type]
    if own is not None:
        yield from _misfits(value, own, place)
        return
    found = [list(_misfits(value, kind, place)) for kind in kinds if not is_dataclass(kind)]
    yield from min(found, key=len, default=[f"{place} is {_shown(value)}"])


def _shown(value: Any) -> str:
    return f"{value!r:.{SHOWN}}"
