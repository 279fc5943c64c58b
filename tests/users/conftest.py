"""One wheel for all users, and a new folder for each."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed import User, build_wheel, unpack


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    return unpack(build_wheel(folder), folder / "unpacked")


@pytest.fixture
def user(package: Path, tmp_path: Path) -> User:
    return User(package, tmp_path)
