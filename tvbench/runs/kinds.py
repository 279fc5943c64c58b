"""Whether a value that came from Python is of the kind that its annotation says, and a number within its limits; said
in words where it is not.

Knows annotations; knows no option by name.
"""

from __future__ import annotations

import math
import types
from collections.abc import Collection, Iterator, Mapping, Set
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from tvbench.errors import UsageError

HELP = "`tvbench run --help` explains every option"
SHOWN = 60
"""Characters of a wrong value that a message repeats."""
WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    Path: "a path",
    type(None): "None",
}


def check_kind(name: str, value: Any, hint: Any, help_: str = HELP) -> None:
    """Raises UsageError, in the words of the command line, for a value that is no `hint`, and for text with a NUL."""
    flag = f"--{name.replace('_', '-')}"
    if not fits(value, hint):
        text = repr(value)
        shown = text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
        raise UsageError(f"{flag}: {shown} is not {' or '.join(dict.fromkeys(_words(hint)))}", help_)
    if isinstance(value, str | Path) and "\0" in str(value):
        raise UsageError(f"{flag}: {str(value)[:SHOWN]!r} has a character that no name has", help_)


def fits(value: Any, hint: Any) -> bool:
    """Whether `value` is what the annotation `hint` says. A set is taken where a sequence is."""
    origin, inner = get_origin(hint), get_args(hint)
    if hint is Any:
        return True
    if origin in (Union, types.UnionType):
        return any(fits(value, member) for member in inner)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in inner)
    if origin is tuple:
        return isinstance(value, tuple | list) and len(value) == len(inner) and all(map(fits, value, inner))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(fits(key, inner[0]) for key in value)
    if isinstance(origin, type) and issubclass(origin, Collection):
        return _is_list(value) and all(fits(element, inner[0]) for element in value)
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return isinstance(value, type(None) if hint is None else hint)


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple | Set)


def _words(hint: Any) -> Iterator[str]:
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        for member in inner:
            if member is not type(None):
                yield from _words(member)
    elif origin is Literal:
        yield from map(str, inner)
    elif origin is tuple:
        yield f"{len(inner)} values"
    elif isinstance(origin, type) and issubclass(origin, Mapping):
        yield "a mapping with texts as keys"
    elif isinstance(origin, type):
        yield f"a list of {', '.join(word.removeprefix('a ') for word in _words(inner[0]))}s"
    else:
        yield WORDS.get(hint, f"a {getattr(hint, '__name__', hint)}")


def check_number(
    name: str,
    value: Any,
    *,
    whole: bool = False,
    least: float | None = None,
    above: float | None = None,
    most: float | None = None,
    hint: str = HELP,
) -> None:
    """Raises UsageError, in the words of the command line, where `value` is no number within the limits."""
    if value is None:
        return
    flag = f"--{name.replace('_', '-')}"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise UsageError(f"{flag}: {value!r} is not a {'whole ' if whole else ''}number", hint)
    if not math.isfinite(value):
        raise UsageError(f"{flag}: {value!r} is not a finite number", hint)
    if least is not None and value < least:
        raise UsageError(f"{flag} {value}: must be {least} or more", hint)
    if above is not None and value <= above:
        raise UsageError(
            f"{flag} {value}: must be above {above}{'' if most is None else f' and at most {most:,}'}", hint
        )
    if most is not None and value > most:
        raise UsageError(
            f"{flag} {value}: must be {'' if above is None else f'above {above} and '}at most {most:,}", hint
        )
