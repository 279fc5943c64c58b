"""The option parser: every pattern that the logs of 2025 taught, in made-up rows, and languages beyond them."""

from __future__ import annotations

import contextlib
import sys
from types import FrameType
from typing import Any

import pytest

from tasks.alm import ask_tvbench, paper_target
from tvbench.data.alm_rows import question_of
from tvbench.data.options import paper_options, parse_options

FRUIT = ("Apfel", "Birne", "Kirsche", "Dattel")


@pytest.mark.parametrize("answer", ["b (Options: a, b, c, d; b; x; y)", "b (Options: a; b; c; d, a, b, c)"])
def test_a_list_that_can_be_read_in_two_ways_is_flagged(answer: str) -> None:
    assert not parse_options(answer).sure
    question = question_of({"Translated_Answer": answer, "Question_Type": "Multiple Choice Questions"})
    with pytest.raises(ValueError, match="two ways"):
        ask_tvbench(question, {}, 0)
    assert paper_target(answer).gold is None


HOSTILE = {
    "commas": lambda n: f"x (Options: {'a,' * (n // 2)})",
    "blanks": lambda n: f"a{' ' * n}b (Options: a, b, c, d)",
    "brackets": lambda n: "(" * n,
    "nested": lambda n: f"{'(' * (n // 2)}a: b, c{')' * (n // 2)}",
    "many lists": lambda n: "(a: b)" * (n // 6),
    "full stops": lambda n: f"{'.' * n} x",
    "no blank": lambda n: "a." * (n // 2),
    "colons": lambda n: f"Options: {'a:' * (n // 2)}",
    "two kinds": lambda n: f"x (Options: {'a;b,' * (n // 4)})",
    "labels": lambda n: f"x (Options: {'A) x B) y ' * (n // 10)})",
    "long texts": lambda n: f"{'x' * n} (Options: {'y' * n}, b, c, d)",
    "the right one everywhere": lambda n: f"{'a,' * (n // 4)}a (Options: {'a,' * (n // 4)})",
    "lines": lambda n: f"x (Options: {'a' + chr(10)}{('a' + chr(10)) * (n // 2)})",
    "keywords": lambda n: f"x{' Options:' * (n // 9)}",
    "blanks before the list": lambda n: f"({' ' * n}Options: a)",
    "open lists": lambda n: f"{'(Options: ' * (n // 10)}{chr(10)})",
}


def steps(text: str) -> int:
    """How many lines of tvbench's own code a parse takes, which no other work on the machine changes."""
    count = 0

    def step(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        count += event == "line"
        return step

    sys.settrace(step)
    try:
        with contextlib.suppress(ValueError):
            parse_options(text)
        paper_options(text)
    finally:
        sys.settrace(None)
    return count


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_list_twice_as_long_takes_twice_as_many_steps(kind: str) -> None:
    short, long = (steps(HOSTILE[kind](size)) for size in (2_000, 4_000))
    assert long < 2.5 * short + 2_000
