"""Questions about one picture are asked one after the other; every question is asked, and once."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from hypothesis import given
from hypothesis import strategies as st

from tvbench.runs.planned import PlannedItem
from tvbench.runs.side_by_side import FIRST_BLOCK, side_by_side
from tvbench.types import Item, Message, Short


def planned(number: int, *digests: str) -> PlannedItem:
    item = Item(str(number), "t", "de", (Message("user", ("Was?",)),), Short(("x",)))
    return PlannedItem(f"key-{number}", item, digests)


shown = st.lists(st.lists(st.sampled_from("abcde"), max_size=2), max_size=3 * FIRST_BLOCK)


@given(shown)
def test_the_same_picture_side_by_side_and_nothing_lost(several: list[list[str]]) -> None:
    items = [planned(number, *digests) for number, digests in enumerate(several)]
    found = list(side_by_side(items))
    assert sorted(one.key for one in found) == sorted(one.key for one in items)
    first = found[:FIRST_BLOCK]
    runs = [digest for digest, _ in groupby(one.digests[0] for one in first if one.digests)]
    assert len(runs) == len(set(runs))
    for digest in set(runs):
        keys = [one.key for one in first if one.digests[:1] == (digest,)]
        assert keys == [one.key for one in items[:FIRST_BLOCK] if one.digests[:1] == (digest,)]


def test_four_languages_of_a_task_are_asked_picture_by_picture() -> None:
    """As a plan has them: language after language."""
    items = [planned(100 * language + place, f"p{place}") for language in range(4) for place in range(50)]
    found = [one.digests[0] for one in side_by_side(items)]
    assert found == [f"p{place}" for place in range(50) for _ in range(4)]


def test_of_very_many_only_a_block_is_made_ahead() -> None:
    made = 0

    def stream() -> Iterator[PlannedItem]:
        nonlocal made
        for number in range(10**6):
            made += 1
            yield planned(number, str(number % 7))

    next(side_by_side(stream()))
    assert made == FIRST_BLOCK
