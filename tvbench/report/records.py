"""The leaderboard as JSON records: one a task and run, with everything that is known, and one a published cell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tvbench.analysis.by_language import Group
from tvbench.analysis.entries import RunEntry
from tvbench.analysis.groups import Sheet, Standing
from tvbench.analysis.published import PublishedFigure
from tvbench.analysis.ranks import Rank
from tvbench.runs import codec
from tvbench.scoring.student import LEVEL


def leaderboard_records(
    entries: Iterable[RunEntry],
    figures: Iterable[PublishedFigure],
    tasks: tuple[str, ...],
    ranks: Mapping[tuple[str, str, str, str], Rank],
) -> list[dict[str, Any]]:
    """Every figure of every metric, whole and by language, with interval, standard error, n, counts and signature.

    Values are in their own unit (fractions; BLEU and chrF++ 0..100); published ones say theirs (`unit`). `ranks`, by
    metric, are of the means over languages: from `low` to `high` of `of` figures with equal signatures, at `level` all
    at once; `star`: none of them is certainly better, and some are certain.
    """
    by_result: dict[tuple[str, str], dict[str, Rank]] = {}
    for (run, task, metric, _), rank in ranks.items():
        by_result.setdefault((run, task), {})[metric] = rank
    ours = [
        _own(entry, by_result.get((entry.run, entry.result.task), {}))
        for entry in entries
        if not tasks or entry.result.task in tasks
    ]
    return ours + [_published(figure) for figure in figures if not tasks or figure.task in tasks]


def _own(entry: RunEntry, ranks: Mapping[str, Rank]) -> dict[str, Any]:
    data = codec.result_to_json(entry.result)
    breakdowns = dict(data.pop("breakdowns"))
    languages = breakdowns.pop("language", {})
    for part in languages.values():
        part["signature"] = entry.result.signature
    return {
        "source": "run",
        "model": entry.model,
        "revision": entry.revision,
        "engine": entry.engine,
        "run": entry.run,
        "updated": entry.date,
        **data,
        "ranks": {
            metric: {"low": rank.low, "high": rank.high, "of": rank.of, "star": rank.first, "level": LEVEL}
            for metric, rank in ranks.items()
        },
        "languages": languages,
        "breakdowns": breakdowns,
    }


def _published(figure: PublishedFigure) -> dict[str, Any]:
    return {
        "source": "published",
        "model": figure.model,
        "task": figure.task,
        "part": figure.part,
        "metric": figure.metric,
        "value": figure.value,
        "unit": figure.unit,
        "reference": f"{figure.table.source}, table {figure.table.number}",
        "caption": figure.table.caption,
        "note": figure.table.note,
    }


def group_records(sheets: Iterable[Sheet]) -> list[dict[str, Any]]:
    """One record a model and group. Values of ours are in their own unit, published ones in percent as printed."""
    return [_of_group(sheet, line, group) for sheet in sheets for line in sheet.lines for group in line.groups.values()]


def _of_group(sheet: Sheet, line: Standing, group: Group) -> dict[str, Any]:
    return {
        "source": "published" if line.entry is None else "run",
        "model": line.model,
        "run": None if line.entry is None else line.entry.run,
        "reference": line.source if line.entry is None else None,
        "task": sheet.task,
        "protocol": None if line.entry is None else line.entry.result.protocol,
        "metric": line.metric,
        "by": sheet.by,
        "group": group.name,
        "members": list(group.members),
        "value": group.metric.value,
        "stderr": group.metric.stderr,
        "low": group.metric.low,
        "high": group.metric.high,
        "n": None if line.entry is None else group.metric.n,
        "unit": "percent, as printed" if line.entry is None else "its own",
        "signature": None if line.entry is None else line.entry.result.signature,
    }
