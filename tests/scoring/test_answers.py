"""Replies in many languages, each with what a reader of the language would say of it: tests/data/answers.csv.

`right`: the reply is the right option. `wrong`: it is another one. `unread`: it is none, or more than one, or says
what the answer is not. A reply may be right for one option only.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest

from tvbench.scoring.choice import judge
from tvbench.scoring.metrics import metric
from tvbench.types import Choice, Item, Message, Short

TABLE = Path(__file__).parents[1] / "data" / "answers.csv"
LANGUAGES = 50
CASES = 900


class Case(NamedTuple):
    """One row of the table."""

    language: str
    options: tuple[str, ...]
    gold: int
    letters: bool
    kind: str
    reply: str
    verdict: str
    why: str


def cases() -> list[Case]:
    with TABLE.open(encoding="utf-8", newline="") as lines:
        return [
            Case(
                row["language"],
                tuple(row["options"].split("|")),
                int(row["gold"]),
                row["letters"] == "yes",
                row["kind"],
                row["reply"],
                row["verdict"],
                row["why"],
            )
            for row in csv.DictReader(lines)
        ]


CASES_OF = {kind: [case for case in cases() if case.kind == kind] for kind in ("choice", "short")}


def read(case: Case) -> str:
    """What the reply is read as: by the metric's own reading, with each of the options as the right one."""

    def aligned(place: int) -> bool:
        text = chr(ord("A") + place) if case.letters else case.options[place]
        return judge(Choice(case.options, place, text, case.options, case.letters), case.reply, case.language).aligned

    right = aligned(case.gold)
    others = [
        place
        for place, option in enumerate(case.options)
        if place != case.gold and option.casefold() != case.reply.casefold() and aligned(place)
    ]
    if right:
        return "right" if not others else f"right, and {others} too"
    other = [place for place, option in enumerate(case.options) if option.casefold() == case.reply.casefold()]
    return "wrong" if len({*others, *other}) == 1 else "unread" if not others else f"{others}"


@pytest.mark.parametrize("case", CASES_OF["choice"], ids=lambda case: f"{case.language}-{case.reply!r}")
def test_a_reply_is_read_as_a_reader_of_the_language_reads_it(case: Case) -> None:
    assert read(case) == case.verdict, case.why


@pytest.mark.parametrize("case", CASES_OF["short"], ids=lambda case: f"{case.language}-{case.reply!r}")
def test_short_answers_share_the_rules(case: Case) -> None:
    item = Item("1", "t", case.language, (Message("user", ("?",)),), Short(case.options))
    assert metric("accuracy").of_item(item, case.reply) == float(case.verdict == "right"), case.why


def test_the_table_is_wide() -> None:
    """All twenty languages of TowerVision have right replies and denied ones."""
    found = cases()
    assert len(found) >= CASES
    assert len(set(found)) == len(found)
    assert len({case.language for case in found}) >= LANGUAGES
    counts = Counter((case.language, case.verdict) for case in found)
    for language in "en de fr es it pt nl ko ru zh uk hi cs pl ro sv no da is fi hu ja".split():
        assert counts[language, "right"] >= 2, language
        assert counts[language, "unread"] >= 2, language
