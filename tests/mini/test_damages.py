"""A small sample of benchmarks/damages.py: one copy of tower-mini with each kind of damage, and one without any."""

from __future__ import annotations

from pathlib import Path

import pytest
from repository import benchmark

pytestmark = pytest.mark.slow


DAMAGES = benchmark("damages")
ITEMS = 12


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("damages")


@pytest.mark.parametrize(("kind", "seed"), [("languages", 1), ("script", 2), ("colour", 2)])
def test_a_damage_is_named_with_its_languages_and_its_cause(folder: Path, kind: str, seed: int) -> None:
    found = DAMAGES.tried(DAMAGES.damage(kind, seed), folder, ITEMS)
    assert found["compare"] and found["explain"], (folder / f"{kind}-{seed}.txt").read_text(encoding="utf-8")


def test_a_sound_copy_is_not_accused(folder: Path) -> None:
    found = DAMAGES.tried(DAMAGES.damage("sound", 3), folder, ITEMS)
    assert not found["compare"] and not found["explain"], (folder / "sound-3.txt").read_text(encoding="utf-8")


def test_damages_depend_on_the_seed_alone_and_differ() -> None:
    for kind in DAMAGES.KINDS:
        drawn = [DAMAGES.damage(kind, seed) for seed in range(1, 11)]
        assert drawn == [DAMAGES.damage(kind, seed) for seed in range(1, 11)]
        assert len({one.told for one in drawn}) >= 3
    assert all(DAMAGES.damage("colour", seed).rows for seed in range(1, 40)), "every colour word has tokens of its own"
