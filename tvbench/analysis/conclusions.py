"""What a run comes to, over all its tasks: what `explain` says first.

Puts together what is told of each task (explain.py), of parallel questions and of what is broken. Knows runs; no table.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tvbench.analysis.assess import scored_tasks
from tvbench.analysis.damage import Breakage, damage
from tvbench.analysis.diagnosed import Diagnosed, diagnosed
from tvbench.analysis.diagnosis.language_id import Identifiers
from tvbench.analysis.explain import TaskExplanation, explain_tasks
from tvbench.analysis.grounding import blind_twin, check_blind, saw_pictures
from tvbench.analysis.marks import MarkedLanguage, marked
from tvbench.analysis.parallel import Parallel, parallel
from tvbench.errors import TvbenchError, UsageError
from tvbench.runs.answered import answered
from tvbench.runs.store import RunFolder


@dataclass(frozen=True, slots=True)
class Explanation:
    """One run. `parallel` by task, where questions are in several languages; `blind` is the run without pictures that
    it was held against, "" where there is none."""

    run: str
    tasks: tuple[TaskExplanation, ...]
    damage: Breakage
    parallel: Mapping[str, Parallel]
    blind: str = ""


def conclude(
    run: RunFolder,
    identifiers: Identifiers | None,
    *,
    tasks: Sequence[str] = (),
    languages: Sequence[str] = (),
    examples: int = 10,
    blind: RunFolder | None = None,
    listed: Sequence[str] = (),
) -> Explanation:
    """`listed` are the languages that the model's card lists (none: not known): others were never learned, and are not
    called lost. Raises UsageError for a damaged folder, and for a task or language that the run has not."""
    asked = answered(run, tasks, languages)
    codes = {item.language for task in asked.values() for item in task.items.values()} if languages else set()
    whole = [diagnosed(task, identifiers) for task in scored_tasks(run, tasks).values()]
    twins = {} if blind is None else _blind_tasks(blind)
    found = [_only(task, codes) for task in whole if task.name in asked]
    made = {task.name: parallel(task, twins.get(task.name)) for task in whole if task.name in asked}
    return Explanation(
        run.name,
        tuple(explain_tasks(found, identifiers, examples)),
        _damage_in(damage(_listed(marked(whole), listed)), codes),
        {name: _gaps_in(one, codes) for name, one in made.items() if one is not None},
        "" if blind is None else blind.name,
    )


def _blind_tasks(run: RunFolder) -> dict[str, Diagnosed]:
    """The tasks that the run was asked without pictures."""
    saw = saw_pictures(run)
    return {name: diagnosed(task) for name, task in scored_tasks(run).items() if name not in saw}


def check_without(run: RunFolder, blind: RunFolder, tasks: Sequence[str] = ()) -> None:
    """Raises UsageError for a run that cannot say what the pictures of `run` add: it saw them too, or was asked other
    tasks."""
    shared = [name for name in run.manifest().entries if name in blind.manifest().entries and name in (tasks or [name])]
    hint = (
        "--without-image RUN names a run without pictures: tvbench run ... --no-image (mini: --set mini.pictures=blank)"
    )
    if not shared:
        raise UsageError(f"{run.name} and {blind.name} have no task in common", hint)
    check_blind(blind, shared, hint)


def _listed(languages: Mapping[str, MarkedLanguage], listed: Sequence[str]) -> dict[str, MarkedLanguage]:
    known = {code.partition("-")[0] for code in listed}
    return {code: part for code, part in languages.items() if not known or code.partition("-")[0] in known}


def _only(task: Diagnosed, languages: Collection[str]) -> Diagnosed:
    """The task in these languages; what is said of a language next to others is not."""
    if not languages:
        return task
    items = {code: part for code, part in task.items.items() if code in languages}
    answers = {code: part for code, part in task.answers.items() if code in languages}
    return Diagnosed(task.task, task.counted, items, answers)


def _damage_in(found: Breakage, languages: Collection[str]) -> Breakage:
    if not languages:
        return found
    losses = tuple(loss for loss in found.losses if any(one.language in languages for one in loss.languages))
    return replace(found, losses=losses, words=tuple(word for word in found.words if word.language in languages))


def _gaps_in(found: Parallel, languages: Collection[str]) -> Parallel:
    if not languages:
        return found
    gaps, pictures = (tuple(gap for gap in side if gap.language in languages) for side in (found.gaps, found.pictures))
    return replace(found, gaps=gaps, pictures=pictures)


def blind_of(run: RunFolder, runs: Sequence[RunFolder]) -> RunFolder | None:
    """The run without pictures of the same model and tasks, where one of `runs` is it and can be read."""
    try:
        twin = blind_twin(run, runs)
        answered(twin)
    except TvbenchError:
        return None
    return twin
