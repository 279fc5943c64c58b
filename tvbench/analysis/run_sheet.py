"""What a person is told first of a run: each task's headline figure by language, and what is wrong.

    TaskResults + manifest (+ answers) ──run_sheet──▶ RunSheet ──report/run_screen.py──▶ a screen

Knows runs and figures; no layout.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tvbench.analysis.alarms import Alarm, alarms
from tvbench.analysis.by_language import language_figures, mean_of, share_pictures
from tvbench.analysis.diagnosis.language_id import Identifiers
from tvbench.analysis.entries import metric_of, untrained
from tvbench.analysis.language_columns import ChosenColumns, LanguageColumn, chosen, columns_of, meant_by
from tvbench.analysis.references import of_options, references
from tvbench.analysis.replies import RunReplies, replies_of
from tvbench.registry.places import default_results
from tvbench.runs.answered import languages_called
from tvbench.runs.commands import going_on
from tvbench.runs.history import BATCH
from tvbench.runs.manifest import Manifest
from tvbench.runs.store import RunFolder
from tvbench.scoring.intervals import ends
from tvbench.scoring.metric import Metric
from tvbench.types import NEEDS_JUDGE, Figure, TaskResult


@dataclass(frozen=True, slots=True)
class TaskFigures:
    """One task. `figures` by key of column, `mean` over languages; `flags` by key of column: `!`, `=`; `references` are
    figures of the data, such as chance. `metric` None: nothing is scored."""

    task: str
    metric: Metric | None
    figures: Mapping[str, Figure]
    mean: Figure | None
    flags: Mapping[str, str]
    references: Mapping[str, float]

    @property
    def values(self) -> dict[str, float]:
        return {key: figure.value for key, figure in self.figures.items()}


@dataclass(frozen=True, slots=True)
class Block:
    """Tasks with the same languages."""

    rows: tuple[TaskFigures, ...]
    languages: ChosenColumns


@dataclass(frozen=True, slots=True)
class RunSheet:
    """`name` is what finds the run again, `results` where others lie ("": the usual folder). `facts` follow the label;
    `command` is what was typed, "" where that is not known; `open_answers` wait for a judge."""

    name: str
    results: str
    label: str
    facts: tuple[str, ...]
    blocks: tuple[Block, ...]
    alarms: tuple[Alarm, ...] = ()
    command: str = ""
    open_answers: int = 0
    untrained: bool = False


def run_sheet(
    folder: RunFolder,
    results: Sequence[TaskResult],
    manifest: Manifest,
    identifiers: Identifiers | None = None,
    *,
    languages: Sequence[str] = (),
    whole: bool = False,
    replies: RunReplies | None = None,
) -> RunSheet:
    """The sheet of a run; with `languages` of those alone, with `whole` of all however many. `replies` are its answers,
    where they have been seen already. Raises UsageError for a language that the run has not."""
    codes = _codes(results, languages)
    results = [result for result in results if codes[result.task] or not languages]
    replies = replies or replies_of(folder)
    found = alarms(results, replies, identifiers)
    return RunSheet(
        *_place(folder),
        manifest.label or folder.name,
        tuple(_facts(results, manifest, replies.tokens)),
        _blocks(results, codes, languages or _typed(manifest), found, whole=whole),
        tuple(alarm for alarm in found if alarm.language in codes[alarm.task]),
        shlex.join(going_on(manifest.command)) if manifest.command[:2] == ("tvbench", "run") else "",
        sum(_waiting(result) for result in results),
        untrained(manifest.model.revision),
    )


def _place(folder: RunFolder) -> tuple[str, str]:
    """What finds the run, and the folder that it lies in where that is not the usual one."""
    results = folder.path.parent
    usual = results.resolve() == default_results().resolve()
    return (folder.name, "") if usual else (str(folder.path), str(results))


def _codes(results: Sequence[TaskResult], names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """By task the codes of its languages; with `names` those that are meant. Raises UsageError for one that no task
    has."""
    have = {result.task: tuple(result.breakdowns.get("language", {})) for result in results}
    if not names:
        return have
    meant = {task: {name: meant_by(name, codes) for name in names} for task, codes in have.items()}
    for name in names:
        if not any(of_task[name] for of_task in meant.values()):
            languages_called([name], {code for codes in have.values() for code in codes})
    return {
        task: tuple(dict.fromkeys(c for codes in of_task.values() for c in codes)) for task, of_task in meant.items()
    }


def _typed(manifest: Manifest) -> tuple[str, ...]:
    """The languages as they were typed with `--languages`."""
    words = [part for word in manifest.command for part in (word.split("=", 1) if word.startswith("--") else [word])]
    at = next((place for place, word in enumerate(words) if word == "--languages"), len(words))
    return tuple(name.strip() for name in " ".join(words[at + 1 : at + 2]).split(",") if name.strip())


def _waiting(result: TaskResult) -> int:
    return result.counts.reasons.get(NEEDS_JUDGE, 0) if "judge" not in result.metrics else 0


# ── The header ────────────────────────────────────────────────────────────────────────────────────


def _facts(results: Sequence[TaskResult], manifest: Manifest, tokens: int) -> list[str]:
    """`12 min`, `3,214 answers`, `0 failed`, `4.1 M tokens`."""
    facts = [_minutes(seconds)] if (seconds := _seconds(manifest)) else []
    facts.append(f"{sum(result.counts.answered for result in results):,} answers")
    facts.append(f"{sum(result.counts.failed for result in results):,} failed")
    return facts + ([f"{_short(tokens)} tokens"] if tokens else [])


def _seconds(manifest: Manifest) -> float:
    """How long its sessions took together, as far as they were noted. How long a batch took, nobody knows."""
    total = 0.0
    for session in manifest.sessions or ():
        if session.source == BATCH:
            continue
        if session.spent.seconds is not None:  # up to the last answer
            total += session.spent.seconds
            continue
        try:
            total += (
                datetime.fromisoformat(session.ended or "") - datetime.fromisoformat(session.began or "")
            ).total_seconds()
        except (ValueError, TypeError):
            continue
    return max(0.0, total)


def _minutes(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 2 * 3600 else f"{seconds / 3600:.1f} h"


def _short(count: int) -> str:
    """`4.1 M`."""
    for size, unit in ((1_000_000_000, "G"), (1_000_000, "M"), (10_000, "k")):
        if count >= size:
            return f"{count / (1000 if unit == 'k' else size):.{0 if unit == 'k' else 1}f} {unit}"
    return f"{count:,}"


# ── Rows ──────────────────────────────────────────────────────────────────────────────────────────


def _blocks(
    results: Sequence[TaskResult],
    codes: Mapping[str, tuple[str, ...]],
    named: Sequence[str],
    found: Sequence[Alarm],
    *,
    whole: bool,
) -> tuple[Block, ...]:
    """One block where the languages of all tasks are few, else one for each set of languages."""
    sets = dict.fromkeys(codes[result.task] for result in results)
    union = columns_of(sets, named)
    few = whole or len(chosen(union, ()).columns) == len(union)
    blocks: list[Block] = []
    for some in [tuple(sets)] if few else [(one,) for one in sets]:
        columns = columns_of(some, named)
        rows = tuple(
            _row(result, codes[result.task], columns, found) for result in results if codes[result.task] in some
        )
        figures = [(row.metric, row.values) for row in rows if row.metric is not None]
        blocks.append(Block(rows, ChosenColumns(columns) if whole else chosen(columns, figures)))
    return tuple(blocks)


def _row(
    result: TaskResult, codes: Sequence[str], columns: Sequence[LanguageColumn], found: Sequence[Alarm]
) -> TaskFigures:
    if result.primary not in result.metrics:
        return TaskFigures(result.task, None, {}, None, {}, {})
    metric = metric_of(result, result.primary)
    figures = _by_column(result, columns, result.primary)
    chances = _by_column(result, columns, "chance") if of_options(result) else {}
    flags = {
        column.key: _flags(column, [alarm for alarm in found if alarm.task == result.task],
                           figures.get(column.key), chances.get(column.key), metric)
        for column in columns
    }  # fmt: skip
    mean = _mean(result, codes)
    return TaskFigures(result.task, metric, figures, mean, flags, references(result))


def _mean(result: TaskResult, codes: Sequence[str]) -> Figure | None:
    """Over all languages, or over those of `codes` alone."""
    if set(codes) == set(result.breakdowns.get("language", {})):
        return result.metrics[result.primary]
    figures = language_figures(result, result.primary)
    found = [figures[code] for code in codes if code in figures]
    return mean_of(found, shared=share_pictures(result, result.primary)) if found else None


def _by_column(result: TaskResult, columns: Sequence[LanguageColumn], metric: str) -> dict[str, Figure]:
    shared = share_pictures(result, metric)
    figures = language_figures(result, metric)
    found = {column.key: column.figure(figures, shared=shared) for column in columns}
    return {key: figure for key, figure in found.items() if figure is not None}


def _flags(
    column: LanguageColumn, found: Sequence[Alarm], figure: Figure | None, chance: Figure | None, metric: Metric
) -> str:
    flags = "!" if any(alarm.language in column.codes for alarm in found) else ""
    if figure is None or chance is None or metric.better != "higher":
        return flags
    low = (ends(figure) or (figure.value, figure.value))[0]
    return flags + "=" * (low <= chance.value)
