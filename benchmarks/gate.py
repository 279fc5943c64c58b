"""Does `tvbench check` keep its promises? Simulated runs whose true difference is known, through the whole check.

    python benchmarks/gate.py --write                  # every row of gate.csv: ten minutes
    python benchmarks/gate.py --only alarms --rounds 100

A run is right in an item by a latent ease (of the item, and of its picture) and by chance; a second run of the same
model shares the ease and draws the chance again. What is asked of it:

- `alarms`: checks of equally good runs that fail (promised: at most 5 % of checks).
- `power`: a drop of twice (once) the stated `detectable` in one language that fails (promised: 95 %; about 80 %).
- `passes`: checks that pass although one language fell by the resolution of 5 points (promised: at most 5 %).
- `needed`: at so many items, an unchanged language that passes, and one down by the resolution that fails (about 80 %).
- `rises`: answers in the wrong language from 2 to 12 % in one language, found.
- `mcnemar`: the same runs by McNemar's exact test with mid-p at 5 %, pooled over languages, and for each without a
  correction; also with 3 % of the second run's requests failed and counted as wrong.
"""

from __future__ import annotations

import argparse
import csv
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import NormalDist

import numpy as np

from tvbench.analysis.regression.check import check_standings
from tvbench.analysis.regression.policy import Policy
from tvbench.analysis.regression.standing import FAILED, SCORED, Measure, Part, RunStanding, TaskStanding
from tvbench.analysis.regression.verdict import MEAN, Check, Compared
from tvbench.scoring.student import LEVEL

TABLE = Path(__file__).with_suffix(".csv")
COLUMNS = ("question", "cell", "rounds", "promised", "found", "note")
RESAMPLES = 1_000
DIAGNOSES = ("failed", "truncated", "refusal", "wrong_language")
FACTS = {"label": "aligned", "unit": "fraction", "better": "higher"}
MEASURE = Measure("aligned", "", FACTS)
WRONG_LANGUAGE = 1 << DIAGNOSES.index("wrong_language")


@dataclass(frozen=True)
class Cell:
    """What is simulated: `a_picture` items share a picture, `shared` with all languages; `churn` is the part of what
    decides an answer that is drawn again, `together` how much of it is a picture's; `faults` is the share of answers
    with each diagnosis."""

    name: str
    items: int = 120
    languages: int = 10
    tasks: int = 1
    accuracy: float = 0.7
    a_picture: int = 1
    shared: bool = False
    churn: float = 0.15
    together: float = 0.0
    faults: float = 0.0


CELLS = (
    Cell("120 items"),
    Cell("20 items", items=20),
    Cell("500 items", items=500),
    Cell("accuracy .97", accuracy=0.97),
    Cell("accuracy .03", accuracy=0.03),
    Cell("much chance", churn=0.6),
    Cell("hardly any chance", churn=0.001),
    Cell("four a picture", a_picture=4, together=0.8),
    Cell("pictures of all languages", a_picture=4, shared=True, together=0.8, churn=0.4),
    Cell("4 tasks", tasks=4, shared=True, together=0.5),
    Cell("diagnoses", faults=0.05, churn=0.4),
    Cell("4 tasks, diagnoses, pictures", tasks=4, faults=0.05, a_picture=3, shared=True, together=0.8),
    Cell("40 languages, diagnoses", languages=40, items=60, faults=0.05),
)


def named(*names: str) -> list[Cell]:
    """Cells by their names."""
    return [next(cell for cell in CELLS if cell.name == name) for name in names]


@dataclass(frozen=True)
class Change:
    """What the second run does otherwise in its first language: `fall` of its accuracy, `wrong_language` answers more;
    `failing`: the share of requests that fail in all."""

    fall: float = 0.0
    wrong_language: float = 0.0
    failing: float = 0.0


NOTHING = Change()
USUAL = Policy()
Pair = tuple[RunStanding, RunStanding]


# ── Runs ──────────────────────────────────────────────────────────────────────────────────────────


def runs(cell: Cell, change: Change, rng: np.random.Generator) -> Pair:
    """A baseline, and a run that differs by `change`."""
    made = [_task(cell, f"task{number}", change if number == 0 else replace(change, fall=0.0, wrong_language=0.0), rng)
            for number in range(cell.tasks)]  # fmt: skip
    sides = ({task.task: task for task in side} for side in zip(*made, strict=True))
    first, second = (RunStanding(name, name, "0", tasks, DIAGNOSES) for name, tasks in zip("ab", sides, strict=True))
    return first, second


def _task(cell: Cell, name: str, change: Change, rng: np.random.Generator) -> tuple[TaskStanding, TaskStanding]:
    pictures = math.ceil(cell.items / cell.a_picture)
    numbers = np.arange(cell.items) // cell.a_picture
    common = rng.normal(size=(3, pictures))
    parts: tuple[dict[str, Part], dict[str, Part]] = ({}, {})
    for language in range(cell.languages):
        own = common if cell.shared else rng.normal(size=(3, pictures))
        mine = change if language == 0 else Change(failing=change.failing)
        clusters = numbers if cell.shared else numbers + language * pictures
        for side, part in zip(parts, _parts(cell, own[:, numbers], clusters, mine, rng), strict=True):
            side[f"l{language:02d}"] = part
    signature = {"task": name, "data": "d"}
    return TaskStanding(name, signature, MEASURE, parts[0]), TaskStanding(name, signature, MEASURE, parts[1])


def _parts(
    cell: Cell, pictures: np.ndarray, clusters: np.ndarray, change: Change, rng: np.random.Generator
) -> Iterator[Part]:
    """Both runs in one language; `pictures` (ease and both runs' chance) by item."""
    mixed = math.sqrt(cell.together) * pictures + math.sqrt(1 - cell.together) * rng.normal(size=pictures.shape)
    edge = NormalDist().inv_cdf(cell.accuracy)
    keys = np.arange(cell.items, dtype=np.uint32)
    for number in (1, 2):
        right = math.sqrt(1 - cell.churn) * mixed[0] + math.sqrt(cell.churn) * mixed[number] < edge
        marks = np.zeros(cell.items, dtype=np.uint16)
        for bit in range(1, len(DIAGNOSES)) if cell.faults else ():
            marks |= (rng.random(cell.items) < cell.faults).astype(np.uint16) << bit
        states = np.full(cell.items, SCORED, dtype=np.uint8)
        if number == 2:
            right &= rng.random(cell.items) >= change.fall / max(cell.accuracy, change.fall, 1e-9)
            marks |= (rng.random(cell.items) < change.wrong_language) * np.uint16(WRONG_LANGUAGE)
            states[rng.random(cell.items) < change.failing] = FAILED
            marks[states == FAILED] = 1
        rows = np.where(states == SCORED, right.astype(float), np.nan)[:, None]
        yield Part(keys, clusters, states, rows, marks)


# ── Questions ─────────────────────────────────────────────────────────────────────────────────────


def checked(cell: Cell, change: Change, seed: int, policy: Policy = USUAL) -> Check:
    """One check of simulated runs."""
    first, second = runs(cell, change, np.random.default_rng(seed))
    return check_standings(second, first, policy, resamples=RESAMPLES, seed=seed)


def first_of(check: Check) -> Compared:
    """The figure that changes, where one does."""
    return next(one for one in check.comparisons if one.task == "task0" and one.language == "l00")


def says(outcome: str, cell: Cell, change: Change, seed: int) -> bool:
    """Whether that is what is said of the figure that changes."""
    return first_of(checked(cell, change, seed)).outcome == outcome


def _share(rounds: int, hit: Callable[[int], bool]) -> float:
    return sum(hit(seed) for seed in range(rounds)) / rounds


Row = tuple[str, str, int, str, float, str]


def alarms(rounds: int) -> Iterator[Row]:
    """False alarms of equally good runs."""
    for cell in CELLS:
        for margin in (1.0, 0.0):
            found = [checked(cell, NOTHING, seed, Policy(margin=margin)).outcome for seed in range(rounds)]
            shares = ", ".join(f"{word} {found.count(word) / rounds:.3f}" for word in ("pass", "cannot tell"))
            yield "alarms", f"{cell.name}, margin {margin:g}", rounds, "<= 0.05", found.count("fail") / rounds, shares


def power(rounds: int) -> Iterator[Row]:
    """How often the stated drop is found."""
    for cell in CELLS:
        stated = [first_of(checked(cell, NOTHING, 10_000 + seed)).detectable for seed in range(20)]
        known = sorted(value for value in stated if value is not None)
        for times, promised in ((2, ">= 0.95"), (1, "about 0.8")):
            fall = times * known[len(known) // 2] if known else math.inf
            if not fall < cell.accuracy:
                yield "power", f"{cell.name}, {times} x detectable", 0, promised, math.nan, "more than there is to lose"
                continue
            caught = _share(rounds, partial(says, "fail", cell, Change(fall)))
            drop = f"a drop of {100 * fall:.1f} points"
            yield "power", f"{cell.name}, {times} x detectable", rounds, promised, caught, drop


def passes(rounds: int) -> Iterator[Row]:
    """How often a check passes over a drop of the resolution."""
    policy = Policy()
    change = Change(policy.resolution / 100)
    kinds = [*named("120 items", "accuracy .97", "four a picture", "much chance")]
    kinds.append(replace(CELLS[0], name="one language", languages=1))
    sizes = (60, 120, 500, 2000)
    cells = [replace(cell, name=f"{cell.name}, {items} items", items=items) for cell in kinds for items in sizes]
    for cell in cells:
        found = [checked(cell, change, seed, policy) for seed in range(rounds)]
        share = sum(one.outcome == "pass" for one in found) / rounds
        alone = sum(first_of(one).outcome == "pass" for one in found) / rounds
        yield "passes", cell.name, rounds, "<= 0.05", share, f"the language by itself {alone:.3f}"


def needed(rounds: int) -> Iterator[Row]:
    """Whether the items that are asked for would do."""
    for cell in named("120 items", "20 items", "much chance", "four a picture", "pictures of all languages"):
        stated = [first_of(checked(cell, NOTHING, 20_000 + seed)).needed for seed in range(60)]
        known = sorted(value for value in stated if value is not None)
        if not known:
            yield "needed", cell.name, 0, "about 0.8", math.nan, "never cannot tell"
            continue
        items = known[len(known) // 2]
        larger = replace(cell, items=items)
        same = _share(rounds, partial(says, "pass", larger, NOTHING))
        yield "needed", f"{cell.name}, no change", rounds, ">= 0.8", same, f"passes at {items:,} items"
        fell = _share(rounds, partial(says, "fail", larger, Change(0.05)))
        yield "needed", f"{cell.name}, down by 5 points", rounds, ">= 0.8", fell, f"fails at {items:,} items"


def rises(rounds: int) -> Iterator[Row]:
    """Whether a rise of wrong languages is found, where it is."""
    for items in (60, 120, 500):
        cell = Cell(f"{items} items", items=items, faults=0.02)
        found = [checked(cell, Change(wrong_language=0.1), seed) for seed in range(rounds)]
        named = [
            {one.language for one in check.rises if one.outcome == "fail" and one.diagnosis == "wrong_language"}
            for check in found
        ]
        wrong = sum(bool(languages - {"l00", MEAN}) for languages in named) / rounds
        share = sum("l00" in languages for languages in named) / rounds
        yield "rises", cell.name, rounds, "", share, f"another language named {wrong:.3f}"


def mcnemar(rounds: int) -> Iterator[Row]:
    """What McNemar's test says of the same runs."""
    cell = CELLS[0]
    for name, change in (("equal", NOTHING), ("one language -20", Change(0.2)), ("3 % failed", Change(failing=0.03))):
        pairs = [runs(cell, change, np.random.default_rng(seed)) for seed in range(rounds)]
        tests: dict[str, Callable[[RunStanding, RunStanding], bool]] = {
            "pooled": _pooled,
            "each language": _each,
            "tvbench": _ours,
        }
        for test, worse in tests.items():
            share = sum(worse(*pair) for pair in pairs) / rounds
            yield "mcnemar", f"{name}: {test}", rounds, "", share, "checks that say it got worse"


def _ours(first: RunStanding, second: RunStanding) -> bool:
    check = check_standings(second, first, Policy(diagnoses={"failed": None}), resamples=RESAMPLES)
    return any(one.outcome == "fail" for one in check.comparisons)


def _pooled(first: RunStanding, second: RunStanding) -> bool:
    return _mid_p(*np.sum(_discordant(first, second), 0)) < 1 - LEVEL


def _each(first: RunStanding, second: RunStanding) -> bool:
    return any(_mid_p(*counts) < 1 - LEVEL for counts in _discordant(first, second))


def _discordant(first: RunStanding, second: RunStanding) -> list[tuple[int, int]]:
    """Items that fell and rose, by language; failures count as wrong."""
    found = []
    for name, task in first.tasks.items():
        for code, part in task.parts.items():
            one, other = (np.nan_to_num(side.rows[:, 0]) for side in (part, second.tasks[name].parts[code]))
            found.append((int((one > other).sum()), int((one < other).sum())))
    return found


def _mid_p(fell: int, rose: int) -> float:
    """Of McNemar's exact test, for a fall alone."""
    fell, rose = int(fell), int(rose)
    total = fell + rose
    tail = sum(math.comb(total, count) for count in range(fell, total + 1)) - math.comb(total, fell) / 2
    return float(tail / 2**total)


QUESTIONS = {"alarms": alarms, "power": power, "passes": passes, "needed": needed, "rises": rises, "mcnemar": mcnemar}


def main() -> int:
    """Print the rows, and keep them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=tuple(QUESTIONS), action="append")
    parser.add_argument("--rounds", type=int, default=500)
    parser.add_argument("--write", action="store_true", help="keep the rows in gate.csv")
    args = parser.parse_args()
    rows = list(csv.reader(TABLE.open(encoding="utf-8"))) if TABLE.is_file() else [list(COLUMNS)]
    for name in args.only or QUESTIONS:
        rows = [row for row in rows if row[0] != name]
        for row in QUESTIONS[name](args.rounds):
            print(*row[:4], f"{row[4]:.3f}", row[5], sep="  ", flush=True)
            rows.append([*map(str, row[:4]), f"{row[4]:.3f}", row[5]])
        if args.write:
            with TABLE.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
    return 0


if __name__ == "__main__":
    sys.exit(main())
