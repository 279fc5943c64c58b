"""Labelled, wrapped lines for the commands that explain one thing. Knows no command."""

from __future__ import annotations

from collections.abc import Iterator

WIDTH = 100
LABEL = 16


def field(label: str, text: str) -> Iterator[str]:
    """The lines of `label: text`; the text starts on a line of its own where the label is long."""
    import textwrap

    first = f"  {label}:".ljust(LABEL)
    lines = textwrap.wrap(" ".join(text.split()), WIDTH - LABEL, break_long_words=False, break_on_hyphens=False) or [""]
    if not first.endswith(" "):
        lines.insert(0, "")
    yield (first + lines[0]).rstrip()
    yield from (" " * LABEL + line for line in lines[1:])
