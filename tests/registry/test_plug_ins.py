"""What other packages add is found, in every form in which packages lie on a disk, and otherwise costs no import."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path
from zipfile import ZipFile

import pytest

from tvbench.registry.plug_ins import may_have, plug_ins

GROUP = "tvbench.tasks"
POINTS = f"[{GROUP}]\nmine = mine:TASK\n"


@pytest.mark.parametrize("info", ["mine-1.dist-info", "mine.egg-info", "Mine-1.0.EGG-INFO", "mine.egg/EGG-INFO"])
def test_a_package_in_a_folder_of_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, info: str) -> None:
    tmp_path, info = (tmp_path / "mine.egg", "EGG-INFO") if info.startswith("mine.egg/") else (tmp_path, info)
    (tmp_path / info).mkdir(parents=True)
    for name in ("METADATA", "PKG-INFO"):
        (tmp_path / info / name).write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    (tmp_path / info / "entry_points.txt").write_text(POINTS)
    assert not may_have(GROUP)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert (
        [point.value for point in plug_ins(GROUP)]
        == ["mine:TASK"]
        == [point.value for point in entry_points(group=GROUP)]
    )
    assert plug_ins("tvbench.nothing") == []


def test_a_package_in_the_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine-1.dist-info").mkdir()
    (tmp_path / "mine-1.dist-info" / "entry_points.txt").write_text(POINTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", ["", *sys.path])
    assert may_have(GROUP)


def test_an_archive_on_the_path_and_a_finder_of_somebody_else_go_the_long_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ZipFile(tmp_path / "mine.zip", "w") as archive:
        archive.writestr("mine-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
        archive.writestr("mine-1.dist-info/entry_points.txt", POINTS)
    with monkeypatch.context() as patched:
        patched.syspath_prepend(str(tmp_path / "mine.zip"))
        assert [point.value for point in plug_ins(GROUP)] == ["mine:TASK"]

    class Finder:
        def find_spec(self, *_: object) -> None:
            return None

        def find_distributions(self, *_: object) -> list[object]:
            return []

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    assert may_have(GROUP) and plug_ins(GROUP) == []


def test_without_plug_ins_the_library_is_not_imported() -> None:
    source = f"import sys; from tvbench.registry.plug_ins import plug_ins; assert not plug_ins({GROUP!r}); print(*sys.modules)"  # noqa: E501
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert "importlib.metadata" not in done.stdout.split()
