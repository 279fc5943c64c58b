"""How many bytes may be decoded at once: whoever wants more than there are waits its turn. Knows no picture.

Whoever is about to make something large tells `admit` its size, as soon as that is known, and is kept waiting by
whoever hands out the work in this thread (`admitting`); where nobody does, nobody waits.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

LARGE = 64 << 20
"""After so much memory the C library is asked to give back what it keeps for later, in every thread's pool."""

_ADMIT: ContextVar[Callable[[int], None] | None] = ContextVar("admit", default=None)


def admit(size: int) -> None:
    """Wait until there is room for `size` bytes that will stay until the engine takes them."""
    asked = _ADMIT.get()
    if asked is not None:
        asked(size)


@contextmanager
def admitting(asked: Callable[[int], None]) -> Iterator[None]:
    """Inside the block, in this thread, `admit` asks `asked`."""
    token = _ADMIT.set(asked)
    try:
        yield
    finally:
        _ADMIT.reset(token)


class Room:
    """`size` bytes, shared by threads in the order in which they ask. More than `size` is given to one alone."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._used = 0
        self._queue: collections.deque[object] = collections.deque()
        self._changed = threading.Condition()

    @contextmanager
    def of(self, size: int) -> Iterator[None]:
        """Hold `size` bytes inside the block."""
        me = object()
        with self._changed:
            self._queue.append(me)
            self._changed.wait_for(lambda: self._queue[0] is me and (not self._used or self._used + size <= self.size))
            self._queue.popleft()
            self._used += size
            self._changed.notify_all()
        try:
            yield
        finally:
            if size > LARGE:
                give_back()
            with self._changed:
                self._used -= size
                self._changed.notify_all()


def give_back() -> None:
    """Freed memory to the system, where the C library is glibc; elsewhere nothing happens."""
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
