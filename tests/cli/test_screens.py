"""docs/screens holds what every command shows at five widths: a change of look is seen in review."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest
import screens
from screens import ALL, SCREENS, Screen

from tvbench.cli.main import COMMANDS


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("screens")
    screens.make_runs(folder)
    return folder


@pytest.mark.parametrize("screen", ALL, ids=lambda screen: screen.name)
def test_the_screen_is_the_committed_one(place: Path, screen: Screen) -> None:
    path = SCREENS / f"{screen.name}.txt"
    was = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    now = screens.screen_text(screen, place).splitlines()
    if diff := list(difflib.unified_diff(was, now, f"docs/screens/{path.name}", "now", n=1, lineterm="")):
        said = f"If that is meant: `python tools/screens.py --write {screen.name}`"
        pytest.fail("\n".join(["What people see has changed:", *diff, said]), pytrace=False)


def test_no_file_is_left_of_a_screen_that_is_gone() -> None:
    assert {path.stem for path in SCREENS.iterdir()} == {screen.name for screen in ALL}


def test_every_command_has_a_screen() -> None:
    """Of those that need a model, a service or an environment of its own, it is their help."""
    shown = {screen.words.split()[0] for screen in ALL if screen.words}
    assert shown >= COMMANDS.keys()
