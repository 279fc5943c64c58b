"""A small sample of benchmarks/hostile_media.py: mutated pictures and clips through a real run of a real model."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest
from repository import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def hostile() -> ModuleType:
    import sys

    spec = importlib.util.spec_from_file_location("hostile_media", ROOT / "benchmarks" / "hostile_media.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["hostile_media"] = module
    spec.loader.exec_module(module)
    return module


def test_every_hostile_file_is_answered_or_reported(hostile: ModuleType, tmp_path: Path) -> None:
    hostile.write_data(tmp_path, 11, 40, 16)
    found = hostile.Found()
    hostile.run(tmp_path, "multi30k:de", (), found, trace=False)
    hostile.run(tmp_path, "vimul:en", ("--set", "vimul.frames=4", "--set", "vimul.types=mcq"), found, trace=False)
    assert found.good and found.asked == 56 and found.answered + found.failed == 56, found
    assert found.answered >= 5 and found.failed >= 5, "the sample holds both kinds"
    assert found.peak < 2_000_000_000


def test_a_lost_item_a_traceback_and_an_opened_file_are_found(hostile: ModuleType, tmp_path: Path) -> None:
    assert hostile.Found(codes=[0, 1]).good
    for bad in ({"lost": 1}, {"tracebacks": 1}, {"codes": [2]}):
        assert not hostile.Found(**bad).good
    (tmp_path / "trace").write_text(
        '7 openat(AT_FDCWD, "bait.mp4", O_RDONLY) = 3\n7 openat(AT_FDCWD, "/srv/secret", O_RDONLY) = 3\n'
        '7 openat(AT_FDCWD, "/usr/lib/x.so", O_RDONLY) = 3\n7 openat(AT_FDCWD, "/srv/none", O_RDONLY) = -1 ENOENT\n'
        "7 connect(3, {sa_family=AF_INET, sin_port=htons(80)}, 16) = 0\n7 connect(3, {sa_family=AF_UNIX}, 16) = 0\n"
    )
    found = hostile.Found()
    hostile.read_trace(tmp_path / "trace", tmp_path, found)
    assert dict(found.opened) == {"bait.mp4": 1, "/srv/secret": 1} and sum(found.connected.values()) == 1
    assert not found.good
