"""Human labels of a run, alone and with a judge: a table, and the same for scripts."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from tvbench.analysis.judges import ALL
from tvbench.analysis.labels import Labelled, LabelledMean
from tvbench.report.table import Cell, Column, Table
from tvbench.scoring.metric import percent
from tvbench.scoring.prediction_powered import FEWEST, Band, PoweredMean

COLUMNS = (
    Column("task", "task", "left"),
    Column("language", "language", "left"),
    Column("labels", "labels"),
    Column("answers", "open\nanswers"),
    Column("judged", "judge\nalone"),
    Column("alone", "labels alone\n95 % interval"),
    Column("both", "labels with judge\n95 % interval"),
    Column("weight", "λ"),
    Column("worth", "worth\nlabels"),
    Column("kappa", "kappa of judge\nand labels"),
    Column("people_kappa", "kappa of\ntwo people"),
)


def label_table(found: Labelled, judge: str | None) -> Table:
    """The labels with one judge; None: nobody has judged."""
    rows = tuple(_row(mean, judge is not None) for mean in found.means)
    title = "human labels" + (f" with {judge}" if judge else "")
    return Table(COLUMNS, rows, title=title, notes=tuple(_notes(found, judge)), labels=2)


def _row(found: LabelledMean, judged: bool) -> tuple[Cell, ...]:
    mean, bold = found.mean, found.language == ALL
    worth = mean.labels * mean.gain
    dash = Cell("–", value="")
    return (
        Cell(found.task, bold=bold),
        Cell(found.language, bold=bold),
        Cell(str(mean.labels), value=mean.labels),
        Cell(str(mean.answers), value=mean.answers),
        Cell(percent(mean.judged), value=mean.judged) if judged else dash,
        _band(mean.alone),
        _band(mean.both) if judged else dash,
        Cell(f"{mean.weight:.2f}", value=mean.weight) if judged else dash,
        Cell(f"{worth:.0f}", value=worth) if judged else dash,
        _kappa(found.kappa),
        _kappa(found.people_kappa),
    )


def _band(band: Band) -> Cell:
    return Cell(f"{percent(band.value)} ({percent(band.low)} to {percent(band.high)})")


def _kappa(value: float | None) -> Cell:
    return Cell("–", value="") if value is None else Cell(f"{value:.2f}", value=value)


def _notes(found: Labelled, judge: str | None) -> list[str]:
    notes = []
    if judge:
        notes.append(
            "labels with judge: PPI++ (arXiv 2311.01453), whatever the judge's errors; λ: the judge's weight, tuned in "
            "each language; worth: as many labels alone would be as sure"
        )
    notes.append("for whatever the items are a sample of; intervals over pictures, labels drawn at random")
    if found.unlabelled:
        notes.append(f"rows of the sheet without a label, taken to be missing at random: {found.unlabelled}")
    for task, codes in found.without.items():
        notes.append(f"{task}: fewer than {FEWEST} labels, and not in the mean: {', '.join(codes)}")
    return notes


def label_records(found: Labelled, judge: str | None) -> dict[str, Any]:
    """The same for scripts; shares of the scale, 0 to 1."""
    means = [{**asdict(part), "mean": _mean_record(part.mean, judge is not None)} for part in found.means]
    return {"judge": judge, "means": means, "without": dict(found.without), "unlabelled": found.unlabelled}


def _mean_record(mean: PoweredMean, judged: bool) -> dict[str, Any]:
    record = {**asdict(mean), "alone": mean.alone._asdict(), "both": mean.both._asdict()}
    return record if judged else {**record, **dict.fromkeys(("judged", "both", "weight", "gain"))}
