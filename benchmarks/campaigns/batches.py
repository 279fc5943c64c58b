"""The service of batches: it answers waves, late and in pieces, and what comes back is taken in elsewhere."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

from benchmarks.campaigns.camp import Camp, tvbench
from benchmarks.campaigns.given import GUARD_S


class Batches:
    """`returned` are the results that the service has given out; the second half of a wave's is `late`, by a division
    or more."""

    def __init__(self, camp: Camp) -> None:
        self.camp = camp
        self.returned: list[Path] = []
        self.late: list[Path] = []

    def come_in(self) -> None:
        """What was late is there."""
        self.returned, self.late = [*self.returned, *self.late], []

    def copy_away(self) -> None:
        """The folder as it is now, for who takes batches in. Nobody writes it."""
        shutil.rmtree(self.camp.away, ignore_errors=True)
        shutil.copytree(self.camp.home, self.camp.away)

    def serve(self) -> None:
        """The service answers the waves that were sent, each once; some questions fail, and cost nothing."""
        for wave in sorted((self.camp.folder / "waves").glob("*.jsonl")):
            lines = [self.result(json.loads(line)["custom_id"], wave.name) for line in wave.open()]
            wave.rename(wave.with_suffix(".sent"))
            self.camp.dice.shuffle(lines)
            cut = len(lines) // 3
            for number, some in enumerate((lines[: 2 * cut + 1], lines[cut:])):
                path = self.camp.folder / "back" / f"{wave.stem}-{number}.jsonl"
                path.write_text("".join(some) + some[0][:50] * (number == 0), encoding="utf-8")
                (self.returned if number == 0 else self.late).append(path)

    def result(self, key: str, wave: str) -> str:
        """A line of the service's results."""
        failed = self.camp.dice.random() < 0.05
        if not failed:
            with (self.camp.folder / "paid" / "service-0-0").open("a") as log:
                log.write(f"{key}\n")
        error = {"code": "batch_expired", "message": "not in time"} if failed else None
        message = {"role": "assistant", "content": str(int(key[:6], 16) % 7)}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        body = {"model": "m", "usage": {"prompt_tokens": 9, "completion_tokens": 1}, "choices": choices}
        response = None if failed else {"status_code": 200, "request_id": f"req_{key[:8]}", "body": body}
        line = {"id": f"{wave}-{key[:16]}", "custom_id": key, "response": response, "error": error}
        return json.dumps(line) + "\n"

    def take_in(self) -> None:
        """Import what came back into the copy, killed half-way once, and then to its end."""
        if not self.returned:
            return
        words = tvbench("import", "batch", self.camp.run.name, *map(str, self.returned))
        words += ["--results", str(self.camp.away)]
        first = self.camp.begun(words, "import")
        before = self.camp.stored(self.camp.away)
        until = time.monotonic() + GUARD_S
        while first.poll() is None and self.camp.stored(self.camp.away) == before and time.monotonic() < until:
            time.sleep(0.002)
        if first.poll() is None:
            first.kill()
            self.camp.tally.kills["import"] += 1
        first.wait()
        self.camp.dice.shuffle(self.returned)
        if self.camp.begun(words, "import").wait() not in (0, 1):
            self.camp.tally.faults.append(f"an import failed: see {self.camp.folder / 'said' / 'import'}")
        self.camp.tally.imports += 1
