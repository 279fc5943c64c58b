"""tvbench guards itself: tower-mini against its committed baseline. Broken copies are stopped, their languages named;
another batch, another precision and a run that was copied from elsewhere pass. benchmarks/guard.py has more of each."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from repository import ROOT, benchmark

pytestmark = pytest.mark.slow


GUARD = benchmark("guard")
SEED = 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("guard")


@pytest.fixture(scope="module")
def sound(folder: Path) -> Path:
    """tower-mini as it is shipped, in batches of another size than the baseline's."""
    made: Path = GUARD.run(GUARD.drawn("sound", 1), folder)
    return made


def test_the_shipped_model_passes(sound: Path) -> None:
    code, check = GUARD.checked(sound)
    assert code == 0 and check["outcome"] == "pass", check
    assert {one["language"] for one in check["comparisons"]} == {*GUARD.LANGUAGES, "mean"}


@pytest.mark.parametrize("kind", ["projector", "languages", "letters"])
def test_a_broken_copy_is_stopped_and_its_languages_are_named(folder: Path, kind: str) -> None:
    copy = GUARD.drawn(kind, SEED)
    code, check = GUARD.checked(GUARD.run(copy, folder))
    assert code == 3 and check["outcome"] == "fail", check
    assert set(copy.languages) <= GUARD.named(check), (copy.told, GUARD.named(check))
    if kind == "languages":
        assert not (set(GUARD.SEEN) - set(copy.languages)) & GUARD.named(check), "languages that nothing was done to"


def test_another_precision_passes(folder: Path) -> None:
    code, check = GUARD.checked(GUARD.run(GUARD.drawn("sound", 2), folder))
    assert code == 0 and check["outcome"] == "pass", check


def test_a_run_from_another_machine_is_read_as_it_is(sound: Path, tmp_path: Path) -> None:
    """A copied folder under another name, without the task files' data and the weights that it was made with."""
    there = tmp_path / "elsewhere" / "a run"
    shutil.copytree(sound, there)
    code, check = GUARD.checked(there)
    assert code == 0 and check["outcome"] == "pass", check


def test_what_is_missing_or_asked_otherwise_is_no_pass(folder: Path, tmp_path: Path) -> None:
    """A run without one language, and one of other pictures: nothing fell in them, and neither may pass."""
    words = ["run", "--model", "tower-mini", *GUARD.RUN, "--results", str(tmp_path)]
    words[words.index("--languages") + 1] = "en,de"
    words[words.index(f"mini.items={GUARD.ITEMS}")] = "mini.items=4"
    assert GUARD.tvbench(*words)[0] == 0
    [made] = (path for path in tmp_path.iterdir() if (path / "manifest.json").is_file())
    code, check = GUARD.checked(made)
    assert code == 3 and {one["language"] for one in check["absent"]} >= {"es", "zh", "pt", "ru"}, check
    assert any(one["fatal"] and one["what"] == "data" for one in check["changed"])


def test_the_baseline_is_small_and_tells_nothing_of_a_machine() -> None:
    text = GUARD.BASELINE.read_text(encoding="utf-8")
    assert len(text) < 40_000
    assert not any(f"{place}/" in text for place in (Path.home(), ROOT, Path(tempfile.gettempdir())))
    assert (GUARD.BASELINE.parent / "README.md").is_file()
