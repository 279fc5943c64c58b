"""Figures of the data that a reader holds a score against: chance, always option 1, the strict ceiling. Knows metrics;
no table."""

from __future__ import annotations

from collections.abc import Mapping

from tvbench.analysis.entries import metric_of
from tvbench.scoring.metrics import metric
from tvbench.scoring.metrics.baselines import METRICS
from tvbench.types import Choice, Contrast, TaskResult

CEILING = "strict_ceiling"


def of_options(result: TaskResult) -> bool:
    """Whether the headline figure is one that guessing an option can be held against."""
    return bool(set(metric_of(result, result.primary).targets) & {Choice, Contrast})


def references(result: TaskResult) -> dict[str, float]:
    """Their means over languages by id; none where the headline figure is of another kind."""
    if not of_options(result):
        return {}
    return {known.id: result.metrics[known.id].value for known in METRICS if known.id in result.metrics}


def references_text(values: Mapping[str, float]) -> str:
    """`chance 27, always option 1 31`; a ceiling only where not everything can be reached."""
    return ", ".join(
        f"{metric(name).label} {metric(name).text(value, decimals=0)}"
        for name, value in values.items()
        if name != CEILING or value < 1
    )
