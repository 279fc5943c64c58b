"""What a command prints: lines and tables for people on a terminal, JSON for scripts. Knows no command.

All of it is made visible first (safety/visible.py), and fits whatever encoding the streams have.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TextIO

from tvbench.safety.visible import json_text, visible, visible_lines

if TYPE_CHECKING:
    from rich.console import Console


def console(*, stderr: bool = False) -> Console:
    """A rich console; progress and remarks go to stderr so that stdout stays clean for scripts."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: Any) -> None:
    """`value` as indented UTF-8 JSON on stdout."""
    sys.stdout.write(json_text(value, ascii_only=not holds_unicode(sys.stdout)) + "\n")


def print_text(text: str) -> None:
    """A whole page on stdout, as it is: it was made visible already."""
    sys.stdout.write(text)


def print_csv(text: str) -> None:
    """CSV on stdout, as it is: its cells are made visible already."""
    sys.stdout.write(text)


def say(*lines: str) -> None:
    """Lines on stdout, one for each."""
    for line in lines:
        print(visible(line))


def fitted(lines: Iterable[str]) -> list[str]:
    """Lines folded between words where stdout is a terminal, or is said to be so wide; a name is never broken."""
    from shutil import get_terminal_size
    from textwrap import wrap

    if not sys.stdout.isatty() and "COLUMNS" not in os.environ:
        return list(lines)
    width = max(20, get_terminal_size().columns)
    return [
        part
        for line in lines
        for part in wrap(
            line,
            width,
            subsequent_indent=" " * (len(line) - len(line.lstrip()) + 2),
            break_long_words=False,
            break_on_hyphens=False,
        )
        or [""]
    ]


def remark(message: str) -> None:
    """A line for the person watching, on stderr."""
    print(visible_lines(message, "  "), file=sys.stderr, flush=True)


def holds_unicode(stream: TextIO) -> bool:
    """Whether the encoding of `stream` has every character."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def prepare_streams() -> None:
    """What an encoding cannot hold is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
