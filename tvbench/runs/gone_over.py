"""A sequence whose elements are made each time that somebody goes over it, in order; those in between are not held."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import TypeVar, overload

T = TypeVar("T")


class GoneOver(Sequence[T]):
    """Whoever wants one element of it by its number waits for those before it."""

    @abstractmethod
    def __iter__(self) -> Iterator[T]:
        """All of them, from the first."""

    @overload
    def __getitem__(self, number: int) -> T: ...

    @overload
    def __getitem__(self, number: slice) -> Sequence[T]: ...

    def __getitem__(self, number: int | slice) -> T | Sequence[T]:
        if isinstance(number, slice):
            return list(self)[number]
        place = number if number >= 0 else len(self) + number
        found = list(islice(self, place, place + 1)) if place >= 0 else []
        if not found:
            raise IndexError(f"there is no number {number} among {len(self)}")
        return found[0]
