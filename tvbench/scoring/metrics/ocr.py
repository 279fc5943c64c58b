"""CC-OCR's bag of words (arXiv 2412.02210): precision, recall and F1, by picture (macro) and of all words (micro)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tvbench.scoring.metric import Counting, Metric, Pair
from tvbench.scoring.ocr import Overlap, overlap_of
from tvbench.types import Figure, Item, OcrText

if TYPE_CHECKING:
    import numpy as np


class _Bag(Metric):
    definition = "cc-ocr"
    targets = (OcrText,)
    always = True
    part = ""
    """The property of `Overlap` that it takes."""

    def applies(self, item: Item) -> bool:
        """Pages whose text is known."""
        return isinstance(item.target, OcrText) and item.target.text is not None


class MacroBag(_Bag):
    """Of one picture; the mean over pictures is the figure."""

    def of_item(self, item: Item, text: str) -> float | None:
        """0 to 1."""
        assert isinstance(item.target, OcrText)
        return float(getattr(overlap_of(item.target, text), self.part))


class MicroBag(_Bag, Counting):
    """Of all pictures' bags counted together."""

    def of_corpus(self, language: str, pairs: Sequence[Pair]) -> Figure | None:
        """From summed counts."""
        rows = [self.counts_of(item, text) for item, text in pairs]
        return self._pooled([sum(column) for column in zip(*rows, strict=True)], len(rows))

    def of_counts(self, language: str, counts: np.ndarray) -> Figure | None:
        """From summed counts."""
        return self._pooled(counts.sum(0).tolist(), len(counts))

    def _pooled(self, sums: Sequence[int], pairs: int) -> Figure:
        return Figure(float(getattr(Overlap(*sums), self.part)), pairs)

    def statistics(self, language: str, pairs: Sequence[Pair]) -> np.ndarray | None:
        """Common, wanted and given tokens of each picture."""
        import numpy as np

        return np.array([self.counts_of(item, text) for item, text in pairs], dtype=float)

    def of_sums(self, sums: np.ndarray) -> np.ndarray:
        """As `Overlap` has them, over arrays."""
        import numpy as np

        common, wanted, given = sums[..., 0], sums[..., 1], sums[..., 2]
        above = 2 * common if self.part == "f1" else common
        below = {"f1": wanted + given, "recall": wanted, "precision": given}[self.part]
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(below > 0, above / below, 0.0)

    def counts_of(self, item: Item, text: str) -> Sequence[int]:
        """Common, wanted and given tokens."""
        assert isinstance(item.target, OcrText)
        bags = overlap_of(item.target, text)
        return bags.common, bags.wanted, bags.given


METRICS = (
    MacroBag(
        id="macro_f1",
        label="macro F1",
        part="f1",
        aliases=("f1", "macro-f1"),
        counterpart="ocr_results.macro_f1_score",
        meaning="F1 of the bag of words, mean over pictures",
    ),
    MacroBag(id="macro_precision", label="macro precision", part="precision", meaning="precision, mean over pictures"),
    MacroBag(id="macro_recall", label="macro recall", part="recall", meaning="recall, mean over pictures"),
    MicroBag(
        id="micro_f1",
        label="micro F1",
        part="f1",
        aliases=("micro-f1",),
        loss_by="macro_f1",
        meaning="F1 of all pictures' words together",
    ),
    MicroBag(
        id="micro_precision",
        label="micro precision",
        part="precision",
        loss_by="macro_precision",
        meaning="precision of all words together",
    ),
    MicroBag(
        id="micro_recall",
        label="micro recall",
        part="recall",
        loss_by="macro_recall",
        meaning="recall of all words together",
    ),
)
