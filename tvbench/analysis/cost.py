"""What a run's answers cost: tokens, seconds and dollars, by task, and for a thousand questions.

Tokens are counted from the stored answers, each key once, so neither a run in many sessions nor a killed one counts
anything twice; an answer that several tasks ask for is the first one's. Time is what the sessions took, shared out by
what the answers took one by one: the parts add up to the whole. What other runs answered cost this one nothing, but is
part of what a thousand questions cost. Dollars are what a server said, else tokens (or hours) times the price.
Knows runs and prices; knows no table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tvbench.errors import TvbenchError
from tvbench.graders.comet.record import FOLDER, CometRecord
from tvbench.graders.judge.record import judge_folders
from tvbench.registry.prices import Price, price_in
from tvbench.runs.history import sessions_of
from tvbench.runs.manifest import Manifest, Session
from tvbench.runs.spent import Spent, price_factor, spent_on, total
from tvbench.runs.store import RunFolder
from tvbench.types import Response

THOUSAND = 1000


@dataclass(frozen=True, slots=True)
class Cost:
    """What some answers took. `dollars` None: no price is known; `unpriced` answers are not in them. `seconds` None:
    not known. `reused` answers are of other runs, and in none of the sums."""

    spent: Spent = Spent()
    dollars: float | None = None
    unpriced: int = 0
    seconds: float | None = None
    reused: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(
            self.spent + other.spent,
            _sum(self.dollars, other.dollars),
            self.unpriced + other.unpriced,
            _sum(self.seconds, other.seconds),
            self.reused + other.reused,
        )

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        names = ("answers", "uncounted", "tokens_in", "tokens_out", "tokens_thinking", "tokens_cached")
        more = {"seconds": self.seconds, "dollars": self.dollars, "unpriced": self.unpriced, "reused": self.reused}
        return {**{name: getattr(self.spent, name) for name in names}, **more}


@dataclass(frozen=True, slots=True)
class RunCost:
    """A whole run. `tasks` add up to `whole`; `again` are questions that were only asked to see that the model is the
    same; `judges` by name, and `comet` by checkpoint: segments and seconds. `untimed` sessions answered something in a
    time that nobody knows; `problems` say what of the folder cannot be read."""

    tasks: Mapping[str, Cost] = field(default_factory=dict)
    price: Price | None = None
    again: Cost = Cost()
    judges: Mapping[str, Cost] = field(default_factory=dict)
    comet: Mapping[str, tuple[int, float]] = field(default_factory=dict)
    sessions: int = 0
    untimed: int = 0
    problems: tuple[str, ...] = ()

    @property
    def whole(self) -> Cost:
        return added(self.tasks.values())

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        return {
            **self.whole.as_json(),
            "price": None if self.price is None else self.price.as_card(),
            "sessions": self.sessions,
            "sessions_without_time": self.untimed,
            "asked_again": self.again.as_json(),
            "tasks": {name: cost.as_json() for name, cost in self.tasks.items()},
            "judges": {name: cost.as_json() for name, cost in self.judges.items()},
            "comet": {name: {"segments": count, "seconds": seconds} for name, (count, seconds) in self.comet.items()},
            "problems": list(self.problems),
        }


@dataclass(frozen=True, slots=True)
class Rate:
    """What a thousand questions cost, of `questions` that were answered, here or in another run. None: not known.
    `priced` of them have a price. `seconds` are those of one run that asks as many at a time as this one did."""

    questions: int = 0
    dollars: float | None = None
    seconds: float | None = None
    tokens_in: float | None = None
    tokens_out: float | None = None
    priced: int = 0

    @property
    def answers_per_second(self) -> float | None:
        return THOUSAND / self.seconds if self.seconds else None


class Spending:
    """What lies in a run's folder, read once. `price` counts instead of what a server said and of the run's own price;
    `otherwise` where neither is known."""

    def __init__(self, run: RunFolder, price: Price | None = None, otherwise: Price | None = None) -> None:
        self.run = run
        self.problems: list[str] = []
        self._asked_for = price
        self._otherwise = otherwise

    @cached_property
    def manifest(self) -> Manifest:
        """Raises UsageError."""
        return self.run.manifest()

    @cached_property
    def price(self) -> Price | None:
        if self._asked_for is not None:
            return self._asked_for
        return self._price_of(self.manifest) or self._otherwise

    @cached_property
    def told(self) -> bool:
        """Whether a server named the price of an answer, and that counts."""
        stored = (answer for answers in self.answers.values() for answer in answers.values())
        return self._asked_for is None and any(spent_on(answer).told for answer in stored)

    @cached_property
    def sessions(self) -> tuple[Session, ...]:
        sessions = tuple(sessions_of(self.manifest))
        for number, session in enumerate(sessions, 1):
            for spent in (session.spent, session.spent_again):
                names = ", ".join(spent.damaged)
                self.problems += [f"manifest, session {number}: {names} is damaged: not known"] if names else []
        return sessions

    @cached_property
    def answers(self) -> dict[tuple[str, str], dict[str, Response]]:
        """By task and language, and the item that asked first; each key once; failures are none."""
        stored = self.run.responses([])
        found: dict[tuple[str, str], dict[str, Response]] = {}
        seen: set[str] = set()
        for key, item in self.run.requests([]):
            place = found.setdefault((item.task, item.language), {})
            if key in stored and key not in seen and stored[key].error is None:
                seen.add(key)
                place[item.id] = stored[key]
        return found

    def _each(self) -> Iterator[tuple[str, Response]]:
        """The same one by one, with their tasks; none is held."""
        index = self.run.index()
        seen = bytearray(len(index))
        for number, task in self.run.numbers_in(index):
            if not seen[number] and (answer := index.at(number)).error is None:
                seen[number] = True
                yield task, answer

    def answered(self, task: str, languages: Collection[str] = ()) -> set[str]:
        """The items of a task (in these languages) that have an answer of their own."""
        parts = (answers for place, answers in self.answers.items() if _in(place, [task], languages))
        return {name for answers in parts for name in answers}

    def cost(self) -> RunCost:
        """Of the whole run, by task. Raises UsageError where it cannot be read."""
        own = {entry.task: self._counting() for entry in self.manifest.tasks}
        reused: Counter[str] = Counter()
        for task, answer in self._each():
            if task not in own:
                own[task] = self._counting()
            if answer.reused_from:
                reused[task] += 1
            else:
                own[task].add(answer)
        times = self._times({task: counting.spent for task, counting in own.items()})
        costs = {task: replace(counting.cost(times[task]), reused=reused[task]) for task, counting in own.items()}
        judges = self._judges()
        return RunCost(
            costs,
            self.price,
            self._again(),
            judges,
            self._comet(),
            len(self._answering()),
            sum(session.spent.seconds is None for session in self._answering()),
            tuple(dict.fromkeys(self.problems)),
        )

    def rate(
        self, tasks: Collection[str] = (), languages: Collection[str] = (), items: Collection[str] | None = None
    ) -> Rate:
        """Of the answered questions of these tasks and languages (none: all), or of these `items` of them."""
        chosen = [
            answer
            for place, answers in self.answers.items()
            if _in(place, tasks, languages)
            for name, answer in answers.items()
            if items is None or name in items
        ]
        if not chosen:
            return Rate()
        spent = total(map(spent_on, chosen))
        seconds = self._seconds(spent)
        cost = self._cost(chosen, seconds)
        priced, counted = len(chosen) - cost.unpriced, spent.counted
        return Rate(
            len(chosen),
            None if cost.dollars is None or not priced else THOUSAND * cost.dollars / priced,
            None if seconds is None else THOUSAND * seconds / len(chosen),
            THOUSAND * spent.tokens_in / counted if counted else None,
            THOUSAND * spent.tokens_out / counted if counted else None,
            priced if cost.dollars is not None else 0,
        )

    def pace(self) -> tuple[float, float] | None:
        """How many answers were under way at a time, and how many came a second; None where that is not known."""
        timed = total(one.spent for one in self._answering() if one.spent.seconds)
        return (timed.latency / timed.seconds, timed.answers / timed.seconds) if timed.seconds else None

    def _cost(self, answers: Iterable[Response], seconds: float | None) -> Cost:
        return cost_of(answers, seconds, self.price, told=self._asked_for is None)

    def _counting(self) -> CostSum:
        return CostSum(self.price, told=self._asked_for is None)

    def _answering(self) -> list[Session]:
        return [session for session in self.sessions if session.answered or session.spent.answers]

    def _times(self, parts: Mapping[str, Spent]) -> dict[str, float | None]:
        """The seconds of the sessions, shared out over the tasks."""
        known = [session.spent.seconds for session in self._answering()]
        seconds = sum(one for one in known if one is not None) if any(one is not None for one in known) else None
        if not any(part.answers for part in parts.values()):
            return dict.fromkeys(parts, 0.0)
        whole = total(parts.values())
        if seconds is None:
            return dict.fromkeys(parts)
        return {
            name: seconds * (part.latency / whole.latency if whole.latency else part.answers / whole.answers)
            for name, part in parts.items()
        }

    def _seconds(self, spent: Spent) -> float | None:
        """How long these answers take at the pace of this run; of one that only copied, at that of where it did."""
        pace = self.pace() or self._pace_elsewhere()
        if pace is None or not pace[1]:
            return None
        return spent.latency / pace[0] if spent.latency and pace[0] else spent.answers / pace[1]

    def _pace_elsewhere(self) -> tuple[float, float] | None:
        stored = (one for answers in self.answers.values() for one in answers.values())
        sources = Counter(one.reused_from for one in stored if one.reused_from)
        for name, _ in sources.most_common():
            other = RunFolder(self.run.path.parent / str(name))
            try:
                pace = Spending(other).pace() if other.path.parent == self.run.path.parent and other.exists() else None
            except TvbenchError:
                continue
            if pace is not None:
                return pace
        return None

    def _again(self) -> Cost:
        spent = total(session.spent_again for session in self.sessions)
        price = self.price
        if spent.told and self._asked_for is None:
            return Cost(spent, spent.dollars)
        if price is None or not price.by_tokens:
            return Cost(spent)
        return Cost(spent, price.of_tokens(spent.tokens_in, spent.tokens_out, spent.tokens_cached), spent.uncounted)

    def _judges(self) -> dict[str, Cost]:
        found: dict[str, Cost] = {}
        for path in judge_folders(self.run):
            store = RunFolder(path)
            try:
                price = self._price_of(store.manifest())
                replies = [one for one in store.responses([]).values() if one.error is None]
            except TvbenchError as error:
                self.problems.append(error.message)
                continue
            name = store.manifest().label or path.name
            found[name] = found.get(name, Cost()) + cost_of(replies, None, price)
        return found

    def _comet(self) -> dict[str, tuple[int, float]]:
        names = sorted(path.stem for path in self.run.path.glob(f"{FOLDER}/*.json"))
        spent = {name: CometRecord(self.run, name).spent() for name in names}
        return {name: told for name, told in spent.items() if told[0]}

    def _price_of(self, manifest: Manifest) -> Price | None:
        try:
            return price_in(manifest.model.prices)
        except ValueError as error:
            self.problems.append(f"the price of {manifest.label} in the manifest is damaged: {error}")
            return None


def _in(place: tuple[str, str], tasks: Collection[str], languages: Collection[str]) -> bool:
    """Whether a task and language are among these (none: all)."""
    return (not tasks or place[0] in tasks) and (not languages or place[1] in languages)


def run_cost(run: RunFolder, price: Price | None = None) -> RunCost:
    """What a run cost. Raises UsageError where it cannot be read."""
    return Spending(run, price).cost()


def cost_of(answers: Iterable[Response], seconds: float | None, price: Price | None, *, told: bool = True) -> Cost:
    """What these answers took, in so many seconds. `told`: what a server said that one cost counts before the price."""
    counting = CostSum(price, told=told)
    for answer in answers:
        counting.add(answer)
    return counting.cost(seconds)


class CostSum:
    """Adds up what answers cost, one by one."""

    def __init__(self, price: Price | None, *, told: bool) -> None:
        self.spent = Spent()
        self._price, self._told = price, told
        self._dollars = 0.0
        self._untold = self._uncounted = 0

    @property
    def _by_tokens(self) -> bool:
        return self._price is not None and self._price.by_tokens

    def add(self, answer: Response) -> None:
        """One more."""
        one, price = spent_on(answer), self._price
        self.spent += one
        if one.told and self._told:
            self._dollars += one.dollars
            return
        self._untold += 1
        self._uncounted += one.uncounted
        if price is not None and self._by_tokens and not one.uncounted:
            tokens = price.of_tokens(one.tokens_in, one.tokens_out, one.tokens_cached)
            self._dollars += price_factor(answer) * tokens

    def cost(self, seconds: float | None) -> Cost:
        """What all of them took, in so many seconds."""
        spent, price, dollars = self.spent, self._price, self._dollars
        by_time = price is not None and price.hour is not None
        timeless = 0 if by_time and seconds is not None else self._untold
        unpriced = self._uncounted if self._by_tokens else timeless
        if price is not None and by_time and seconds is not None and self._untold:
            dollars += price.of_time(seconds) * self._untold / spent.answers
        known = spent.answers > unpriced or (price is not None and not spent.answers)
        return Cost(spent, dollars if known else None, unpriced, seconds)


def added_rates(rates: Iterable[Rate]) -> Rate:
    """Of all their questions together; what is not known of one is not known of all."""
    parts = [rate for rate in rates if rate.questions]
    if not parts:
        return Rate()
    questions = sum(rate.questions for rate in parts)

    def mean(name: str) -> float | None:
        values = [getattr(rate, name) for rate in parts]
        known = all(value is not None for value in values)
        return sum(v * rate.questions for v, rate in zip(values, parts, strict=True)) / questions if known else None

    names = ("dollars", "seconds", "tokens_in", "tokens_out")
    return Rate(questions, **{name: mean(name) for name in names}, priced=sum(rate.priced for rate in parts))


def added(costs: Iterable[Cost]) -> Cost:
    """The sum."""
    parts = list(costs)
    whole = parts[0] if parts else Cost()
    for part in parts[1:]:
        whole += part
    return whole


def _sum(first: float | None, second: float | None) -> float | None:
    """Of what is known."""
    if first is None or second is None:
        return second if first is None else first
    return first + second
