"""The course of a campaign: one run, from its first wave to its last answer."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.campaigns.batches import Batches
from benchmarks.campaigns.camp import Camp
from benchmarks.campaigns.crowd import Crowd
from benchmarks.campaigns.given import DIVISIONS, GUARD_S
from benchmarks.campaigns.joining import merge
from benchmarks.campaigns.promises import held


class Campaign:
    """Three divisions of shards, batches beside them, and who is killed when."""

    def __init__(self, camp: Camp) -> None:
        self.camp = camp
        self.crowd = Crowd(camp)
        self.batches = Batches(camp)

    def play(self) -> int:
        """All of it. 1 where a promise was broken."""
        began = time.monotonic()
        self.camp.export(*self.camp.asked())
        moments = self.moments()
        for number, count in enumerate(DIVISIONS):
            self.batches.copy_away()
            self.batches.serve()
            self.divide(count, moments[number], last=number == len(DIVISIONS) - 1)
            if number == 1:
                merge(self.camp, self.crowd, "all")
                self.batches.come_in()
                self.camp.export(self.camp.run.name, "--results", self.camp.home)
        self.batches.come_in()
        self.batches.take_in()
        merge(self.camp, self.crowd, "whole")
        self.last()
        return held(self.camp, time.monotonic() - began)

    def moments(self) -> list[list[int]]:
        """How much has to be paid for before each kill, by division; the first two end in a kill of everybody."""
        local = int(self.camp.args.requests * 0.8)
        third = local // len(DIVISIONS)
        share = max(1, self.camp.args.kills // len(DIVISIONS))
        counts = [max(1, share - DIVISIONS[0] + 1), max(1, share - DIVISIONS[1] + 1)]
        counts.append(max(1, self.camp.args.kills - sum(counts) - DIVISIONS[0] - DIVISIONS[1]))
        bounds = [(n * third + third // 20, (n + 1) * third - third // 20) for n in range(len(DIVISIONS))]
        return [
            sorted(self.camp.dice.randint(*bound) for _ in range(many)) + [(n + 1) * third] * (n < 2)
            for n, (bound, many) in enumerate(zip(bounds, counts, strict=True))
        ]

    def divide(self, count: int, moments: Sequence[int], *, last: bool) -> None:
        """So many shards, of which the first has replicas, and begins; kills at `moments`, then all at once, or to the
        end."""
        self.crowd.start(f"1/{count}", actors=not self.camp.args.no_ray)
        while not self.camp.args.no_ray and not self.crowd.actors() and self.crowd.running[0].process.poll() is None:
            time.sleep(0.05)
        for number in range(2, count + 1):
            self.crowd.start(f"{number}/{count}", actors=False)
        waiting = [*moments]
        ending = None if last else waiting.pop()
        imports = [self.camp.dice.choice(moments)]
        progress = self.camp.paid(), time.monotonic()
        while self.crowd.running or self.crowd.seconds:
            self.crowd.look()
            paid = self.camp.paid()
            progress = progress if progress[0] == paid else (paid, time.monotonic())
            if time.monotonic() > progress[1] + GUARD_S:
                raise SystemExit(f"nothing was answered for {GUARD_S:.0f} s: see {self.camp.folder / 'said'}")
            if imports and paid >= imports[0]:
                imports.pop()
                self.batches.take_in()
            if waiting and paid >= waiting[0] and self.crowd.kill():
                waiting.pop(0)
            elif ending is not None and paid >= ending:
                self.crowd.kill_all()
            time.sleep(0.01)

    def last(self) -> None:
        """What failed in a batch is asked as anything else, by one process; and all of it by one, elsewhere."""
        camp, alone = self.camp, self.camp.folder / "alone"
        self.crowd.start("1/1", actors=False)
        while self.crowd.running:
            self.crowd.look()
            time.sleep(0.05)
        camp.tally.merges.append(("the end", *camp.command("merge", camp.run, "--no-score", codes=(0, 1))))
        if camp.begun(camp.worker(alone, "--paid", "alone-paid", pause=0.0), "alone").wait() != 0:
            camp.tally.faults.append("one process did not come to its end")
        for results in (camp.home, alone):
            camp.command("score", camp.run.name, "--results", results)
