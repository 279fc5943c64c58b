"""All sides in turns: seconds, processors and answers, and ratios to the first side."""

from __future__ import annotations

import os
import statistics
from collections.abc import Mapping, Sequence

from benchmarks.peer_sides.place import Place, Side
from benchmarks.peer_sides.running import whole

TITLES = "whole process", "processors, whole process", "generation"


def compare(place: Place, sides: Sequence[Side], rounds: int, *, warm: bool) -> int:
    """All sides in turns, after a round to warm up; prints seconds and ratios to the first side. 1: answers differ."""
    answers = Agreement(sides[0].name)
    for side in () if warm else sides:
        whole(place, side)
        answers.compare(side, place)
    tables: dict[str, dict[str, list[float]]] = {title: {side.name: [] for side in sides} for title in TITLES}
    for number in range(rounds):
        for side in [*sides[number % len(sides) :], *sides[: number % len(sides)]]:
            told = {}
            for title, seconds in zip(TITLES, (*whole(place, side), side.seconds(place)), strict=True):
                if seconds is not None:
                    tables[title][side.name].append(seconds)
                    told[title] = f"{title} {seconds:.2f} s"
            answers.compare(side, place)
            print(
                f"round {number + 1}: {side.name}: {', '.join(told.values())}; load {os.getloadavg()[0]:.1f}",
                flush=True,
            )
    for title, table in tables.items():
        show(title, table)
    return int(answers.differing > 0)


class Agreement:
    """Holds every side's answers against those that were seen first."""

    def __init__(self, first: str) -> None:
        self.first = first
        self.expected: dict[str, str] = {}
        self.said: set[str] = set()
        self.differing = 0

    def compare(self, side: Side, place: Place) -> None:
        """Count, and say it of each side once, or where they differ."""
        said = {name: _plain(text) for name, text in side.answers(place).items()}
        self.expected = self.expected or said
        same = sum(said.get(name) == text for name, text in self.expected.items())
        different = same != len(self.expected) or len(said) != same
        self.differing += different
        if different or side.name not in self.said:
            self.said.add(side.name)
            print(f"{side.name}: {len(said)} answers, {same} of {len(self.expected)} as {self.first}", flush=True)


def show(title: str, table: Mapping[str, Sequence[float]]) -> None:
    """Medians, and ratios to the first side: of each round, and minimum against minimum."""
    first = next(iter(table.values()))
    for name, times in table.items():
        if not times:
            continue
        line = f"{title}: {name} median {statistics.median(times):.2f} s, {min(times):.2f} to {max(times):.2f}"
        if first and len(first) == len(times):
            ratios = [mine / other for mine, other in zip(times, first, strict=True)]
            line += f"; of the first {statistics.median(ratios):.2f}, minima {min(times) / min(first):.2f}"
        print(line)


def _plain(text: str) -> str:
    return text.replace("\ufffd", "").strip()
