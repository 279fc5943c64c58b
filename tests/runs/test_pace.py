"""How fast something goes, by a clock that the test turns."""

from __future__ import annotations

import pytest

from tvbench.runs.pace import LATELY, Pace


def test_now_and_overall() -> None:
    now = [100.0]
    pace = Pace(lambda: now[0])
    assert pace.lately() == pace.overall() == 0.0
    for _ in range(20):
        now[0] += 0.5
        pace.add()
    assert (pace.lately(), pace.overall()) == (2.0, 2.0)
    now[0] += LATELY / 2
    assert (pace.lately(), pace.overall()) == (0.5, 0.5)
    now[0] += LATELY
    assert pace.lately() == 0.0 and pace.overall() == 0.2 and pace.overall(ended=True) == 2.0


def test_a_pause_is_not_held_against_the_speed_of_now() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    now[0] = 10 * LATELY
    for _ in range(6000):
        now[0] += 0.01
        pace.add()
    assert pace.lately() == pytest.approx(100, rel=0.02) and pace.overall() < 10


def test_it_starts_anew() -> None:
    now = [0.0]
    pace = Pace(lambda: now[0])
    pace.add()
    now[0] = 5.0
    pace.start()
    assert pace.lately() == pace.overall() == pace.overall(ended=True) == 0.0
