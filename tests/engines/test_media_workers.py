"""Processes that prepare media: nothing is lost, whoever of them ends, and nobody waits for ever."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import fake_media_process
import numpy as np
import pytest
from fake_media_process import DEADLY, PIXELS, REFUSED, SLOW, UNSENDABLE
from no_more_files import no_more_files

from tvbench.engines.media_workers import DEPTH, MediaJob, MediaWorkers
from tvbench.engines.parcels import possible

pytestmark = pytest.mark.skipif(not possible(), reason="Linux only")

COMMAND = (sys.executable, str(Path(fake_media_process.__file__)))
WAIT_S = 120.0


def opened(processes: int, arguments: Mapping[str, Any] = {}) -> MediaWorkers:
    workers = MediaWorkers(processes, arguments, COMMAND)
    ends = time.monotonic() + WAIT_S
    while not workers.able() and workers._control is not None and time.monotonic() < ends:
        time.sleep(0.01)
    return workers


@pytest.fixture
def workers() -> Iterator[MediaWorkers]:
    found = opened(2)
    assert found.able()
    yield found
    found.close()


def job(workers: MediaWorkers, value: int, size: int = 1000) -> MediaJob:
    return workers.submit({"image": [np.full(size, value, np.uint8)]})


def finished(workers: MediaWorkers, jobs: list[MediaJob]) -> list[Any]:
    ends = time.monotonic() + WAIT_S
    while not all(one.done for one in jobs) and time.monotonic() < ends:
        workers.poll(0.1)
    assert all(one.done for one in jobs)
    return [one.made and one.made["sums"] for one in jobs]


def test_many_jobs_come_back_each_with_its_own(workers: MediaWorkers) -> None:
    jobs = [job(workers, number % 10, 100 + number) for number in range(8 * DEPTH)]
    assert finished(workers, jobs) == [[(number % 10) * (100 + number)] for number in range(8 * DEPTH)]
    assert not workers.ends


@pytest.mark.parametrize("value", [REFUSED, UNSENDABLE])
def test_what_cannot_be_prepared_is_left_to_who_gave_it(workers: MediaWorkers, value: int) -> None:
    jobs = [job(workers, 1), job(workers, value), job(workers, 2)]
    assert finished(workers, jobs) == [[1000], None, [2000]]
    assert not jobs[1].lost and not workers.ends


def test_what_no_parcel_holds_is_left_to_who_gave_it(workers: MediaWorkers) -> None:
    strange = workers.submit({"image": [object()]})
    assert finished(workers, [strange, job(workers, 1)]) == [None, [1000]]


def test_where_no_file_can_be_opened_jobs_are_left_to_who_gave_them(workers: MediaWorkers) -> None:
    """Memory that cannot be made or opened: no value is invented, no process ended, nobody waits for ever."""
    ends = time.monotonic() + WAIT_S
    came = [job(workers, PIXELS), job(workers, PIXELS)]
    with no_more_files():
        while not all(one.done for one in came) and time.monotonic() < ends:
            workers.poll(0.1)
        sent = [job(workers, 1) for _ in range(4)]
        assert [one.made for one in came + sent] == [None] * 6 and all(one.done for one in sent)
    assert not any(one.lost for one in came + sent) and not workers.ends
    (pixels,) = finished(workers, [job(workers, PIXELS)])
    assert (pixels[0] == np.full(1000, PIXELS)).all()


def test_a_job_that_ends_processes_is_tried_thrice_and_takes_no_other_along(
    workers: MediaWorkers, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = [job(workers, DEADLY if number == 5 else 1) for number in range(20)]
    made = finished(workers, jobs)
    assert [place for place, one in enumerate(made) if one is None] == [5]
    assert "SIGKILL" in jobs[5].lost and workers.ends == 3
    assert caplog.text.count("another takes its place, and nothing is lost") == 3
    assert workers.able() and finished(workers, [job(workers, 3)]) == [[3000]]


@pytest.mark.parametrize("seed", range(3))
def test_processes_killed_at_any_time_lose_nothing(workers: MediaWorkers, seed: int) -> None:
    rng = random.Random(seed)
    jobs = [job(workers, SLOW, 1 << 18) for _ in range(120)]
    due = sorted(rng.sample(range(100), 5))
    kills, ends = 0, time.monotonic() + WAIT_S
    while not (kills == 5 and all(one.done for one in jobs)) and time.monotonic() < ends:
        workers.poll(0.001)
        if kills < 5 and all(one.done for one in jobs):  # before five were killed: how soon depends on the machine
            jobs += [job(workers, SLOW, 1 << 18) for _ in range(40)]
        spared = [one for one in workers._running if not (one.jobs and one.jobs[0].tries)]
        if kills < 5 and spared and sum(one.done for one in jobs) >= due[kills]:
            os.kill(rng.choice(spared).pid, signal.SIGKILL)
            kills += 1
    assert [one.made and one.made["sums"] for one in jobs] == [[SLOW << 18]] * len(jobs)
    assert kills == 5
    assert finished(workers, [job(workers, 1)]) == [[1000]] and len(workers._running) == 2


def test_the_first_process_killed_leaves_the_others_at_work(workers: MediaWorkers) -> None:
    assert workers._first is not None
    workers._first.kill()
    workers._first.wait()
    assert finished(workers, [job(workers, 1) for _ in range(10)]) == [[1000]] * 10
    for process in list(workers._running):
        os.kill(process.pid, signal.SIGKILL)
    later = [job(workers, 1) for _ in range(10)]
    assert set(map(str, finished(workers, later))) <= {"None", "[1000]"}
    assert not workers.able()


def test_a_process_that_cannot_be_opened_is_said(caplog: pytest.LogCaptureFixture) -> None:
    workers = opened(2, {"fails": True})
    assert not workers.able() and not workers.ahead
    assert "in the engine's own thread: RuntimeError: there is no such model" in caplog.text
    assert finished(workers, [job(workers, 1)]) == [None]
    workers.close()


def test_none_is_started_where_none_is_wanted() -> None:
    workers = MediaWorkers(0, {}, COMMAND)
    assert workers._first is None and not workers.able()
    workers.close()


def test_all_end_with_whoever_started_them(workers: MediaWorkers) -> None:
    """As after `kill -9`: only the sockets are closed."""
    pids = [process.pid for process in workers._running]
    assert workers._first is not None and workers._control is not None
    for line in (workers._control, *(process.line for process in workers._running)):
        line.close()
    workers._running, workers._control = [], None
    workers._first.wait(WAIT_S)
    ends = time.monotonic() + WAIT_S
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < ends:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in pids)
