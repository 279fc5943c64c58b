"""tvbench as a user has it: its wheel, unpacked outside the repository, and a home and a folder of the user's own."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

from repository import ROOT

OURS = ("TVBENCH_", "XDG_", "OPENAI_")
"""Variables of whoever runs the tests that a user would not have."""


def build_wheel(folder: Path) -> Path:
    """The wheel of this checkout, built in `folder`."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    (wheel,) = folder.glob("*.whl")
    return wheel


@dataclass(frozen=True)
class User:
    """Somebody with an unpacked wheel (`package`) who works in `folder`."""

    package: Path
    folder: Path

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        home = self.folder / ".home"
        home.mkdir(exist_ok=True)
        return kept | {"PYTHONPATH": str(self.package), "HOME": str(home), "COLUMNS": "120", "HF_HUB_OFFLINE": "1"}

    def types(self, *words: str, expect: int = 0) -> str:
        """What `tvbench words` prints. Fails where its exit code is not `expect`."""
        done = subprocess.run(
            [sys.executable, "-m", "tvbench", *words],
            cwd=self.folder,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == expect, f"tvbench {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout


def unpack(wheel: Path, folder: Path) -> Path:
    """The folder that `import tvbench` finds the wheel in."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder
