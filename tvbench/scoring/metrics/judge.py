"""A judge's score for an open answer. Computed by `tvbench judge`, and joined by scoring/sides.py."""

from __future__ import annotations

from tvbench.scoring.metric import Metric
from tvbench.types import Open

METRICS = (
    Metric(
        id="judge",
        meaning="a judge's score for an open answer, as a share of its scale",
        targets=(Open,),
        definition="see the judge's own signature",
        next_step="tvbench judge RUN --judge openai:NAME@URL",
    ),
)
