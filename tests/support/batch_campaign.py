"""A run through batches in which everything goes wrong that can, without anybody's mistake: exports and imports killed
at any step, results in pieces, shuffled, doubled and torn, waves lost, services that fail, a live run in between.

`Campaign(seed, folder).play()` counts what was paid for each question. Killed processes are forks that end as by
`kill -9`. Also a program: `python batch_campaign.py SEEDS`.
"""

from __future__ import annotations

import json
import os
import random
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from batches import Json, expired, reply, requests_in, result, write

from tvbench.engines.open import EngineOptions
from tvbench.engines.protocol import EngineInfo, Feed
from tvbench.interop.batch_export import WaveOptions, export, give_up
from tvbench.interop.batch_import import import_batch
from tvbench.registry.catalog import resolve_model
from tvbench.runs.plan import Overrides, Plan, make_ask, plan_task
from tvbench.runs.runner import Watch
from tvbench.runs.session import RunSession, SessionOptions
from tvbench.runs.store import RunFolder
from tvbench.runs.waves import Waves
from tvbench.runs.writer import RunWriter
from tvbench.types import Build, BuildOptions, Item, Message, Response, Short, Task

QUESTIONS = 24
STEPS = 18


class Quiet(Watch):
    """Nobody watches."""

    def begin(self, total: int, kept: int) -> None: ...

    def answered(self, response: Response) -> None: ...


class Live:
    """A server that is asked at once: each answer is paid for when it is given."""

    info = EngineInfo("openai", "unknown", {"model": "m"})

    def __init__(self, pay: Callable[[str], None]) -> None:
        self._pay = pay

    def serve(self, feed: Feed) -> Iterator[Response]:
        while taken := feed.take(4, wait=True):
            for prepared in taken:
                self._pay(prepared.request.key)
                yield Response(prepared.request.key, text=truth(prepared.request.key), finish="stop")

    def close(self) -> None: ...

    def __enter__(self) -> Live:
        return self

    def __exit__(self, *_: object) -> None: ...


def truth(key: str) -> str:
    return f"answer {key[:9]}"


def plan_of(count: int) -> Plan:
    """Questions of a model that a server has; two ask the same, and one cannot be asked."""
    items = [Item(str(n), "t", "de", (Message("user", (f"What is {n}?",)),), Short(("x",))) for n in range(count)]
    items += [Item("twin", "t", "de", items[0].messages, Short(("x",)))]
    task = Task("t", "1", "T", lambda options: Build(list(items), "data@1"), {"tvbench": "ours"}, "accuracy", ())
    card = resolve_model("openai:m@http://127.0.0.1:9/v1")
    planned = plan_task(task, BuildOptions("tvbench"), card, Overrides())
    return Plan(card, (planned,), make_ask(card, [planned], Overrides(), {"name": "openai"}))


class Campaign:
    """One run from its first wave to its last answer."""

    def __init__(self, seed: int, folder: Path) -> None:
        self.rng = random.Random(seed)
        self.plan = plan_of(QUESTIONS)
        self.folder = folder / self.plan.run_name
        self.work = folder
        self.paid: Counter[str] = Counter()
        self.results: dict[Path, list[Json]] = {}
        """By wave: what the service has of it, for ever."""
        self.seen: set[Path] = set()
        self.kills = 0

    @property
    def keys(self) -> set[str]:
        return {planned.key for planned in self.plan.planned_items()}

    def play(self, steps: int = STEPS) -> None:
        """A mess, and then somebody who brings it to its end."""
        moves = (
            self.exports,
            self.exports,
            self.serves,
            self.serves,
            self.imports,
            self.imports,
            self.asks,
            self.loses,
        )
        for _ in range(steps):
            self.rng.choice(moves)()
        for _ in range(50):
            if RunFolder(self.folder).answered_keys() == self.keys:
                return
            self._export(100, killed=False)
            for path in self._waves():
                self._serve(path, whole=True)
            self._import([write(self._name(), self.rng.sample(some, len(some))) for some in self.results.values()])
        raise AssertionError("it comes to no end")

    # ── What may happen ───────────────────────────────────────────────────────────────────────────

    def exports(self) -> None:
        self._export(self.rng.randint(1, 9), killed=self.rng.random() < 0.4)

    def serves(self) -> None:
        if waiting := [path for path in self._waves() if path not in self.seen]:
            self._serve(self.rng.choice(waiting), whole=self.rng.random() < 0.5)

    def imports(self) -> None:
        files = [write(self._name(), self._cut(some)) for some in self.results.values() if self.rng.random() < 0.6]
        if files:
            killed = self.rng.random() < 0.4
            self._maybe_killed(lambda: self._import(files), killed, RunWriter, "append")

    def asks(self) -> None:
        """A live run goes on: it pays for what it asks."""
        if self.rng.random() < 0.8:
            return
        options = SessionOptions(EngineOptions(), reuse=False, same_model=True)
        with RunSession(self.folder, self.plan, "openai", options) as session:
            session.answer(Quiet(), lambda: Live(lambda key: self.paid.update([key])))

    def loses(self) -> None:
        """A wave that the service never saw is given up, and its file with it."""
        known = {Path(wave.file): wave.wave for wave in Waves(self.folder).all()}
        lost = Waves(self.folder).lost()
        waiting = [path for path in self._waves() if path not in self.seen and known[path] not in lost]
        if waiting and self.rng.random() < 0.4:
            path = self.rng.choice(waiting)
            with RunWriter(self.folder):
                give_up(RunFolder(self.folder), str(known[path]))
            assert not path.exists()

    # ── How ───────────────────────────────────────────────────────────────────────────────────────

    def _export(self, size: int, *, killed: bool) -> None:
        options = WaveOptions(requests=size, most=self.rng.choice((None, 1, 2)) if size < 100 else None)

        def work() -> None:
            with RunSession(self.folder, self.plan, "openai", SessionOptions(EngineOptions(), reuse=False)) as session:
                export(session, "", options)

        self._maybe_killed(work, killed, Path, "replace")

    def _maybe_killed(self, work: Callable[[], None], killed: bool, owner: Any, name: str) -> None:
        """Do it; `killed`: in a process that ends without a word before or after some call of that method."""
        if not killed:
            work()
            return
        self.kills += 1
        after, before_it = self.rng.randint(1, 14), self.rng.random() < 0.5
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            child = os.fork()
        if child:
            os.waitpid(child, 0)
            return
        try:
            with mock.patch.object(owner, name, dying(getattr(owner, name), after, before_it=before_it)):
                work()
        finally:
            os._exit(0)

    def _waves(self) -> list[Path]:
        """The files that a person can send."""
        return sorted((self.folder / "waves").glob("wave-*.jsonl"))

    def _serve(self, path: Path, *, whole: bool) -> None:
        """The service answers a wave, once, and keeps its results; what fails is not paid for."""
        if path in self.seen:
            return
        self.seen.add(path)
        lines = []
        for number, request in enumerate(requests_in(path)):
            key = request["custom_id"]
            if whole or self.rng.random() < 0.7:
                self.paid[key] += 1
                lines.append(result(key, 200, reply(truth(key))))
            else:
                failed = result(key, 500, {"error": {"message": "overloaded"}})
                lines.append(expired(key) if self.rng.random() < 0.5 else failed)
            lines[-1]["id"] = f"{path.name}-{number}"
        self.results[path] = lines

    def _cut(self, lines: list[Json]) -> list[Json | bytes]:
        """A piece of the results: shuffled, some twice, perhaps torn at its end, perhaps with a stranger's line."""
        some: list[Json | bytes] = [line for line in lines if self.rng.random() < 0.6]
        some += self.rng.sample(some, self.rng.randint(0, len(some)))
        self.rng.shuffle(some)
        if self.rng.random() < 0.3:
            some.insert(0, result("f" * 64, 200, reply("a stranger's")))
        if some and self.rng.random() < 0.4:
            last = some.pop()
            some.append(json.dumps(last).encode()[: self.rng.randint(1, 60)])
        return some

    def _import(self, files: list[Path]) -> None:
        import_batch(RunFolder(self.folder), files, ("test",))

    def _name(self) -> Path:
        return self.work / f"results-{self.rng.randrange(10**9)}.jsonl"

    def check(self) -> None:
        """Nothing is lost, nothing is paid for twice, and every answer is the one that was given."""
        answers = RunFolder(self.folder).responses()
        assert {key: answer.text for key, answer in answers.items()} == {key: truth(key) for key in self.keys}
        assert self.paid == Counter(self.keys), "each once"


def dying(method: Any, after: int, *, before_it: bool) -> Callable[..., Any]:
    """`method`, whose call number `after` is the process's last, before or after it does anything."""
    calls = 0

    def call(*words: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == after and before_it:
            os._exit(9)
        done = method(*words, **named)
        if calls == after:
            os._exit(9)
        return done

    return call


def played(seed: int, steps: int = STEPS) -> Campaign:
    """One campaign, checked."""
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(seed, Path(folder))
        campaign.play(steps)
        campaign.check()
        return campaign


if __name__ == "__main__":
    done = [played(seed, steps=40) for seed in range(int(sys.argv[1]))]
    print(f"{len(done)} campaigns, {sum(one.kills for one in done)} kills: nothing lost, nothing paid for twice")
