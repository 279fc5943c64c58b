"""Finds the Ray that runs on this machine, for `--on ray`.

`RAY_ADDRESS` says which; else it is one of this user's. Somebody else's is none of ours, and the Ray of another tvbench
command ends with that command. Where there is no /proc, the file counts that `ray start` leaves. Imports no Ray.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tvbench.errors import UsageError
from tvbench.runs.replicas.scratch import PREFIX

NEW = "local"
"""What RAY_ADDRESS says where a new Ray is wanted, whatever runs."""
PROCESSES = Path("/proc")
ANSWERS_S = 2.0


def running_ray() -> str | None:
    """Its address; None where there is none. Raises UsageError where one has to be chosen."""
    said = os.environ.get("RAY_ADDRESS", "")
    if said not in ("", "auto"):
        return None if said == NEW else said
    last = last_started()
    if not (PROCESSES / "self").exists():
        return last if last and answers(last) else None
    found = set(raylets(PROCESSES))
    if len(found) > 1 and last not in found:
        raise UsageError(
            f"several Rays run on this machine: {', '.join(sorted(found))}", "say which one by RAY_ADDRESS=HOST:PORT"
        )
    return last if last in found else next(iter(found), None)


def raylets(processes: Path) -> Iterator[str]:
    """The addresses of the Rays that this user's processes are a part of, but for those of other commands."""
    for place in processes.iterdir():
        if not place.name.isdigit():
            continue
        words: list[str] = []
        with suppress(OSError):  # it has ended
            if place.stat().st_uid == os.getuid():
                words = (place / "cmdline").read_bytes().decode(errors="replace").split("\0")
        if not words or Path(words[0]).name != "raylet":
            continue
        told = {name.lstrip("-").replace("-", "_"): value for name, _, value in (word.partition("=") for word in words)}
        if told.get("gcs_address") and not Path(told.get("temp_dir", "")).name.startswith(PREFIX):
            yield told["gcs_address"]


def last_started() -> str | None:
    """What `ray start` wrote last, which nobody takes back when that Ray is killed."""
    below = os.environ.get("RAY_TMPDIR") or os.environ.get("TMPDIR") or "/tmp"
    places = (Path(below), Path("/tmp"), Path(tempfile.gettempdir()))
    for place in places:
        with suppress(OSError, UnicodeDecodeError):
            return (place / "ray" / "ray_current_cluster").read_text(encoding="utf-8").strip() or None
    return None


def answers(address: str) -> bool:
    """Whether anybody listens there."""
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=ANSWERS_S):
            return True
    except (OSError, ValueError):
        return False
