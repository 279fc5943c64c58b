"""Batches whatever goes wrong: 0 lost, 0 paid twice (tests/support/batch_campaign.py plays more of them by hand)."""

from __future__ import annotations

import pytest
from batch_campaign import played


@pytest.mark.parametrize("seed", range(12))
def test_nothing_is_lost_and_nothing_is_paid_twice(seed: int) -> None:
    played(seed)
