"""A task's items that are too many to be held: they are made again whenever somebody goes over them.

That needs rows that can be gone over again: a list, or an object that begins from the start each time; of others, as
many items are held as there are. Ids that occur more than once get another, in either way the same. Knows items; knows
no task and no row.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tvbench.errors import UsageError
from tvbench.runs.gone_over import GoneOver
from tvbench.runs.key_table import TextSet
from tvbench.types import Item

HELD = 20_000
"""Items of one task that are held in memory in any case."""
EXAMPLES = 3


class ChangedError(UsageError):
    """The items were others when they were made again."""

    def __init__(self, what: str) -> None:
        hint = (
            "its data may have been written at this moment: give the same command again; or its task file draws at "
            "random: draw by `ask.rng(item_id)`, or return the rows as a generator, which is gone over once"
        )
        super().__init__(f"the items of {what} were others when its rows were read again", hint)


@dataclass(frozen=True, slots=True)
class TaskItems:
    """All items, with ids of their own, the languages they are in, and what a person should know of their ids."""

    items: Sequence[Item]
    languages: frozenset[str]
    warnings: tuple[str, ...]


def found(name: str, make: Callable[[], Iterator[Item]], *, again: Callable[[], bool]) -> TaskItems:
    """Go over the items of the task `name` once, whatever that raises. `again` is asked where they are many: whether
    `make` gives the same each time."""
    held: list[Item] = []
    items = make()
    for item in items:
        held.append(item)
        if len(held) == HELD + 1 and again():
            break
    else:
        unique, warnings = unique_ids(held)
        return TaskItems(tuple(unique), frozenset(item.language for item in held), tuple(warnings))
    ids = _Ids()
    languages: set[str] = set()
    for some in (held, items):
        for item in some:
            ids.add(item.id)
            languages.add(item.language)
        held.clear()
    return TaskItems(Streamed(name, make, ids), frozenset(languages), tuple(_told(ids.repeated)))


def gone_over_again(rows: Any) -> bool:
    """Whether rows begin from the start each time that somebody goes over them."""
    return not isinstance(rows, Iterator) and iter(rows) is not iter(rows)


def unique_ids(items: Iterable[Item]) -> tuple[list[Item], list[str]]:
    """All items; where ids repeat, the later ones get `#2`, `#3`, ... and a warning says so."""
    held = list(items)
    ids = Counter(item.id for item in held)
    repeated = [name for name, count in ids.items() if count > 1]
    return list(_named(held, ids, repeated)) if repeated else held, _told(repeated)


def _told(repeated: Sequence[str]) -> list[str]:
    if not repeated:
        return []
    examples = ", ".join(repeated[:EXAMPLES])
    return [f"{len(repeated)} ids occur more than once (such as {examples}); each row is kept and counted"]


def _named(items: Iterable[Item], known: Container[str], repeated: Iterable[str]) -> Iterator[Item]:
    """The items, each with an id of its own; `known` are all that they have, `repeated` those of several."""
    last = dict.fromkeys(repeated, 0)
    made = TextSet()
    for item in items:
        if item.id not in last:
            yield item
            continue
        number = last[item.id] + 1
        while number > 1 and ((name := f"{item.id}#{number}") in known or name in made):
            number += 1
        last[item.id] = number
        if number > 1:
            made.add(f"{item.id}#{number}")
        yield item if number == 1 else replace(item, id=f"{item.id}#{number}")


class _Ids:
    """The ids of very many items, in a few bytes each."""

    def __init__(self) -> None:
        self.all = TextSet()
        self.count = 0
        self._repeated: dict[int, str] = {}

    def add(self, name: str) -> None:
        new = len(self.all)
        number = self.all.add(name)
        if number != new:
            self._repeated[number] = name
        self.count += 1

    @property
    def repeated(self) -> list[str]:
        """Those of several items, in the order in which they came."""
        return [self._repeated[number] for number in sorted(self._repeated)]


class Streamed(GoneOver[Item]):
    """Items that are made each time; as many as there were the first time, or ChangedError is raised."""

    def __init__(self, name: str, make: Callable[[], Iterator[Item]], ids: _Ids) -> None:
        self._name = name
        self._make = make
        self._count = ids.count
        self._repeated = ids.repeated
        self._ids: Container[str] = ids.all if self._repeated else ()

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Item]:
        items = self._make()
        count = 0
        for item in _named(items, self._ids, self._repeated) if self._repeated else items:
            count += 1
            if count > self._count:
                break
            yield item
        if count != self._count:
            raise ChangedError(self._name)
