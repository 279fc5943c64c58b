"""Ours beside the published figures, cell by cell: the difference, how sure it is, and whether it means anything.

A printed cell is set against the newest run of a model that its row is about. The difference is ours minus published.
What speaks against a comparison is said and never hidden: another protocol, other languages, an item count of which the
printed percentage is no share, a figure above what the released scorer can give. Where other scorers of the same
answers lie on the other side of the printed figure, they are named: a more lenient scorer would explain it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tvbench.analysis.entries import ALL, MULTI, RunEntry, metric_of, metrics_of, shown_figure
from tvbench.analysis.published import (
    Guide,
    PrintedMetric,
    PublishedFigure,
    PublishedRow,
    published_files,
    read_guide,
    read_published,
)
from tvbench.runs.signature import TWO_BOS, read_signature
from tvbench.scoring.intervals import ends
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import label
from tvbench.types import Figure, TaskResult

PRINTED = 0.05
"""Papers print one decimal: figures closer than this are the same."""
EXACT, WITHIN, DIFFERS, MISSING = "the same", "within our interval", "differs", "no figure of ours"


@dataclass(frozen=True, slots=True)
class Reproduced:
    """One cell; figures in percent. `low` and `high` bound the difference at 95 %, None without a standard error.
    `against` are the reasons why the two are not comparable; `remarks` what else a reader should know."""

    figure: PublishedFigure
    run: str = ""
    ours: float | None = None
    metric: str = ""
    logged: bool = False
    low: float | None = None
    high: float | None = None
    others: Mapping[str, float] = field(default_factory=dict)
    against: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def difference(self) -> float | None:
        """Ours minus published, in points."""
        return None if self.ours is None else self.ours - self.figure.value

    @property
    def verdict(self) -> str:
        """What the figures alone say."""
        if self.difference is None:
            return MISSING
        if abs(self.difference) <= PRINTED + 1e-9:
            return EXACT
        if self.low is not None and self.high is not None and self.low <= 0 <= self.high:
            return WITHIN
        return DIFFERS


def reproduce(
    entries: Sequence[RunEntry], results: Path, *, named: Mapping[str, str] | None = None, everything: bool = False
) -> list[Reproduced]:
    """Every published cell that some run has a figure for, in the order of print; with `everything` the others too.

    `named` says which row a model stands for (model name to row name), beside what the published files say.
    """
    found: list[Reproduced] = []
    for path in published_files(results):
        guide = read_guide(path)
        for figure in read_published(path):
            cell = _cell(figure, guide, entries, named or {})
            if cell.ours is not None or everything:
                found.append(cell)
    return found


def _cell(figure: PublishedFigure, guide: Guide, entries: Sequence[RunEntry], named: Mapping[str, str]) -> Reproduced:
    row = guide.rows.get(figure.model, PublishedRow(()))
    models = {*row.models, *(model for model, meant in named.items() if meant == figure.model)}
    mine = [entry for entry in entries if entry.model in models]
    scored = guide.scored.get(f"{figure.task}/{figure.metric}")
    if not mine or scored is None:
        return Reproduced(figure, against=() if scored else (f"nothing of ours is {figure.task}'s {figure.metric}",))
    of_task = [entry for entry in mine if entry.result.task == figure.task]
    if not of_task:
        return Reproduced(figure, run=mine[0].run)
    # The paper's own protocol first, then the newest.
    entry = max(of_task, key=lambda candidate: (candidate.result.protocol == scored.protocol, candidate.date))
    return _compared(figure, row, scored, guide, entry)


def _compared(
    figure: PublishedFigure, row: PublishedRow, scored: PrintedMetric, guide: Guide, entry: RunEntry
) -> Reproduced:
    result = entry.result
    metrics = metrics_of(result, figure.part)
    metric, name, logged = metrics.get(scored.metric), scored.metric, False
    if metric is None and scored.logged:
        shown = shown_figure(result, figure.part, scored.logged, None)
        if shown is not None and shown.logged:
            metric, name, logged = shown.value, shown.metric.id, True
    remarks = [row.note] if row.note else []
    if logged:
        remarks.append("copied from the log, not computed here")
    if metric is None:
        return Reproduced(figure, run=entry.run, remarks=tuple(remarks))
    ours = metric_of(result, name).shown(metric.value)
    low, high = (metric_of(result, name).shown(end) - figure.value for end in ends(metric) or (math.nan, math.nan))
    others = {
        other: metric_of(result, other).shown(metrics[other].value) for other in scored.others if other in metrics
    }
    remarks.extend(_explained(figure.value, ours, name, others))
    return Reproduced(
        figure,
        entry.run,
        ours,
        name,
        logged,
        None if math.isnan(low) else low,
        None if math.isnan(high) else high,
        others,
        tuple(_against(figure, scored, guide, result, metric, logged)),
        tuple(remarks),
    )


def _against(
    figure: PublishedFigure, scored: PrintedMetric, guide: Guide, result: TaskResult, metric: Figure, logged: bool
) -> Iterable[str]:
    if figure.task in guide.not_comparable:
        yield guide.not_comparable[figure.task]
    if not logged and result.protocol != scored.protocol:
        yield f"our run asked by the protocol {result.protocol}, not {scored.protocol}"
    elif guide.second_bos and not logged and read_signature(result.signature).get("bos") != TWO_BOS:
        yield guide.second_bos
    counts = result.counts
    if not counts.all_answered and not result.copied:
        yield f"our run is incomplete: {counts.answered} of {counts.expected} items answered"
    coverage = guide.coverage.get(f"{figure.task}/{figure.part}")
    languages = len(_languages(result, figure.part))
    if coverage is not None and languages != coverage.languages:
        note = f": {coverage.note}" if coverage.note else ""
        yield f"{languages} languages here, {coverage.languages} in the paper{note}"
    if figure.part not in (ALL, MULTI) and not logged:
        yield from _no_share(figure.value, metric, metric_of(result, scored.metric))
    highest = metric_of(result, metric_of(result, scored.metric).ceiling)
    ceiling = metrics_of(result, figure.part).get(highest.id)
    if ceiling is not None and figure.value > highest.shown(ceiling.value) + PRINTED:
        yield (
            f"above {highest.text(ceiling.value)}, the most that copying one shown line can earn from the released "
            "prompt and strict scorer"
        )


def _languages(result: TaskResult, part: str) -> list[str]:
    codes = sorted(result.breakdowns.get("language", {}))
    return [code for code in codes if code != "en"] if part == MULTI else codes


def _no_share(printed: float, metric: Figure, shown: Metric) -> Iterable[str]:
    """A share of n items is k/n: a percentage that no k gives was counted over other items."""
    near = round(shown.stored(printed) * metric.n)
    shares = [shown.shown(k / metric.n) for k in (near - 1, near, near + 1)]
    if metric.n < 1000 and not any(abs(share - printed) <= PRINTED + 1e-9 for share in shares):
        yield f"{printed:g} is no share of our {metric.n} items: the paper counted others"


def _explained(published: float, ours: float, name: str, others: Mapping[str, float]) -> Iterable[str]:
    """The two scorers of ours that the published figure lies between, where it is not the first one's."""
    ladder = sorted({name: ours, **others}.items(), key=lambda pair: pair[1])
    for (low, below), (high, above) in zip(ladder, ladder[1:], strict=False):
        if below + PRINTED < published < above - PRINTED:
            yield f"lies between {label(low)} {below:.1f} and {label(high)} {above:.1f}: a more lenient scorer?"
