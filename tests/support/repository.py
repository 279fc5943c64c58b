"""Where this repository lies, and the data beside it that are not part of it."""

import importlib.util
import os
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
SHARED = Path(os.environ.get("TVBENCH_SHARED") or ROOT / ".." / "shared").resolve()
"""Licensed data: tests that need them are skipped where they are not at hand."""


def benchmark(name: str) -> ModuleType:
    """`benchmarks/NAME.py`, which is no package, as a module of that name; loaded once."""
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, ROOT / "benchmarks" / f"{name}.py")
        assert spec is not None and spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]
