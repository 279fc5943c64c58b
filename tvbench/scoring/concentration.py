"""Whether what went wrong is gathered in few groups: questions about one word, say, and nowhere else.

Each group of units is held against the rest by the hypergeometric distribution (Fisher 1935, one-sided). All groups of
all universes are one family: groups that could not reach the level whatever happened do not count (Tarone 1990), the
others are adjusted by Bonferroni's rule. Groups overlap, so that the clearest is taken first, its units are laid aside,
and what is still certain among the rest comes next. Knows numbers and names only.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Hashable, Mapping, Sequence, Set
from dataclasses import dataclass

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Universe:
    """`units` that things can go wrong in, `marked` those that did, `groups` of units by name."""

    units: Set[Hashable]
    marked: Set[Hashable]
    groups: Mapping[str, Set[Hashable]]


@dataclass(frozen=True, slots=True)
class Gathered:
    """A group of `size` units, `hits` of them marked; of the `others` units `others_marked`. `p` is adjusted."""

    universe: str
    group: str
    size: int
    hits: int
    others: int
    others_marked: int
    p: float


def tail(total: int, marked: int, size: int, hits: int) -> float:
    """The probability of at least `hits` marked units in `size` drawn from `total`, of which `marked` are."""
    low, high = max(hits, size + marked - total, 0), min(size, marked)
    whole = _choose(total, size)
    return min(
        1.0,
        math.fsum(
            math.exp(_choose(marked, found) + _choose(total - marked, size - found) - whole)
            for found in range(low, high + 1)
        ),
    )


def at_most(number: int, share: float, most: int) -> float:
    """The probability of at most `most` of `number` independent events of probability `share`."""
    if most >= number or share <= 0:
        return 1.0
    if share >= 1:
        return 0.0
    odds = math.log(share), math.log1p(-share)
    return min(
        1.0, math.fsum(math.exp(_choose(number, k) + k * odds[0] + (number - k) * odds[1]) for k in range(most + 1))
    )


def _choose(total: int, size: int) -> float:
    return math.lgamma(total + 1) - math.lgamma(size + 1) - math.lgamma(total - size + 1)


def gathered(
    universes: Mapping[str, Universe], preference: Callable[[str], float] = len, *, least: float = 0.5
) -> list[Gathered]:
    """The groups that what is marked is gathered in, the clearest first; of equally clear ones that which `preference`
    puts lowest. Groups with a smaller share of marked units than `least` are left out: they are no cause."""
    tests = family([(universe, group) for universe in universes.values() for group in _distinct(universe)])
    found = [one for name, universe in universes.items() for one in _of_one(name, universe, tests, preference, least)]
    return sorted(found, key=lambda one: (one.p, one.universe, one.group))


def _distinct(universe: Universe) -> set[frozenset[Hashable]]:
    """Groups of the same units are one test."""
    return {frozenset(group) for group in universe.groups.values()}


def family(groups: Sequence[tuple[Universe, Set[Hashable]]]) -> int:
    """How many of the groups count as tests: Tarone's smallest number that is not exceeded by the groups whose best
    possible p is below the level divided by it."""
    best = sorted(_best(universe, group) for universe, group in groups)
    number = 1
    while bisect_right(best, LEVEL / number) > number:
        number += 1
    return number


def _best(universe: Universe, group: Set[Hashable]) -> float:
    size, marked = len(group), len(universe.marked)
    return tail(len(universe.units), marked, size, min(size, marked)) if size and marked else 1.0


def _of_one(
    name: str, universe: Universe, tests: int, preference: Callable[[str], float], least: float
) -> list[Gathered]:
    units, marked, groups = set(universe.units), set(universe.marked), dict(universe.groups)
    found: list[Gathered] = []
    while groups and marked:
        made = {group: _held(name, group, members & units, units, marked, tests) for group, members in groups.items()}
        clear = {
            group: one for group, one in made.items() if one.p < LEVEL and one.size and one.hits >= least * one.size
        }
        if not clear:
            break
        first = min(clear.values(), key=lambda one: (one.p, preference(one.group), one.group))
        found.append(first)
        units -= groups[first.group]
        marked -= groups.pop(first.group)
    return found


def _held(
    name: str, group: str, members: Set[Hashable], units: Set[Hashable], marked: Set[Hashable], tests: int
) -> Gathered:
    hits = len(members & marked)
    p = min(1.0, tests * tail(len(units), len(marked), len(members), hits)) if hits else 1.0
    return Gathered(name, group, len(members), hits, len(units) - len(members), len(marked) - hits, p)
