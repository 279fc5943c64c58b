"""A task's answers with what is seen of each: what `explain` and the conclusions of two runs begin with.

Knows runs and the diagnosis of one answer; draws no conclusion.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tvbench.analysis.assess import Scored
from tvbench.analysis.diagnosis.answers import Answer, diagnose, leaves_out_marks, loss_metric
from tvbench.analysis.diagnosis.language_id import Identifiers
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import metric
from tvbench.types import Item


@dataclass(frozen=True, slots=True)
class Diagnosed:
    """One task. `counted` is the metric that losses are counted in; `items` and `answers` are by language, answers
    only of items that were asked and came back."""

    task: Scored
    counted: Metric
    items: Mapping[str, list[Item]]
    answers: Mapping[str, list[Answer]]

    @property
    def name(self) -> str:
        return self.task.entry.task


def diagnosed(task: Scored, identifiers: Identifiers | None = None) -> Diagnosed:
    """Every answer of `task`, diagnosed; `identifiers` sharpen what is seen of parts in another language."""
    counted = loss_metric(task.metrics.get(task.entry.primary) or metric(task.entry.primary, task.facts))
    items: dict[str, list[Item]] = {}
    for item in task.items.values():
        items.setdefault(item.language, []).append(item)
    answers = {language: _answers(of_language, task, counted, identifiers) for language, of_language in items.items()}
    return Diagnosed(task, counted, items, answers)


def _answers(items: list[Item], task: Scored, counted: Metric, identifiers: Identifiers | None) -> list[Answer]:
    unmarked = leaves_out_marks(items, task.answers)
    return [
        diagnose(item, response, task.scores[item.id], counted, identifiers, unmarked=unmarked)
        for item in items
        if (response := task.answers.get(item.id)) is not None and response.error is None and item.problem is None
    ]
