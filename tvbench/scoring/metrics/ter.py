"""TER of a corpus, by sacreBLEU (Snover et al. 2006): edits for each word of the reference; 0 is a perfect copy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvbench.scoring.metric import PERCENT
from tvbench.scoring.sacre import SacreMetric
from tvbench.scoring.translation import metric_for
from tvbench.types import Item, Translation

if TYPE_CHECKING:
    import numpy as np


class Ter(SacreMetric):
    """0 is best, and more than 100 is possible. Computed where a task names it."""

    id = "ter"
    label = "TER"
    better = "lower"
    meaning = "edits for each word of the reference, by sacreBLEU: lower is better"
    loss_label = "TER of each sentence, 100 at most"

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
