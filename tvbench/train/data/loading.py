"""Worker processes that prepare micro-batches ahead: how many, how far ahead, and whether shared memory holds it.

What workers hand over lies in shared memory (/dev/shm), of which a container often has 64 MB; a process that writes
more is killed. So the bytes that may be under way are counted before any worker starts. Uses torch's DataLoader. Knows
bytes and no sample.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch.utils.data import DataLoader, Dataset

from tvbench.errors import TvbenchError

SHARED = Path("/dev/shm")
AHEAD = 4 << 30
"""Bytes that one process lets its workers prepare at most."""
STEPS_AHEAD = 2
SPARED = 0.5
"""The part of what is free in shared memory that is left to others."""


@dataclass(frozen=True, slots=True)
class Loading:
    """`workers` processes, each of which prepares `ahead` items; `remark`: what a person should know of it, if
    anything."""

    workers: int
    ahead: int = 1
    remark: str = ""


def planned(workers: int, item: int, rounds: int, room: int | None) -> Loading:
    """For items of `item` bytes, `rounds` of them a step, and `room` bytes of shared memory (None: without end)."""
    if not workers:
        return Loading(0)
    fit = int(min(AHEAD, AHEAD if room is None else room * (1 - SPARED)) // max(1, item)) - 1  # one is being taken
    wanted = -(-STEPS_AHEAD * rounds // workers)
    if fit >= workers:
        return Loading(workers, max(1, min(max(STEPS_AHEAD, wanted), fit // workers)))
    limited = room is not None and room * (1 - SPARED) < AHEAD
    place = f"{SHARED} has room for {max(0, room or 0) / 1e6:,.0f} MB" if limited else f"{AHEAD >> 30} GB are the limit"
    left = "no worker: the training process itself" if fit < 1 else f"{fit} of {workers} workers"
    cure = "; more is had by a larger one (docker run --shm-size=16g, or --ipc=host)" if limited else ""
    return Loading(
        max(0, fit), 1, f"{left} will prepare the data, in micro-batches of up to {item / 1e6:,.0f} MB: {place}{cure}"
    )


def shared_room() -> int | None:
    """Bytes of shared memory for each training process of this machine; None where it has no limit of its own."""
    if not SHARED.is_dir():
        return None
    here = os.statvfs(SHARED)
    return here.f_bavail * here.f_frsize // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))


def loaded(dataset: Dataset[Any], places: Iterable[Any], loading: Loading) -> Iterator[Any]:
    """The items of `dataset` at `places`, in order. Raises RuntimeError when a worker is killed, TvbenchError when
    shared memory was too small after all."""
    try:
        yield from DataLoader(
            dataset,
            batch_size=None,
            sampler=places,
            num_workers=loading.workers,
            prefetch_factor=loading.ahead if loading.workers else None,
            collate_fn=_as_it_is,
            worker_init_fn=unstoppable,
        )
    except RuntimeError as error:
        said = str(error)
        if not any(word in said for word in ("shared memory", "shm", "Bus error")):
            raise
        raise TvbenchError(
            f"{SHARED} is too small for what {loading.workers} workers prepare",
            "make it larger (docker run --shm-size=16g), or --set workers=0",
        ) from error


def _as_it_is(item: Any) -> Any:
    return item


def unstoppable(worker: int) -> None:
    """Ctrl-C and SIGTERM reach every process of a job: the first process decides, and it needs the workers to the end
    of its step. They end with it."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
