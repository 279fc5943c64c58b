"""Whether a process lives, told so that another machine's or another container's is never taken for one of here."""

from __future__ import annotations

import os
from pathlib import Path

PROC = Path("/proc")


def place() -> str:
    """Where a process number means something: this start of this machine, and this container. "" where nobody tells."""
    try:
        boot = (PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {(PROC / 'self/ns/pid').readlink()}"
    except (OSError, UnicodeError):
        return ""


def started(pid: int) -> str:
    """When a process of here was started, in ticks since the machine was; "" where that cannot be seen."""
    try:
        about = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return about[19]
    except (OSError, IndexError):
        return ""


def lives(pid: int, since: str) -> bool:
    """Whether the process of here that was started then is there still, and no later one of its number."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:  # somebody else's
        return True
    state = _state(pid)
    return state not in ("Z", "X") and (not since or started(pid) in ("", since))


def _state(pid: int) -> str:
    """`R` runs, `S` sleeps, `Z` has ended; "" where that cannot be seen."""
    try:
        about = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        return about[0] if about else ""
    except OSError:
        return ""
