"""Is it still the same model? Some stored greedy answers are asked for again before a run goes on.

What an engine says of itself may stay while its weights change. So PROBES stored questions, spread over tasks and
languages, are asked once more. One that is answered otherwise is asked REPEATS times again, alone and among others: an
engine whose rounding depends on what it computes beside shows itself, for it then differs from itself. A question is
`away` when the stored answer never comes again but the first new one does, `back` when it is the other way about.

Refused is (a) of an engine that repeats itself to the letter two questions that are away, or all; (b) of one that does
not, more than chance gives: of one and the same model each of the two answers is the odd one out as often as the other,
and COIN is how rare a result must be. What is neither clear nor nothing is settled by as many questions again.

Knows engines by their protocol, and plans; writes nothing.
"""

from __future__ import annotations

import hashlib
import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

from tvbench.engines.protocol import Engine, Prepared
from tvbench.errors import UsageError
from tvbench.registry.addresses import shown_address
from tvbench.registry.thoughts import without_thinking
from tvbench.runs.feed import DecodeAhead
from tvbench.runs.plan import PlannedItem, requests_of
from tvbench.types import ModelCard, Request, Response

PROBES = 8
REPEATS = 3
COIN = 0.05
CLOSE = 0.1
"""Log-probabilities that are so near each other on average are the same."""
SHOWN = 60
"""Characters of a question or an answer in a message."""
THREADS, WINDOW = 4, 2 * PROBES

Prepare = Callable[[Request], Prepared]


@dataclass(frozen=True, slots=True)
class Probe:
    """What came of it: how many were `asked` and answered, how many gave the stored answer at once, how many are `away`
    or `back` (see above), and how many are `unsteady`: answered in two ways or more now. `example` is one that is away:
    question, stored answer, new answer."""

    asked: int = 0
    same: int = 0
    away: int = 0
    back: int = 0
    unsteady: int = 0
    example: tuple[str, str, str] | None = field(default=None, compare=False)

    def __add__(self, other: Probe) -> Probe:
        return Probe(
            self.asked + other.asked,
            self.same + other.same,
            self.away + other.away,
            self.back + other.back,
            self.unsteady + other.unsteady,
            self.example or other.example,
        )

    @property
    def other(self) -> bool:
        """Whether this is another model, as far as one can tell."""
        if not self.unsteady:
            return self.away >= 2 or 0 < self.away == self.asked
        return _coin(self.away, self.away + self.back) <= COIN

    def counts(self) -> dict[str, int]:
        """For a manifest."""
        return {"asked": self.asked, "same": self.same, "differed": self.away, "unsteady": self.unsteady}


def probe(
    engine: Engine, items: Iterable[PlannedItem], kept: Mapping[str, Response], prepare: Prepare, seed: int
) -> Probe:
    """Ask `engine` some of `items` again that have a greedy answer in `kept`. Raises EngineError."""
    chosen = choose(items, kept, seed)
    found = Probe()
    for start in (0, PROBES):
        found += _round(engine, chosen[start : start + PROBES], kept, prepare)
        if found.away == 0 or found.other:
            break
    return found


def refusal(found: Probe, card: ModelCard, *, reused: bool) -> UsageError:
    """Why a run does not go on, and what to type."""
    question, before, now = (_short(text) for text in found.example or ("", "", ""))
    where = f" at {shown_address(card.url)}" if card.url else ""
    ways = [
        "start the model that answered before, and give the same command again",
        "--fresh starts over (the old answers are kept in aside/)",
    ]
    if card.kind == "server":
        ways.append("--revision TEXT (with --label NAME for the tables) makes it a model of its own")
    if reused:
        ways.append("--no-reuse takes no answers of other runs")
    ways.append("--same-model goes on, if you know that it is the same")
    return UsageError(
        f"{card.name}{where} does not answer as it did: of {found.asked} stored questions asked again, {found.away} "
        f"got another answer each time. To {question} it said {before}, and now {now}",
        "\n  ".join(ways),
    )


def choose(items: Iterable[PlannedItem], kept: Mapping[str, Response], seed: int) -> list[PlannedItem]:
    """Greedy items of `kept`, each key once, twice PROBES at most: one of each task and language in turn, else in an
    order that the seed decides."""
    groups: dict[tuple[str, str], _First] = {}
    for planned in items:
        item = planned.item
        greedy = item.problem is None and (item.sampling.temperature == 0 or item.continuation is not None)
        if greedy and planned.key in kept:
            group = groups.setdefault((item.task, item.language), _First(2 * PROBES))
            group.add(_order(seed, planned.key), planned, kept)
    rows = [groups[name].all for name in sorted(groups, key=repr) if groups[name].all]
    rows.sort(key=lambda row: _order(seed, row[0].key))
    turns = [planned for turn in zip_longest(*rows) for planned in turn if planned is not None]
    return list({planned.key: planned for planned in turns}.values())[: 2 * PROBES]


class _First:
    """Of very many items the first ones of an order that were answered."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._found: list[tuple[str, PlannedItem]] = []

    def add(self, order: str, planned: PlannedItem, kept: Mapping[str, Response]) -> None:
        """Take it, where it is among the first; of one key the later item."""
        if len(self._found) == self._most and order > self._found[-1][0]:
            return
        place = bisect_left(self._found, order, key=lambda pair: pair[0])
        if place < len(self._found) and self._found[place][0] == order:
            self._found[place] = order, planned
        elif _told(kept[planned.key]):
            self._found.insert(place, (order, planned))
            del self._found[self._most :]

    @property
    def all(self) -> list[PlannedItem]:
        return [planned for _, planned in self._found]


def _told(answer: Response) -> bool:
    return answer.error is None and (answer.text is not None or answer.logprobs is not None)


def _order(seed: int, text: str) -> str:
    return hashlib.sha256(f"{seed}:{text}".encode()).hexdigest()


def _round(engine: Engine, chosen: Sequence[PlannedItem], kept: Mapping[str, Response], prepare: Prepare) -> Probe:
    first = _ask(engine, chosen, prepare)
    found = Probe(asked=len(first))
    differing = [
        planned for planned in chosen if planned.key in first and not _alike(first[planned.key], kept[planned.key])
    ]
    found = replace(found, same=len(first) - len(differing))
    if not differing:
        return found
    # Among the others in another order, each alone, and among each other: what is computed beside is never the same.
    again = [
        _ask(engine, chosen[::-1], prepare),
        {key: answer for planned in differing for key, answer in _ask(engine, [planned], prepare).items()},
        *(_ask(engine, differing, prepare) for _ in range(REPEATS - 2)),
    ]
    for planned in differing:
        draws = [first[planned.key], *(answers[planned.key] for answers in again if planned.key in answers)]
        found += _judged(planned, kept[planned.key], draws)
    return found


def _judged(planned: PlannedItem, stored: Response, draws: Sequence[Response]) -> Probe:
    """One question whose first new answer is not the stored one."""
    first, again = draws[0], draws[1:]
    old_came, new_came = (any(_alike(draw, answer) for draw in again) for answer in (stored, first))
    unsteady = int(not all(_alike(draw, first) for draw in again))
    if new_came and not old_came:
        texts = [part for message in planned.item.messages for part in message.parts if isinstance(part, str)]
        return Probe(away=1, unsteady=unsteady, example=(" ".join(texts), _shown(stored), _shown(first)))
    return Probe(back=int(old_came and not new_came), unsteady=unsteady)


def _ask(engine: Engine, items: Sequence[PlannedItem], prepare: Prepare) -> dict[str, Response]:
    """The answers that came. A question that fails now says nothing."""
    feed = DecodeAhead(requests_of(items), prepare, threads=THREADS, window=WINDOW)
    try:
        return {answer.key: without_thinking(answer) for answer in engine.serve(feed) if answer.error is None}
    finally:
        feed.close()


def _alike(answer: Response, other: Response) -> bool:
    if answer.logprobs is None or other.logprobs is None:
        return (answer.text, answer.reasoning) == (other.text, other.reasoning)
    pairs = list(zip(answer.logprobs, other.logprobs, strict=False))
    apart = sum(abs(a - b) for a, b in pairs) / max(1, len(pairs))
    return len(answer.logprobs) == len(other.logprobs) and apart <= CLOSE


def _shown(answer: Response) -> str:
    return answer.text if answer.text is not None else " ".join(f"{value:.2f}" for value in answer.logprobs or ())


def _short(text: str) -> str:
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return f"'{line}'" if len(line) <= SHOWN else f"'{line[:SHOWN]}…'"


def _coin(heads: int, tosses: int) -> float:
    """The chance of so many heads or more."""
    return float(sum(math.comb(tosses, n) for n in range(heads, tosses + 1)) / 2**tosses)
