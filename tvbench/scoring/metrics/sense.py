"""`sense`: whether the translation of an ambiguous source took the sense that the picture shows."""

from __future__ import annotations

from tvbench.scoring.metric import Metric
from tvbench.scoring.translation import has_sense
from tvbench.types import Item, Translation


class Sense(Metric):
    """1 where a word of the right sense stands in the reply and none of the wrong one; none where nothing is
    ambiguous."""

    id = "sense"
    meaning = "an ambiguous source took the sense of the picture"
    definition = "norm:nfkc+casefold+edge-punctuation|words:whole|version:1"
    targets = (Translation,)
    always = True

    def leads(self, item: Item) -> bool:
        """Where a source is ambiguous, its sense is what the picture is for."""
        return isinstance(item.target, Translation) and bool(item.target.sense)

    def of_item(self, item: Item, text: str) -> float | None:
        """0 or 1, or None."""
        assert isinstance(item.target, Translation)
        return has_sense(item.target, text)


METRICS = (Sense(),)
