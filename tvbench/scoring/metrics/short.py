"""`accuracy`: a short free answer is right where it equals one of the answers, after normalisation by the rules of its
language (scoring/folding.py), with nothing but words around it that change nothing."""

from __future__ import annotations

from tvbench.scoring.choice import is_answer
from tvbench.scoring.metric import Metric
from tvbench.scoring.wording import DIGEST
from tvbench.types import Item, Short, Voted


class Accuracy(Metric):
    """Equality after normalisation; an answer that shows nothing is wrong."""

    id = "accuracy"
    family = "accuracy"
    meaning = "the reply equals an answer"
    definition = f"norm:nfkc+casefold+edge-punctuation|language:own|words:{DIGEST}|version:2"
    targets = (Short,)
    always = True
    headline = True
    aliases = ("acc",)

    def leads(self, item: Item) -> bool:
        """Where annotators have voted, their votes do."""
        return self.applies(item) and not isinstance(item.target, Voted)

    def of_item(self, item: Item, text: str) -> float | None:
        """0 or 1."""
        assert isinstance(item.target, Short)
        return float(is_answer(item.target.answers, text, item.language))


METRICS = (Accuracy(),)
