"""Is the judge loose, or harsh, on open answers in one language? Measured on planted answers of known worth.

- Accepted: a score of half of the scale or more. Of wrong answers that is a false acceptance, of the right ones
  anything less a false rejection; shares with Wilson's 95 % intervals (1927).
- Each language against all others together, one-sided, within each way in which answers were planted (a wrong number
  is compared with wrong numbers): the exact form of Mantel and Haenszel's test (1959), in which the number of false
  acceptances is a sum of hypergeometric ones. p by Holm (1979) over a judge's tests; looseness is given four fifths of
  the error of 5 %, harshness one, so that an equally good judge is accused in no more than one report of twenty.

Knows verdicts and numbers; no file and no table.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from tvbench.graders.judge.calibration import RIGHT, Z
from tvbench.graders.judge.planted import KINDS, WRONG, Kind
from tvbench.graders.judge.record import JudgeVerdict

ALPHA = 0.05
SHARES: Mapping[str, float] = {"loose": 0.8, "harsh": 0.2}
BOUND = 0.2
"""A judge that accepts certainly more of wrong answers, over all languages, is called loose without any comparison."""


class Proportion(NamedTuple):
    """`hits` of `n`, with its 95 % interval."""

    hits: int
    n: int

    @property
    def value(self) -> float | None:
        return self.hits / self.n if self.n else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Wilson's."""
        if not self.n:
            return None
        share, spread = self.hits / self.n, Z * Z / self.n
        centre = (share + spread / 2) / (1 + spread)
        half = math.sqrt(share * (1 - share) * spread + spread * spread / 4) / (1 + spread)
        return max(0.0, centre - half), min(1.0, centre + half)


@dataclass(frozen=True, slots=True)
class PlantedKind:
    """What the judge makes of one kind in one language. `foreign`: how many it saw to be in another language, where its
    rubric asks for that."""

    kind: Kind
    mean: float
    accepted: Proportion
    foreign: Proportion


@dataclass(frozen=True, slots=True)
class PlantedQuality:
    """One judge on the planted answers of one task and language. `loose` and `harsh` are Holm's p against the other
    languages (None: nothing to compare with)."""

    task: str
    language: str
    kinds: Mapping[Kind, PlantedKind]
    false_acceptance: Proportion
    false_rejection: Proportion
    others_acceptance: Proportion
    others_rejection: Proportion
    loose: float | None = None
    harsh: float | None = None

    @property
    def direction(self) -> Literal["loose", "harsh", "loose and harsh", ""]:
        loose, harsh = ((p is not None and p <= ALPHA) for p in (self.loose, self.harsh))
        return "loose and harsh" if loose and harsh else "loose" if loose else "harsh" if harsh else ""


def overall(found: Sequence[PlantedQuality]) -> dict[str, Proportion]:
    """The wrong answers that were accepted in all languages of each task."""
    totals: defaultdict[str, list[Proportion]] = defaultdict(list)
    for quality in found:
        totals[quality.task].append(quality.false_acceptance)
    return {task: Proportion(sum(s.hits for s in some), sum(s.n for s in some)) for task, some in totals.items()}


class _Seen(NamedTuple):
    """One planted answer and its score."""

    kind: Kind
    rule: str
    accepted: bool
    score: float
    right_language: bool | None


Seen = Mapping[tuple[str, str], Sequence[_Seen]]
"""By task and language."""


def planted_qualities(by_task: Mapping[str, Sequence[JudgeVerdict]]) -> list[PlantedQuality]:
    """Every task and language of a judge that planted answers were scored in."""
    seen = _seen(by_task)
    found = [(place, _others(seen, place)) for place in seen]
    loose = _adjusted([_exact(seen[place], others, WRONG, accepted=True) for place, others in found], "loose")
    harsh = _adjusted([_exact(seen[place], others, {"reference"}, accepted=False) for place, others in found], "harsh")
    return [
        PlantedQuality(
            *place,
            _kinds(seen[place]),
            _share(seen[place], WRONG, accepted=True),
            _share(seen[place], {"reference"}, accepted=False),
            _share(others, WRONG, accepted=True),
            _share(others, {"reference"}, accepted=False),
            p_loose,
            p_harsh,
        )
        for (place, others), p_loose, p_harsh in zip(found, loose, harsh, strict=True)
    ]


def _seen(by_task: Mapping[str, Sequence[JudgeVerdict]]) -> Seen:
    found: defaultdict[tuple[str, str], list[_Seen]] = defaultdict(list)
    for task, verdicts in by_task.items():
        for verdict in verdicts:
            case, score = verdict.case, verdict.reading.score
            if case.planted is not None and score is not None:
                one = _Seen(case.planted, case.rule, score >= RIGHT, score, verdict.reading.right_language)
                found[task, case.item.language].append(one)
    return dict(sorted(found.items()))


def _others(seen: Seen, place: tuple[str, str]) -> list[_Seen]:
    """What was planted for the other languages of the same task."""
    task, language = place
    return [one for (other, code), some in seen.items() if other == task and code != language for one in some]


def _kinds(seen: Sequence[_Seen]) -> dict[Kind, PlantedKind]:
    found: dict[Kind, PlantedKind] = {}
    for kind in KINDS:
        some = [one for one in seen if one.kind == kind]
        told = [one.right_language for one in some if one.right_language is not None]
        if some:
            mean = sum(one.score for one in some) / len(some)
            accepted = Proportion(sum(one.accepted for one in some), len(some))
            found[kind] = PlantedKind(kind, mean, accepted, Proportion(told.count(False), len(told)))
    return found


def _share(seen: Iterable[_Seen], kinds: Iterable[str], *, accepted: bool) -> Proportion:
    chosen = [one.accepted == accepted for one in seen if one.kind in kinds]
    return Proportion(sum(chosen), len(chosen))


# ── The test ──────────────────────────────────────────────────────────────────────────────────────


def _exact(seen: Sequence[_Seen], others: Sequence[_Seen], kinds: Iterable[str], *, accepted: bool) -> float | None:
    """The probability of so many or more acceptances (rejections) of `kinds` here, were `others` as likely ones."""
    strata = [
        (_share(mine, kinds, accepted=accepted), _share(theirs, kinds, accepted=accepted))
        for mine, theirs in _strata(seen, others)
    ]
    strata = [(mine, theirs) for mine, theirs in strata if mine.n and theirs.n]
    if not strata:
        return None
    lowest, chances = 0, [1.0]
    for mine, theirs in strata:
        least, more = _hypergeometric(mine.n, theirs.n, mine.hits + theirs.hits)
        lowest, chances = lowest + least, _convolved(chances, more)
    observed = sum(mine.hits for mine, _ in strata)
    return min(1.0, math.fsum(chances[observed - lowest :]))


def _strata(seen: Sequence[_Seen], others: Sequence[_Seen]) -> Iterator[tuple[list[_Seen], list[_Seen]]]:
    """Both, by how answers were planted."""
    for way in sorted({_way(one) for one in seen}):
        yield [one for one in seen if _way(one) == way], [one for one in others if _way(one) == way]


def _way(one: _Seen) -> tuple[str, str]:
    return one.kind, one.rule if one.kind == "changed" else ""


def _hypergeometric(mine: int, theirs: int, total: int) -> tuple[int, list[float]]:
    """How many of `total` fall on `mine` when they fall anywhere: the least number, and the chances from it on."""
    least, most = max(0, total - theirs), min(mine, total)
    ways = math.comb(mine + theirs, total)
    return least, [math.comb(mine, x) * math.comb(theirs, total - x) / ways for x in range(least, most + 1)]


def _convolved(one: Sequence[float], other: Sequence[float]) -> list[float]:
    found = [0.0] * (len(one) + len(other) - 1)
    for place, chance in enumerate(one):
        for further, more in enumerate(other):
            found[place + further] += chance * more
    return found


def _adjusted(values: Sequence[float | None], family: str) -> list[float | None]:
    """Holm's p over the family's tests, at its share of the error; None stays None."""
    known = sorted((value, place) for place, value in enumerate(values) if value is not None)
    found: list[float | None] = [None] * len(values)
    highest = 0.0
    for rank, (value, place) in enumerate(known):
        highest = max(highest, min(1.0, (len(known) - rank) * value / SHARES[family]))
        found[place] = highest
    return found
