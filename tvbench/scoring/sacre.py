"""What the metrics of sacreBLEU have in common: figures of a corpus with its signature, statistics by segment.

Which of them is asked for is the metric's `id`. Knows translation.py, which calls sacreBLEU; no number of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tvbench.scoring.metric import Counting, Metric, Pair
from tvbench.scoring.translation import corpus_figure, counted_figure, has_reference, segment_counts, segment_statistics
from tvbench.types import Figure, Item, Translation

if TYPE_CHECKING:
    import numpy as np


class SacreMetric(Metric):
    """Of translations with a reference, in points."""

    unit = "points"
    definition = "sacrebleu"
    targets = (Translation,)

    def applies(self, item: Item) -> bool:
        """Translations with a reference."""
        return has_reference(item)

    def of_corpus(self, language: str, pairs: Sequence[Pair]) -> Figure | None:
        """With sacreBLEU's signature."""
        return corpus_figure(self.id, language, pairs)

    def statistics(self, language: str, pairs: Sequence[Pair]) -> np.ndarray | None:
        """sacreBLEU's own, by segment."""
        return segment_statistics(self.id, language, pairs)


class CountedSacreMetric(SacreMetric, Counting):
    """One whose counts of segments add up."""

    def counts_of(self, item: Item, text: str) -> Sequence[int]:
        """sacreBLEU's own."""
        return segment_counts(self.id, item, text)

    def of_counts(self, language: str, counts: np.ndarray) -> Figure | None:
        """With sacreBLEU's signature."""
        return counted_figure(self.id, language, counts)
