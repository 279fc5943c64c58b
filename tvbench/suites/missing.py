"""What of a run, or of a suite, is done, failed and missing, by task and language; who has still to grade; and whether
somebody is at it. Reads plain files while another process writes them, takes no lock, and knows no task and no model.

Of a run that is being written, and is too large to be read every few seconds, the heartbeats of its writers tell.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from tvbench import __version__
from tvbench.errors import TvbenchError
from tvbench.runs.answer_index import AnswerIndex
from tvbench.runs.commands import going_on
from tvbench.runs.lines import read_lines
from tvbench.runs.manifest import Manifest
from tvbench.runs.pulses import counted_lines, counts_of, covering, read_pulses
from tvbench.runs.run_facts import facts_of, index_of
from tvbench.runs.run_index import RunIndex
from tvbench.runs.store import LOCK, MANIFEST, REQUESTS, RESULT, RunFolder
from tvbench.runs.waves import Waves
from tvbench.scoring.sides import REASONS
from tvbench.suites.record import RecordedRun, SuiteRecord
from tvbench.suites.states import LanguageState, RunState, SuiteState, TaskState
from tvbench.types import NEEDS_JUDGE, TaskResult

FOR_A_JUDGE = frozenset({NEEDS_JUDGE, *REASONS.values()})
"""Why an answer is unscored that only a judge can grade."""
READ_AT_ONCE = 8 << 20
"""Bytes of answers and questions up to which a run is read though somebody writes it."""


def suite_state(results: Path, record: SuiteRecord) -> SuiteState:
    """How the runs of a suite stand. A run of which nothing lies there yet is missing as a whole."""
    runs = tuple(_of_record(results, run) for run in record.runs)
    return SuiteState(record.suite, runs, record.updated, record.file if record.outdated else "")


def _of_record(results: Path, of: RecordedRun) -> RunState:
    """A run as the suite means it; what its folder holds counts, if it was begun."""
    command, run = going_on(of.command), RunFolder(results / of.run)
    if of.run and (run.exists() or run.response_files()):
        found = run_state(run, judge=of.judge, comet=of.comet)
        if found.tasks:
            return replace(found, model=of.model, variation=of.variation, command=command)
    tasks = tuple(
        TaskState(task.task, task.protocol, {code: LanguageState(n) for code, n in task.languages.items()})
        for task in of.tasks
    )
    return RunState(of.run, of.model, tasks, of.variation, begun=False, problem=of.problem, command=command)


def run_states(results: Path, without: Container[str] = ()) -> list[RunState]:
    """How every run of a folder stands, but for those named in `without`."""
    index, held = index_of(results), locks()
    states = [_known_state(run, index, held) or run_state(run) for run in index.runs if run.name not in without]
    index.keep()
    return states


def _known_state(run: RunFolder, index: RunIndex, held: Mapping[str, int]) -> RunState | None:
    """How a run stands whose figures are younger than its answers, by what the index keeps of it; None of another."""
    if not index.used:
        return None
    try:
        facts = facts_of(run, index)
    except (TvbenchError, LookupError, TypeError, ValueError, AttributeError):
        return None
    if facts.results is None or not _is_settled(run, facts.results):
        return None
    state = _begun(run, facts.model, facts.command, held)
    wanted = _typed("judge", facts.command), _typed("comet", facts.command)
    if (state.process is not None or state.asking) and not _is_small(run):
        return None
    return replace(state, tasks=tuple(_from_result(result, wanted) for result in facts.results))


def run_state(run: RunFolder, *, judge: bool | None = None, comet: bool | None = None) -> RunState:
    """How one run stands. `judge` and `comet`: whether these were asked for; None: as its command says."""
    try:
        manifest = run.manifest()
    except TvbenchError as error:
        return RunState(run.name, run.name, problem=error.message)
    wanted = (
        _typed("judge", manifest.command) if judge is None else judge,
        _typed("comet", manifest.command) if comet is None else comet,
    )
    state = _begun(run, manifest.label, manifest.command)
    if (state.process is not None or state.asking) and not _is_small(run):
        return _told(run, manifest, state)
    results = _results(run)
    if _is_settled(run, results):
        return replace(state, tasks=tuple(_from_result(result, wanted) for result in results or ()))
    try:
        index = run.index()
        state = replace(state, tasks=tuple(_from_lines(run, index, manifest, results or [], wanted)))
        out = Waves(run.path).state(index.without_failures)
        return replace(state, out=len(out.out), waves=out.said) if out.out else state
    except (TvbenchError, OSError) as error:
        return replace(state, problem=str(error))


def _begun(run: RunFolder, model: str, command: Sequence[str], held: Mapping[str, int] | None = None) -> RunState:
    """Who it is, what goes on with it, and who is at it."""
    pulses = tuple(read_pulses(run.path))
    return RunState(run.name, model, process=writer(run, held), command=going_on(command), pulses=pulses)


def _typed(name: str, command: Sequence[str]) -> bool:
    """Whether the command asked for a judge, or for COMET: from a shell, or from Python."""
    return any(word.startswith(f"--{name}") or f", {name}=" in word for word in command)


def settled_results(run: RunFolder, asked: Mapping[str, int]) -> list[TaskResult] | None:
    """The figures of a run that has an answer to everything that is `asked` (items by task), as this tvbench computed
    them after the last answer; None where something is to be asked, or to be scored again."""
    try:
        results = run.result()
        if not _is_settled(run, results) or run.manifest().packages.get("tvbench") != __version__:
            return None
    except TvbenchError:
        return None
    return results if {result.task: result.counts.expected for result in results or ()} == asked else None


def _results(run: RunFolder) -> list[TaskResult] | None:
    try:
        return run.result()
    except TvbenchError:
        return None


def _is_settled(run: RunFolder, results: Sequence[TaskResult] | None) -> bool:
    """Whether the figures are younger than the answers, and all of them are there: nothing else need be read."""
    if not results or not all(result.counts.all_answered or result.copied for result in results):
        return False
    try:
        scored = (run.path / RESULT).stat().st_mtime_ns
        return all(
            path.stat().st_mtime_ns <= scored
            for path in (*run.response_files(), run.path / MANIFEST, run.path / REQUESTS)
            if path.exists()
        )
    except OSError:
        return False


def _is_small(run: RunFolder) -> bool:
    """Whether everything can be read in a moment."""
    with suppress(OSError):
        return sum(path.stat().st_size for path in (*run.response_files(), run.path / REQUESTS)) <= READ_AT_ONCE
    return True


def _told(run: RunFolder, manifest: Manifest, state: RunState) -> RunState:
    """A large run that is being written: as its writers' heartbeats tell; or, where these do not speak of everything,
    by the lines of its files."""
    told = covering(state.pulses)
    if told is None:
        asked = sum(entry.items or 0 for entry in manifest.tasks)
        answers, failures = counted_lines(run.response_files())
        done = min(answers, asked)
        about = LanguageState(asked, done, min(failures, asked - done))
        return replace(state, about=about, tasks=tuple(TaskState(one.task, one.protocol) for one in manifest.tasks))
    counts = counts_of(told)
    tasks = [
        TaskState(
            entry.task,
            entry.protocol,
            {code: LanguageState(*some) for code, some in counts.get(entry.task, {}).items()},
        )
        for entry in manifest.tasks
    ]
    return replace(state, tasks=tuple(tasks))


def _from_result(result: TaskResult, wanted: tuple[bool, bool]) -> TaskState:
    """A complete task, from its figures."""
    parts = {code: part.counts for code, part in result.breakdowns.get("language", {}).items()}
    languages = {code: LanguageState(c.answered + c.failed, c.answered, c.failed) for code, c in parts.items()}
    if not languages:
        languages = {"": LanguageState(result.counts.expected, result.counts.answered, result.counts.failed)}
    return _waiting(TaskState(result.task, result.protocol, languages), result, result.counts.answered, wanted)


def _from_lines(
    run: RunFolder, index: AnswerIndex, manifest: Manifest, results: Iterable[TaskResult], wanted: tuple[bool, bool]
) -> Iterator[TaskState]:
    """Tasks, counted from the items and the answers as they lie there."""
    asked: dict[str, Counter[str]] = {}
    done: dict[str, Counter[str]] = {}
    bad: dict[str, Counter[str]] = {}
    kinds: dict[str, Counter[str]] = {}
    for _, line in read_lines(run.path / REQUESTS, [], appended=False):
        with suppress(KeyError, TypeError, AttributeError):
            item = line["item"]
            task, language, kind = str(item["task"]), str(item["language"]), str(item["target"]["kind"])
            asked.setdefault(task, Counter())[language] += 1
            if (key := line["key"]) in index:
                failed = index.failed(key)
                (bad if failed else done).setdefault(task, Counter())[language] += 1
                kinds.setdefault(task, Counter())[kind] += not failed
    by_task = {result.task: result for result in results}
    for entry in manifest.tasks:
        name = entry.task
        counts = asked.get(name, Counter())
        ok, no = done.get(name, Counter()), bad.get(name, Counter())
        languages = {code: LanguageState(count, ok[code], no[code]) for code, count in counts.items()}
        lost = (entry.items or 0) - counts.total()
        if lost > 0:
            languages["?"] = LanguageState(lost)
        state = TaskState(name, entry.protocol, languages)
        yield _waiting(state, by_task.get(name), kinds.get(name, Counter())["translation"], wanted, kinds.get(name))


def _waiting(
    state: TaskState,
    result: TaskResult | None,
    answered: int,
    wanted: tuple[bool, bool],
    kinds: Counter[str] | None = None,
) -> TaskState:
    """The same with the answers that wait for a judge or for COMET."""
    pooled = result.micro if result is not None else {}
    if kinds is not None:
        waiting = max(0, kinds["open"] - (pooled["judge"].n if "judge" in pooled else 0))
    else:
        reasons = result.counts.reasons if result is not None else {}
        waiting = sum(count for reason, count in reasons.items() if reason in FOR_A_JUDGE)
    comet = [figure.n for name, figure in pooled.items() if "comet" in name]
    translations = answered if wanted[1] and _translates(result, kinds) else 0
    for_comet = max(0, translations - max(comet, default=0))
    return replace(state, for_judge=waiting if wanted[0] else 0, for_comet=for_comet, open=0 if wanted[0] else waiting)


def _translates(result: TaskResult | None, kinds: Counter[str] | None) -> bool:
    if kinds is not None:
        return kinds["translation"] > 0
    return result is not None and any(name in ("bleu", "chrf", "chrfpp") for name in result.metrics)


# ── Who is at it ──────────────────────────────────────────────────────────────────────────────────


def writer(run: RunFolder, held: Mapping[str, int] | None = None) -> int | None:
    """The process that holds the run's lock, as far as the system tells; the lock itself is not touched. `held` are the
    locks of the whole system, where somebody looks at many runs."""
    try:
        about = (run.path / LOCK).stat()
    except OSError:
        return None
    device = f"{os.major(about.st_dev):02x}:{os.minor(about.st_dev):02x}:{about.st_ino}"
    return (locks() if held is None else held).get(device)


def locks() -> dict[str, int]:
    """The processes that hold locks, by device and inode; none where the system does not tell."""
    found: dict[str, int] = {}
    with suppress(OSError, ValueError):
        for line in Path("/proc/locks").read_text(encoding="utf-8").splitlines():
            words = line.split()
            if len(words) > 5 and words[1] == "FLOCK":
                found.setdefault(words[5], int(words[4]))
    return found
