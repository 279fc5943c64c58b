"""How fast something goes, now and overall. May be told from one thread and asked from another. Knows a clock alone."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable

LATELY = 60.0
"""Seconds that the speed of now is measured over."""


class Pace:
    """Counts since `start`; the speed of now is that of the last `LATELY` seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.start()

    def start(self) -> None:
        """From now on it counts, and the clock runs."""
        with self._lock:
            self._began = self._last = self._clock()
            self._count = 0
            self._seconds: deque[list[float]] = deque()

    def add(self) -> None:
        """One more."""
        with self._lock:
            self._last = self._clock()
            self._count += 1
            second = float(int(self._last))
            if not self._seconds or self._seconds[-1][0] != second:
                self._seconds.append([second, 0])
            self._seconds[-1][1] += 1
            while self._seconds[0][0] < self._last - LATELY:
                self._seconds.popleft()

    def lately(self) -> float:
        """A second, now: 0 where nothing has come for so long."""
        with self._lock:
            now = self._clock()
            count = sum(number for second, number in self._seconds if second >= now - LATELY)
            seconds = min(LATELY, now - self._began)
            return count / seconds if seconds > 0 else 0.0

    def overall(self, *, ended: bool = False) -> float:
        """A second since the start; where it has ended, up to the last one."""
        with self._lock:
            seconds = (self._last if ended else self._clock()) - self._began
            return self._count / seconds if seconds > 0 else 0.0
