"""Each side killed when half of its questions are answered, and the same command again: what was kept?

Who asks a server is counted at the server. Else a side is asked how far it is: our stored lines, or the bar that vLLM
draws in the log.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.peer_sides import server
from benchmarks.peer_sides.place import Place, Side
from benchmarks.peer_sides.running import clear, started, whole

HALF = 0.5


def killed(place: Place, side: Side, prompts: int, *, warm: bool) -> None:
    """Kill the side half-way, give the same command again, and say what was kept."""
    if not warm:
        whole(place, side)
    clear(place)
    log = place.out / "log"
    done = counter(place, side, log)
    process = started(place, side, log)
    while process.poll() is None and done() < HALF * prompts:
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    at, settled = done(), settled_count(place)
    code = started(place, side, log).wait()
    again = server.answered() - settled if place.served else asked_again(place, side, log)
    print(
        f"{side.name}: killed when {at} of {prompts} were answered; the same command asked {again} (exit code {code}), "
        f"kept {prompts - again}",
        flush=True,
    )


def counter(place: Place, side: Side, log: Path) -> Callable[[], int]:
    """How many answers there are from now on."""
    before = server.answered() if place.served else 0
    return lambda: server.answered() - before if place.served else answered(place, side, log)


def settled_count(place: Place) -> int:
    """What the server has answered when it has come to rest: of whoever was killed, some are under way."""
    count = -1
    while place.served and count != (count := server.answered()):
        time.sleep(2)
    return count


def answered(place: Place, side: Side, log: Path) -> int:
    """How many answers a side has, whose engine runs in its process."""
    if side.name == "tvbench":
        paths = list(place.out.glob("tvbench/*/responses*.jsonl"))
        return sum(path.read_bytes().count(b"\n") for path in paths)
    return max((done for done, _ in bars(log)), default=0)


def bars(log: Path) -> Iterator[tuple[int, int]]:
    """(done, total) of each bar of answers that was drawn."""
    for part in log.read_text(errors="replace").replace("\r", "\n").splitlines():
        if "Processed prompts" in part and "|" in part:
            numbers = part.rpartition("|")[2].split()[0].split("/")
            if len(numbers) == 2 and all(number.isdigit() for number in numbers):
                yield int(numbers[0]), int(numbers[1])


def asked_again(place: Place, side: Side, log: Path) -> int:
    """Questions of the second run that the engine was given."""
    if side.name == "tvbench":
        from tvbench.runs.store import find_runs

        (run,) = find_runs(place.out / "tvbench")
        return int((run.manifest().sessions or ())[-1].answered or 0)
    return max((total for _, total in bars(log)), default=0)
