"""The release check finds what it is there for: made-up checkouts with one thing wrong, and the real archives."""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file())


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("release_check", ROOT / "tools" / "release_check.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["release_check"] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    (tmp_path / "tvbench").mkdir()
    (tmp_path / "tvbench" / "__init__.py").write_text('"""Ours."""\n\n__version__ = "1.2.0"\n')
    (tmp_path / "CITATION.cff").write_text('cff-version: 1.2.0\nversion: "1.2.0"\n')
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## 1.2.0 (2026-01-01)\n\n- New.\n\n## 1.1.0\n")
    return tmp_path


def problems(tool: ModuleType, root: Path, *tags: str) -> list[str]:
    return [check.name for check in tool.versions(root, tags) if check.problem]


@pytest.mark.parametrize("tags", [(), ("v1.2.0",), ("nightly", "v1.2.0")])
def test_equal_versions_are_good(tool: ModuleType, checkout: Path, tags: tuple[str, ...]) -> None:
    assert problems(tool, checkout, *tags) == []


@pytest.mark.parametrize(
    ("name", "old", "new", "tags", "found"),
    [
        ("CITATION.cff", '1.2.0"', '1.1.0"', (), ["CITATION.cff"]),
        ("CITATION.cff", 'version: "1.2.0"', "", (), ["CITATION.cff"]),
        ("CHANGELOG.md", "## 1.2.0 (2026-01-01)", "## 1.2.1", (), ["CHANGELOG.md"]),
        ("CHANGELOG.md", "## 1.2.0 (2026-01-01)", "## Unreleased", (), []),
        ("CHANGELOG.md", "## 1.2.0 (2026-01-01)", "## Unreleased", ("v1.2.0",), ["CHANGELOG.md"]),
        ("CHANGELOG.md", "", "", ("v1.2.1",), ["tag"]),
        ("CHANGELOG.md", "", "", ("v1.2.0", "v1.3.0"), ["tag"]),
    ],
)
def test_unequal_ones_are_named(
    tool: ModuleType, checkout: Path, name: str, old: str, new: str, tags: tuple[str, ...], found: list[str]
) -> None:
    path = checkout / name
    path.write_text(path.read_text().replace(old, new, 1) if old else path.read_text())
    assert problems(tool, checkout, *tags) == found


def test_a_python_that_is_not_there_is_not_tried(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python3.99"
    broken.write_text("#!/bin/sh\nexit 127\n")  # as pyenv's shims are where no such version is installed
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    (check,) = tool.tried("3.99", tmp_path / "a.whl", tmp_path, engine=True)
    assert not check.tried
    assert check.problem


def test_the_running_python_is_found(tool: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    version = "{}.{}".format(*sys.version_info)
    (tmp_path / f"python{version}").symlink_to(sys._base_executable)  # type: ignore[attr-defined]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tool.find_python(version) == str(tmp_path / f"python{version}")


@pytest.fixture(scope="module")
def built(tool: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    wheel, source = tool.build(ROOT, tmp_path_factory.mktemp("dist"))
    return wheel, source


@pytest.mark.slow
def test_the_archives_are_whole(tool: ModuleType, built: tuple[Path, Path], tmp_path: Path) -> None:
    assert [str(check) for check in tool.archives(*built, tmp_path) if check.problem] == []


@pytest.mark.slow
def test_archives_that_lack_something_are_named(tool: ModuleType, built: tuple[Path, Path], tmp_path: Path) -> None:
    wheel, source = (Path(shutil.copy(path, tmp_path)) for path in built)
    with zipfile.ZipFile(wheel, "a") as archive:
        archive.writestr("tests/test_a.py", "")
    (tmp_path / "source").mkdir()
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (unpacked,) = (tmp_path / "source").iterdir()
    shutil.rmtree(unpacked / "tasks" / "__pycache__", ignore_errors=True)
    next(iter(sorted((unpacked / "tasks").glob("*.py")))).unlink()
    with tarfile.open(source, "w:gz") as archive:
        archive.add(unpacked, unpacked.name)
    (tmp_path / "again").mkdir()
    found = {check.name for check in tool.archives(wheel, source, tmp_path / "again") if check.problem}
    assert {"wheel: nothing else", "wheel from the source archive"} <= found
