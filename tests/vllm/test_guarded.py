"""Another engine is no regression: tower-mini on vLLM passes the check against the baseline that transformers made."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from repository import benchmark

pytestmark = pytest.mark.vllm


def test_another_engine_passes(tmp_path: Path) -> None:
    guard = benchmark("guard")
    words = [*guard.RUN]
    words[words.index("--engine") + 1] = "vllm"
    command = [sys.executable, "-m", "tvbench", "run", "--model", "tower-mini", *words, "--results", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    [made] = (path for path in tmp_path.iterdir() if (path / "manifest.json").is_file())
    code, check = guard.checked(made)
    assert code == 0 and check["outcome"] == "pass", check
    assert "engine" in {one["what"] for one in check["changed"]}
