"""The screens in README.md: what the commands above them print, on the shipped model and on a copy of it that is wrong.

Nothing is made up: each block begins with its command, which is run here as it stands there. Times, and figures that
another processor could round otherwise, are left out of the comparison.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from unittest.mock import patch

from repository import ROOT, benchmark

from tvbench.cli import main as front

README = ROOT / "README.md"
WIDTH = 96
LEFT_ALONE = ("LINES", "TERM", "FORCE_COLOR", "TTY_COMPATIBLE", "TVBENCH_INCLUDE_PATH", "TVBENCH_RESULTS")
BLOCK = re.compile(r"(```text\n\$ (tvbench [^\n]+)\n)(.*?)(```\n)", re.DOTALL)
DAMAGED = "my-tower"
"""The copy's folder: the tokens of two languages have lost their embeddings."""


def prepare(place: Path) -> None:
    """The folder in which the commands are typed: the copy, the baseline, and a run of the model as it is shipped."""
    made = benchmark("guard")
    shutil.copytree(made.damages().shipped(), place / DAMAGED)
    made.drawn("languages", 1).edit(place / DAMAGED)
    (place / "baselines").mkdir()
    shutil.copy(made.BASELINE, place / "baselines" / "main.json")
    typed(f"tvbench run --model tower-mini {' '.join(made.ASKED)}", place)


def commands(text: str) -> list[str]:
    """The commands above the blocks, in the order in which they are to be typed."""
    return [found[2] for found in BLOCK.finditer(text)]


def typed(words: str, place: Path) -> str:
    """What stands on a terminal after the command, but for the progress."""
    said = io.StringIO()
    kept = {name: os.environ.pop(name, None) for name in (*LEFT_ALONE, "COLUMNS")}
    os.environ["COLUMNS"] = str(WIDTH)
    front._width.cache_clear()
    try:
        with (
            contextlib.chdir(place),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(io.StringIO()),
            patch.dict(os.environ, {"HF_HUB_OFFLINE": "1"}),
            contextlib.suppress(SystemExit),
        ):
            front.main(words.split()[1:])
    finally:
        del os.environ["COLUMNS"]
        os.environ |= {name: value for name, value in kept.items() if value is not None}
        front._width.cache_clear()
    return "\n".join(line.rstrip() for line in said.getvalue().strip("\n").splitlines()) + "\n"


def with_screens(text: str, screens: Mapping[str, str]) -> str:
    """README's text with these screens below their commands."""
    return BLOCK.sub(lambda found: found[1] + screens.get(found[2], found[3]) + found[4], text)


def blurred(screen: str) -> Iterator[str]:
    """The lines of a screen without what depends on the processor: figures, their width, and marks at the edge."""
    for line in screen.splitlines():
        words = re.sub(r"[\d.,]+(?:e-?\d+)?", "0", line)
        yield " ".join(word for word in re.sub(r"[─│┤┬└]+", "", words).split() if word not in {"!", "=", "!=", "★"})
