"""Environments of their own for packages that cannot live beside ours: where they lie, and how they are made.

A folder is named after the content of its constraint file and the Python, so that a change of versions makes a new one;
a file marks it as whole when everything is installed and can be imported, so that a broken-off installation, or
packages that do not fit together, are never taken for a good one. Knows how to install, not what for. Standard library
only.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from tvbench.errors import TvbenchError, UsageError
from tvbench.registry.places import cache_root

WHOLE = "whole"
SAID_LINES = 4
"""How many of the last lines of a failed import are shown."""
COMET_PYTHON = "TVBENCH_COMET_PYTHON"
"""The environment variable that names the Python of an environment that somebody else made."""
COMET_COMMAND = "tvbench setup comet"
PYTHONS = ((3, 11), (3, 12))
"""For which Pythons constraints/comet.txt holds (numpy 1.26 has no wheel for a later one)."""


@dataclass(frozen=True, slots=True)
class Environment:
    """`install` are the arguments of `pip install`; `size` is what the disk will hold, in words.

    `modules` are imported, in this order and in one process, before the environment counts as whole. `behind` is a
    folder of packages that are found where the environment has none of that name.
    """

    name: str
    constraints: Path
    install: tuple[str, ...]
    size: str
    modules: tuple[str, ...] = ()
    behind: str = ""
    base: str = sys.executable

    @property
    def folder(self) -> Path:
        """Where it lies, or would. Raises UsageError where the constraint file is missing."""
        try:
            content = self.constraints.read_bytes()
        except OSError as error:
            raise UsageError(f"{self.constraints} cannot be read: {error.strerror}", "install tvbench again") from error
        base = sys.version if self.base == sys.executable else self.base
        return cache_root() / "envs" / f"{self.name}-{hashlib.sha256(content + base.encode()).hexdigest()[:12]}"

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def whole(self) -> bool:
        return (self.folder / WHOLE).exists()


def build(environment: Environment, say: Callable[[str], None]) -> None:
    """Install into the final folder (scripts hold its path), and mark it whole last; `say` gets a line for the person.

    One that is there already is only tried: what its modules need may have gone since (a system library, a Python
    that was replaced), and then it is made anew, once. A second process that builds the same one waits for the first.
    Raises TvbenchError when the installation fails, or when what it installed cannot be imported.
    """
    folder = environment.folder
    with _alone(folder):
        if environment.whole:
            problem = _import_problem(environment)
            if problem is None:
                return
            say(f"the {environment.name} environment no longer works ({problem.splitlines()[-1]}); making it again")
        shutil.rmtree(folder, ignore_errors=True)
        for command in _commands(environment):
            # Standard output is the caller's: it may be a path that a script reads.
            done = subprocess.run(command, stdout=sys.stderr, env=_variables(), check=False)
            if done.returncode != 0:
                raise TvbenchError(
                    f"the {environment.name} environment could not be made: `{' '.join(command[:5])} ...` ended with "
                    f"{done.returncode}",
                    "the lines above say why; is the package index reached, and room on the disk?",
                )
        if environment.behind:  # lines of a .pth file come last on the path
            (packages,) = folder.glob("lib/python*/site-packages")
            (packages / "behind.pth").write_text(environment.behind + "\n", encoding="utf-8")
        problem = _import_problem(environment)
        if problem is not None:
            raise TvbenchError(
                f"the {environment.name} environment was installed, but its packages do not work together:\n{problem}",
                f"are there wheels of another build of torch in the folders that pip knows (`pip config list`)? "
                f"What was installed lies in {folder}",
            )
        (folder / WHOLE).touch()


def _import_problem(environment: Environment) -> str | None:
    """What an import of the modules says when it fails: the last lines of standard error. None: all can be imported."""
    if not environment.modules:
        return None
    command = [str(environment.python), "-c", f"import {', '.join(environment.modules)}"]
    try:
        # In an empty place of its own: a file of the working directory must not stand in for a module.
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            cwd=environment.folder,
            env=_clean_variables(),
            check=False,
        )
    except OSError as error:
        return f"{environment.python}: {error.strerror}"
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines() or [f"`{' '.join(command[1:])}` ended with {done.returncode}"]
    return "\n".join(said[-SAID_LINES:])


def _clean_variables() -> dict[str, str]:
    """The process's own, but for what would let the environment see another one's packages."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}


def comet_environment() -> Environment:
    """The environment of the COMET worker. Raises UsageError where no suitable Python is found."""
    constraints = _shipped("comet.txt")
    return Environment(
        "comet",
        constraints,
        ("--constraint", str(constraints), "unbabel-comet", "setuptools"),
        "1.1 GB with a CPU build of torch, 5.6 GB with the default one",
        ("comet",),
        base=_suitable_python(),
    )


def comet_python() -> Path:
    """The Python that can import comet: $TVBENCH_COMET_PYTHON, or that of the environment in the cache.

    Raises UsageError with the one command that makes it.
    """
    named = os.environ.get(COMET_PYTHON)
    if named:
        path = Path(named).expanduser()
        if not os.access(path, os.X_OK) or path.is_dir():
            raise UsageError(f"${COMET_PYTHON} names {named}, which is no program", f"unset it, or `{COMET_COMMAND}`")
        return path
    environment = comet_environment()
    if not environment.whole:
        raise UsageError(
            f"COMET needs an environment of its own, and there is none in {environment.folder.parent}",
            f"make it with: {COMET_COMMAND}",
        )
    return environment.python


def _shipped(name: str) -> Path:
    """A constraint file of the checkout beside the package, or of the wheel. Never one of the working directory."""
    package = Path(__file__).resolve().parents[1]
    if (package.parent / "pyproject.toml").is_file():
        return package.parent / "constraints" / name
    return package / "shipped" / "constraints" / name


def _suitable_python() -> str:
    if sys.version_info[:2] in PYTHONS:
        return sys.executable
    for major, minor in PYTHONS:
        found = shutil.which(f"python{major}.{minor}")
        if found:
            return found
    versions = " or ".join(f"{major}.{minor}" for major, minor in PYTHONS)
    raise UsageError(
        f"COMET needs Python {versions}, and none is on the PATH",
        f"install one, or let ${COMET_PYTHON} name the Python of an environment with unbabel-comet",
    )


def _commands(environment: Environment) -> Iterator[Sequence[str]]:
    """What makes the environment: with uv where it is installed, for it is several times faster; else venv and pip."""
    folder, python = str(environment.folder), str(environment.python)
    uv = _uv()
    if uv:
        yield [*uv, "venv", "--quiet", "--python", environment.base, folder]
        yield [*uv, "pip", "install", "--quiet", "--python", python, *environment.install]
    else:
        yield [environment.base, "-m", "venv", folder]
        yield [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *environment.install]


def _uv() -> list[str]:
    if find_spec("uv") is not None:
        return [sys.executable, "-m", "uv"]
    found = shutil.which("uv")
    return [found] if found else []


def _variables() -> dict[str, str]:
    """The process's own, and for uv what pip is told of a folder of wheels (there may lie a CPU build of torch)."""
    wheels = os.environ.get("PIP_FIND_LINKS", "")
    return {"UV_FIND_LINKS": ",".join(wheels.split()), **os.environ} if wheels else dict(os.environ)


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
