"""Labelled lines, as wide as the terminal, for the commands that explain one thing. Knows no command."""

from __future__ import annotations

import sys
from collections.abc import Iterator

from tvbench.cli.output import room

WIDTH = 100
"""Columns that are filled at most, and in a pipe."""
LABEL = 16
LEAST_TEXT = 12


def field(label: str, text: str) -> Iterator[str]:
    """The lines of `label: text`; the text starts on a line of its own where the label is long."""
    import textwrap

    width = max(min(room(sys.stdout) or WIDTH, WIDTH) - LABEL, LEAST_TEXT)
    first = f"  {label}:".ljust(LABEL)
    lines = textwrap.wrap(" ".join(text.split()), width, break_long_words=False, break_on_hyphens=False) or [""]
    if not first.endswith(" "):
        lines.insert(0, "")
    yield (first + lines[0]).rstrip()
    yield from (" " * LABEL + line for line in lines[1:])
