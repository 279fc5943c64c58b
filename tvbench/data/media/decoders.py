"""The libraries that decode clips: their names, what to type for one that is missing, and whether it can be loaded.

PyAV is always there. The others are opt-in and never fallen back to: frames differ between them, so one run has one.
Imports none of them: whether one loads is tried in a process of its own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from tvbench.errors import UsageError, unknown_name

DEFAULT = "pyav"
WORKER = (sys.executable, "-P", "-m", "tvbench.data.media.decode_worker")
LOADING_S = 300.0


@dataclass(frozen=True, slots=True)
class Library:
    """A decoder's distribution, and what to type where it is missing."""

    package: str
    install: str


LIBRARIES = {
    "pyav": Library("av", "pip install av"),
    "decord": Library("decord", "pip install 'tvbench[decord]'"),
    "torchcodec": Library("torchcodec", "pip install torchcodec, of a version that fits the torch that is here"),
}


def version_of(name: str) -> str:
    """The installed version; "" where there is none."""
    try:
        return metadata.version(LIBRARIES[name].package)
    except metadata.PackageNotFoundError:
        return ""


def decoder_info(name: str = DEFAULT) -> dict[str, str]:
    """Name and version, for the manifest."""
    return {"name": name, "version": version_of(name)}


def require_decoder(name: str) -> None:
    """Raises UsageError that says what to type where a decoder is not installed, or is and cannot be loaded."""
    if name == DEFAULT:
        return
    if name not in LIBRARIES:
        raise unknown_name("--decoder", name, tuple(LIBRARIES), "tvbench run --help lists them")
    library = LIBRARIES[name]
    if not version_of(name):
        raise UsageError(f"--decoder {name}: {library.package} is not installed", f"{library.install}, or {WITHOUT}")
    if reason := _failure(name):
        said = f"--decoder {name}: {library.package} {version_of(name)} is installed and cannot be loaded: {reason}"
        raise UsageError(said, f"{LOADS.get(name, 'install it again')}, or {WITHOUT}")


WITHOUT = "leave --decoder out: pyav needs nothing more"
LOADS = {
    "torchcodec": "it needs the torch that it was built for and FFmpeg's libraries (apt-get install ffmpeg); "
    "wheels after 0.12 want a CUDA build of torch"
}
"""What else one needs that its package does not bring."""


def _failure(name: str) -> str:
    """What went wrong when it decoded its first clip, in a process of its own; "" where it did."""
    try:
        done = subprocess.run(
            (*WORKER, name),
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(),
            timeout=LOADING_S,
        )
    except subprocess.TimeoutExpired:
        return f"no sign of life within {LOADING_S:g} s"
    if done.returncode == 0:
        return ""
    lines = [line.strip() for line in done.stderr.decode(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else f"its process ended with {done.returncode}"


def environment() -> dict[str, str]:
    """The variables of a decoding process: it finds this package from its empty folder."""
    given = [str(Path(path).resolve()) for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]
    here = str(Path(__file__).resolve().parents[3])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([here, *given])}
