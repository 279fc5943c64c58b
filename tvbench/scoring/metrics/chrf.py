"""chrF++ of a corpus, by sacreBLEU (Popović 2017)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tvbench.scoring.metric import PERCENT, Counting, Pair
from tvbench.scoring.translation import (
    corpus_figure,
    counted_figure,
    has_reference,
    metric_for,
    segment_counts,
    segment_statistics,
)
from tvbench.types import Figure, Item, Translation

if TYPE_CHECKING:
    import numpy as np


class Chrf(Counting):
    """0 to 100. The loss of one item is 100 minus the chrF++ of its sentence."""

    id = "chrfpp"
    label = "chrF++"
    unit = "points"
    meaning = "chrF++ of the corpus, by sacreBLEU"
    definition = "sacrebleu"
    targets = (Translation,)
    always = True
    aliases = ("chrf++", "chrf")
    loss_label = "chrF++ of each sentence"

    def applies(self, item: Item) -> bool:
        """Translations with a reference."""
        return has_reference(item)

    def leads(self, item: Item) -> bool:
        """Where no source is ambiguous."""
        return isinstance(item.target, Translation) and not item.target.sense

    def of_corpus(self, language: str, pairs: Sequence[Pair]) -> Figure | None:
        """With sacreBLEU's signature."""
        return corpus_figure(self.id, language, pairs)

    def counts_of(self, item: Item, text: str) -> Sequence[int]:
        """sacreBLEU's own."""
        return segment_counts(self.id, item, text)

    def of_counts(self, language: str, counts: np.ndarray) -> Figure | None:
        """With sacreBLEU's signature."""
        return counted_figure(self.id, language, counts)

    def statistics(self, language: str, pairs: Sequence[Pair]) -> np.ndarray | None:
        """sacreBLEU's own, by segment."""
        return segment_statistics(self.id, language, pairs)

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """With effective order."""
        from tvbench.scoring.sums import chrfpp

        return chrfpp(sums)

    def loss(self, item: Item, text: str, value: float | None) -> float | None:
        """By the chrF++ of the sentence."""
        if not isinstance(item.target, Translation) or not any(item.target.references):
            return None
        sentence = metric_for(self.id, item.language).sentence_score(text, list(item.target.references))
        return 1 - min(float(sentence.score), PERCENT) / PERCENT


METRICS = (Chrf(),)
