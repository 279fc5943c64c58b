"""CoMMuTE (arXiv 2212.10140): log-probabilities of two continuations, and which of the two has the higher one.

A pair's metric is settled once both sides have their log-probability (scoring/contrast.py).
"""

from __future__ import annotations

import math

from tvbench.scoring.metric import NATS, Metric
from tvbench.types import Contrast, Item, Response


class LogProbability(Metric):
    """Of one continuation's tokens."""

    unit = NATS
    targets = (Contrast,)
    always = True
    mean = False

    def of_response(self, item: Item, response: Response) -> float | None:
        """Natural logarithm, 0 or below."""
        logprobs = response.logprobs or ()
        total = math.fsum(logprobs)
        return total / len(logprobs) if self.mean else total


class Contrastive(Metric):
    """1 where the right translation of a pair has the higher figure `of_side`, half where the two are equal."""

    targets = (Contrast,)
    of_side = ""


METRICS = (
    Contrastive(
        id="contrastive_sum",
        label="CoMMuTE accuracy (sum)",
        of_side="logprob_sum",
        meaning="the right translation has the higher log-probability",
        definition="logprob:sum-of-translation-tokens|tie:0.5|version:1",
    ),
    Contrastive(
        id="contrastive_mean",
        label="CoMMuTE accuracy (mean)",
        of_side="logprob_mean",
        meaning="the right translation has the higher log-probability per token",
        definition="logprob:mean-of-translation-tokens|tie:0.5|version:1",
    ),
    LogProbability(
        id="logprob_sum",
        label="log-probability",
        meaning="of a translation's tokens, summed",
        definition="logprob:sum-of-translation-tokens",
    ),
    LogProbability(
        id="logprob_mean",
        label="log-probability per token",
        mean=True,
        meaning="of a translation's tokens, their mean",
        definition="logprob:mean-of-translation-tokens",
    ),
)
