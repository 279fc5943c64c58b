"""BLEU of a corpus, by sacreBLEU (Papineni et al. 2002; Post 2018)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tvbench.scoring.metric import Counting, Pair
from tvbench.scoring.translation import corpus_figure, counted_figure, has_reference, segment_counts, segment_statistics
from tvbench.types import Figure, Item, Translation

if TYPE_CHECKING:
    import numpy as np


class Bleu(Counting):
    """0 to 100. The loss of one item is counted in chrF++: BLEU of one sentence means little."""

    id = "bleu"
    label = "BLEU"
    unit = "points"
    meaning = "BLEU of the corpus, by sacreBLEU"
    definition = "sacrebleu"
    targets = (Translation,)
    always = True
    aliases = ("sacrebleu",)
    loss_by = "chrfpp"

    def applies(self, item: Item) -> bool:
        """Translations with a reference."""
        return has_reference(item)

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
        """With `exp` smoothing."""
        from tvbench.scoring.sums import bleu

        return bleu(sums)


METRICS = (Bleu(),)
