"""What the sides need: environments of their own, and the checkpoint. Made where they are missing."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from benchmarks.peer_sides.place import ROOT


def made(name: str, module: str) -> Path:
    """The Python of a peer's environment: its own packages over vLLM's, made where it is missing."""
    from tvbench.registry.environments import Environment, build

    versions = ROOT / "constraints" / f"{name}.txt"
    (behind,) = vllm_python().parents[1].glob("lib/python*/site-packages")
    install = ("--no-deps", "--requirement", str(versions))
    found = Environment(name, versions, install, "about 500 MB", (module,), behind=str(behind))
    build(found, lambda line: print(line, file=sys.stderr))
    return found.python


def vllm_python() -> Path:
    """The Python of the vLLM environment, made where it is missing."""
    command = [sys.executable, str(ROOT / "tools" / "vllm_env.py")]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return Path(done.stdout.strip())


def checkpoint() -> Path:
    """tower-mini as every engine reads it."""
    from tvbench.checkpoints.corrections import corrected
    from tvbench.engines.local import local_checkpoint
    from tvbench.registry.catalog import resolve_model

    card = resolve_model("tower-mini")
    folder, _ = corrected(local_checkpoint(card), card)
    return folder
