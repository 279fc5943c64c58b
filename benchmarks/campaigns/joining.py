"""Puts together what is at home and what is away, with a merge that is killed first."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Sequence

from benchmarks.campaigns.asking import say
from benchmarks.campaigns.camp import Camp, tvbench
from benchmarks.campaigns.crowd import Crowd


def merge(camp: Camp, crowd: Crowd, name: str) -> None:
    """What is at home and what is away, into a folder of another place, where the run goes on."""
    while crowd.actors():  # of drivers that were killed: a folder that is left for good has to be still
        time.sleep(0.05)
    run = camp.run.name
    words = ("merge", camp.run, camp.away / run, "--into", camp.folder / name / run, "--no-score")
    took = killed_merge(camp, words, name)
    camp.tally.merges.append((name, *camp.command(*words, codes=(0, 1))))
    say(f"merge {name}: killed after {took:.2f} s, then {camp.tally.merges[-1][1]:.2f} s")
    camp.home = camp.folder / name
    camp.tally.merges.append((f"{name}, again", *camp.command(*words, codes=(0, 1))))


def killed_merge(camp: Camp, words: Sequence[object], name: str) -> float:
    """Begin a merge, and kill it at a moment at which it may be anywhere. When that was, in seconds."""
    began = time.monotonic()
    process = camp.begun(tvbench(*map(str, words)), "commands")
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(camp.dice.uniform(0.1, 0.3 + camp.args.requests / 30_000))
    if process.poll() is None:
        camp.tally.kills["merge"] += 1
    process.kill()
    process.wait()
    return time.monotonic() - began
