"""A small campaign of shards, batches and kills over one run: nothing is lost, and nothing is paid for twice.

`benchmarks/campaign.py` plays greater ones, with actors of Ray.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1])
def test_killed_shards_and_batches_of_one_run_lose_nothing_and_pay_nothing_twice(tmp_path: Path, seed: int) -> None:
    words = ["--requests", "300", "--kills", "9", "--no-ray", "--seed", str(seed), "--folder", str(tmp_path / "run")]
    played = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "campaign.py"), *words], capture_output=True, text=True, check=False
    )
    assert played.returncode == 0, played.stdout + played.stderr
    assert "300 questions" in played.stdout and "lost: 0; paid twice: 0" in played.stdout
