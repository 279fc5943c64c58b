"""The records of batches of several folders of one run as one: what is out for one of them is out for all.

A wave that several folders know is one wave; another one gets a number of its own. What came back, and what was given
up, is known of a wave when one of them knows it. Reads everything before it writes anything. Knows the record; knows
no answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from tvbench.runs.waves import Wave, Waves

Line: TypeAlias = Mapping[str, Any]


class JoinedWaves:
    """The records of `sources` put to that of `target`. Raises UsageError for a damaged one."""

    def __init__(self, target: Path, sources: Iterable[Path]) -> None:
        self._waves = Waves(target)
        known = self._waves.all() if self._waves.exists() else []
        self._numbers = {_name(self._waves, wave): wave.wave for wave in known}
        self._last = max((wave.wave for wave in known), default=0)
        self._new: list[tuple[Wave, Waves, int]] = []
        self._back = list(_placed(self._waves.back()))
        self._returned, self._lost = self._waves.returned(), self._waves.lost()
        self._unasked = before = self._waves.unasked()
        self._more = False
        for source in map(Waves, sources):
            if source.exists() and source.folder.resolve() != self._waves.folder.resolve():
                self._add(source)
        self._reasons = self._unasked != before

    @property
    def changes(self) -> bool:
        """Whether there is anything to write."""
        return bool(self._new) or self._more or self._reasons

    def write(self) -> None:
        """Under the lock of the target: waves first, so that one that was killed here forgets no question that is out.
        Raises StoreError."""
        self._waves.settle()
        for wave, source, number in self._new:
            self._waves.begin(wave, source.keys(number))
            self._waves.done(wave)
        if self._more:
            self._waves.replace_back(line for _, line in sorted(self._back, key=lambda placed: placed[0]))
        if self._reasons:
            self._waves.note_unasked(self._unasked)

    def _add(self, source: Waves) -> None:
        numbers: dict[int, int] = {}
        for wave in source.all():
            name = _name(source, wave)
            if name not in self._numbers:
                self._last = self._numbers[name] = max(wave.wave, self._last + 1)
                self._new.append((replace(wave, wave=self._last, begun=False), source, wave.wave))
            numbers[wave.wave] = self._numbers[name]
        self._back += _placed(self._news(source.back(), numbers))
        self._unasked = {**source.unasked(), **self._unasked}

    def _news(self, lines: Iterable[Line], numbers: Mapping[int, int]) -> Iterator[Line]:
        """What of the lines is not known yet, in the target's numbers."""
        for line in lines:
            new = self._new_of(line, numbers)
            if new is not None:
                self._more = True
                yield new

    def _new_of(self, line: Line, numbers: Mapping[int, int]) -> Line | None:
        if "key" in line:
            name = str(line["key"]), str(line.get("line", ""))
            if name in self._returned:
                return None
            self._returned.add(name)
            after = max((mine for its, mine in numbers.items() if its <= line.get("after", 0)), default=0)
            return {**line, "after": after}
        if "lost" in line:
            lost = sorted({numbers[number] for number in line["lost"] if number in numbers} - self._lost)
            self._lost.update(lost)
            return {**line, "lost": lost} if lost else None
        return None if any(known == line for _, known in self._back) else line


def _name(waves: Waves, wave: Wave) -> tuple[object, ...]:
    """What tells one wave from another, whatever its number is: the same file of the same questions."""
    return wave.file, wave.written, wave.bytes, hash(tuple(key for key, _ in waves.keys(wave.wave)))


def _placed(lines: Iterable[Line]) -> Iterator[tuple[int, Line]]:
    """Each with the highest wave that there was when it was noted: before a later wave was written, a question can
    have come back only of an earlier one."""
    place = 0
    for line in lines:
        place = max([place, line.get("after", 0), *line.get("lost", ())])
        yield place, line
