"""Asks a judge about a run's answers: in rounds, through the runner, into a store of its own.

A round asks what has no readable score yet. A call that failed is asked again under the same key, a reply that could
not be read under the next attempt's key; both at most `asks` times. What is answered is on disk before it is counted,
so a killed judging goes on where it stopped and pays for nothing twice. With a budget, requests are handed out in waves
whose dearest outcome still fits, and one that is too dear is passed over; the limit is never passed by replies that
arrive. What was under way when a process died counts at its dearest.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from tvbench.engines.protocol import Engine, EngineInfo, Prepared
from tvbench.errors import UsageError
from tvbench.graders.judge.cases import CHECKED, Case, gather
from tvbench.graders.judge.planted import PLANTED
from tvbench.graders.judge.record import JudgeVerdict, judge_folder, settle
from tvbench.graders.judge.rubric import Rubric
from tvbench.graders.judge.sent import NotedEngine, lost_calls
from tvbench.graders.judge.spend import Prices, Spend, most, spent, with_lost
from tvbench.registry.influence import prompt_label
from tvbench.registry.thinking import thinking_of
from tvbench.runs.heartbeat import JUDGE, Heart
from tvbench.runs.history import engine_label
from tvbench.runs.machine import packages
from tvbench.runs.manifest import JudgeEntry, Manifest
from tvbench.runs.overhearing import beating
from tvbench.runs.plan import PlannedItem
from tvbench.runs.questions import Questions
from tvbench.runs.runner import Asking, Watch
from tvbench.runs.session_record import earlier_engine
from tvbench.runs.store import RunFolder
from tvbench.runs.writer import RunWriter
from tvbench.types import Item, ModelCard, Response

ASKS = 5
DEAR = 10
"""A request that may cost so many times what the middle one may is asked after all others."""


@dataclass(frozen=True, slots=True)
class JudgeOptions:
    """How judging goes. `checked` None: every exact item; `planted` None: see planted.py; `budget` in US dollars needs
    `prices`. `languages` are those whose answers are judged (none: all)."""

    checked: int | None = CHECKED
    planted: int | None = None
    languages: frozenset[str] = frozenset()
    seed: int = 0
    asks: int = ASKS
    prices: Prices | None = None
    budget: float | None = None

    def __post_init__(self) -> None:
        if self.budget is not None and self.prices is None:
            raise UsageError(
                "--budget needs to know what tokens cost",
                "add --price IN,OUT: dollars for a million tokens; or `price:` in the judge's model card",
            )


@dataclass(frozen=True, slots=True)
class Judged:
    """How it ended. `problems` counts what is unscored by reason; `too_dear` were not asked: each could cost more than
    what is left of the budget."""

    folder: Path
    cases: int
    scored: int
    problems: Mapping[str, int]
    spend: Spend
    too_dear: int = 0

    @property
    def complete(self) -> bool:
        return self.scored == self.cases


class _Rounds:
    """A Watch that tells another one of all rounds as if they were one."""

    def __init__(self, watch: Watch) -> None:
        self.watch = watch

    def begin(self, total: int, kept: int) -> None:
        """Each wave begins; the watcher heard of the whole at the start."""

    def answered(self, response: Response) -> None:
        self.watch.answered(response)


class Judging:
    """One session of one judge on one run. `answers` by task; `engine` with its `arguments` is who grades."""

    def __init__(
        self,
        run: RunFolder,
        answers: Mapping[str, Sequence[tuple[Item, Response]]],
        card: ModelCard,
        rubric: Rubric,
        engine: str,
        options: JudgeOptions,
        arguments: Mapping[str, Any] = {},
    ) -> None:
        self.run = run
        self.card = card
        self.rubric = rubric
        self.options = options
        self.budget = options.budget or 0.0
        self.engine = engine
        self.arguments = arguments
        self.folder = judge_folder(run, card, rubric)
        self.tasks = tuple(answers)
        self.cases: list[Case] = [
            case
            for answers_of_task in answers.values()
            for case in gather(
                answers_of_task,
                rubric,
                checked=options.checked,
                seed=options.seed,
                planted=options.planted,
                languages=options.languages,
            )
        ]

    @property
    def thinking(self) -> int:
        """Tokens that the judge may think beside those of a reply."""
        return thinking_of(self.card).tokens

    def missing(self) -> list[PlannedItem]:
        """What a first round would ask now; reads, and writes nothing."""
        replies = _kept(RunFolder(self.folder).responses()) if self.folder.is_dir() else {}
        return self._pending(replies)

    def ask(self, open_engine: Callable[[], Engine], watch: Watch) -> Judged:
        """Ask what is missing. Raises UsageError when another process judges there, EngineError, StoreError."""
        heart = Heart(self.run.path, f"{JUDGE}{self.folder.name}", "judging")
        with RunWriter(self.folder) as writer, beating(watch, heart) as watch:
            self._write(writer, EngineInfo(self.engine, "not started"))
            replies = dict(writer.start())
            watch.begin(
                len(self.cases), sum(self._verdict(case, replies).reading.score is not None for case in self.cases)
            )
            if self._affordable(self._pending(replies), replies):
                with closing(NotedEngine(open_engine(), self.folder, self.thinking)) as engine:
                    try:
                        self._rounds(writer, replies, engine, _Rounds(watch))
                    finally:
                        self._write(writer, engine.info)
        return self._outcome()

    def _rounds(self, writer: RunWriter, replies: dict[str, Response], engine: Engine, watch: Watch) -> None:
        """Round after round until nothing is open, or what is open cannot be paid for."""
        for _ in range(self.options.asks):
            if not self._round(writer, self._pending(replies), replies, engine, watch):
                break

    def _round(
        self, writer: RunWriter, pending: list[PlannedItem], replies: dict[str, Response], engine: Engine, watch: Watch
    ) -> bool:
        """Ask `pending` wave by wave, and add the answers to `replies`. False where nothing could be asked."""
        left = {planned.key: planned for planned in pending}
        while wave := self._affordable(list(left.values()), replies):
            Asking(Questions([wave]), writer, {}, watch).serve(engine, lambda request: Prepared(request))
            replies.update(_kept(RunFolder(self.folder).responses()))
            for planned in wave:
                del left[planned.key]
        return len(left) < len(pending)

    def _affordable(self, pending: Sequence[PlannedItem], replies: Mapping[str, Response]) -> list[PlannedItem]:
        """Those of the next requests that fit into what is left of the budget, each at its dearest. A few that are much
        dearer than the others come last, so that they never take the place of many."""
        prices, budget = self.options.prices, self.options.budget
        if prices is None or budget is None or not pending:
            return list(pending)
        left = budget - (self.spend(replies).dollars or 0.0)
        costs = [most(planned.item, prices, self.thinking) for planned in pending]
        middle = median(costs)
        wave: list[PlannedItem] = []
        for cost, planned in sorted(zip(costs, pending, strict=True), key=lambda pair: pair[0] > DEAR * middle):
            if cost <= left:
                wave.append(planned)
                left -= cost
        return wave

    def spend(self, replies: Mapping[str, Response]) -> Spend:
        """What the replies of this judge to this run's answers cost; identical requests were paid once. Calls that were
        lost with their process are added."""
        asked = {
            planned.key: planned.item
            for case in self.cases
            for planned in settle(case, self.rubric, self.card, replies)[1]
        }
        known = spent(((item, replies[key]) for key, item in asked.items() if key in replies), self.options.prices)
        answered = {key for key, reply in replies.items() if reply.error is None}
        return with_lost(known, lost_calls(self.folder, answered), self.options.prices)

    def share_budget(self, others: Iterable[Judging]) -> None:
        """What other sessions of the same command have cost is not there for this one."""
        if self.options.budget is not None:
            left = self.budget - sum(other.dollars() for other in others)
            self.options = replace(self.options, budget=max(0.0, left))

    def dollars(self) -> float:
        """What the replies in the judge's folder cost; 0 without prices."""
        return self.spend(RunFolder(self.folder).responses()).dollars or 0.0 if self.folder.is_dir() else 0.0

    def _pending(self, replies: Mapping[str, Response]) -> list[PlannedItem]:
        """The next request of each case that is open."""
        return _once(request for case in self.cases for request in self._open(case, replies))

    def _open(self, case: Case, replies: Mapping[str, Response]) -> list[PlannedItem]:
        """The next request for a case; none where it has its score, or was asked often enough."""
        verdict, requests = settle(case, self.rubric, self.card, replies)
        done = verdict.reading.score is not None or verdict.replies >= self.options.asks
        return [] if done else requests[-1:]

    def _verdict(self, case: Case, replies: Mapping[str, Response]) -> JudgeVerdict:
        return settle(case, self.rubric, self.card, replies)[0]

    def _outcome(self) -> Judged:
        replies = RunFolder(self.folder).responses()
        verdicts = [self._verdict(case, replies) for case in self.cases]
        problems = Counter(_problem(verdict) for verdict in verdicts if verdict.reading.score is None)
        pending = self._pending(replies)
        affordable = self._affordable(pending, replies)
        return Judged(
            self.folder,
            len(verdicts),
            len(verdicts) - problems.total(),
            dict(problems),
            self.spend(replies),
            len(pending) - len(affordable),
        )

    def _write(self, writer: RunWriter, info: EngineInfo) -> None:
        """The manifest, and every request that was or may be sent. What an earlier session began keeps its date."""
        before = RunFolder(self.folder).earlier_manifest()
        earlier = before.judging if before else None
        if info.version == "not started":
            info = earlier_engine(before) or info
        replies = RunFolder(self.folder).responses()
        sent = _once(request for case in self.cases for request in settle(case, self.rubric, self.card, replies)[1])
        writer.write_requests((request.key, request.item, ()) for request in sent)
        writer.write_manifest(
            Manifest(
                run=self.folder.name,
                source="tvbench judge",
                command=("tvbench", *sys.argv[1:]),
                model=self.card,
                engine=info,
                judging=JudgeEntry(
                    run=self.run.name,
                    rubric=self.rubric.as_json(),
                    tasks=tuple(sorted({*(earlier.tasks if earlier else ()), *self.tasks})),
                    checked=_most(self.options.checked, earlier.checked) if earlier else self.options.checked,
                    seed=self.options.seed,
                    engine=engine_label(info),
                    chat=prompt_label(self.card),
                    planted=_more(self.options.planted, earlier.planted if earlier else 0),
                ),
                packages=packages(),
            )
        )


def _kept(replies: Mapping[str, Response]) -> dict[str, Response]:
    """The replies that came: what failed counts as not asked."""
    return {key: response for key, response in replies.items() if response.error is None}


def _once(items: Iterator[PlannedItem] | Sequence[PlannedItem]) -> list[PlannedItem]:
    """Each key once, in order."""
    return list({planned.key: planned for planned in items}.values())


def _most(one: int | None, other: int | None) -> int | None:
    """The larger number of exact items (None: all): what was asked about before stays in the report."""
    return None if one is None or other is None else max(one, other)


def _more(one: int | None, other: int | None) -> int | None:
    """The larger number of planted answers: what was asked about before stays in the report."""
    return max(one, other, key=lambda number: PLANTED if number is None else number)


def _problem(verdict: JudgeVerdict) -> str:
    if verdict.failure is not None:
        return "failed"
    return verdict.reading.problem or "not asked"
