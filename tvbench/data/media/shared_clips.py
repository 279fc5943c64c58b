"""Clips that are asked for more than once, decoded once where the questions follow each other: the same clip in several
languages.

What somebody still holds is shared and costs nothing more; beyond that only the last few are kept, within a bound.
Knows no decoder.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from tvbench.data.media.clips import Clip

KEPT_BYTES = 32 << 20
"""Of decoded clips that nobody holds any more: two of 32 frames at 384 x 384."""
Decoded = tuple[Clip, tuple[str, ...]]


class SharedClips:
    """Safe to call from many threads: whoever asks for a clip that is being decoded waits for it."""

    def __init__(self, kept_bytes: int = KEPT_BYTES) -> None:
        self._most = kept_bytes
        self._lock = threading.Lock()
        self._under_way: dict[Hashable, Future[Decoded]] = {}
        self._known: dict[Hashable, tuple[weakref.ref[Clip], tuple[str, ...]]] = {}
        self._kept: OrderedDict[Hashable, Clip] = OrderedDict()

    def get(self, data: bytes, how: Hashable, decode: Callable[[], Decoded]) -> Decoded:
        """The clip of these bytes, taken `how`. Raises what `decode` raises, for all who wait for it."""
        key = (hashlib.sha256(data).digest(), how)
        with self._lock:
            if (found := self._here(key)) is not None:
                return found
            future = self._under_way.get(key)
            mine = future is None
            if future is None:
                future = self._under_way[key] = Future()
        if not mine:
            return future.result()
        try:
            made = decode()
        except BaseException as error:
            self._done(key, future, error)
            raise
        self._done(key, future, made)
        return made

    def forget(self) -> None:
        """Keep nothing more."""
        with self._lock:
            self._kept.clear()
            self._known.clear()

    def _here(self, key: Hashable) -> Decoded | None:
        reference, notes = self._known.get(key, (None, ()))
        clip = None if reference is None else reference()
        if clip is None:
            return None
        self._keep(key, clip)
        return clip, notes

    def _done(self, key: Hashable, future: Future[Decoded], made: Decoded | BaseException) -> None:
        with self._lock:
            del self._under_way[key]
            if not isinstance(made, BaseException):
                self._known = {one: entry for one, entry in self._known.items() if entry[0]() is not None}
                self._known[key] = (weakref.ref(made[0]), made[1])
                self._keep(key, made[0])
        if isinstance(made, BaseException):
            future.set_exception(made)
        else:
            future.set_result(made)

    def _keep(self, key: Hashable, clip: Clip) -> None:
        """Hold on to it, and let the oldest go."""
        self._kept[key] = clip
        self._kept.move_to_end(key)
        while self._kept and sum(one.frames.nbytes for one in self._kept.values()) > self._most:
            self._kept.popitem(last=False)
