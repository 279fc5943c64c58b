"""M3Exam's accuracy as the TowerVision authors count it, and between which bounds its draws leave it.

The parser is scoring/m3exam.py. A log says what its draws gave; elsewhere a draw counts what it gives on average.
"""

from __future__ import annotations

from tvbench.scoring.m3exam import points_of
from tvbench.scoring.metric import Metric
from tvbench.types import Exam, Item


class ExamAccuracy(Metric):
    """1 where the parser reads the right letter; `draw` is what counts where it reads none."""

    definition = "parser:m3exam|draw:logged-or-mean|version:1"
    targets = (Exam,)
    always = True
    draw = "mean"

    def of_item(self, item: Item, text: str) -> float | None:
        """0 to 1."""
        assert isinstance(item.target, Exam)
        return points_of(item.target, text)[self.draw]


METRICS = (
    ExamAccuracy(
        id="m3exam",
        label="M3Exam",
        family="accuracy",
        counterpart="m3exam",
        logged=("m3exam",),
        meaning="M3Exam's parser reads the right letter; without a letter, what its draw gave in the log or gives on "
        "average",
    ),
    ExamAccuracy(
        id="m3exam_low",
        label="M3Exam, draws lost",
        draw="low",
        definition="parser:m3exam|draw:lost|version:1",
        meaning="the same, with every draw wrong",
    ),
    ExamAccuracy(
        id="m3exam_high",
        label="M3Exam, draws won",
        draw="high",
        definition="parser:m3exam|draw:won|version:1",
        meaning="the same, with every draw right that can be",
    ),
)
