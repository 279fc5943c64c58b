"""A suite that is killed five times ends complete: nothing stored is asked twice, and all is as if nobody had.

Larger ones by hand: tests/support/killed_suites.py.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from killed_suites import CONCURRENCY, SIGNALS, campaign

pytestmark = pytest.mark.slow


def test_a_suite_that_is_killed_five_times_ends_complete(tmp_path: Path) -> None:
    (killing,) = campaign(tmp_path, local=1, servers=2, limit=1, seeds=[4], delay=0.02)
    assert len(killing.killed) >= 3, "the kills came too late to mean anything"
    assert killing.again == 0
    assert killing.in_flight <= len(SIGNALS) * CONCURRENCY
