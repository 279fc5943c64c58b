"""A run's judges: how often they are right where that can be known, and what their averages are worth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from tvbench.analysis.judges import ALL, Quality
from tvbench.graders.judge.calibration import FEWEST, Agreement, agree
from tvbench.graders.judge.looseness import PlantedQuality
from tvbench.graders.judge.record import Judge, JudgeVerdict
from tvbench.report.planted import planted_json
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.metric import percent

QUALITY = (
    Column("task", "task", "left"),
    Column("language", "language", "left"),
    Column("judged", "open\njudged"),
    Column("unscored", "un-\nscored"),
    Column("average", "judge's\naverage"),
    Column("carried_over", "less its bias on\nexact items, 95 %"),
    Column("exact", "exact\nitems"),
    Column("agreement", "agree-\nment"),
    Column("kappa", "kappa"),
    Column("bias", "bias"),
    Column("direction", "the judge is", "left"),
)
BETWEEN = (
    Column("judges", "judges", "left"),
    Column("task", "task", "left"),
    Column("n", "answers"),
    Column("agreement", "agreement"),
    Column("kappa", "kappa"),
    Column("correlation", "correlation"),
    Column("bias", "first minus second"),
    Column("direction", "the first is", "left"),
)


def quality_table(judge: Judge, found: Sequence[Quality]) -> Table:
    """How one judge did."""
    rows = [_row(quality) for quality in found]
    notes = [
        f"judge: {judge.definition}",
        "agreement, kappa and bias (± half of its 95 % interval): against items with an exact answer",
        "a judge says right by half of its scale or more",
        f"{ALL}: the mean over languages, as the headline is",
        *_carried_over_notes(found),
    ]
    return Table(QUALITY, tuple(rows), title=judge.name, notes=tuple(notes), labels=2)


def _carried_over_notes(found: Sequence[Quality]) -> list[str]:
    """What the bias that was carried over means, and in which languages it was."""
    if not any(quality.carried_over for quality in found):
        return []
    notes = ["less its bias: carried over from exact items; assumes that the judge errs on open answers as on those"]
    for quality in found:
        fixed = quality.carried_over
        if quality.language == ALL and fixed is not None and fixed.uncorrected:
            notes.append(
                f"{quality.task}: corrected in {', '.join(fixed.corrected)}; as judged, with fewer than {FEWEST} "
                f"exact items of their own: {', '.join(fixed.uncorrected)}"
            )
    return notes


def _row(quality: Quality) -> tuple[Cell, ...]:
    fixed, agreement = quality.carried_over, quality.check
    return (
        Cell(quality.task, bold=quality.language == ALL),
        Cell(quality.language, bold=quality.language == ALL),
        Cell(str(quality.judged), value=quality.judged),
        Cell(str(quality.unscored), value=quality.unscored),
        _percent(quality.average),
        Cell("–", value="")
        if fixed is None
        else Cell(f"{percent(fixed.value)} ({percent(fixed.low)} to {percent(fixed.high)})"),
        *_agreement_cells(agreement, with_correlation=False),
    )


def _agreement_cells(agreement: Agreement | None, *, with_correlation: bool) -> tuple[Cell, ...]:
    if agreement is None:
        return (Cell("0", value=0), *(Cell("–", value="") for _ in range(4 + with_correlation)))
    bias = percent(agreement.bias, sign=True) + (
        "" if agreement.half_width is None else f" ± {percent(agreement.half_width)}"
    )
    cells = [Cell(str(agreement.n), value=agreement.n), _percent(agreement.agreement), _two_digits(agreement.kappa)]
    if with_correlation:
        cells.append(_two_digits(agreement.correlation))
    return (*cells, Cell(bias, value=agreement.bias), Cell(agreement.direction))


def between_table(judges: Sequence[tuple[Judge, Mapping[str, Sequence[JudgeVerdict]]]]) -> Table | None:
    """Every two judges on the answers that both have scored; None with fewer than two judges."""
    rows: list[tuple[Cell, ...]] = []
    for place, (first, tasks) in enumerate(judges):
        for second, others in judges[place + 1 :]:
            for task in tasks:
                found = agree(tasks[task], others.get(task, ()))
                if found is not None:
                    rows.append(
                        (
                            Cell(f"{first.name} / {second.name}"),
                            Cell(task),
                            *_agreement_cells(found, with_correlation=True),
                        )
                    )
    return Table(BETWEEN, tuple(rows), title="two judges on the same answers", labels=2) if rows else None


def as_json(judge: Judge, found: Sequence[Quality], planted: Sequence[PlantedQuality]) -> dict[str, Any]:
    """One judge for scripts."""
    return {
        "judge": judge.name,
        "definition": judge.definition,
        "created": judge.created,
        "quality": [
            {**asdict(quality), "direction": quality.check.direction if quality.check else None} for quality in found
        ],
        **planted_json(planted),
    }


def _percent(value: float | None) -> Cell:
    return Cell("–", value="") if value is None else Cell(percent(value), value=value)


def _two_digits(value: float | None) -> Cell:
    return Cell("–", value="") if value is None else Cell(f"{value:.2f}", value=value)
