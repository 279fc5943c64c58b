"""What the data give away: figures of items, answered or not, that a model which looks at nothing would have.

`always_first` and `strict_ceiling` copy shown lines and are compared strictly; with letters, always A.
"""

from __future__ import annotations

from tvbench.scoring.choice import usable_target
from tvbench.scoring.metric import Metric
from tvbench.types import Choice, Contrast, Item


class Baseline(Metric):
    """A figure of the data."""

    baseline = True

    def of_data(self, item: Item) -> float | None:
        """What one item gives; None where it gives nothing."""
        raise NotImplementedError


class AlwaysFirst(Baseline):
    """Copying the first shown option."""

    id = "always_first"
    label = "always option 1"
    meaning = "what copying the first shown option scores"
    definition = "strict; with letters: option A"
    targets = (Choice,)

    def of_data(self, item: Item) -> float | None:
        """0 or 1."""
        choice = item.target
        if not isinstance(choice, Choice):
            return None
        if choice.letters:
            return None if choice.gold is None else float(choice.gold == 0)
        return float(choice.shown[0] == usable_target(choice)) if choice.shown else None


class StrictCeiling(Baseline):
    """Copying the best of the shown lines."""

    id = "strict_ceiling"
    label = "strict ceiling"
    meaning = "the most that copying one shown line can score"
    definition = "strict"
    targets = (Choice,)

    def of_data(self, item: Item) -> float | None:
        """0 or 1."""
        choice = item.target
        if not isinstance(choice, Choice) or choice.letters or not choice.shown:
            return None
        return float(usable_target(choice) in choice.shown)


class Chance(Baseline):
    """Guessing an option, or one of two translations."""

    id = "chance"
    meaning = "what guessing an option scores"
    definition = "1/options"
    targets = (Choice, Contrast)

    def of_data(self, item: Item) -> float | None:
        """1 by the number of options."""
        match item.target:
            case Contrast(correct=True):
                return 0.5
            case Choice(gold=int(), options=options):
                return 1 / len(options)
            case _:
                return None


METRICS = (Chance(), AlwaysFirst(), StrictCeiling())


def baselines_of(item: Item) -> dict[str, float]:
    """The baselines of one item; none where it cannot be asked or has no options."""
    if item.problem is not None or (isinstance(item.target, Choice) and not item.target.options):
        return {}
    return {metric.id: value for metric in METRICS if (value := metric.of_data(item)) is not None}
