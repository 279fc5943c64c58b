"""How often `explain` accuses a run of position bias: runs that guess at random, and runs with a habit.

    python benchmarks/position_bias.py --runs 1000 --seed 1

Guessers at random answer 1 to 30 languages of 8 to 200 items with 2 to 6 options, one number of options or several,
with questions of their own in each language or the same ones; some know a part of the answers, some have a taste that
all languages share. Habits take one place 15 points too often over 14 languages of 60 items. What is counted is a run
of which any place in any language is called a habit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tvbench.analysis.diagnosis.position import LEVEL
from tvbench.scoring.places import PlacedAnswer, habits

HABIT = 0.15


@dataclass(frozen=True, slots=True)
class Guesser:
    """`options`: numbers of options, one of which each item has. `shared`: all languages ask the same questions.
    `known` is the share of items that are known, `taste` of those that are answered alike in all languages."""

    languages: int
    items: int
    options: tuple[int, ...]
    shared: bool = False
    known: float = 0.0
    taste: float = 0.0
    place: str = ""
    gold_first: float = 0.0

    def answers(self, random: np.random.Generator) -> Iterator[PlacedAnswer]:
        """Everything that is answered."""
        options, gold, liked = self._questions(random)
        for language in range(self.languages):
            if not self.shared:
                options, gold, liked = self._questions(random)
            for item in range(self.items):
                yield PlacedAnswer(
                    str(language),
                    item if self.shared else (language, item),
                    int(options[item]),
                    int(gold[item]),
                    self._chosen(random, int(options[item]), int(gold[item]), int(liked[item])),
                )

    def _questions(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        options = random.choice(np.array(self.options), self.items)
        gold = np.where(random.random(self.items) < self.gold_first, 0, random.integers(0, options))
        return options, gold, random.integers(0, options)

    def _chosen(self, random: np.random.Generator, options: int, gold: int, liked: int) -> int:
        drawn = random.random()
        if drawn < self.known:
            return gold
        if drawn < self.known + self.taste:
            return liked
        if not self.place:
            return int(random.integers(options))
        shares = np.full(options, 1 / options)
        place = {"first": 0, "middle": options // 2, "last": options - 1}[self.place]
        habit = min(HABIT, 1 - 1 / options)
        shares -= habit / (options - 1)
        shares[place] = 1 / options + habit
        return int(random.choice(options, p=np.clip(shares, 0, None) / np.clip(shares, 0, None).sum()))


def unbiased(random: np.random.Generator) -> Guesser:
    """Somebody who chooses without regard to places."""
    numbers = sorted(set(random.integers(2, 7, random.integers(1, 4)).tolist()))
    return Guesser(
        int(random.integers(1, 31)),
        int(random.integers(8, 201)),
        tuple(numbers),
        bool(random.random() < 0.5),
        float(random.choice([0, 0, 0.3, 0.8])),
        float(random.choice([0, 0, 0.2])),
        gold_first=float(random.choice([0, 0, 0.5])),
    )


FOUR, SEVERAL = (4,), (2, 3, 4, 5, 6)
MIXTURES = {"": (0.0, 0.0), ", half known": (0.5, 0.0), ", one taste": (0.0, 0.2)}
HABITS = {
    f"{place}, {' or '.join(map(str, options))} options{mixture}": Guesser(
        14, 60, options, bool(taste), known, taste, place
    )
    for place in ("first", "middle", "last")
    for options in (FOUR, SEVERAL)
    for mixture, (known, taste) in MIXTURES.items()
    if options == FOUR or not mixture
}


def accused(guesser: Guesser, random: np.random.Generator, draws: int) -> bool:
    """Whether the run as a whole is called biased."""
    found = habits(guesser.answers(random), draws=draws, seed=int(random.integers(2**31)))
    return found is not None and found.p < LEVEL


def shares(runs: int, habitual: int, seed: int, draws: int, names: Sequence[str] = tuple(HABITS)) -> dict[str, float]:
    """The share of accused runs, by kind."""
    random = np.random.default_rng(seed)
    found = {"at random": sum(accused(unbiased(random), random, draws) for _ in range(runs)) / runs}
    for name in names:
        found[name] = sum(accused(HABITS[name], random, draws) for _ in range(habitual)) / habitual
    return found


def main() -> int:
    """Print the table; 1 where a goal is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=1000, help="guessers at random")
    parser.add_argument("--habitual", type=int, default=100, help="of each kind of habit")
    parser.add_argument("--draws", type=int, default=999)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    found = shares(args.runs, args.habitual, args.seed, args.draws)
    for name, share in found.items():
        print(f"{100 * share:5.1f} %  {name}")
    missed = [name for name in HABITS if "known" not in name and found[name] < 0.9]
    bound = LEVEL + 1.645 * (LEVEL * (1 - LEVEL) / args.runs) ** 0.5
    return int(bool(missed) or found["at random"] > bound)


if __name__ == "__main__":
    sys.exit(main())
