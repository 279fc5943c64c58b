"""`accuracy`: a short free answer is right where it equals one of the answers, after normalisation."""

from __future__ import annotations

from tvbench.scoring.metric import Metric
from tvbench.scoring.normalise import is_blank, normalise, without_markdown
from tvbench.types import Item, Short, Voted


class Accuracy(Metric):
    """Equality after normalisation; an answer that shows nothing is wrong."""

    id = "accuracy"
    family = "accuracy"
    meaning = "the reply equals an answer"
    definition = "norm:nfkc+casefold+edge-punctuation|version:1"
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
        reply = normalise(without_markdown(text))
        right = any(reply == normalise(without_markdown(answer)) for answer in item.target.answers)
        return float(right and not is_blank(text))


METRICS = (Accuracy(),)
