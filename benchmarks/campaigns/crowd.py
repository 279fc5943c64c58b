"""The shards and the actors of a campaign: who starts them, kills them, and starts them again."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.campaigns.camp import Camp
from benchmarks.campaigns.given import REFUSED, REPLICAS

PLANNING = 0.02
"""How often a look for somebody to kill takes one that does not answer yet."""
SECOND = 0.3
"""How often somebody starts what is killed a second time."""


@dataclass
class Process:
    """One that was started: as what, by which words, in which process group."""

    name: str
    words: list[str]
    process: subprocess.Popen[bytes]
    actors: bool = False
    done: bool = False


class Crowd:
    """Those that run: `running` are to come to their end, `seconds` are writers that have to be refused."""

    def __init__(self, camp: Camp) -> None:
        self.camp = camp
        self.running: list[Process] = []
        self.seconds: list[subprocess.Popen[bytes]] = []

    def start(self, shard: str, *, actors: bool) -> None:
        replicas = ["--replicas", str(REPLICAS)] if actors else []
        words = self.camp.worker(self.camp.home, "--shard", shard, *replicas)
        self.running.append(Process(shard, words, self.camp.begun(words, shard), actors))

    def look(self) -> None:
        """Start again what ended without its end, and let go what is done."""
        for one in self.running:
            code = one.process.poll()
            one.done = code == 0
            if code:
                self.camp.tally.refused += code == REFUSED
                one.process = self.camp.begun(one.words, one.name)
        ended = [process.poll() for process in self.seconds]
        self.camp.tally.refused += ended.count(REFUSED)
        self.seconds = [one for one, code in zip(self.seconds, ended, strict=True) if code is None]
        self.running = [one for one in self.running if not one.done]

    def kill(self) -> bool:
        """One of those that answer, by SIGKILL, now and then one that still plans; the driver of actors more rarely, or
        they would never be open. Whether there was one."""
        actors = self.actors()
        if actors and self.camp.dice.random() < 0.5:
            os.kill(self.camp.dice.choice(actors), signal.SIGKILL)
            self.camp.tally.kills["actor"] += 1
            return True
        open_ones = [one for one in self.running if (bool(actors) if one.actors else self.answers(one))]
        chosen = self.running if self.camp.dice.random() < PLANNING else open_ones
        if not chosen:
            return False
        one = self.camp.dice.choices(chosen, [1 if one.actors else 4 for one in chosen])[0]
        if self.camp.dice.random() < SECOND:
            self.second_writer(one)
        self.kill_one(one)
        return True

    def answers(self, one: Process) -> bool:
        """Whether a shard has opened its engine."""
        return any((self.camp.folder / "paid").glob(f"*-{one.process.pid}-*"))

    def kill_one(self, one: Process, *, again: bool = True) -> None:
        """A shard, or the driver of actors, alone: what it has started is left to itself."""
        one.process.kill()
        one.process.wait()
        self.camp.tally.kills["driver" if one.actors else "shard"] += 1
        if again:
            one.process = self.camp.begun(one.words, one.name)

    def kill_all(self) -> None:
        """Everybody at once, second writers too."""
        for one in self.running:
            self.kill_one(one, again=False)
        for process in self.seconds:
            process.kill()
            process.wait()
        self.running, self.seconds = [], []

    def second_writer(self, one: Process) -> None:
        """Somebody starts the same shard once more, or asks the whole run. Where it comes first, as after a kill, the
        other one is refused."""
        shard = [] if self.camp.dice.random() < 0.5 else ["--shard", one.name]
        self.seconds.append(self.camp.begun(self.camp.worker(self.camp.home, *shard), "second"))

    def actors(self) -> list[int]:
        """The processes of actors that live."""
        found = {int(path.name.split("-")[1]) for path in (self.camp.folder / "paid").glob("*actor-*")}
        return sorted(pid for pid in found if is_actor(pid, self.camp.folder))


def is_actor(pid: int, folder: Path) -> bool:
    """Whether the process lives, and is an actor of this campaign: numbers are given out again."""
    place = Path(f"/proc/{pid}")
    try:
        return (
            place.joinpath("cmdline").read_bytes().startswith(b"ray::") and place.joinpath("cwd").readlink() == folder
        )
    except OSError:
        return False
