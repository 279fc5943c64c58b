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


OPTION, VALUE = r" -[\w-]+(?: [^\s`;()-][^\s`;()]*)?", r" [^\s`;()]*[A-Z\d_/.+-][^\s`;()]*"
COMMAND = rf"`[^`]+`|\btvbench [a-z]+(?: [^\s`;()]+)?(?:{OPTION}|{VALUE})*"
"""What is typed, as it stands in a sentence."""
UNBROKEN = "\ue000"
"""Stands for a blank at which no line is broken."""


def console(*, stderr: bool = False) -> Console:
    """A rich console; progress and remarks go to stderr so that stdout stays clean for scripts."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=not sys.stdout.isatty())


def print_json(value: Any) -> None:
    """`value` as indented UTF-8 JSON on stdout."""
    sys.stdout.write(json_text(value, ascii_only=not holds_unicode(sys.stdout)) + "\n")


def print_json_line(value: Any) -> None:
    """`value` as one line of JSON, at once: whoever reads the lines waits for them."""
    sys.stdout.write(json_text(value, ascii_only=not holds_unicode(sys.stdout), indent=None) + "\n")
    sys.stdout.flush()


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


def room(stream: TextIO) -> int | None:
    """The columns of the terminal behind `stream`, or those that COLUMNS says; None in a pipe."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    try:
        return (os.get_terminal_size(stream.fileno()).columns or 80) if stream.isatty() else None
    except (OSError, ValueError):
        return 80


def fitted(lines: Iterable[str], stream: TextIO | None = None) -> list[str]:
    """Lines folded between words where stdout (or `stream`) is a terminal, or is said to be so wide; a name is never
    broken, nor a command."""
    width = room(stream or sys.stdout)
    return [part for line in lines for part in ([line] if width is None else folded(line, max(20, width)))]


def folded(line: str, width: int) -> list[str]:
    """A line in parts of at most `width` columns, if its names and commands let it."""
    if len(line) <= width:
        return [line]
    import re
    from textwrap import wrap

    kept = re.sub(COMMAND, lambda found: found[0].replace(" ", UNBROKEN), line)
    indent = " " * (len(line) - len(line.lstrip()) + 2)
    parts = wrap(kept, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    return [part.replace(UNBROKEN, " ") for part in parts] or [""]


def remark(message: str) -> None:
    """A line for the person watching, on stderr."""
    lines = fitted(visible_lines(message, "  ").split("\n"), sys.stderr)
    print("\n".join(lines), file=sys.stderr, flush=True)


def holds_unicode(stream: TextIO) -> bool:
    """Whether the encoding of `stream` has every character."""
    return (getattr(stream, "encoding", None) or "utf-8").lower().replace("-", "").startswith("utf")


def prepare_streams() -> None:
    """What an encoding cannot hold is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
