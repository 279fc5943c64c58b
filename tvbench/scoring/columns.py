"""The items of a task as columns: numbers where there were objects, so that a million of them fit into memory.

An item's language, tags, flags and reason are numbers of a list; its cluster is a digest until all are known; its
values lie in one array, in the order that its `shape`, their names, tells. Knows items and scores; computes nothing.
"""

from __future__ import annotations

from array import array
from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from hashlib import blake2b
from typing import Generic, TypeVar

import numpy as np

from tvbench.scoring.metrics.baselines import baselines_of
from tvbench.scoring.samples import renumbered
from tvbench.types import Item, Response, Score

ANSWERED, FAILED, SCORED, JUDGED = 1, 2, 4, 8
"""What became of an item, as bits; JUDGED: it has a score, with a value or without."""
NAME = TypeVar("NAME", bound=Hashable)


def as_array(column: array[int] | array[float] | bytearray, kind: type[np.generic]) -> np.ndarray:
    """A column without a copy; nothing can be added to it while that is held."""
    return np.frombuffer(column, kind) if column else np.zeros(0, kind)


class Names(Generic[NAME]):
    """A column of names that occur often, as their numbers in the order of occurrence."""

    def __init__(self) -> None:
        self.known: dict[NAME, int] = {}
        self.column = array("i")

    def add(self, name: NAME) -> None:
        self.column.append(self.known.setdefault(name, len(self.known)))

    @property
    def names(self) -> list[NAME]:
        return list(self.known)

    @property
    def numbers(self) -> np.ndarray:
        return as_array(self.column, np.int32)


class Sparse:
    """A column that only some items have."""

    def __init__(self) -> None:
        self.values: Names[str] = Names()
        self.at = array("i")

    def add(self, place: int, value: str) -> None:
        self.at.append(place)
        self.values.add(value)

    def groups(self) -> dict[str, np.ndarray]:
        """The places of each value, by value."""
        places, numbers = as_array(self.at, np.int32), self.values.numbers
        order = np.argsort(numbers, kind="stable")
        ends = np.cumsum(np.bincount(numbers, minlength=len(self.values.known)))
        parts = np.split(places[order], ends[:-1])
        return dict(sorted(zip(self.values.names, parts, strict=True), key=lambda found: found[0]))


class ItemColumns:
    """What is known of the items of a task, in the order in which they were added."""

    def __init__(self) -> None:
        self.languages: Names[str] = Names()
        self.shapes: Names[tuple[str, ...]] = Names()
        self.flags: Names[tuple[str, ...]] = Names()
        self.reasons: Names[str | None] = Names()
        self.tags: dict[str, Sparse] = {}
        self.state = bytearray()
        self._values = array("d")
        self._digests = bytearray()

    def __len__(self) -> int:
        return len(self.state)

    def add(self, item: Item, response: Response | None, score: Score | None) -> str | None:
        """One item with what became of it; gives the text that answered it."""
        failed = item.problem is not None or (response is not None and response.error is not None)
        text = None if failed or response is None else response.text
        if text is None:
            score = None
        scored = score is not None and score.unscored is None
        self.state.append(
            ANSWERED * (text is not None) | FAILED * failed | SCORED * scored | JUDGED * (score is not None)
        )
        self.languages.add(item.language)
        self._add_values(item, score if scored else None)
        self.flags.add(score.flags if score is not None else ())
        self.reasons.add(score.unscored if score is not None else None)
        for key, value in item.tags.items():
            if key not in self.tags:
                self.tags[key] = Sparse()
            self.tags[key].add(len(self.state) - 1, value)
        name = item.cluster or f"\0{item.id}"
        self._digests += blake2b(name.encode("utf-8", "surrogatepass"), digest_size=16).digest()
        return text

    def _add_values(self, item: Item, score: Score | None) -> None:
        names: list[str] = []
        if score is not None:
            for name, value in score.values.items():
                if value is not None:
                    names.append(name)
                    self._values.append(value)
        for name, value in baselines_of(item).items():
            names.append(name)
            self._values.append(value)
        self.shapes.add(tuple(names))

    @cached_property
    def values(self) -> np.ndarray:
        return as_array(self._values, np.float64)

    @cached_property
    def starts(self) -> np.ndarray:
        """Where each item's values begin."""
        sizes = np.array([len(shape) for shape in self.shapes.names], np.int64)[self.shapes.numbers]
        return np.asarray(np.cumsum(sizes) - sizes)

    @cached_property
    def clusters(self) -> np.ndarray:
        """The number of each item's cluster."""
        halves = as_array(self._digests, np.uint64).reshape(-1, 2)
        order = np.lexsort((halves[:, 1], halves[:, 0]))
        ordered = halves[order]
        new = np.ones(len(order), bool)
        new[1:] = (ordered[1:] != ordered[:-1]).any(1)
        found = np.empty(len(order), np.int32)
        found[order] = np.cumsum(new) - 1
        return renumbered(found)[0].astype(np.int32)

    @cached_property
    def states(self) -> np.ndarray:
        return as_array(self.state, np.uint8)

    def has(self, places: np.ndarray, bit: int) -> np.ndarray:
        return np.asarray((self.states[places] & bit) != 0)


class Observed:
    """The values of some items by metric, each in the order of the items; `names` in the order in which they occur."""

    def __init__(self, columns: ItemColumns, places: np.ndarray) -> None:
        self.columns = columns
        self.places = places
        numbers = columns.shapes.numbers[places]
        present, first = np.unique(numbers, return_index=True)
        found: dict[str, tuple[int, int]] = {}
        self.holding: dict[str, tuple[int, ...]] = {}
        """The shapes here that have the name."""
        for shape, at in zip(present.tolist(), first.tolist(), strict=True):
            for rank, name in enumerate(columns.shapes.names[shape]):
                found[name] = min(found.get(name, (at, rank)), (at, rank))
                self.holding[name] = (*self.holding.get(name, ()), shape)
        self.names = sorted(found, key=found.__getitem__)

    def places_of(self, name: str) -> np.ndarray:
        """The items that have the value."""
        holding = self.holding[name]
        numbers = self.columns.shapes.numbers[self.places]
        if len(holding) == len(self.columns.shapes.known):
            return self.places
        return self.places[np.isin(numbers, holding)]

    def values_of(self, name: str, places: np.ndarray) -> np.ndarray:
        """The values of those items."""
        columns = self.columns
        ranks = np.array([shape.index(name) if name in shape else 0 for shape in columns.shapes.names], np.int64)
        return np.asarray(columns.values[columns.starts[places] + ranks[columns.shapes.numbers[places]]])


def counted(numbers: np.ndarray, names: Sequence[NAME]) -> Iterable[tuple[NAME, int]]:
    """How often each name occurs, in the order in which they do."""
    present, first, counts = np.unique(numbers, return_index=True, return_counts=True)
    for at in np.argsort(first, kind="stable"):
        yield names[int(present[at])], int(counts[at])
