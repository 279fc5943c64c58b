"""What quick commands keep is what would be listed now: after every change of a file that has a part in it, and for
whatever lies in the cache."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from repository import ROOT

LISTS = (
    "tasks",
    "tasks --format json",
    "tasks show mini",
    "tasks show alm",
    "models",
    "models --format json",
    "models show towervision-9b",
    "models show tower-mini",
    "languages",
    "languages de",
    "languages --task alm",
)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A checkout whose files are old, as those of an installed program are."""
    root = tmp_path / "checkout"
    for name in ("tvbench", "tasks", "models"):
        shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.safetensors"))
    (root / "pyproject.toml").touch()
    return root


def command(root: Path, *words: str, wait: bool = True, cache: str | None = None) -> str:
    """What `tvbench words` of that checkout prints. It believes that it was started long after the files were written,
    unless it is to `wait` no more."""
    source = (
        "import sys, time; now = time.time_ns; time.time_ns = lambda: now() + 10**10 * int(sys.argv.pop(1)); "
        "from tvbench.cli.main import main; sys.exit(main(sys.argv[1:]))"
    )
    env = {
        **os.environ,
        "PYTHONPATH": str(root),
        "TVBENCH_CACHE": cache or str(root.parent / "cache"),
        "XDG_CONFIG_HOME": str(root.parent / "config"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = subprocess.run(
        [sys.executable, "-c", source, str(int(wait)), *words],
        cwd=root.parent,
        env=env,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def kept(root: Path, kind: str) -> Path:
    return root.parent / "cache" / "lists" / f"{kind}.json"


def test_a_second_listing_is_the_first(copy: Path) -> None:
    first = [command(copy, *words.split()) for words in LISTS]
    value = json.loads(kept(copy, "tasks").read_text())["value"]
    assert {task["name"] for task in value} >= {"alm", "mini-alm", "multi30k"}
    assert [command(copy, *words.split()) for words in LISTS] == first
    assert json.loads(kept(copy, "tasks").read_text())["value"] == value


def test_the_second_listing_reads_no_task_and_no_card(copy: Path) -> None:
    for kind in ("tasks", "models"):
        command(copy, kind)
        text = kept(copy, kind).read_text()
        for name in ("tower-mini", "mini-alm"):
            text = text.replace(f'"name": "{name}"', '"name": "forged"')
        kept(copy, kind).write_text(text)
        assert "forged" in command(copy, kind)


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("tasks/multi30k.py", "Multi30K", "Multi31K"),
        ("tvbench/mini/captions.py", "", "\n"),
        ("tvbench/types.py", "", "\n"),
        ("tvbench/cli/listing.py", "", "\n"),
    ],
)
def test_an_edited_source_is_read_again(copy: Path, path: str, old: str, new: str) -> None:
    command(copy, "tasks")
    before = kept(copy, "tasks").read_text()
    text = (copy / path).read_text()
    times = (copy / path).stat()
    (copy / path).write_text(text.replace(old, new) if old else text + new)
    os.utime(copy / path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as rsync and tar do
    shown = command(copy, "tasks")
    assert new.strip() in shown and kept(copy, "tasks").read_text() != before


CHANGES: dict[str, Callable[[Path], object]] = {
    "edited": lambda models: (models / "gemma3-4b.yaml").write_text(
        (models / "gemma3-4b.yaml").read_text().replace("google/", "goggle/")
    ),
    "added": lambda models: (models / "new.yaml").write_text("hub: goggle/new\n"),
    "renamed": lambda models: (models / "gemma3-4b.yaml").rename(models / "goggle.yaml"),
    "removed": lambda models: (models / "gemma3-4b.yaml").unlink(),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_folder_of_cards_is_read_again(copy: Path, change: str) -> None:
    command(copy, "models")
    CHANGES[change](copy / "models")
    shown = command(copy, "models")
    assert ("goggle" in shown) is (change in ("edited", "added")) and "gemma3-12b" in shown
    assert ("google/gemma-3-4b-it" in shown) is (change in ("added", "renamed"))


def test_cards_of_the_working_directory_and_of_the_user_are_seen(copy: Path) -> None:
    command(copy, "models")
    for folder in (copy.parent / "models", copy.parent / "config" / "tvbench" / "models"):
        folder.mkdir(parents=True)
        (folder / "mine.yaml").write_text("hub: my/own\n")
        assert "my/own" in command(copy, "models")
        shutil.rmtree(folder)
        assert "my/own" not in command(copy, "models")


def test_a_plug_in_that_is_installed_later_is_seen(copy: Path) -> None:
    command(copy, "models")
    info = copy / "mine-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[tvbench.models]\nmine = mine:CARD\n")
    (copy / "mine.py").write_text("from tvbench.types import ModelCard\nCARD = ModelCard('mine', 'hub', 'my/own')\n")
    assert "my/own" in command(copy, "models") and "my/own" in command(copy, "models")


def test_a_broken_task_file_is_warned_of_each_time(copy: Path) -> None:
    (copy / "tasks" / "broken.py").write_text("from tvbench.types import Task\nTASK = Task(1)\n")
    command(copy, "tasks")
    assert not kept(copy, "tasks").exists()


def test_files_that_have_just_been_written_are_not_trusted(copy: Path) -> None:
    (copy / "models" / "new.yaml").write_text("hub: my/new\n")
    command(copy, "models", wait=False)
    assert not kept(copy, "models").exists()
    command(copy, "models")
    assert kept(copy, "models").exists()


def test_a_damaged_cache_is_written_anew(copy: Path) -> None:
    listed = command(copy, "models")
    whole = kept(copy, "models").read_text()
    for damaged in ("", "[]", "{}", "null", "\xff", '{"of": 1, "states": 2}', whole[: len(whole) // 2]):
        kept(copy, "models").write_text(damaged, encoding="latin-1")
        assert command(copy, "models") == listed
        assert kept(copy, "models").read_text() == whole


def test_without_a_place_for_a_cache_it_goes_on(copy: Path) -> None:
    (copy.parent / "cache").write_text("a file")
    assert "towervision-9b" in command(copy, "models")
    assert "towervision-9b" in command(copy, "models", cache="beside")
    assert not (copy.parent / "beside").exists()


def test_shipped_task_files_are_made_of_source_text_alone(copy: Path) -> None:
    """Whatever else they opened would have to be watched too."""
    source = (
        "import sys; seen = []\n"
        "sys.addaudithook(lambda event, args: event == 'open' and seen.append(str(args[0])))\n"
        "from tvbench.registry import catalog; catalog.tasks();"
        "print(*(path for path in seen if path.startswith(sys.argv[1])), sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", source, str(copy)],
        cwd=copy.parent,
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(copy)},
    )
    opened = done.stdout.split()
    assert any(path.endswith("multi30k.py") for path in opened)
    others = [path for path in opened if "EGG-INFO" not in path and "__pycache__" not in path]
    assert not [path for path in others if Path(path).suffix not in (".py", ".csv")]
