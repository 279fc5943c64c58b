"""Where this repository lies, and the data beside it that are not part of it."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("TVBENCH_SHARED") or ROOT / ".." / "shared").resolve()
"""Licensed data: tests that need them are skipped where they are not at hand."""
