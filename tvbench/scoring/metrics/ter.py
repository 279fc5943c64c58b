"""TER of a corpus, by sacreBLEU (Snover et al. 2006): edits for each word of the reference; 0 is a perfect copy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tvbench.scoring.metric import PERCENT, Metric, Pair
from tvbench.scoring.translation import corpus_figure, has_reference, metric_for, segment_statistics
from tvbench.types import Figure, Item, Translation

if TYPE_CHECKING:
    import numpy as np


class Ter(Metric):
    """0 is best, and more than 100 is possible. Computed where a task names it."""

    id = "ter"
    label = "TER"
    unit = "points"
    better = "lower"
    meaning = "edits for each word of the reference, by sacreBLEU: lower is better"
    definition = "sacrebleu"
    targets = (Translation,)
    loss_label = "TER of each sentence, 100 at most"

    def applies(self, item: Item) -> bool:
        """Translations with a reference."""
        return has_reference(item)

    def of_corpus(self, language: str, pairs: Sequence[Pair]) -> Figure | None:
        """With sacreBLEU's signature."""
        return corpus_figure(self.id, language, pairs)

    def statistics(self, language: str, pairs: Sequence[Pair]) -> np.ndarray | None:
        """Edits and words of the reference, by segment."""
        return segment_statistics(self.id, language, pairs)

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """As sacreBLEU has it for references without a word, too."""
        import numpy as np

        edits, words = sums[..., 0], sums[..., 1]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(words > 0, PERCENT * edits / words, np.where(edits > 0, float(PERCENT), 0.0))

    def loss(self, item: Item, text: str, value: float | None) -> float | None:
        """By the TER of the sentence."""
        if not isinstance(item.target, Translation) or not any(item.target.references):
            return None
        sentence = metric_for(self.id, item.language).sentence_score(text, list(item.target.references))
        return min(float(sentence.score), PERCENT) / PERCENT


METRICS = (Ter(),)
