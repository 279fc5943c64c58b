"""How a row of a leaderboard stands against those above it, in words. Knows matrices; no layout."""

from __future__ import annotations

from collections.abc import Sequence

from tvbench.analysis.entries import untrained
from tvbench.analysis.matrix import Matrix

NAMED = 2
"""As many others are named; more are counted."""


def row_standing(
    matrix: Matrix, row: int, names: Sequence[str], heads: Sequence[str], at: int, *, otherwise: bool
) -> str:
    """`worse than A and B in each`, `cannot be told apart from A; better in Hindi`, or why it is not ranked. `at` is
    the column of the ranks, the others are where else it may be better or worse; `otherwise`: its name says so.
    """
    place = matrix.places[at]
    entry = matrix.rows[row].entries.get(place.task)
    if entry is None:
        return ""
    if matrix.fields[row][at].value is None:
        some = any(field.value is not None for field in matrix.fields[row])
        return "not ranked: not asked in all of these" if some else "nothing scored yet"
    if untrained(entry.revision):
        return "random weights: its scores mean nothing"
    if not entry.result.counts.all_answered and not entry.result.copied:
        return "not ranked: incomplete"
    ranked = matrix.ranked.get(place, frozenset())
    if row not in ranked:
        return "not ranked: measured otherwise" if ranked or otherwise else ""
    before = [other for other in range(row) if other in ranked]
    above = [other for other in ranked if (other, row) in matrix.better[place]]
    equal = [other for other in before if other not in above]
    said = [f"worse than {_named(above, names, before)}{_where(matrix, row, above, heads, at)}"] if above else []
    if equal:
        said.append(f"cannot be told apart from {_named(equal, names, before)}{_but(matrix, row, equal, heads, at)}")
    return "; ".join(said)


def _named(others: Sequence[int], names: Sequence[str], before: Sequence[int]) -> str:
    if len(others) <= NAMED:
        return " and ".join(names[other] for other in sorted(others))
    return f"all {len(others)} above" if set(others) == set(before) else f"{len(others)} of them"


def _where(matrix: Matrix, row: int, above: Sequence[int], heads: Sequence[str], at: int) -> str:
    """The other columns in which each of `above` is certainly better."""
    places = [number for number in range(len(heads)) if number != at]
    found = [
        number
        for number in places
        if all((other, row) in matrix.better.get(matrix.places[number], ()) for other in above)
    ]
    if not places or not found:
        return ""
    return _in(found, places, heads)


def _but(matrix: Matrix, row: int, equal: Sequence[int], heads: Sequence[str], at: int) -> str:
    """In which other columns it is certainly better, or worse, than each of `equal`."""
    places = [number for number in range(len(heads)) if number != at]
    said = ""
    for word, pairs in (("better", [(row, other) for other in equal]), ("worse", [(other, row) for other in equal])):
        found = [
            number for number in places if all(pair in matrix.better.get(matrix.places[number], ()) for pair in pairs)
        ]
        said += f"; {word}{_in(found, places, heads)}" if found else ""
    return said


def _in(found: Sequence[int], places: Sequence[int], heads: Sequence[str]) -> str:
    if len(found) == len(places) > 1:
        return " in both" if len(places) == 2 else " in each"
    names = [heads[number].partition("\n")[0] for number in found]
    return " in " + (", ".join(names[:-1]) + " and " + names[-1] if len(names) > 1 else names[0])
