"""chrF++ of a corpus, by sacreBLEU (Popović 2017)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvbench.scoring.metric import PERCENT
from tvbench.scoring.sacre import CountedSacreMetric
from tvbench.scoring.translation import metric_for
from tvbench.types import Item, Translation

if TYPE_CHECKING:
    import numpy as np


class Chrf(CountedSacreMetric):
    """0 to 100. The loss of one item is 100 minus the chrF++ of its sentence."""

    id = "chrfpp"
    label = "chrF++"
    meaning = "chrF++ of the corpus, by sacreBLEU"
    always = True
    aliases = ("chrf++", "chrf")
    loss_label = "chrF++ of each sentence"

    def leads(self, item: Item) -> bool:
        """Where no source is ambiguous."""
        return isinstance(item.target, Translation) and not item.target.sense

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
