"""Which Ray of this machine `--on ray` means (tvbench/runs/replicas/running.py), read from made-up processes."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tvbench.errors import UsageError
from tvbench.runs.replicas import running
from tvbench.runs.replicas.running import answers, raylets, running_ray


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without a Ray: its processes, and below `tmp` what `ray start` writes."""
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(running, "PROCESSES", tmp_path / "proc")
    (tmp_path / "tmp" / "ray").mkdir(parents=True)
    process(tmp_path, "self", "python")
    process(tmp_path, "7", "/usr/bin/vi", "--gcs-address=1.2.3.4:1", "raylet")
    process(tmp_path, "8")
    (tmp_path / "proc" / "9").mkdir()  # it ends while we look
    (tmp_path / "proc" / "version").write_text("Linux")
    return tmp_path


def process(machine: Path, number: str, *words: str) -> None:
    place = machine / "proc" / number
    place.mkdir(parents=True)
    (place / "cmdline").write_bytes(b"".join(word.encode() + b"\0" for word in words))


def raylet(machine: Path, number: str, address: str, folder: str = "/tmp/ray") -> None:
    process(machine, number, "/site/ray/raylet/raylet", "--head", f"--temp_dir={folder}", f"--gcs-address={address}")


def started(machine: Path, address: str) -> None:
    (machine / "tmp" / "ray" / "ray_current_cluster").write_text(address + "\n")


def test_a_machine_without_a_ray_has_none_whatever_file_a_killed_one_left(machine: Path) -> None:
    assert running_ray() is None
    started(machine, "10.0.0.1:6379")
    assert running_ray() is None


def test_the_only_ray_is_taken_wherever_its_files_are(machine: Path) -> None:
    raylet(machine, "11", "10.0.0.1:6379", "/scratch/me")
    assert running_ray() == "10.0.0.1:6379"
    started(machine, "10.0.0.9:6379")  # of one that was killed
    assert running_ray() == "10.0.0.1:6379"


def test_the_ray_of_another_command_is_not_taken(machine: Path) -> None:
    raylet(machine, "11", "10.0.0.1:38119", "/tmp/tvb-ray-127q944h")
    assert running_ray() is None
    raylet(machine, "12", "10.0.0.1:6379")
    assert running_ray() == "10.0.0.1:6379"


def test_nor_is_that_of_somebody_else(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raylet(machine, "11", "10.0.0.1:6379")
    me = (machine / "proc" / "11").stat().st_uid
    monkeypatch.setattr("os.getuid", lambda: me + 1)
    assert list(raylets(machine / "proc")) == [] and running_ray() is None


def test_of_several_the_last_started_is_taken_or_one_has_to_be_said(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    raylet(machine, "11", "10.0.0.1:6379")
    raylet(machine, "12", "10.0.0.1:6380")
    raylet(machine, "13", "10.0.0.1:6380")  # a second node of it
    with pytest.raises(UsageError, match=r"several Rays .*: 10\.0\.0\.1:6379, 10\.0\.0\.1:6380") as refused:
        running_ray()
    assert "RAY_ADDRESS" in refused.value.hint
    started(machine, "10.0.0.1:6380")
    assert running_ray() == "10.0.0.1:6380"
    monkeypatch.setenv("RAY_ADDRESS", "10.0.0.1:6379")
    assert running_ray() == "10.0.0.1:6379"


def test_the_environment_says_which_or_that_a_new_one_is_wanted(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    raylet(machine, "11", "10.0.0.1:6379")
    monkeypatch.setenv("RAY_ADDRESS", "ray://head:10001")
    assert running_ray() == "ray://head:10001"
    monkeypatch.setenv("RAY_ADDRESS", "local")
    assert running_ray() is None
    monkeypatch.setenv("RAY_ADDRESS", "auto")
    assert running_ray() == "10.0.0.1:6379"


def test_without_proc_the_file_of_ray_start_counts_where_somebody_answers(machine: Path) -> None:
    (machine / "proc" / "self" / "cmdline").unlink()
    (machine / "proc" / "self").rmdir()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        address = f"127.0.0.1:{listening.getsockname()[1]}"
        started(machine, address)
        assert answers(address) and running_ray() == address
    assert not answers(address) and running_ray() is None
    assert not answers("nonsense") and not answers("host:port")
