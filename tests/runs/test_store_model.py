"""The store against a plain model in memory, step by step at random (hypothesis): processes and shards that come, die
and come back, N that changes, merges, copies, failures asked again, labels, reuse and damage. No answer is lost, none
is paid twice, and what is left is what one process would have.

By hand at size, in pieces with a seed each: STORE_STEPS=25000 STORE_SEED=3 pytest tests/runs/test_store_model.py
"""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from part_runs import KilledError, Known, dies, plan_of, sit

from tvbench.analysis.assess import assess
from tvbench.errors import UsageError
from tvbench.runs import manifest as manifests
from tvbench.runs import merge as merging
from tvbench.runs import runner, session_record
from tvbench.runs import session as sessions
from tvbench.runs.aside import set_aside
from tvbench.runs.plan import Plan
from tvbench.runs.probing import PROBES
from tvbench.runs.shards import Shard
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Response

STEPS = int(os.environ.get("STORE_STEPS", "300"))
SEED = int(os.environ.get("STORE_SEED", "1"))
TICKS = count()
"""The time, as everybody is told it here: some things happen within a second."""
WALKED: Counter[str] = Counter()
"""What was done, and what came of it."""
LENGTH = 60
COUNT, TWINS, COPIES = 10, 3, 3
LABELS, DISKS = ("m", "other"), ("a", "b")
TORN = '{"key":"0123456789","text":"torn'
PLANS = {
    (kind, label): plan_of(COUNT, twins=TWINS, label=label, kind=kind, problem=True)
    for kind in ("folder", "server")
    for label in LABELS
}

shards = st.integers(1, 5).flatmap(lambda count: st.builds(Shard, st.integers(1, count), st.just(count)))
texts = st.sampled_from("1112")
masks = st.sampled_from([0, 0, 0, 1, 0b1001001001, 0b11111])
places = st.tuples(st.sampled_from(DISKS), st.sampled_from(LABELS))


def keys_of(plan: Plan, *, broken: bool = False) -> set[str]:
    """The questions that can be asked, or those that cannot."""
    return {planned.key for planned in plan.planned_items() if (planned.item.problem is not None) is broken}


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.json*")}


def answer(key: str, text: str) -> str:
    return f"{text}:{key[:8]}"


@dataclass
class Live:
    """A shard that is at it: what it still has to ask."""

    writer: RunWriter
    shard: Shard
    missing: list[str]


@dataclass
class Held:
    """What a run folder must hold: texts by key, the keys that have a line of failure, who writes."""

    plan: Plan
    answers: dict[str, str] = field(default_factory=dict)
    failures: set[str] = field(default_factory=set)
    live: dict[str, Live] = field(default_factory=dict)
    begun: bool = False

    @property
    def failed(self) -> set[str]:
        return self.failures - self.answers.keys()

    def keeps_out(self, shard: Shard | None) -> bool:
        """Whether those who are at it exclude a newcomer."""
        if not self.live:
            return False
        counts = {live.shard.count for live in self.live.values()}
        return shard is None or counts != {shard.count} or shard.part in self.live


class Stores(RuleBasedStateMachine):
    @initialize(kind=st.sampled_from(["folder", "server"]))
    def begin(self, kind: str) -> None:
        memory = Path("/dev/shm")
        self.root = Path(tempfile.mkdtemp(prefix="stores-", dir=memory if memory.is_dir() else None))
        self.kind = kind
        global TICKS
        TICKS = count()
        self.held: dict[Path, Held] = {}
        self.copies = 0

    def at(self, place: tuple[str, str]) -> tuple[Path, Held]:
        plan = PLANS[self.kind, place[1]]
        path = self.root / place[0] / plan.run_name
        return path, self.held.setdefault(path, Held(plan))

    # ── Sessions ──────────────────────────────────────────────────────────────────────────────────

    @rule(place=places, bad=masks, text=texts, reuse=st.booleans())
    def process(self, place: tuple[str, str], bad: int, text: str, reuse: bool) -> None:
        self.session(place, None, bad, None, False, text, reuse)

    @rule(place=places, shard=shards, bad=masks, text=texts, reuse=st.booleans())
    def shard(self, place: tuple[str, str], shard: Shard, bad: int, text: str, reuse: bool) -> None:
        self.session(place, shard, bad, None, False, text, reuse)

    @rule(
        place=places,
        shard=st.none() | shards,
        bad=masks,
        after=st.integers(0, COUNT - 1),
        torn=st.booleans(),
        text=texts,
        reuse=st.booleans(),
    )
    def killed(
        self, place: tuple[str, str], shard: Shard | None, bad: int, after: int, torn: bool, text: str, reuse: bool
    ) -> None:
        self.session(place, shard, bad, after, torn, text, reuse)

    def session(
        self,
        place: tuple[str, str],
        shard: Shard | None,
        bad: int,
        kill_after: int | None,
        torn: bool,
        text: str,
        reuse: bool,
    ) -> None:
        """One process, or a shard, asks what is missing, and may be killed."""
        WALKED["session"] += 1
        path, held = self.at(place)
        text = "1" if self.kind == "server" else text  # of a server that answers otherwise we know: it is refused
        own = {key for key in keys_of(held.plan) if shard is None or shard.owns(key)}
        given = self.reusable(path) if reuse else {}
        copied = {key: given[key] for key in own - held.answers.keys() if key in given}
        known = held.answers | copied
        failing = {key for number, key in enumerate(sorted(keys_of(held.plan))) if bad >> number & 1}
        engine = Known(lambda key: known.get(key, answer(key, text)), failing - known.keys(), kill_after, free=known)
        killed = False
        try:
            sit(path.parent, held.plan, engine, shard, reuse=reuse)
        except UsageError:
            assert held.keeps_out(shard) and not engine.asked
            WALKED["session kept out"] += 1
            return
        except KilledError:
            killed = True
        assert not held.keeps_out(shard), "a session began where others write"
        if shard is None:
            held.failures.clear()
        held.failures |= {key for key in keys_of(held.plan, broken=True) if shard is None or shard.owns(key)}
        held.answers |= copied
        held.begun = True
        self.pay(held, engine, own - known.keys(), known, killed=killed)
        if killed and torn:
            with (path / (f"responses.{shard.part}.jsonl" if shard else "responses.jsonl")).open("a") as file:
                file.write(TORN)

    def pay(self, held: Held, engine: Known, expected: set[str], known: dict[str, str], *, killed: bool) -> None:
        """Compare what the engine was asked with what it should have been."""
        again = Counter({key: count for key, count in engine.asked.items() if key in known})
        assert again.total() <= (PROBES if self.kind == "server" else 0), "an answer is paid twice"
        new = engine.asked.keys() - known.keys()
        assert all(engine.asked[key] == 1 for key in new), "an answer is paid twice"
        assert new <= expected and (killed or new == expected), "it asked too little, or what is not its own"
        held.failures |= new & set(engine.bad)
        held.answers |= {key: engine.text(key) for key in new - set(engine.bad)}

    def reusable(self, path: Path) -> dict[str, str]:
        """What the run of the other label on the same disk has."""
        some = [held.answers for other, held in self.held.items() if other.parent == path.parent and other != path]
        return dict(some[0]) if some else {}

    # ── Shards side by side ───────────────────────────────────────────────────────────────────────

    @rule(place=places, shard=shards)
    def shard_begins(self, place: tuple[str, str], shard: Shard) -> None:
        WALKED["shard_begins"] += 1
        path, held = self.at(place)
        if not held.begun:
            return
        writer = RunWriter(path, shard.part)
        try:
            writer.__enter__()
        except UsageError:
            assert held.keeps_out(shard)
            return
        assert not held.keeps_out(shard)
        kept = writer.start()
        assert {key: response.text for key, response in kept.items()} == held.answers
        missing = sorted(key for key in keys_of(held.plan) - kept.keys() if shard.owns(key))
        held.live[shard.part] = Live(writer, shard, missing)

    @rule(which=st.integers(0, 20), fails=st.booleans(), number=st.integers(1, 4), ends=st.integers(0, 5))
    def shard_goes_on(self, which: int, fails: bool, number: int, ends: int) -> None:
        if ends < 2:
            self.shard_ends(which, torn=ends == 0)
        else:
            self.shard_answers(which, fails, number)

    def shard_answers(self, which: int, fails: bool, number: int) -> None:
        WALKED["shard_answers"] += 1
        some = [(held, live) for held in self.held.values() for live in held.live.values()]
        if not some:
            return
        held, live = some[which % len(some)]
        for _ in range(min(number, len(live.missing))):
            key = live.missing.pop()
            assert key not in held.answers, "an answer is paid twice"
            if fails:
                live.writer.append(Response(key, error="it failed"))
                held.failures.add(key)
            else:
                live.writer.append(Response(key, answer(key, "1"), "stop", 1, 1, 0.01))
                held.answers[key] = answer(key, "1")

    def shard_ends(self, which: int, torn: bool) -> None:
        WALKED["shard_ends"] += 1
        some = [(path, held, part) for path, held in self.held.items() for part in held.live]
        if not some:
            return
        path, held, part = some[which % len(some)]
        held.live.pop(part).writer.__exit__(None, None, None)
        if torn:
            with (path / f"responses.{part}.jsonl").open("a") as file:
                file.write(TORN)

    # ── Folders ───────────────────────────────────────────────────────────────────────────────────

    @rule(what=st.sampled_from(["copy", "fresh", "damage"]), place=places, which=st.integers(0, 20))
    def folders(self, what: str, place: tuple[str, str], which: int) -> None:
        if what == "copy":
            self.copy(which)
        elif what == "fresh":
            self.fresh(place)
        else:
            self.damage(which, which + 7)

    def copy(self, which: int) -> None:
        WALKED["copy"] += 1
        begun = [path for path, held in self.held.items() if held.begun]
        if not begun or self.copies >= COPIES:
            return
        path, place = begun[which % len(begun)], self.root / f"copy{self.copies}"
        self.copies += 1
        shutil.copytree(path, place / path.name)
        held = self.held[path]
        self.held[place / path.name] = Held(held.plan, dict(held.answers), set(held.failures), begun=True)

    @rule(place=places, others=st.lists(st.integers(0, 20), max_size=3), prefer=st.none() | st.integers(0, 20))
    def merge(self, place: tuple[str, str], others: list[int], prefer: int | None) -> None:
        WALKED["merge"] += 1
        path, held = self.at(place)
        same = [path for path, other in self.held.items() if other.begun and other.plan is held.plan]
        if not same:
            return
        sources = [same[number % len(same)] for number in others] or same[:1]
        named = list(dict.fromkeys([path, *sources] if held.begun else sources))
        chosen = None if prefer is None else named[prefer % len(named)]
        wanted = together([self.held[one] for one in named], None if chosen is None else self.held[chosen])
        try:
            merging.merge([RunFolder(one) for one in sources], path, None if chosen is None else RunFolder(chosen))
        except UsageError as error:
            assert held.live or wanted is None, error
            return
        assert not held.live and wanted is not None, "a contradiction was not named"
        failures = set().union(*(self.held[one].failures for one in named)) - wanted.keys()
        held.answers, held.failures, held.begun = wanted, failures, True
        before = files(path)
        again = merging.merge([RunFolder(one) for one in sources], path, None if chosen is None else RunFolder(chosen))
        assert files(path) == before and not again.changed

    def fresh(self, place: tuple[str, str]) -> None:
        WALKED["fresh"] += 1
        path, held = self.at(place)
        try:
            set_aside(path, "2026-01-01T00:00:00")
        except UsageError:
            assert held.live
            return
        assert not held.live or not held.begun
        self.held[path] = Held(held.plan)

    def damage(self, which: int, line: int) -> None:
        """One line is no longer as it was written."""
        WALKED["damage"] += 1
        paths = [path for path, held in self.held.items() if held.answers]
        if not paths:
            return
        path = paths[which % len(paths)]
        held = self.held[path]
        key = sorted(held.answers)[line % len(held.answers)]
        for file in RunFolder(path).response_files():
            data = file.read_bytes()
            place = data.find(b'"text":"' + held.answers[key].encode())
            if place >= 0:
                with file.open("r+b") as opened:
                    opened.seek(place + 1)
                    opened.write(b"T")
        del held.answers[key]

    # ── What must hold ────────────────────────────────────────────────────────────────────────────

    @invariant()
    def every_folder_holds_what_it_should(self) -> None:
        for path, held in getattr(self, "held", {}).items():
            if held.begun:
                found = RunFolder(path).responses()
                failed = {key for key, response in found.items() if response.error is not None}
                assert failed == held.failed, path
                assert {key: found[key].text for key in found.keys() - failed} == held.answers, path

    def teardown(self) -> None:
        for path, held in getattr(self, "held", {}).items():
            for live in held.live.values():
                live.writer.__exit__(None, None, None)
            if held.begun:
                self.finish(path, held)
        shutil.rmtree(getattr(self, "root", ""), ignore_errors=True)

    def finish(self, path: Path, held: Held) -> None:
        """One process more makes the run whole: each key once, what was answered before, nothing half-written."""
        keys, broken = keys_of(held.plan), keys_of(held.plan, broken=True)
        text = "1"
        sit(path.parent, held.plan, Known(lambda key: answer(key, text)), reuse=False, same_model=True)
        folder = RunFolder(path)
        found = {key: response.text for key, response in folder.responses().items() if response.error is None}
        assert found == {key: held.answers.get(key, answer(key, text)) for key in keys}
        (file,) = folder.response_files()
        assert len(file.read_bytes().splitlines()) == len(keys) + len(broken)
        assert not list(path.glob(".*.json*"))
        if found == {key: answer(key, text) for key in keys} and not (self.root / "alone").exists():
            alone = self.root / "alone"
            sit(alone, held.plan, Known(lambda key: answer(key, text)), reuse=False)
            mine, its = assess(folder), assess(RunFolder(alone / held.plan.run_name))
            assert [replace(one, signature="") for one in mine] == [replace(one, signature="") for one in its]


def together(some: Sequence[Held], preferred: Held | None) -> dict[str, str] | None:
    """What a merge must give; None where two of them contradict each other."""
    found: dict[str, str] = {}
    for key in set().union(*(held.answers for held in some)):
        texts = {held.answers[key] for held in some if key in held.answers}
        if len(texts) > 1 and (preferred is None or key not in preferred.answers):
            return None
        found[key] = preferred.answers[key] if preferred is not None and len(texts) > 1 else texts.pop()
    return found


def test_the_store_is_what_a_plain_model_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sessions.RunSession, "_end", dies(sessions.RunSession))
    monkeypatch.setattr(session_record, "packages", dict)
    monkeypatch.setattr(runner, "DECODE_THREADS", 1)
    monkeypatch.setattr(session_record, "hardware", dict)
    monkeypatch.setattr(secrets, "token_hex", lambda size: f"{next(TICKS):08x}")
    for module in (sessions, session_record, manifests, merging):
        monkeypatch.setattr(module, "now", lambda: f"2026-01-01T00:00:{next(TICKS) // 3:09}")
    run = seed(SEED)(Stores)
    run_state_machine_as_test(
        run,
        settings=settings(
            max_examples=max(1, STEPS // LENGTH),
            stateful_step_count=LENGTH,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
    print(dict(WALKED))
