"""Multiple choice at four depths, from `strict` (what the TowerVision authors report) to `fragment` (an upper bound).

The reading of a reply is scoring/choice.py.
"""

from __future__ import annotations

from tvbench.scoring.choice import verdict_of
from tvbench.scoring.metric import Metric
from tvbench.scoring.wording import DIGEST
from tvbench.types import Choice, Item

NORMALISED = f"norm:nfkc+casefold+edge-punctuation|language:own|words:{DIGEST}"
"""How replies are made comparable: by the language of the item, with the words of scoring/words_of_answers.csv."""


class Depth(Metric):
    """1 where the reply is right at the depth of the metric's name, else 0."""

    family = "accuracy"
    targets = (Choice,)
    always = True

    def of_item(self, item: Item, text: str) -> float | None:
        """0 or 1."""
        assert isinstance(item.target, Choice)
        return float(getattr(verdict_of(item.target, text, item.language), self.id))


class Strict(Depth):
    """What the authors of TowerVision report."""

    id = "strict"
    meaning = "the reply is the target, character for character"
    definition = "norm:none"
    aliases = ("exact_match", "exact")
    counterpart = "exact_match"
    logged = ("exact_match",)
    ceiling = "strict_ceiling"
    form = True


class Casefold(Depth):
    """The same without regard to case."""

    id = "casefold"
    label = "case-insensitive"
    meaning = "the same, without regard to case"
    definition = "norm:casefold"
    form = True


class Aligned(Depth):
    """The figure to believe."""

    id = "aligned"
    meaning = "the reply is the right option, or its letter where letters were shown"
    definition = f"{NORMALISED}|letters:shown|version:2"
    headline = True


class Fragment(Depth):
    """An upper bound."""

    id = "fragment"
    meaning = "exactly one option is found in the reply, or the reply in it: an upper bound"
    definition = f"{NORMALISED}|parts:whole-words|version:2"


METRICS = (Strict(), Casefold(), Aligned(), Fragment())
