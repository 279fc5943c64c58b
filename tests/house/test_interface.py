"""The public interface is the frozen one: names, entry points, and every option with its choices and default."""

from __future__ import annotations

import difflib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file())
FROZEN = ROOT / "tests" / "data" / "interface.txt"
TOOL = "tools/interface.py"


def test_the_interface_is_the_frozen_one() -> None:
    done = subprocess.run([sys.executable, TOOL], cwd=ROOT, check=True, capture_output=True, text=True)
    frozen = FROZEN.read_text(encoding="utf-8")
    diff = list(difflib.unified_diff(frozen.splitlines(), done.stdout.splitlines(), "frozen", "now", n=0, lineterm=""))
    if diff:
        pytest.fail(
            "\n".join(
                [
                    "What other people's code and scripts rely on has changed:",
                    *diff,
                    f"If that is meant: `python {TOOL} --write`, and a line in CHANGELOG.md for who relies on it.",
                ]
            ),
            pytrace=False,
        )
