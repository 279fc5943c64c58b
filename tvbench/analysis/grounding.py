"""What a run's scores owe to its pictures: the same model on the same items, seeing and blind, by kind of item.

A blind run is one with `--no-image`, or of a task whose setting `pictures` is `blank`. Items are joined by task and id,
and what is resampled are pictures (scoring/paired.py). Beside both stands chance: one of the options, or one of the two
senses of an ambiguous caption, taken at random. Knows runs and metrics; no engine and no table.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from tvbench.analysis.assess import Scored, scored_tasks
from tvbench.analysis.shared_items import paired_items
from tvbench.errors import TvbenchError, UsageError
from tvbench.runs.answered import check_names, languages_called
from tvbench.runs.manifest import AskedTask
from tvbench.runs.store import RunFolder
from tvbench.scoring.metric import Metric
from tvbench.scoring.metrics import headlines
from tvbench.scoring.paired import Comparison, Pairs, compare
from tvbench.types import Choice, Item, Translation

By = Literal["question_type", "category"]
WAYS: tuple[By, ...] = get_args(By)
SENSES = 2


@dataclass(frozen=True, slots=True)
class GroundingRow:
    """One kind of items in one metric. `overall` and `languages` hold the blind run first, the seeing one second."""

    kind: str
    metric: str
    chance: float | None
    overall: Comparison
    languages: Mapping[str, Comparison]


@dataclass(frozen=True, slots=True)
class TaskGrounding:
    """One task. `left_out` items were not answered in both runs."""

    task: str
    protocol: str
    rows: tuple[GroundingRow, ...]
    left_out: int


def is_blind(asked: AskedTask) -> bool:
    """Whether a task of a run was asked without its pictures."""
    return not asked.media or asked.settings.get("pictures") == "blank"


def check_blind(run: RunFolder, tasks: Collection[str], hint: str) -> None:
    """Raises UsageError for a run that is known to have seen its pictures in all of `tasks` that it was asked."""
    asked = [task for task in run.manifest().ask.tasks if task.task in tasks]
    if asked and not any(map(is_blind, asked)):
        raise UsageError(f"{run.name} saw its pictures", hint)


def saw_pictures(run: RunFolder) -> set[str]:
    """The tasks in which the run is known to have seen its pictures."""
    return {task.task for task in run.manifest().ask.tasks if not is_blind(task)}


def blind_twin(run: RunFolder, runs: Iterable[RunFolder]) -> RunFolder:
    """The newest of `runs` that asked the same model the same tasks blind.

    Raises UsageError where there is none, and for a run that is blind itself.
    """
    ask = run.manifest().ask
    asked = {task.task: task for task in ask.tasks}
    if not asked:
        raise UsageError(f"{run.name} does not say what was asked", "name the run without pictures, too")
    if all(map(is_blind, asked.values())):
        raise UsageError(f"{run.name} has no pictures itself", "name the run that saw the pictures")
    found = [other for other in runs if other.name != run.name and _is_twin(other, ask.model, asked)]
    if not found:
        tasks = ",".join(asked)
        raise UsageError(
            f"no run without pictures of the same model, tasks, protocol and split as {run.name}",
            f"tvbench run --model ... --tasks {tasks} --no-image (mini: --set mini.pictures=blank), all else the same",
        )
    return max(found, key=lambda other: other.manifest().updated)


def seeing_run(name: str, runs: Sequence[RunFolder]) -> RunFolder | None:
    """The newest of `runs` whose name begins so, that saw its pictures, and beside which there is a blind one."""
    found: list[tuple[str, RunFolder]] = []
    for run in runs:
        if run.name.startswith(name):
            try:
                blind_twin(run, runs)
                found.append((run.manifest().updated, run))
            except TvbenchError:
                continue
    return max(found, key=lambda pair: pair[0])[1] if found else None


def _is_twin(other: RunFolder, model: Any, asked: Mapping[str, AskedTask]) -> bool:
    try:
        ask = other.manifest().ask
    except TvbenchError:
        return False
    return ask.model == model and any(
        is_blind(task) and task.task in asked and _like(task) == _like(asked[task.task]) for task in ask.tasks
    )


def _like(asked: AskedTask) -> tuple[object, ...]:
    return asked.protocol, asked.split, asked.seed


def ground(
    seeing: RunFolder,
    blind: RunFolder,
    *,
    tasks: Sequence[str] = (),
    languages: Sequence[str] = (),
    by: By = "question_type",
    resamples: int,
    seed: int = 0,
) -> list[TaskGrounding]:
    """Every task that both runs have, of those named and in the languages named (none: all). Raises UsageError where
    they share no answered item, for a name that they have not, and for a run `blind` that is known to have seen its
    pictures."""
    check_blind(
        blind, [task.task for task in blind.manifest().ask.tasks], "name the run without pictures second (--no-image)"
    )
    without, sighted = scored_tasks(blind), scored_tasks(seeing)
    both = [task for task in sighted if task in without]
    check_names("task in both runs", tasks, both)
    known = {item.language for task in both for item in sighted[task].items.values()}
    codes = languages_called(languages, known, "these runs")
    found = [
        _ground_task(task, without[task], sighted[task], codes, by, resamples, seed)
        for task in both
        if not tasks or task in tasks
    ]
    if not any(task.rows for task in found):
        raise UsageError(
            f"{seeing.name} and {blind.name} have no answered item in common",
            "both must have asked the same task, split and languages",
        )
    return found


def _ground_task(
    task: str, blind: Scored, seeing: Scored, languages: Sequence[str], by: By, resamples: int, seed: int
) -> TaskGrounding:
    kinds: defaultdict[tuple[str, Metric], list[Item]] = defaultdict(list)
    chosen = [item for item in seeing.items.values() if not languages or item.language in languages]
    for item in chosen:
        if item.id in blind.items:
            for metric in headlines(item):
                kinds[item.tags.get(by) or "all", metric].append(item)
    rows = [
        made
        for (kind, metric), items in kinds.items()
        if (made := _row(kind, metric, items, blind, seeing, resamples, seed)) is not None
    ]
    answered = sum(None not in (seeing.text(item.id), blind.text(item.id)) for item in chosen)
    return TaskGrounding(task, seeing.entry.protocol, tuple(rows), len(chosen) - answered)


def _row(
    kind: str, metric: Metric, items: Sequence[Item], blind: Scored, seeing: Scored, resamples: int, seed: int
) -> GroundingRow | None:
    by_language: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        by_language[item.language].append(item)
    pairs: dict[str, Pairs] = {}
    for language, answered_items in sorted(by_language.items()):
        made = paired_items(metric, language, answered_items, blind, seeing)
        if made is not None:
            pairs[language] = made
    if not pairs:
        return None
    single = {language: compare([pair], resamples=resamples, seed=seed) for language, pair in pairs.items()}
    overall = compare(list(pairs.values()), resamples=resamples, seed=seed)
    return GroundingRow(kind, metric.id, _chance(metric, items), overall, single)


def _chance(metric: Metric, items: Sequence[Item]) -> float | None:
    """What an answer at random scores; None where nothing can be drawn at random."""
    if metric.of_corpora:
        return None
    if all(isinstance(item.target, Translation) for item in items):
        return 1 / SENSES
    sizes = [len(item.target.options) for item in items if isinstance(item.target, Choice) and item.target.options]
    return sum(1 / size for size in sizes) / len(sizes) if sizes else None
