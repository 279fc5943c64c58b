"""Runs a side as a whole process, in an environment that is the same for all."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from benchmarks.peer_sides.place import ROOT, Place, Side

OUTPUTS = ("tvbench", "lmms", "vlmevalkit", "bare.json")


def environment(place: Place, side: Side) -> dict[str, str]:
    """The same for every side: one thread, vLLM in the process, byte code kept."""
    kept = {name: value for name, value in os.environ.items() if name not in ("PYTHONDONTWRITEBYTECODE", "COLUMNS")}
    here = {"PYTHONPATH": str(ROOT)} if side.name == "tvbench" else {}
    kept.pop("PYTHONPATH", None)
    return kept | here | {
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_DATASETS_CACHE": str(place.out / "datasets"),
        "LMUData": str(place.data),
        "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
        "VLLM_CPU_KVCACHE_SPACE": "1",
        "VLLM_LOGGING_LEVEL": "ERROR",
        "VLLM_NO_USAGE_STATS": "1",
        **side.variables,
    }  # fmt: skip


def started(place: Place, side: Side, log: Path) -> subprocess.Popen[bytes]:
    """The side as a process of its own group, its words in `log`."""
    with log.open("wb") as file:
        return subprocess.Popen(
            side.command(place),
            cwd=side.folder(place),
            env=environment(place, side),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def whole(place: Place, side: Side) -> tuple[float, float]:
    """Seconds of the whole process by the wall and of processors, into empty folders. Raises SystemExit with its last
    words where it fails."""
    clear(place)
    log = place.out / "log"
    began = time.perf_counter()
    process = started(place, side, log)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - began
    if process.returncode != 0:
        raise SystemExit(f"{side.name} ended with {process.returncode}:\n{log.read_text(errors='replace')[-2000:]}")
    return seconds, used.ru_utime + used.ru_stime


def clear(place: Place) -> None:
    """Nothing that a side wrote is left."""
    for name in OUTPUTS:
        path = place.out / name
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
