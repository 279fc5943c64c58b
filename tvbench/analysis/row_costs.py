"""What the rows of a leaderboard cost for a thousand questions, of those that all of them were asked.

Cheap against good is read off the ranks that the leaderboard has anyhow: the cheapest of those that nothing is
certainly better than. No statistics of its own. Knows rows and costs; knows no table.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tvbench.analysis.cost import Rate, Spending, added_rates
from tvbench.analysis.entries import RunEntry
from tvbench.errors import TvbenchError, unknown_name
from tvbench.registry.addresses import shown_address
from tvbench.registry.prices import Price
from tvbench.runs.manifest import Manifest
from tvbench.runs.store import RunFolder

OTHERS = ""
"""Whom a price is for that names no model."""


@dataclass(frozen=True, slots=True)
class RowCost:
    """One row. `where` is who answered on what machine ("": not known); `told`: a server named its price; `price` is
    what else was used, of the last of its runs."""

    rate: Rate = Rate()
    price: Price | None = None
    told: bool = False
    where: str = ""

    def as_json(self) -> dict[str, object]:
        """For scripts."""
        return {
            "questions": self.rate.questions,
            "dollars_per_1000": self.rate.dollars,
            "seconds_per_1000": self.rate.seconds,
            "answers_per_second": self.rate.answers_per_second,
            "tokens_in_per_1000": self.rate.tokens_in,
            "tokens_out_per_1000": self.rate.tokens_out,
            "priced": self.rate.priced,
            "price": None if self.price is None else self.price.as_card(),
            "price_told_by_server": self.told,
            "where": self.where,
        }


class Costs:
    """The costs of runs, each read once. `prices` by model or run, as they were typed; OTHERS is for those that have
    none. `card` tells what a model's card says today, for runs that were asked before it said so. `problems` say what
    cannot be read."""

    def __init__(
        self, prices: Mapping[str, Price] | None = None, card: Callable[[str], Price | None] = lambda model: None
    ) -> None:
        self.prices = dict(prices or {})
        self._card = card
        self.problems: dict[str, None] = {}
        self._read: dict[str, Spending] = {}

    def check(self, entries: Iterable[RunEntry]) -> None:
        """Raises UsageError for a price of a model that is not there."""
        known = {name for entry in entries for name in (entry.model, entry.run)}
        for name in self.prices:
            if name not in known | {OTHERS}:
                raise unknown_name("model", name, known, "--price NAME=IN,OUT names a model, or a run, of the table")

    def of_entry(
        self, entry: RunEntry, languages: Collection[str] = (), items: Collection[str] | None = None
    ) -> RowCost:
        """One task of one run, in these languages (none: all), or only these items of it."""
        spending = self._spending(entry)
        if spending is None:
            return RowCost()
        try:
            rate = spending.rate([entry.result.task], languages, items)
            return RowCost(rate, spending.price, spending.told, where(spending.manifest))
        except (TvbenchError, OSError) as error:
            self.problems[f"{entry.run}: {error}"] = None
            return RowCost()
        finally:
            self.problems |= {f"{entry.run}: {problem}": None for problem in spending.problems}

    def of_rows(
        self, rows: Sequence[Mapping[str, RunEntry]], tasks: Collection[str] = (), languages: Collection[str] = ()
    ) -> list[RowCost]:
        """Rows by task, over the tasks (of `tasks`, if there are any) that all rows have, and of those the questions
        that all have answered."""
        shared = {task: self._questions(rows, task, languages) for task in shared_tasks(rows, tasks)}
        found = []
        for row in rows:
            parts = [self.of_entry(row[task], languages, items) for task, items in shared.items()]
            last = parts[-1] if parts else RowCost()
            rate = added_rates([part.rate for part in parts])
            found.append(RowCost(rate, last.price, any(part.told for part in parts), last.where))
        return found

    def _questions(
        self, rows: Sequence[Mapping[str, RunEntry]], task: str, languages: Collection[str]
    ) -> set[str] | None:
        """The items that all rows have answered; None (each row's own) where there is no such."""
        found: set[str] | None = None
        for row in rows:
            spending = self._spending(row[task])
            try:
                answered = spending.answered(task, languages) if spending is not None else set()
            except (TvbenchError, OSError):  # said where it is counted
                continue
            found = answered if found is None else found & answered
        return found or None

    def _spending(self, entry: RunEntry) -> Spending | None:
        if entry.folder is None:
            return None
        place = str(entry.folder.path)
        if place not in self._read:
            named = self.prices.get(entry.run) or self.prices.get(entry.model)
            otherwise = self.prices.get(OTHERS) or self._card(entry.model)
            self._read[place] = Spending(RunFolder(entry.folder.path), named, otherwise)
        return self._read[place]


def shared_tasks(rows: Sequence[Mapping[str, RunEntry]], tasks: Collection[str] = ()) -> list[str]:
    """The tasks that every row has."""
    first = rows[0] if rows else {}
    return [task for task in first if (not tasks or task in tasks) and all(task in row for row in rows)]


def shared_languages(
    rows: Sequence[Mapping[str, RunEntry]], task: str, languages: Collection[str] = ()
) -> tuple[str, ...]:
    """Of a task that every row has, the languages that every row was asked in; none where its figures go by none."""
    have = [row[task].result.breakdowns.get("language", {}) for row in rows]
    first = have[0] if have else {}
    return tuple(
        code for code in first if (not languages or code in languages) and all(code in codes for codes in have)
    )


def cheapest(costs: Sequence[RowCost], first: Sequence[bool]) -> list[int]:
    """The rows, cheapest first, among which nothing is certainly better (`first`) and a price is known: those that cost
    as little as any."""
    known = [
        (cost.rate.dollars, number)
        for number, (cost, best) in enumerate(zip(costs, first, strict=True))
        if best and cost.rate.dollars is not None
    ]
    least = min(known, default=None)
    return [] if least is None else [number for dollars, number in known if dollars == least[0]]


def where(manifest: Manifest) -> str:
    """`transformers on x86_64, 2 cores`; `openai at http://127.0.0.1:8000`."""
    engine = manifest.engine.name
    address = shown_address(manifest.model.url)
    if address:
        return f"{engine} at {address}"
    hardware = manifest.hardware
    cores, gpus = hardware.get("cores"), hardware.get("gpus")
    parts = [str(hardware["machine"])] if hardware.get("machine") else []
    parts += [f"{cores} cores"] if isinstance(cores, int) else []
    parts += [str(gpu) for gpu in gpus] if isinstance(gpus, list) else []
    return f"{engine} on {', '.join(parts)}" if parts else engine
