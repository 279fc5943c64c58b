"""VQA accuracy (arXiv 1505.00468): how many annotators gave the reply. The reading of answers is scoring/vqa.py."""

from __future__ import annotations

from tvbench.scoring.metric import Metric
from tvbench.scoring.vqa import vqa_accuracy
from tvbench.types import Item, Voted


class VqaAccuracy(Metric):
    """The mean over leaving one annotator out; three others who agree make a reply right."""

    id = "vqa_accuracy"
    label = "VQA accuracy"
    family = "accuracy"
    meaning = "how many annotators gave the reply; three others make it right"
    definition = "norm:evalai|votes:leave-one-out,3|version:1"
    targets = (Voted,)
    always = True
    headline = True
    counterpart = "exact_match"

    def of_item(self, item: Item, text: str) -> float | None:
        """0 to 1, in tenths of ten annotators."""
        assert isinstance(item.target, Voted)
        return vqa_accuracy(item.target.answers, text)


METRICS = (VqaAccuracy(),)
