"""OCRBench (arXiv 2305.07895): does the reply contain the answer? As the TowerVision authors run it, and fixed."""

from __future__ import annotations

from tvbench.scoring.metric import Metric
from tvbench.scoring.ocr import contains_answer
from tvbench.types import Contains, Item


class OcrBench(Metric):
    """1 where the reply contains an answer, formulas as the authors compare them."""

    id = "ocrbench"
    label = "OCRBench"
    meaning = "the reply contains an answer; formulas as the TowerVision authors compare them"
    definition = "contains|case:lower|hme:gold-case-kept"
    targets = (Contains,)
    always = True
    counterpart = "ocrbench_accuracy"
    as_run = True

    def of_item(self, item: Item, text: str) -> float | None:
        """0 or 1."""
        assert isinstance(item.target, Contains)
        return float(contains_answer(item.target, text, as_run=self.as_run))


class OcrBenchFixed(OcrBench):
    """The same, with formulas compared without regard to case."""

    id = "ocrbench_hme"
    label = "OCRBench (HME fixed)"
    meaning = "the reply contains an answer, formulas without regard to case"
    definition = "contains|case:lower"
    counterpart = ""
    as_run = False


METRICS = (OcrBench(), OcrBenchFixed())
