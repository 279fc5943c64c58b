"""tvbench from Python: run, score, compare, check, load, explain ... The command line is a skin over this module.

    run = tvbench.run("tower-mini", "mini", languages=["de"], limit=5, results="results")
    run.results["mini-alm"].metrics["aligned"].value
    print(run.table())

Raises tvbench.errors.TvbenchError with the command line's messages, prints nothing, changes no signal handler, and may
be called from a thread or a notebook. What is heavy is imported when it is needed. Only the command line knows it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, Unpack

from tvbench.registry.places import default_results
from tvbench.runs.kinds import check_kind, check_number
from tvbench.runs.listening import Listener, Noting, PhaseWatch
from tvbench.runs.manifest import Manifest
from tvbench.runs.run_options import Keywords, Options, Tasks, listed, options_of, shows_options
from tvbench.runs.store import RunFolder, find_run
from tvbench.types import BuildOptions, ModelCard, Task, TaskResult

if TYPE_CHECKING:
    from tvbench.analysis.compare import TaskComparison
    from tvbench.analysis.cost import RunCost
    from tvbench.analysis.differences import DifferenceRow
    from tvbench.analysis.explain import TaskExplanation
    from tvbench.analysis.regression.policy import Policy
    from tvbench.analysis.regression.verdict import Check
    from tvbench.analysis.replies import RunReplies
    from tvbench.analysis.tidy import FigureRow
    from tvbench.registry.prices import Price
    from tvbench.report.board import Board
    from tvbench.report.tidy import TidyTable
    from tvbench.runs.answered import Answered
    from tvbench.runs.asking import Ready
    from tvbench.runs.estimate import Estimate
    from tvbench.runs.merge import Merged
    from tvbench.runs.session import Lend
    from tvbench.runs.shards import ShardEnd
    from tvbench.runs.shared_items import SharedItems
    from tvbench.suites.asking import PlannedSuite, SuiteOutcome
    from tvbench.suites.combining import Given

__all__ = [
    "RunComparison",
    "Listener",
    "Run",
    "check",
    "compare",
    "estimate",
    "explain",
    "leaderboard",
    "load",
    "merge",
    "run",
    "score",
    "suite",
    "write_baseline",
]


@dataclass(frozen=True)
class Run:
    """A run and its figures. `results` by task; `complete`: everything was answered, and graded where that was asked
    for; `remarks` are what a person should know, as the command line says it. `shard`: how it stands where it was asked
    by one of several jobs; figures are there when the last of them has ended."""

    path: Path
    results: Mapping[str, TaskResult]
    manifest: Manifest
    complete: bool
    remarks: tuple[str, ...] = ()
    shard: ShardEnd | None = None
    _replies: RunReplies | None = field(default=None, repr=False, compare=False)
    """What was seen of the answers while they were scored."""

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def model(self) -> str:
        """What runs and tables call the model."""
        return self.manifest.label

    @property
    def folder(self) -> RunFolder:
        """The run as it lies on disk: its items, answers and figures."""
        return RunFolder(self.path)

    def table(self) -> TidyTable[FigureRow]:
        """One row a figure: each task and metric, of the mean over languages and of each of them."""
        from tvbench.analysis.tidy import FigureRow, figure_rows
        from tvbench.report.tidy import TidyTable

        return TidyTable(
            FigureRow, (row for result in self.results.values() for row in figure_rows(result, self.name, self.model))
        )

    def cost(self) -> RunCost:
        """Tokens, seconds and dollars, by task. Raises UsageError for a damaged folder."""
        from tvbench.analysis.cost import run_cost

        return run_cost(self.folder)

    def answered(self, tasks: Sequence[str] | str = (), languages: Sequence[str] | str = ()) -> dict[str, Answered]:
        """Items with their answers, by task. Raises UsageError for a damaged folder, and for names that it has not."""
        from tvbench.runs.answered import answered

        return answered(self.folder, listed(tasks, "tasks"), listed(languages))

    def __repr__(self) -> str:
        return f"<run {self.name}: {', '.join(self.results)}{'' if self.complete else ' (incomplete)'}>"

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


@dataclass(frozen=True)
class RunComparison:
    """Two runs on the same items; `tasks` hold the differences, second less first. Where further runs were compared
    with the first, `more` holds one such comparison for each; intervals and p hold for all of them at once."""

    first: str
    second: str
    resamples: int
    seed: int
    tasks: tuple[TaskComparison, ...]
    more: tuple[RunComparison, ...] = ()

    @property
    def pairs(self) -> tuple[RunComparison, ...]:
        """All comparisons with the first run, this one first."""
        return (self, *self.more)

    def table(self) -> TidyTable[DifferenceRow]:
        """One row a difference: of the mean over languages and of each of them."""
        from tvbench.analysis.differences import DifferenceRow, difference_rows
        from tvbench.report.tidy import TidyTable

        rows = (row for pair in self.pairs for row in difference_rows(pair.tasks, pair.first, pair.second))
        return TidyTable(DifferenceRow, rows)

    def __repr__(self) -> str:
        return str(self.table())

    def _repr_html_(self) -> str:
        return self.table()._repr_html_()


RunLike: TypeAlias = Run | RunFolder | Path | str
"""A run, its folder, or its name (or the beginning of that) below the results."""

CHECK = "`tvbench check --help` explains"
COMPARE, BOARD = "`tvbench compare --help` explains", "`tvbench leaderboard --help` explains"
MOST_RESAMPLES = 1_000_000
"""More take all memory and tell nothing more."""

# ── Asking ────────────────────────────────────────────────────────────────────────────────────────


@shows_options
def run(
    model: str | Path | ModelCard,
    tasks: Tasks,
    *,
    results: Path | str | None = None,
    progress: Listener | None = None,
    **options: Unpack[Keywords],
) -> Run:
    """Ask `model` the `tasks` and score the answers. The same call, made again, asks only what is missing or failed.

    `model` is a card's name, a folder, a hub id, `openai:NAME@URL` or a ModelCard; `tasks` are names as `--tasks` takes
    them ("alm,multi30k:de"), Task objects, or a list of both; `results` is where runs are kept ($TVBENCH_RESULTS, else
    ./results). `progress` hears how it goes. The other keywords are the options of `tvbench run`, with _ for -:
    `tvbench run --help` explains each. `settings={"mini": {"level": 2}}` is `--set`, `reuse=False` is `--no-reuse`.

    Raises TvbenchError. What was answered by then is stored, after Ctrl-C too.
    """
    check_kind("model", model, str | Path | ModelCard)
    check_kind("tasks", tasks, Tasks)
    given = ", ".join(
        [
            repr(model.name if isinstance(model, ModelCard) else str(model)),
            repr(_named(tasks)),
            *(f"{name}={value!r}" for name, value in options.items()),
        ]
    )
    return ask(model, tasks, _results(results), options_of(options), progress, (f"tvbench.run({given})",))


@shows_options
def estimate(
    model: str | Path | ModelCard,
    tasks: Tasks,
    *,
    results: Path | str | None = None,
    progress: Listener | None = None,
    **options: Unpack[Keywords],
) -> Estimate:
    """What `run` would ask with the same arguments: requests, tokens, time and disk. Asks nothing: `--dry-run`."""
    from tvbench.runs.estimate import estimate as estimate_of

    folder, asked = _results(results), options_of(options)
    check_kind("progress", progress, Listener | None, "make a class of tvbench.Listener, and give one of it")
    ready = plan(model, tasks, folder, asked, progress or Listener(), dry=True)
    return estimate_of(ready.plan, folder, fresh=asked.fresh, reuse=asked.reuse)


def ask(
    model: str | Path | ModelCard,
    tasks: Tasks,
    results: Path,
    options: Options,
    progress: Listener | None = None,
    command: tuple[str, ...] = (),
) -> Run:
    """The same with the options in one object; `command` is what the manifest says was typed."""
    from tvbench.doctor.refusals import measured_refusals

    check_kind("progress", progress, Listener | None, "make a class of tvbench.Listener, and give one of it")
    listener = Noting(progress)
    with measured_refusals():
        return _ask(plan(model, tasks, results, options, listener, command=command), listener)


def plan(
    model: str | Path | ModelCard,
    tasks: Tasks,
    results: Path,
    options: Options,
    listener: Listener,
    *,
    dry: bool = False,
    command: tuple[str, ...] = (),
    asked: Sequence[tuple[Task, BuildOptions]] | None = None,
    shared: SharedItems | None = None,
) -> Ready:
    """What `ask` would ask of whom; see asking.prepare."""
    from tvbench.graders.of_run import check_graders, require_graders
    from tvbench.runs.asking import Checks, prepare

    checks = Checks(partial(check_graders, options), partial(require_graders, options))
    return prepare(
        model,
        tasks,
        results,
        options,
        say=listener.say,
        checks=checks,
        dry=dry,
        command=command,
        asked=asked,
        shared=shared,
    )


def _ask(ready: Ready, listener: Noting) -> Run:
    return _grade(_answer(ready, listener))


class _Rescore:
    """Scores a run; `replies` is what was seen of its answers the last time, for the screen at its end."""

    def __init__(self, ready: Ready) -> None:
        self._tasks = [planned.task for planned in ready.plan.tasks]
        self.replies: RunReplies | None = None

    def __call__(self, folder: RunFolder) -> list[TaskResult]:
        from tvbench.analysis.assess import assess_and_see

        results, self.replies = assess_and_see(folder, self._tasks)
        return results


@dataclass(frozen=True)
class _Asked:
    """A run that was asked, and is to be graded where that is wanted."""

    ready: Ready
    listener: Noting
    complete: bool
    results: list[TaskResult]
    rescore: _Rescore
    shard: ShardEnd | None = None


def _answer(ready: Ready, listener: Noting, lend: Lend | None = None) -> _Asked:
    from tvbench.runs.asking import answer

    rescore = _Rescore(ready)
    outcome, results = answer(ready, partial(PhaseWatch, listener, "run"), rescore, listener.say, lend)
    whole = outcome.complete if outcome.shard is None else outcome.shard.left == 0
    return _Asked(ready, listener, whole, results or [], rescore, outcome.shard)


def _known(ready: Ready, listener: Noting) -> _Asked | None:
    """A run that was answered as a whole, and scored since, is neither opened nor scored again."""
    from tvbench.suites.missing import settled_results

    if ready.options.fresh:
        return None
    tasks = ready.plan.tasks
    results = settled_results(RunFolder(ready.folder), {planned.task.name: len(planned.items) for planned in tasks})
    return None if results is None else _Asked(ready, listener, True, results, _Rescore(ready))


def _grade(asked: _Asked) -> Run:
    from tvbench.graders.of_run import grade

    options, folder, listener = asked.ready.options, RunFolder(asked.ready.folder), asked.listener
    graded, results = grade(folder, options, asked.results, listener, asked.rescore)
    sound = bool(results) and all(result.counts.all_answered for result in results)
    run = _run_of(folder, results, graded and asked.complete and sound, tuple(listener.said))
    return replace(run, shard=asked.shard, _replies=asked.rescore.replies)


# ── Suites ────────────────────────────────────────────────────────────────────────────────────────


@shows_options
def suite(
    suite: str | Path,
    *,
    models: Sequence[str] | str = (),
    tasks: Sequence[str] | str = (),
    results: Path | str | None = None,
    progress: Listener | None = None,
    **options: Unpack[Keywords],
) -> SuiteOutcome[Run]:
    """Ask every model of a suite (a YAML file, or the name of one that is known) its tasks, one run for each
    combination: `tvbench run suite.yaml`. The same call, made again, goes on where it stopped.

    `models`, `tasks` and `languages` stand in place of the suite's own, and the other options (of `tvbench.run`) go
    before its own. Everything is checked before the first question; a model that fails does not stop the others, and is
    named in the outcome's `failures`. Raises TvbenchError.
    """
    from tvbench.suites.combining import Given

    check_kind("suite", suite, str | Path)
    check_kind("progress", progress, Listener | None, "make a class of tvbench.Listener, and give one of it")
    own = {name: value for name, value in options.items() if name != "languages"}
    options_of(options)
    given = Given(listed(models, "models"), listed(tasks, "tasks"), listed(options.get("languages")), own)
    words = (repr(str(suite)), f"models={given.models!r}", *(f"{name}={value!r}" for name, value in options.items()))
    command = (f"tvbench.suite({', '.join(words)})",)
    return ask_suite(begin_suite(str(suite), given, _results(results), progress, command), progress)


def begin_suite(
    name: str,
    given: Given,
    results: Path,
    progress: Listener | None = None,
    command: tuple[str, ...] = (),
    *,
    dry: bool = False,
) -> PlannedSuite:
    """Find and plan everything that a suite asks. Asks nothing, and writes nothing. Raises UsageError."""
    from tvbench.doctor.refusals import measured_refusals
    from tvbench.runs.shared_items import SharedItems
    from tvbench.suites.asking import begin

    listener, shared = progress or Listener(), SharedItems()

    def ready(card: ModelCard, asked: Sequence[tuple[Task, BuildOptions]], options: Options) -> Ready:
        return plan(card, (), results, options, listener, dry=dry, command=command, asked=asked, shared=shared)

    with measured_refusals():
        return begin(name, given, results, ready, listener.say, command)


def ask_suite(begun: PlannedSuite, progress: Listener | None = None) -> SuiteOutcome[Run]:
    """Ask what is missing of a suite that was planned."""
    from tvbench.suites.asking import finish
    from tvbench.suites.running import SuiteSteps

    def answered(ready: Ready, lend: Lend) -> _Asked:
        listener = Noting(progress)
        return _known(ready, listener) or _answer(ready, listener, lend)

    return finish(begun, SuiteSteps(answered, _grade), Noting(progress).say)


# ── Reading ───────────────────────────────────────────────────────────────────────────────────────


def load(run: RunLike, *, results: Path | str | None = None) -> Run:
    """A run with its figures as they were last computed. Raises UsageError where there is none, or no figures yet."""
    from tvbench.errors import UsageError

    folder = _folder(run, results)
    manifest, found = folder.manifest(), folder.result()
    if found is None:
        raise UsageError(f"{folder.name} is not scored yet", f"`tvbench score {folder.path}`, or tvbench.score(...)")
    return _run_of(folder, found, _sound(found), manifest=manifest)


def score(run: RunLike, *, results: Path | str | None = None, tasks: Sequence[Task] = ()) -> Run:
    """Score the stored answers of a run again. Needs no model and no data; of tasks with metrics of their own, `tasks`
    are those that no task file has. Raises UsageError, StoreError."""
    from tvbench.analysis.assess import assess_and_see

    check_kind("tasks", tasks, Sequence[Task], "Task objects; without them, the task files are asked")
    folder = _folder(run, results)
    found, replies = assess_and_see(folder, tasks)
    return replace(_run_of(folder, found, _sound(found)), _replies=replies)


def merge(
    *runs: RunLike, into: Path | str | None = None, results: Path | str | None = None, prefer: RunLike | None = None
) -> Run:
    """Put folders of one run together, answered on several machines, or the parts of one folder, and score the whole.

    `into` is the folder that is written (of one run by default its own, of several their name below `results`); the
    others stay as they are. `prefer` says whose word holds where they contradict each other. Raises UsageError that
    names two different answers to one question, and manifests that contradict each other; StoreError.
    """
    merged = merge_folders(runs, into=into, results=results, prefer=prefer)
    return replace(score(merged.folder), remarks=(*merged.remarks, merged.said))


def merge_folders(
    runs: Sequence[RunLike],
    *,
    into: Path | str | None = None,
    results: Path | str | None = None,
    prefer: RunLike | None = None,
) -> Merged:
    """The same, without scoring anything."""
    from tvbench.errors import UsageError
    from tvbench.runs.merge import merge

    check_kind("into", into, Path | str | None)
    folders = [_folder(run, results) for run in runs]
    if not folders:
        raise UsageError("no run is named", "`tvbench merge RUN...`")
    name = folders[0].manifest().run or folders[0].name
    target = folders[0].path if len(folders) == 1 else _results(results) / name
    preferred = None if prefer is None else _folder(prefer, results)
    return merge(folders, target if into is None else Path(into), preferred)


def compare(
    first: RunLike,
    second: RunLike,
    *more: RunLike,
    results: Path | str | None = None,
    tasks: Sequence[str] | str = (),
    languages: Sequence[str] | str = (),
    metric: str | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> RunComparison:
    """Is the second run better than the first, where, and is that certain? The same of each of `more`, by items that
    all have answered, corrected for all of them together. Raises UsageError where one shares nothing with the first."""
    from tvbench.analysis.compare import Selection, compare_with_first

    check_kind("resamples", resamples, int, COMPARE)
    check_kind("seed", seed, int, COMPARE)
    check_kind("metric", metric, str | None, COMPARE)
    check_number("resamples", resamples, whole=True, least=1, most=MOST_RESAMPLES, hint=COMPARE)
    check_number("seed", seed, whole=True, least=0, hint=COMPARE)
    folder, others = _folder(first, results), [_folder(run, results) for run in (second, *more)]
    chosen = Selection(listed(tasks, "tasks"), listed(languages), metric)
    found = compare_with_first(folder, others, chosen, resamples=resamples, seed=seed)
    pairs = [
        RunComparison(folder.name, other.name, resamples, seed, tuple(tasks_of))
        for other, tasks_of in zip(others, found, strict=True)
    ]
    return replace(pairs[0], more=tuple(pairs[1:]))


def check(
    run: RunLike,
    against: RunLike,
    *,
    policy: Policy | Mapping[str, Any] | Path | str | None = None,
    margin: float | None = None,
    resolution: float | None = None,
    strict: bool | None = None,
    tasks: Sequence[str] | str = (),
    languages: Sequence[str] | str = (),
    results: Path | str | None = None,
    resamples: int = 10_000,
    seed: int = 0,
) -> Check:
    """Did `run` get worse than `against`: a run, a folder of runs, or a file by `write_baseline`?

    `policy` is a file, its mapping, or a Policy; without it that of the baseline holds. `margin`, `resolution` (points)
    and `strict` go before what it says. `found.outcome` is "pass", "fail" or "cannot tell". Raises UsageError.
    """
    from tvbench.analysis.regression.check import check_runs
    from tvbench.analysis.regression.policy import any_policy

    check_kind("resamples", resamples, int, CHECK)
    check_number("resamples", resamples, whole=True, least=1, most=MOST_RESAMPLES, hint=CHECK)
    check_kind("seed", seed, int, CHECK)
    check_number("seed", seed, whole=True, least=0, hint=CHECK)
    changes = {"margin": margin, "resolution": resolution, "strict": strict}
    return check_runs(
        run.folder if isinstance(run, Run) else run,
        against.folder if isinstance(against, Run) else against,
        any_policy(policy),
        changes={name: value for name, value in changes.items() if value is not None},
        tasks=listed(tasks, "tasks"),
        languages=listed(languages),
        results=_results(results),
        resamples=resamples,
        seed=seed,
    )


def write_baseline(
    run: RunLike,
    file: Path | str,
    *,
    policy: Policy | Mapping[str, Any] | Path | str | None = None,
    incomplete: bool = False,
    results: Path | str | None = None,
) -> Path:
    """Write a run's scores by item into one small text file that later runs are checked against. Raises UsageError for
    a run that is not whole, unless `incomplete`; StoreError."""
    from tvbench.analysis.regression.file import BaselineFile, write_file
    from tvbench.analysis.regression.policy import any_policy
    from tvbench.analysis.regression.sources import baseline_of

    check_kind("file", file, Path | str)
    rules = any_policy(policy)
    standing = baseline_of(_folder(run, results), incomplete=incomplete)
    write_file(Path(file), BaselineFile(standing, None if rules is None else rules.plain()))
    return Path(file)


def explain(
    run: RunLike,
    *,
    results: Path | str | None = None,
    tasks: Sequence[str] | str = (),
    languages: Sequence[str] | str = (),
    examples: int = 10,
) -> list[TaskExplanation]:
    """Why the scores of a run are what they are, by task and language, with examples. Raises UsageError."""
    from tvbench.analysis.diagnosis import language_id
    from tvbench.analysis.explain import explain_run

    check_kind("examples", examples, int, "`tvbench explain --help` explains")
    check_number("examples", examples, whole=True, least=0, hint="such as 10")
    return explain_run(
        _folder(run, results),
        language_id.load(),
        tasks=listed(tasks, "tasks"),
        languages=listed(languages),
        examples=examples,
    )


def leaderboard(
    results: Path | str | None = None,
    *,
    tasks: Sequence[str] | str = (),
    protocol: str | None = None,
    metric: str | None = None,
    published: bool | str = True,
    cost: bool = False,
    price: Mapping[str, str | tuple[float, float]] | str | None = None,
) -> Board:
    """Every scored run below `results`, with the figures printed in papers unless `published` is False ("run": with
    those of tasks that were run).

    With `cost`, rows say what a thousand questions cost. `price` is `"2.5,10"` (dollars for a million tokens) or
    `"2/h"` for models whose price nobody knows, or by model or run: `{"my-vlm": "2.5,10"}`.

    Damaged and unscored runs are left out, and named in its `warnings`. Raises UsageError for unknown names.
    """
    from tvbench.report.board import board

    check_kind("protocol", protocol, str | None, BOARD)
    check_kind("price", price, Mapping[str, str | tuple[float, float]] | str | None, BOARD)
    check_kind("metric", metric, str | None, BOARD)
    prices = _prices(price) if cost or price is not None else None
    return board(
        _results(results),
        tasks=listed(tasks, "tasks"),
        protocol=protocol,
        metric=metric,
        published=published,
        prices=prices,
    )


def _prices(given: Mapping[str, str | tuple[float, float]] | str | None) -> dict[str, Price]:
    from tvbench.registry.prices import price_given

    by_name = given if isinstance(given, Mapping) else {"": given}
    prices = {name: price_given(price) for name, price in by_name.items()}
    return {name: price for name, price in prices.items() if price is not None}


def _run_of(
    folder: RunFolder,
    results: Sequence[TaskResult],
    complete: bool,
    remarks: tuple[str, ...] = (),
    manifest: Manifest | None = None,
) -> Run:
    return Run(
        folder.path, {result.task: result for result in results}, manifest or folder.manifest(), complete, remarks
    )


def _sound(results: Sequence[TaskResult]) -> bool:
    """Whether nothing failed or is missing; figures that were copied from a log are as they are."""
    return bool(results) and all(result.counts.all_answered or result.copied for result in results)


def _folder(run: RunLike, results: Path | str | None) -> RunFolder:
    if isinstance(run, Run):
        return run.folder
    check_kind("run", run, RunFolder | Path | str, "a run is named by its folder, its name, or the beginning of that")
    return run if isinstance(run, RunFolder) else find_run(_results(results), run if isinstance(run, str) else str(run))


def _results(given: Path | str | None) -> Path:
    check_kind("results", given, Path | str | None)
    return default_results() if given is None else Path(given)


def _named(tasks: Tasks) -> str:
    named = [tasks] if isinstance(tasks, str | Path | Task) else tasks
    return ",".join(task.name if isinstance(task, Task) else str(task) for task in named)
