"""Actions of a command, where `show` may be left out: `tvbench tasks alm` is `tvbench tasks show alm`.

Knows no command.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

ASSUMED = "show"


def add_actions(parser: argparse.ArgumentParser) -> argparse._SubParsersAction[argparse.ArgumentParser]:
    """Sub-commands, where any word that is none of them is what `show` is to show."""
    return parser.add_subparsers(action=_Actions, dest="action", metavar="NAME|ACTION", prog=parser.prog)


class _Parsers(dict[str, argparse.ArgumentParser]):
    """By action; a name's is that of `show`."""

    def __missing__(self, name: str) -> argparse.ArgumentParser:
        return self[ASSUMED]


class _AnyWord(Mapping[str, argparse.ArgumentParser]):
    """The actions as choices, none of which has to be chosen."""

    def __init__(self, parsers: _Parsers) -> None:
        self._parsers = parsers

    def __contains__(self, word: object) -> bool:
        return True

    def __getitem__(self, word: str) -> argparse.ArgumentParser:
        return self._parsers[word]

    def __iter__(self) -> Iterator[str]:
        return iter(self._parsers)

    def __len__(self) -> int:
        return len(self._parsers)


class _Actions(argparse._SubParsersAction):  # type: ignore[type-arg] # generic for type checkers only
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._name_parser_map = _Parsers()
        self.choices = _AnyWord(self._name_parser_map)  # type: ignore[assignment] # any container will do

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        word, rest = values[0], values[1:]
        if word not in self._name_parser_map:
            if rest and not rest[0].startswith("-"):
                known = ", ".join(map(repr, self._name_parser_map))
                raise argparse.ArgumentError(self, f"invalid choice: {word!r} (choose from {known}, or give one name)")
            values = [ASSUMED, *values]
        super().__call__(parser, namespace, values, option_string)
