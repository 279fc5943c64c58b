"""A table in a pipe is what rich would write into an endlessly wide one, and needs no rich."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tvbench.report.drawn import draw
from tvbench.report.table import Cell, Column, Table, plain_text, show

WORDS = "model 1.0 ± – ü 日本語 हिन्दी 👩‍👩‍👧 é [red]b \x1b[1m \u202e x\ty |".split(" ")
TEXTS = st.lists(st.sampled_from(WORDS), max_size=4).map(" ".join)
TITLES = st.lists(TEXTS.filter(str.strip), min_size=1, max_size=3).map("\n".join)
Side = Literal["left", "right"]
SIDES: st.SearchStrategy[Side] = st.sampled_from(["left", "right"])


@st.composite
def tables(draw: st.DrawFn) -> Table:
    count = draw(st.integers(1, 5))
    columns = tuple(Column(f"k{number}", draw(TITLES), draw(SIDES)) for number in range(count))
    cells = st.builds(Cell, TEXTS, TEXTS, st.none(), st.booleans(), st.booleans(), st.booleans())
    rows = draw(st.lists(st.tuples(*[cells] * count), max_size=5))
    rules = tuple(draw(st.lists(st.integers(0, 6), max_size=3)))
    return Table(columns, tuple(rows), draw(TEXTS), tuple(draw(st.lists(TEXTS, max_size=2))), 1, rules)


@given(st.lists(tables(), min_size=1, max_size=2))
def test_plain_text_is_what_rich_writes(shown: Sequence[Table]) -> None:
    with pytest.MonkeyPatch.context() as patched:
        for name in ("COLUMNS", "FORCE_COLOR", "TTY_COMPATIBLE", "TTY_INTERACTIVE"):
            patched.delenv(name, raising=False)
        drawn = io.StringIO()
        draw(shown, drawn)
        assert plain_text(shown) == drawn.getvalue()


@pytest.mark.parametrize(("variable", "value"), [("COLUMNS", "20"), ("FORCE_COLOR", "1")])
def test_who_asks_for_a_width_or_for_colours_gets_them(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    columns = (Column("a", "a", "left"), Column("b", "b", "left"))
    one = Table(columns, ((Cell("x"), Cell("many words " * 5, bold=True)),))
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    plain, asked = io.StringIO(), io.StringIO()
    show([one], "table", file=plain)
    monkeypatch.setenv(variable, value)
    show([one], "table", file=asked)
    assert asked.getvalue() != plain.getvalue() and "many words" in asked.getvalue()


def test_a_pipe_needs_no_rich() -> None:
    source = (
        "import sys; from tvbench.report.table import *; show([Table((Column('a', 'a'),), ((Cell('x'),),))], "
        "'table'); assert not {'rich', 'dataclasses'} & set(sys.modules)"
    )
    # Whoever asks for a width (as parallel test runs do) gets tables that are cut to it.
    env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "FORCE_COLOR")}
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=False, env=env)
    assert done.returncode == 0, done.stderr
