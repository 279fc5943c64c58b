"""README shows what one gets: each screen in it is what its command prints today."""

from __future__ import annotations

from pathlib import Path

import pytest
import readme_screens
from readme_screens import BLOCK, README, blurred

pytestmark = pytest.mark.slow


def test_the_screens_are_what_their_commands_print(tmp_path: Path) -> None:
    readme_screens.prepare(tmp_path)
    blocks = [(found[2], found[3]) for found in BLOCK.finditer(README.read_text(encoding="utf-8"))]
    assert {command.split()[1] for command, _ in blocks} >= {"run", "leaderboard", "explain", "check"}
    for command, shown in blocks:
        now = readme_screens.typed(command, tmp_path)
        assert list(blurred(now)) == list(blurred(shown)), f"{command}\n{now}\nIf meant: python tools/readme.py --write"
