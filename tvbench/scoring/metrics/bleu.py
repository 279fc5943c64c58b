"""BLEU of a corpus, by sacreBLEU (Papineni et al. 2002; Post 2018)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tvbench.scoring.sacre import CountedSacreMetric

if TYPE_CHECKING:
    import numpy as np


class Bleu(CountedSacreMetric):
    """0 to 100. The loss of one item is counted in chrF++: BLEU of one sentence means little."""

    id = "bleu"
    label = "BLEU"
    meaning = "BLEU of the corpus, by sacreBLEU"
    always = True
    aliases = ("sacrebleu",)
    loss_by = "chrfpp"

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """With `exp` smoothing."""
        from tvbench.scoring.sums import bleu

        return bleu(sums)


METRICS = (Bleu(),)
