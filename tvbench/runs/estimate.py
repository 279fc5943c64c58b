"""What a run would cost, before it is begun: requests, tokens, time, money, disk. Every figure says where it is from.

Tokens and time are taken from an earlier run of the same model where there is one (earlier.py); otherwise tokens are
guessed (guesses.py), and time is counted from parameters and tokens at a stated speed, and called rough. Only what is
yet to be asked is counted, each question once: an answer that is there costs nothing.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tvbench.registry.prices import Price, price_in, price_of
from tvbench.runs.earlier import TokensMeasured, measured, rate
from tvbench.runs.guesses import Range, tokens_in, tokens_out
from tvbench.runs.key_table import KeyTable
from tvbench.runs.keys import media_of
from tvbench.runs.plan import Plan, PlannedItem, PlannedTask
from tvbench.runs.questions import EitherOf, LeftToAsk
from tvbench.runs.reuse import reusable
from tvbench.runs.store import RunFolder
from tvbench.types import ModelCard

BYTES_PER_ANSWER = 400
CPU_EFFICIENCY = 0.25


@dataclass(frozen=True, slots=True)
class TaskEstimate:
    """One task: its items, pictures and clips; `asked` of its questions are yet to be asked, and take so many tokens,
    seconds and dollars: the likeliest, and between what and what. None: not known. `measured_in` is the run that the
    tokens are taken from ("": guessed)."""

    task: str
    protocol: str
    items: int
    media: int
    tokens_in: int
    tokens_out: int
    asked: int = 0
    tokens_in_range: tuple[int, int] = (0, 0)
    tokens_out_range: tuple[int, int] = (0, 0)
    seconds: float | None = None
    dollars: float | None = None
    dollars_range: tuple[float, float] | None = None
    measured_in: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A whole run. `seconds` is None where nothing is known; `basis` says where it comes from; `reused` are the answers
    that other runs have. `dollars` None: no `price` is known, or it is one of time, and that is not."""

    run: str
    requests: int
    kept: int
    tasks: tuple[TaskEstimate, ...]
    seconds: float | None
    basis: str
    bytes: int
    reused: int = 0
    dollars: float | None = None
    dollars_range: tuple[float, float] | None = None
    price: Mapping[str, float] | None = None


def estimate(plan: Plan, results: Path, *, fresh: bool = False, reuse: bool = True) -> Estimate:
    """Count `plan`, less what its run folder already holds (unless it is begun `fresh`), and what other runs do. Raises
    UsageError for a price that is none."""
    folder = results / plan.run_name
    answered: Collection[str] = () if fresh else RunFolder(folder).index().without_failures
    wanted = plan.questions.missing(answered)
    others = reusable(folder, plan.ask, wanted).answers if reuse and not fresh else {}
    left = plan.questions.missing(EitherOf(answered, others))
    known = measured(plan, results)
    parts = _parts(plan, left, known)
    tokens = sum(part.incoming.guess + part.outgoing.guess for part in parts)
    seconds, basis = _seconds(plan, results, len(left), tokens)
    price = _price(plan.card, folder)
    tasks = tuple(part.estimate(price, _share(part, parts, seconds)) for part in parts)
    dollars = [task.dollars for task in tasks if task.dollars is not None]
    ends = [task.dollars_range for task in tasks if task.dollars_range is not None]
    return Estimate(
        plan.run_name,
        len(left),
        len(answered),
        tasks,
        seconds,
        basis,
        _disk(parts),
        len(others),
        sum(dollars) if len(dollars) == len(tasks) and tasks else None,
        (sum(low for low, _ in ends), sum(high for _, high in ends)) if len(ends) == len(tasks) and tasks else None,
        None if price is None else price.as_card(),
    )


class _Part:
    """What is yet to be asked of one task."""

    def __init__(self, planned: PlannedTask) -> None:
        self.planned = planned
        self.asked = self.media = self.characters = 0
        self.source: TokensMeasured | None = None
        self.incoming, self.outgoing = Range(), Range()

    def count(self, one: PlannedItem, card: ModelCard, *, ask: bool) -> None:
        """One more of its items; `ask`: it is yet to be asked."""
        self.media += len(media_of(one.item.messages))
        self.characters += sum(
            len(part) for message in one.item.messages for part in message.parts if isinstance(part, str)
        )
        if ask:
            self.asked += 1
            self.incoming += tokens_in(one, card)
            self.outgoing += tokens_out(one, card, self.planned.task.tokens_per_answer)

    def measured(self, source: TokensMeasured | None) -> None:
        """All items were counted; an earlier run may know better what they take."""
        if source is not None and self.asked:
            self.source = source
            self.incoming = source.tokens_in.times(self.asked)
            self.outgoing = source.tokens_out.times(self.asked)

    def estimate(self, price: Price | None, seconds: float | None) -> TaskEstimate:
        dollars = self._dollars(price, seconds)
        return TaskEstimate(
            self.planned.task.name,
            self.planned.options.protocol,
            len(self.planned.items),
            self.media,
            round(self.incoming.guess),
            round(self.outgoing.guess),
            self.asked,
            (round(self.incoming.low), round(self.incoming.high)),
            (round(self.outgoing.low), round(self.outgoing.high)),
            seconds,
            None if dollars is None else dollars.guess,
            None if dollars is None else (dollars.low, dollars.high),
            "" if self.source is None else self.source.run,
        )

    def _dollars(self, price: Price | None, seconds: float | None) -> Range | None:
        if price is None or (price.hour is not None and seconds is None):
            return None
        into, out = self.incoming, self.outgoing
        ways = ((into.low, out.low), (into.guess, out.guess), (into.high, out.high))
        return Range(*(price.of_tokens(*way) + price.of_time(seconds or 0.0) for way in ways))


def _parts(plan: Plan, left: LeftToAsk, known: Mapping[str, TokensMeasured]) -> list[_Part]:
    """Each task with what of it is yet to be asked, in one pass; a question of several tasks is the first one's."""
    seen = KeyTable()
    parts = []
    for planned in plan.tasks:
        part = _Part(planned)
        for one in planned.items:
            new = len(seen)
            ask = one.key in left and seen.add(one.key) == new
            part.count(one, plan.card, ask=ask)
        part.measured(known.get(planned.task.name))
        parts.append(part)
    return parts


def _share(part: _Part, parts: list[_Part], seconds: float | None) -> float | None:
    """Of the time: by tokens."""
    tokens = sum(one.incoming.guess + one.outgoing.guess for one in parts)
    return None if seconds is None else seconds * (part.incoming.guess + part.outgoing.guess) / (tokens or 1.0)


def _price(card: ModelCard, folder: Path) -> Price | None:
    """The card's, else what the run was told before."""
    manifest = RunFolder(folder).earlier_manifest()
    try:
        return price_of(card) or (price_in(manifest.model.prices) if manifest is not None else None)
    except ValueError:
        return None


def _disk(parts: Iterable[_Part]) -> int:
    return sum(2 * part.characters + BYTES_PER_ANSWER * 2 * len(part.planned.items) for part in parts)


def _seconds(plan: Plan, results: Path, requests: int, tokens: float) -> tuple[float | None, str]:
    if requests == 0:
        return 0.0, "everything is answered"
    earlier = rate(plan, results)
    if earlier is not None:
        return requests / earlier[0], f"from {earlier[1]}: {earlier[0]:.2f} requests/s"
    if plan.card.parameters is None or plan.card.kind == "server":
        return None, "no earlier run of this model here to go by"
    speed = _cpu_flops() * CPU_EFFICIENCY
    return (
        2.0 * plan.card.parameters * tokens / speed,
        f"rough: 2 FLOP a parameter and token at {speed / 1e9:.0f} GFLOP/s, measured on this CPU; a GPU is far faster",
    )


def _cpu_flops() -> float:
    """Floating-point operations a second of a small matrix product: about 0.1 s of work."""
    import numpy as np

    size = 768
    a = np.ones((size, size), dtype=np.float32)
    a @ a
    started = time.perf_counter()
    rounds = 0
    while time.perf_counter() - started < 0.1:
        a @ a
        rounds += 1
    return 2.0 * size**3 * rounds / (time.perf_counter() - started)
