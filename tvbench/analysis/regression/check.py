"""A run held against a baseline under a policy: what is absent, what was asked otherwise, what fell, what rose.

    check_runs(run, baseline, policy)   ──▶ Check
    check_standings(run, baseline, policy)

Items are joined one by one; an item that failed or has no answer is never a 0 and never left out in silence. Knows
standings, policies and tests (scoring/falls.py); no file, no way to show anything.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tvbench.analysis.regression.columns import ColumnAsk, Joined, blocks_of, joined
from tvbench.analysis.regression.file import BaselineFile
from tvbench.analysis.regression.policy import Policy, changed, check_names, policy_of
from tvbench.analysis.regression.sources import open_baseline, open_run
from tvbench.analysis.regression.standing import DIAGNOSES, RunStanding, TaskStanding
from tvbench.analysis.regression.verdict import MEAN, Absent, Changed, Check, Compared, Outcome, Rise
from tvbench.errors import UsageError, unknown_name
from tvbench.registry.places import default_results
from tvbench.runs.answered import languages_called
from tvbench.runs.commands import going_on, is_call
from tvbench.runs.signature import WHO_ANSWERED
from tvbench.runs.store import RunFolder, find_run
from tvbench.scoring.falls import RESAMPLES, Tested, tested

MOST_FLIPS = 20
EXTRA = "metric"
"""How a changed metric is called among the fields of signatures."""


def check_runs(
    run: RunFolder | Path | str,
    baseline: BaselineFile | RunFolder | Path | str,
    policy: Policy | None = None,
    *,
    changes: Mapping[str, Any] = MappingProxyType({}),
    tasks: Sequence[str] = (),
    languages: Sequence[str] = (),
    results: Path = Path("results"),
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Check:
    """`run` and `baseline` as a person names them; `tasks` and `languages` of the baseline, none: all. Without a policy
    the baseline's own holds, else the usual one; `changes` of its fields go before.

    Raises UsageError for what is not there, damaged, or cannot be held against each other.
    """
    if not isinstance(run, RunFolder) and not Path(run).is_file():
        run = find_run(results, str(run))
    if not isinstance(baseline, BaselineFile):
        named = str(baseline.path if isinstance(baseline, RunFolder) else baseline)
        baseline = open_baseline(named, results, run if isinstance(run, RunFolder) else None)
    if policy is None:
        policy = policy_of(baseline.policy, "the baseline's policy") if baseline.policy else Policy()
    standing, folder = open_run(run, results, baseline.standing.salt)
    chosen = chosen_of(baseline.standing, tasks, languages)
    check_names(policy, {n: t.parts for n, t in baseline.standing.tasks.items()}, _metrics(baseline.standing))
    found = check_standings(standing, chosen, changed(policy, changes), resamples=resamples, seed=seed)
    return replace(found, next=tuple(next_steps(found, folder, baseline.standing)))


def chosen_of(baseline: RunStanding, tasks: Sequence[str], languages: Sequence[str]) -> RunStanding:
    """Only these tasks and languages of a baseline. Raises UsageError for one that it has not."""
    for name in tasks:
        if name not in baseline.tasks:
            raise unknown_name("task in the baseline", name, baseline.tasks)
    known = {code for task in baseline.tasks.values() for code in task.parts}
    codes = set(languages_called(languages, known, "the baseline")) or known
    held = {
        name: replace(task, parts={code: part for code, part in task.parts.items() if code in codes})
        for name, task in baseline.tasks.items()
        if not tasks or name in tasks
    }
    return replace(baseline, tasks={name: task for name, task in held.items() if task.parts})


def _metrics(baseline: RunStanding) -> set[str]:
    return {task.measure.id for task in baseline.tasks.values()}


def check_standings(
    run: RunStanding, baseline: RunStanding, policy: Policy, *, resamples: int = RESAMPLES, seed: int = 0
) -> Check:
    """The same of what is at hand. Raises UsageError where nothing can be compared."""
    held = {name: _without(task, policy) for name, task in baseline.tasks.items() if not policy.ignores(name)}
    shared = [name for name in held if name in run.tasks]
    if not shared:
        raise UsageError(
            f"{run.run} has no task of the baseline {baseline.run}: {', '.join(held) or 'everything is ignored'}",
            f"it was asked {', '.join(run.tasks) or 'nothing'}",
        )
    _check_metrics(run, held, shared)
    sides = [joined(held[name], run.tasks[name], _marks(baseline, run), policy) for name in shared]
    same = all(side.identical for side in sides)
    asked, blocks = blocks_of(sides)
    outcomes = tested(blocks, level=policy.level, resamples=resamples, seed=seed)
    pairs = [pair for columns, found in zip(asked, outcomes, strict=True) for pair in zip(columns, found, strict=True)]
    comparisons = [_compared(one, it, policy, same=same) for one, it in pairs if not one.diagnosis]
    comparisons += [one for side in sides for one in side.plain]
    order = {name: place for place, name in enumerate(shared)}
    comparisons.sort(key=lambda one: order[one.task])
    rises = tuple(_rise(one, it) for one, it in pairs if one.diagnosis)
    absent = tuple(_absent(run, held, sides))
    otherwise = tuple(change for name in shared for change in _changed(held[name], run.tasks[name], policy))
    return Check(
        _outcome(comparisons, rises, absent, otherwise),
        run.run,
        baseline.run,
        policy.level,
        policy.strict,
        tuple(comparisons),
        rises,
        absent,
        otherwise,
        tuple(_notes(run, baseline, held, sides, policy)),
        models=(baseline.model, run.model),
        waiting=sum(side.waiting for side in sides),
    )


def _without(task: TaskStanding, policy: Policy) -> TaskStanding:
    parts = {code: part for code, part in task.parts.items() if not policy.ignores(task.task, code)}
    return replace(task, parts=parts)


def _marks(baseline: RunStanding, run: RunStanding) -> tuple[tuple[str, int, int], ...]:
    """The diagnoses that both sides have looked for, with their bits in each."""
    both = [name for name in baseline.diagnoses if name in run.diagnoses and name in DIAGNOSES]
    return tuple((name, baseline.diagnoses.index(name), run.diagnoses.index(name)) for name in both)


def _check_metrics(run: RunStanding, held: dict[str, TaskStanding], shared: Sequence[str]) -> None:
    for name in shared:
        before, now = held[name].measure, run.tasks[name].measure
        if before.id == now.id and before.definition != now.definition:
            raise UsageError(
                f"{name}: {before.id} is defined otherwise than when the baseline was written, so that its figures "
                f"cannot be held against each other ({before.definition or 'none'} → {now.definition or 'none'})",
                "write it again from its own run, which is then scored as today: `tvbench baseline write RUN FILE`",
            )


# ── Verdicts ──────────────────────────────────────────────────────────────────────────────────────


def _compared(one: ColumnAsk, it: Tested, policy: Policy, *, same: bool) -> Compared:
    outcome, why = _judged(one, it, policy, same=same)
    needed = None
    if outcome == "cannot tell" and it.needed is not None:
        needed = max(one.items + 1, math.ceil(one.items * it.needed))
    able = math.isfinite(it.low) and math.isfinite(it.high)
    return Compared(
        one.task,
        one.language,
        one.measure.id,
        outcome,
        one.before,
        one.after,
        it.change,
        one.margin,
        it.low if able else None,
        it.high if able else None,
        it.p,
        one.items,
        it.clusters,
        it.detectable,
        needed,
        one.fell,
        one.rose,
        one.flips[:MOST_FLIPS],
        why,
        one.resolution,
        it.worst,
        dict(one.measure.facts),
    )


def _judged(one: ColumnAsk, it: Tested, policy: Policy, *, same: bool) -> tuple[Outcome, str]:
    if it.fell:
        return "fail", ""
    if same:
        return "pass", "no item differs"
    if one.items < policy.min_items and one.language != MEAN:
        return "cannot tell", f"fewer items than the policy asks for ({policy.min_items})"
    if it.worst is None:
        return "cannot tell", "too few pictures"
    return ("pass", "") if it.worst <= one.resolution else ("cannot tell", "")


def _rise(one: ColumnAsk, it: Tested) -> Rise:
    outcome: Outcome = "fail" if it.fell else "pass"
    return Rise(one.task, one.language, one.diagnosis, outcome, *one.counts, p=it.p)


def _outcome(
    comparisons: Iterable[Compared], rises: Iterable[Rise], absent: Sequence[Absent], changed: Iterable[Changed]
) -> Outcome:
    outcomes = [*(one.outcome for one in comparisons), *(one.outcome for one in rises)]
    if "fail" in outcomes or absent or any(change.fatal for change in changed):
        return "fail"
    return "cannot tell" if "cannot tell" in outcomes or not outcomes else "pass"


# ── What is not there, and what was asked otherwise ───────────────────────────────────────────────


def _absent(run: RunStanding, held: dict[str, TaskStanding], sides: Sequence[Joined]) -> Iterator[Absent]:
    for name, task in held.items():
        if name not in run.tasks:
            yield Absent(name, items=sum(len(part.keys) for part in task.parts.values()))
            continue
        for code, part in task.parts.items():
            if code not in run.tasks[name].parts:
                yield Absent(name, code, len(part.keys))
    for side in sides:
        yield from (Absent(side.task, code, count) for code, count in side.absent.items())


def _changed(before: TaskStanding, now: TaskStanding, policy: Policy) -> Iterator[Changed]:
    fields = list(dict.fromkeys((*before.signature, *now.signature)))
    for name in fields:
        one, other = before.signature.get(name, ""), now.signature.get(name, "")
        if _ordered(one, name) != _ordered(other, name):
            fatal = name not in WHO_ANSWERED and name not in policy.may_differ
            yield Changed(before.task, name, one, other, fatal)
    if before.measure.id != now.measure.id:
        yield Changed(before.task, EXTRA, before.measure.id, now.measure.id, EXTRA not in policy.may_differ)


def _ordered(value: str, name: str) -> str:
    return "+".join(sorted(value.split("+"))) if name == "data" else value


# ── What a person must know, and type next ────────────────────────────────────────────────────────


def _notes(
    run: RunStanding, baseline: RunStanding, held: dict[str, TaskStanding], sides: Sequence[Joined], policy: Policy
) -> Iterator[str]:
    if more := [name for name in run.tasks if name not in baseline.tasks]:
        yield f"not in the baseline, and not checked: {', '.join(more)}"
    for name, task in held.items():
        known = set(baseline.tasks[name].parts)
        more = [code for code in run.tasks[name].parts if code not in known] if name in run.tasks else []
        if more:
            yield f"{name}: not in the baseline, and not checked: {', '.join(more)}"
        del task
    if ignored := sorted(policy.ignore):
        yield f"left out by the policy: {', '.join(ignored)}"
    if "wrong_language" not in {name for name, _, _ in _marks(baseline, run)}:
        yield "whether answers are in the wrong language was not looked at: pip install 'tvbench[langid]'"
    if baseline.version != run.version:
        yield f"the baseline is by tvbench {baseline.version}, this is {run.version}: what is seen of answers may vary"
    for side in sides:
        yield from side.notes


def next_steps(found: Check, folder: RunFolder | None, baseline: RunStanding) -> Iterator[str]:
    """Commands to type."""
    if folder is None:
        return
    run = _typed(folder)
    fell = [one.language for one in found.comparisons if one.outcome == "fail" and one.language != MEAN]
    fell += [one.language for one in found.rises if one.outcome == "fail" and one.language != MEAN]
    if fell:
        codes = ",".join(dict.fromkeys(fell))
        yield f"tvbench explain {run} --languages {codes}"
        if Path(baseline.source, "manifest.json").is_file():
            yield f"tvbench compare {_typed(RunFolder(Path(baseline.source)))} {run} --languages {codes}"
    if found.waiting:
        manifest = folder.manifest()
        asked = manifest.command or next((session.command for session in reversed(manifest.sessions or ())), ())
        command = going_on(asked)
        said = command[0] if is_call(command) else shlex.join(command)
        yield said or "the same `tvbench run` command"
    if found.outcome == "fail" and any(change.fatal for change in found.changed):
        yield f"tvbench baseline write {run} {baseline.source if Path(baseline.source).is_file() else 'FILE'}"


def _typed(folder: RunFolder) -> str:
    """A run as it can be typed here: its name where runs are kept, else its folder, quoted where a shell needs it."""
    usual = default_results() / folder.name
    return shlex.quote(folder.name if usual.resolve() == folder.path.resolve() else str(folder.path))
