"""How an engine is declared: its name, which models it serves, its options, how it is opened.

    ENGINE = EngineSpec("echo", "answers with the prompt", open_echo, options=(Option("shout", bool, False),))

A declaration is light: it imports what it needs only in `open`. Knows cards and errors; knows no engine and nothing of
how declarations are found (registry.py).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tvbench.errors import UsageError, unknown_name
from tvbench.safety.bounded import is_plain
from tvbench.types import ModelCard

if TYPE_CHECKING:
    from tvbench.engines.protocol import Engine

LOCAL = frozenset({"hub", "folder", "builtin"})
"""Kinds of card whose checkpoint lies on this machine, or is brought here."""
SERVED = frozenset({"server"})
SEEING = frozenset({"image", "multi-image", "video"})
FLAGS: Mapping[str, str] = {
    "dtype": "--dtype",
    "batch_size": "--batch-size",
    "max_model_len": "--max-model-len",
    "concurrency": "--concurrency",
    "timeout": "--timeout",
    "video": "--send-video",
    "trust_remote_code": "--trust-remote-code",
}
"""Options that the command line has words of its own for, by name. Any engine may have an option of such a name."""
SHOWN = 80
"""Characters of a wrong value in a message."""
KINDS: Mapping[type, str] = {
    int: "a whole number",
    float: "a number",
    str: "text",
    bool: "true or false",
    list: "a list",
    dict: "a mapping",
    object: "a value",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One argument of an engine. `kind` is the type of its value (`object`: any); `least` and `most` bound a number.

    `moves`: whether it can move a score; then it names the run and stands in its signature. `None` is always allowed,
    and means that the engine decides.
    """

    name: str
    kind: type = object
    default: Any = None
    help: str = ""
    moves: bool = True
    choices: tuple[str, ...] = ()
    least: float | None = None
    most: float | None = None

    @property
    def flag(self) -> str:
        """The word of the command line for it; "" where `--engine-arg` is the only way."""
        return FLAGS.get(self.name, "")

    @property
    def shown(self) -> str:
        """As it is typed."""
        return self.flag or self.name

    @property
    def meaning(self) -> str:
        """What its values are, in a few words."""
        if self.choices:
            return ", ".join(self.choices[:-1]) + f" or {self.choices[-1]}" if self.choices[1:] else self.choices[0]
        bounds = [f"of {self.least:g} or more"] if self.least is not None else []
        bounds += [f"of at most {self.most:g}"] if self.most is not None else []
        return " ".join([KINDS[self.kind], *bounds])

    def checked(self, value: Any) -> Any:
        """`value` as the engine gets it. Raises UsageError."""
        if value is None:
            return None
        found = _as_number(value) if self.kind is float else value
        right = isinstance(found, self.kind) and (
            self.kind is bool or self.kind is object or not isinstance(found, bool)
        )
        if right and isinstance(found, int | float) and not isinstance(found, bool):
            right = (self.least is None or found >= self.least) and (self.most is None or found <= self.most)
        if not right or (self.choices and found not in self.choices):
            raise UsageError(f"{self.shown}: must be {self.meaning}, not {shown(value)}", self.help)
        return found


@dataclass(frozen=True, slots=True)
class Opening:
    """What an engine is opened with: the card, all `arguments` with the defaults of the declared options filled in,
    and whether the hub may not be asked."""

    card: ModelCard
    arguments: Mapping[str, Any] = field(default_factory=dict)
    offline: bool = False


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """An engine before it is opened.

    `open` gives a protocol.Engine, or raises UsageError or EngineError. `kinds` are the kinds of card that it serves
    (LOCAL, SERVED or both), `modalities` the media that it takes. `needs` are the packages that it imports, `install`
    what to type where one is missing. Arguments that are no declared option are refused, unless `others` is there: it
    names all that the installed package takes (None: that cannot be told here). Of those, `placement` cannot move a
    score. `refused` are arguments that are never taken, each with the reason.
    """

    name: str
    title: str
    open: Callable[[Opening], Engine]
    kinds: frozenset[str] = LOCAL
    modalities: frozenset[str] = SEEING
    options: tuple[Option, ...] = ()
    needs: tuple[str, ...] = ()
    install: str = ""
    others: Callable[[], frozenset[str] | None] | None = None
    placement: frozenset[str] = frozenset()
    refused: Mapping[str, str] = field(default_factory=dict)

    @property
    def unmoving(self) -> frozenset[str]:
        """Arguments that cannot move a score. What nobody has classified can."""
        return self.placement | {option.name for option in self.options if not option.moves}

    def option(self, name: str) -> Option | None:
        """The declared option of that name."""
        return next((option for option in self.options if option.name == name), None)

    def available(self) -> str:
        """Why it cannot be used here; "" where it can. Imports nothing."""
        missing = [package for package in self.needs if find_spec(package) is None]
        return f"the {self.name} engine needs {', '.join(missing)}" if missing else ""

    def checked(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`given` arguments as the engine gets them. Raises UsageError for one that it does not have, or whose value is
        none."""
        return {name: self._checked(name, value) for name, value in given.items()}

    def with_defaults(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """`given`, and the defaults of what is not given."""
        said = {name: value for name, value in given.items() if value is not None}
        return {option.name: option.default for option in self.options} | said

    def has(self) -> str:
        """Its options as they are typed."""
        own = [option.shown for option in self.options]
        return ", ".join([*own, f"and what {self.needs[0]} itself takes"] if self.others and self.needs else own) or (
            "no options"
        )

    def unchecked(self, given: Iterable[str]) -> list[str]:
        """The names in `given` of which it cannot be told here whether the engine has them."""
        known = set(self._names()) if self.others is None or self.others() is None else set(given)
        return [name for name in given if name not in known and name not in self.placement]

    def _checked(self, name: str, value: Any) -> Any:
        if name in self.refused:
            raise UsageError(*self.refused[name].split("\n", 1))
        if not is_plain(value):
            raise UsageError(
                f"{name}: must be text, a number, a list or a mapping, not {shown(value)}",
                f"`tvbench engines {self.name}` lists what it takes",
            )
        option = self.option(name)
        if option is not None:
            return option.checked(value)
        others = self.others() if self.others is not None else frozenset()
        if name in FLAGS and name not in (others or ()):
            raise UsageError(f"the {self.name} engine has no {FLAGS[name]}", f"it has {self.has()}{_see(self.name)}")
        if others is not None and name not in others:
            raise unknown_name(
                f"argument of the {self.name} engine",
                name,
                {*others, *self._names()},
                f"it has {self.has()}{_see(self.name)}",
            )
        return value

    def _names(self) -> Iterable[str]:
        return (option.name for option in self.options)


def shown(value: Any) -> str:
    """A value as a message repeats it: its beginning."""
    text = repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."


def _see(name: str) -> str:
    return f"; `tvbench engines {name}` explains"


def _as_number(value: Any) -> Any:
    """A whole number, or a text such as 1e-3 that YAML takes for none, as the number that it is."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        return value
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return value
    return number if math.isfinite(number) else value
