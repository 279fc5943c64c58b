"""One session of a run: the folder locked, the engine opened when it is needed, what is missing asked.

What the session writes down of itself is session_record.py. Opens the real engine; scores nothing, and knows no screen.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias

from tvbench.data.media.video import Decoder
from tvbench.engines.open import EngineOptions, open_engine
from tvbench.engines.protocol import ALL_OF_IT, Engine, EngineInfo, Prepared, Sight
from tvbench.registry.places import default_results
from tvbench.registry.prices import price_in
from tvbench.runs.budget import Budgeted, Purse, dollars_of
from tvbench.runs.heartbeat import Heart, forget_heartbeats
from tvbench.runs.history import NOT_STARTED, settled, settled_parts, who_answered
from tvbench.runs.lines import in_words
from tvbench.runs.manifest import now, plain
from tvbench.runs.metering import Meter, Metered
from tvbench.runs.overhearing import CountedEngine, CountedWatch, overheard
from tvbench.runs.plan import Plan
from tvbench.runs.preparing import prepare
from tvbench.runs.probing import probe, refusal
from tvbench.runs.questions import Questions
from tvbench.runs.replicas.placement import Placement
from tvbench.runs.reuse import Known, Reusable, reusable
from tvbench.runs.runner import Asking, Outcome, Watch
from tvbench.runs.session_record import SessionRecord
from tvbench.runs.shards import Shard
from tvbench.runs.spent import Spent, spent_on, total
from tvbench.runs.store import RunFolder
from tvbench.runs.waves import State, Waves
from tvbench.runs.writer import RunWriter
from tvbench.types import ModelCard, Request, Response

Lend: TypeAlias = Callable[[], AbstractContextManager[Engine]]
"""Gives an engine that somebody else opens and closes."""
SHOWN_RUNS = 5
"""Names of damaged neighbours in a line."""


@dataclass(frozen=True, slots=True)
class SessionOptions:
    """How a session goes. `max_failures` None: never stop for failures; `video_timeout_s` is for one clip; `reuse`:
    take what other runs have answered; `same_model`: the person vouches for it, so nothing is asked again; `facts` are
    what a server told of itself; `budget` is what all sessions of the run may cost together, in dollars; `placement` is
    where the engine computes; `command` is what a person typed; `shard`: ask only its questions, next to others."""

    engine: EngineOptions
    max_failures: int | None = None
    video_timeout_s: float = 60.0
    reuse: bool = True
    same_model: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict)
    budget: float | None = None
    placement: Placement = Placement()
    command: tuple[str, ...] = field(default_factory=lambda: ("tvbench", *sys.argv[1:]))
    shard: Shard | None = None


class RunSession:
    """Use as a context manager; `say` hears what a person should know, damage in the run's folder too. Raises
    UsageError when another process writes the run."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        engine: str,
        options: SessionOptions,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.folder = folder
        self.plan = plan
        self.engine = engine
        self.options = options
        self.say = say
        self._made = False
        self._kept: Mapping[str, Response] = {}
        self._reused = Reusable()
        self._placed: Callable[[], Mapping[str, Any]] = dict
        self._untold: Callable[[], Sequence[Response]] = tuple
        self._meter, self._probing = Meter(), Meter()
        part = options.shard.part if options.shard else None
        self._writer = RunWriter(folder, part)
        self._record = SessionRecord(
            self._writer, plan, EngineInfo(engine, NOT_STARTED), options.command, options.facts
        )
        self._heart = Heart(folder, part or "")
        self._sight = ALL_OF_IT
        self._decoder = Decoder(timeout_s=options.video_timeout_s)

    def __enter__(self) -> RunSession:
        self._made = not self.folder.exists()
        self._writer.__enter__()
        if self._record.take_up():
            self.say("manifest.json was damaged, and is written again; answers are kept")
        if self._writer.part is None:
            forget_heartbeats(self.folder)
        self._heart.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._decoder.close()
        gone = error is not None and self._made and not self._record.begun and not Waves(self.folder).exists()
        self._heart.stop(forget=gone or self._writer.part is None)
        if gone:
            self._writer.withdraw()
        self._writer.__exit__(kind, error, at)

    def answer(self, watch: Watch, lend: Lend | None = None) -> Outcome:
        """Ask what is missing, where something is: by an engine that is lent and stays open, or by one that is opened
        for it. See runner.Asking for what it raises; and UsageError where another model seems to answer than
        before."""
        self._start()
        questions = self.own_questions()
        self._look_around(questions)
        known = Known(self._kept, self._reused.answers)
        phase = overheard(watch, self._heart)
        counting = CountedWatch(phase, self._meter, lambda: self._record.note_spent(self._meter.spent))
        phase.questions(questions.places, known)
        try:
            asking = Asking(questions, self._writer, known, counting, max_failures=self.options.max_failures)
            self._leave_out(asking, known)
            if asking.missing:
                phase.opening(self.plan.card.name)
                with lend() if lend is not None else closing(self._open()) as answering:
                    self._begin(answering)
                    phase.opened()
                    held = CountedEngine(answering)
                    phase.serving(held.standing)
                    with storing(answering, self.folder, len(asking.missing), self._writer.part):
                        self._serve(asking, held)
            else:
                self._take_over()
        finally:
            for response in self._untold():
                counting.answered(response)
            self._end(counting)
            self._kept, self._reused = {}, Reusable()  # scoring needs the room
            self._heart.scoring()
        return asking.outcome()

    def own_questions(self) -> Questions:
        """What this session asks: everything, or what is its shard's."""
        shard = self.options.shard
        return self.plan.questions if shard is None else self.plan.questions.only(shard.owns)

    def _start(self) -> None:
        """Learn what is answered already, and count for whoever was killed."""
        self._record.sessions = settled_parts(self._record.sessions, RunFolder(self.folder).counted, self._writer.part)
        self._kept = self._writer.start()
        for text in in_words(fault for fault in self._writer.damaged if fault.lost):
            self.say(f"{text}: asked again")
        if self._writer.part is None:
            self._record.sessions = settled(self._record.sessions, len(self._kept), self._own_spent())

    def _leave_out(self, asking: Asking, known: Mapping[str, Response]) -> None:
        """What is out in a batch is not asked, and that is said: it would be paid for twice."""
        waves = Waves(self.folder)
        state = waves.state(known) if waves.exists() else State()
        if state.out:
            asking.missing = asking.missing.but(state.out)
            usual = self.folder.parent.resolve() == default_results().resolve()
            name = shlex.quote(self.folder.name if usual else str(self.folder))
            self.say(
                f"{state.said} of a batch, and not asked here: `tvbench import batch {name} FILE` takes in what came "
                f"back; `tvbench export batch {name} --lost all` gives them up, and they are asked again"
            )

    def _serve(self, asking: Asking, engine: Engine) -> None:
        """Have it answered, as far as the budget goes where there is one."""
        price = price_in(self._record.prices)
        if self.options.budget is None or price is None:
            asking.serve(engine, self._prepare)
            return
        before = sum(dollars_of(answer, price) for answer in self._kept.values() if not answer.reused_from)
        time = sum(session.spent.seconds or 0.0 for session in self._record.earlier)
        purse = Purse(self.options.budget, price, before + price.of_time(time), self._meter)
        purse.expect(asking.missing.requests, self.plan.card)
        asking.serve(Budgeted(engine, purse), self._prepare)
        if purse.stopped:
            self.say(purse.said)

    def take_over(self) -> Known:
        """Copy what other runs have answered, where no engine is opened. What is answered now."""
        self._start()
        self._look_around(self.own_questions())
        if self._reused.answers:
            self._take_over()
            self._record.note(ended=now(), answered=0, failed=0)
            self._record.write()
        return Known(self._kept, self._reused.answers)

    def preparing(self, sight: Sight) -> Callable[[Request], Prepared]:
        """What makes requests ready for somebody who takes what `sight` says, where no engine is opened."""
        self._sight = sight
        return self._prepare

    def answered_before(self) -> str:
        """When and by whom the answers were given that are not asked for."""
        reused = f"{len(self._reused.answers)} reused" if self._reused.answers else ""
        return "; ".join(filter(None, (who_answered(self._record.sessions) if self._kept else "", reused)))

    def _own_spent(self) -> Spent:
        """What the answers took that are kept, but for those of other runs; where nobody was killed, nobody asks."""
        if all(session.answered is not None for session in self._record.sessions):
            return Spent()
        return total(spent_on(answer) for answer in self._kept.values() if not answer.reused_from)

    def _look_around(self, questions: Questions) -> None:
        """See what other runs have of what is missing, and say so."""
        wanted = questions.missing(self._kept)
        if not self.options.reuse or not wanted:
            return
        self._reused = reusable(self.folder, self.plan.ask, wanted)
        if self._reused.answers:
            self.say(self._reused.said(len(questions)))
        if damaged := self._reused.damaged:
            more = f" and {len(damaged) - SHOWN_RUNS} more" if len(damaged) > SHOWN_RUNS else ""
            self.say(f"note: not looked at for answers, because damaged: {', '.join(damaged[:SHOWN_RUNS])}{more}")

    def _take_over(self) -> None:
        """Copy what other runs have answered. Where that is all, the engine is the one that answered there."""
        if self._reused.answers:
            if self._record.engine.version == NOT_STARTED and self._reused.engines:
                self._record.engine = self._reused.engines[0]
            self._record.note(reused=dict(self._reused.runs))
            self._record.write()
        for response in self._reused.answers.values():
            self._writer.append(response)

    def _end(self, counting: CountedWatch) -> None:
        if self._record.begun:
            spent = self._meter.spent
            counted = {"answered": counting.answered_now, "failed": counting.failed_now}
            self._record.note(ended=now(), spent=spent, replicas=self._placed(), **counted)
            if counting.answered_now and spent.seconds:
                self._record.speed = {"requests_per_second": counting.answered_now / spent.seconds}
            self._record.write()

    def _open(self) -> Engine:
        return opened(self.engine, self.plan.card, self.options, self.say)

    def _begin(self, engine: Engine) -> None:
        """The engine is open: see that it is the one of before, and write down who answers from now on."""
        self._sight = getattr(engine, "sight", ALL_OF_IT)
        asked_again = self._ask_again(engine)
        self._record.engine = engine.info
        self._placed, self._untold = getattr(engine, "placed", dict), getattr(engine, "untold", tuple)
        self._record.note(arguments=dict(self.options.engine.arguments), replicas=self._placed(), **asked_again)
        self._take_over()
        self._record.write()
        self._meter.start()

    def _ask_again(self, engine: Engine) -> dict[str, Any]:
        """Before a run goes on: whether the same model answers still, for the manifest. A server may have changed
        behind its name; a local model's revision is its content, but its engine may be another. Raises UsageError."""
        known = Known(self._kept, self._reused.answers)
        before = [session.engine for session in self._record.sessions if session.answered != 0]
        before += self._reused.engines
        changed = any(info is None or plain(asdict(info)) != plain(asdict(engine.info)) for info in before)
        if not known or self.options.same_model or not (changed or self.plan.card.kind == "server"):
            return {}
        metered = Metered(engine, self._probing)
        found = probe(metered, self.plan.planned_items(), known, self._prepare, seed=len(self._record.sessions))
        if found.other:
            raise refusal(found, self.plan.card, reused=bool(self._reused.answers))
        if found.away:
            self.say(f"warning: {found.away} of {found.asked} stored questions, asked again, got another answer")
        return {"asked_again": found.counts(), "spent_again": self._probing.spent}

    def _prepare(self, request: Request) -> Prepared:
        return prepare(request, self._decoder, self._sight)


def opened(engine: str, card: ModelCard, options: SessionOptions, say: Callable[[str], None]) -> Engine:
    """The engine, open where its placement says. Raises UsageError, EngineError."""
    if not options.placement.apart:
        return open_engine(engine, card, options=options.engine)
    from tvbench.runs.replicas.opening import open_replicas

    return open_replicas(engine, card, options.engine, options.placement, say, options.video_timeout_s)


def storing(engine: Engine, folder: Path, total: int, part: str | None) -> AbstractContextManager[None]:
    """While `total` requests of the run in `folder` (of a `part` of it) are served: an engine whose replicas store
    answers themselves is told where."""
    told = getattr(engine, "storing", None)
    return nullcontext() if told is None else told(folder, total, part)
