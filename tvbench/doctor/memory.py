"""Whether a checkpoint can be loaded here at all. Knows files and the machine; loads nothing."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from tvbench.checkpoints.tensors import weight_files

SPARE = 1.2
"""For activations and what a loader holds twice."""
MEMINFO = Path("/proc/meminfo")


def without_room(folder: Path, dtype: str) -> str:
    """Why the model of `folder` does not fit into memory; nothing where it does, or where nobody can tell."""
    stored = sum(path.stat().st_size for path in weight_files(folder))
    needed = stored * SPARE * (2 if dtype == "float32" and stored > 1 << 30 else 1)
    free = free_bytes()
    if free is None or needed <= free:
        return ""
    return f"it needs {needed / 1e9:.1f} GB, and {free / 1e9:.1f} GB are free"


def free_bytes() -> int | None:
    """Free memory of the GPU, else of the machine; None where it cannot be told."""
    if torch.cuda.is_available():
        return int(torch.cuda.mem_get_info()[0])
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", MEMINFO.read_text(encoding="ascii"))
    except OSError:
        return None
    return int(found[1]) * 1024 if found else None
