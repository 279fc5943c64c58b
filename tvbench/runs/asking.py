"""From what a person asks for to answers in a run folder: every decision of `tvbench run`, from the shell or from
Python.

`prepare` finds the model, its engine and the tasks, and says what would be asked; `answer` asks it. Both tell what a
person should know to `say`. Knows the catalog, plans and sessions; prints nothing, and scores nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

from tvbench.errors import TvbenchError, UsageError
from tvbench.registry.declared import codes_in
from tvbench.runs.kinds import check_kind
from tvbench.runs.plan import Plan, PlannedTask, engine_ask, make_ask, plan_task
from tvbench.runs.run_options import SHARED, Options, Tasks, listed
from tvbench.runs.shards import Shard, ShardEnd
from tvbench.runs.shared_items import SharedItems
from tvbench.runs.store import RunFolder, check_results, find_runs
from tvbench.runs.task_ask import ask_of
from tvbench.runs.task_settings import settings_of
from tvbench.types import BuildOptions, ModelCard, Task

if TYPE_CHECKING:
    from tvbench.engines.open import Chosen
    from tvbench.runs.replicas.placement import Placement
    from tvbench.runs.runner import Outcome, Watch
    from tvbench.runs.serving import Identified
    from tvbench.runs.session import Lend, SessionOptions

Say: TypeAlias = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ready:
    """A run that is ready to be asked: who answers by which engine, what is asked, and where it is kept."""

    plan: Plan
    chosen: Chosen
    who: Identified
    results: Path
    options: Options
    command: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        return self.results / self.plan.run_name


@dataclass(frozen=True, slots=True)
class Checks:
    """What else a run needs is looked at: `known` before anything is fetched, `installed` before the first question."""

    known: Callable[[], None] = lambda: None
    installed: Callable[[], None] = lambda: None


def prepare(
    model: str | Path | ModelCard,
    tasks: Tasks,
    results: Path,
    options: Options,
    *,
    say: Say,
    checks: Checks = Checks(),
    dry: bool = False,
    command: tuple[str, ...] = (),
    asked: Sequence[tuple[Task, BuildOptions]] | None = None,
    shared: SharedItems | None = None,
) -> Ready:
    """Find model and engine, and plan every task. `dry`: nothing will be asked, so nothing is fetched, nothing needs to
    be installed, and a server may be away. `asked` is what is asked of `tasks`, where that is known already,
    `shared` what other models are asked too. Raises UsageError, EngineError."""
    from tvbench.engines.open import choose
    from tvbench.registry.catalog import resolve_model
    from tvbench.registry.hub import pinned, pinned_if_here
    from tvbench.registry.thinking import asked_to_think
    from tvbench.runs.serving import identified, named

    check_results(results)
    check_kind("model", model, str | Path | ModelCard)
    asked = asked_tasks(tasks, options, say) if asked is None else asked
    card = named(model if isinstance(model, ModelCard) else resolve_model(str(model)), options.label, options.revision)
    card = _priced(asked_to_think(card, options.thinking, options.thinking_tokens), options)
    chosen = choose(card, options.engine, _placed(card, options, _of_the_model(card, options)))
    checks.known()
    card = pinned_if_here(chosen.card) if dry else pinned(chosen.card, offline=options.offline)
    if options.image_scale:
        from tvbench.checkpoints.image_scale import with_image_scale

        card = with_image_scale(card, options.image_scale)
    who = identified(card, (run.path for run in find_runs(results)))
    plan = make_plan(who.card, chosen.name, asked, options, here_first=dry, shared=shared)
    for planned in plan.tasks:
        for warning in planned.warnings:
            say(f"warning: {planned.task.name}: {warning}")
    decoder = _decoder(plan, options, say)
    if not dry:
        _require(chosen, card, checks, decoder, options.placement)
    elif who.problem is not None:
        say(f"warning: {who.problem.message}: taken for the model that was met there last")
    return Ready(plan, chosen, who, results, options, command)


def asked_tasks(tasks: Tasks, options: Options, say: Say) -> list[tuple[Task, BuildOptions]]:
    """What is asked of which tasks, held against what they declare; no data are read and no model is looked for.

    Raises UsageError for unknown tasks, languages, splits, protocols and settings.
    """
    return asked_of(selected(tasks, options.metric or ""), options, say)


def asked_of(
    selection: Sequence[tuple[Task, tuple[str, ...]]], options: Options, say: Say
) -> list[tuple[Task, BuildOptions]]:
    """The same of tasks that are chosen already, each with the languages that were named with it."""
    settings = settings_of(options.settings, [task.name for task, _ in selection])
    names = listed(options.languages)
    languages = _languages(names, [task for task, _ in selection])
    found: list[tuple[Task, BuildOptions]] = []
    for (task, own), called in zip(selection, languages, strict=True):
        wanted = own or called
        if names and not wanted:
            say(f"warning: {task.name} has none of {', '.join(names)}: left out")
            continue
        asked = BuildOptions(
            protocol=options.protocol or task.default_protocol,
            languages=wanted,
            limit=options.limit,
            split=options.split,
            data=None if options.data is None else Path(options.data),
            with_media=not options.no_image,
            seed=options.seed,
            offline=options.offline,
            settings=settings[task.name],
        )
        ask_of(task, asked)
        found.append((task, asked))
    return found


def _priced(card: ModelCard, options: Options) -> ModelCard:
    """The card with the price that was given. Raises UsageError for a budget that nothing could be held against."""
    from tvbench.registry.prices import GIVE, priced

    card = priced(card, options.own_price)
    if options.own_budget is not None and not card.prices:
        raise UsageError("--budget needs to know what an answer costs", GIVE)
    return card


def _decoder(plan: Plan, options: Options, say: Say) -> str | None:
    """The decoder that clips need, where it is not the default; whoever asks for one without a clip is told."""
    decoder: str | None = plan.ask.get("decoder")
    if options.other_decoder and decoder is None:
        say(f"note: --decoder {options.other_decoder} changes nothing here: no clip is asked about")
    if decoder and plan.ask["engine"].get("video") == "video_url":
        raise UsageError(
            f"--decoder {decoder}: with --send-video video_url the server decodes", "leave out one of them"
        )
    return decoder


def _placed(card: ModelCard, options: Options, given: Mapping[str, Any]) -> dict[str, Any]:
    """The engine's arguments, with what `--gpus` says to it. Raises UsageError where it cannot be placed so."""
    from tvbench.engines.open import choose_engine
    from tvbench.engines.registry import engine
    from tvbench.runs.replicas.placement import check_placement, gpu_arguments

    if not options.placement.apart and options.gpus is None:
        return dict(given)
    spec = engine(choose_engine(card, options.engine))
    check_placement(spec, card, options.placement)
    return {**given, **gpu_arguments(spec, options.gpus, given)}


def _require(chosen: Chosen, card: ModelCard, checks: Checks, decoder: str | None, placement: Placement) -> None:
    """What is not installed, and a checkpoint that no engine would load, is found before the first answer, not after
    the last. Raises UsageError."""
    from tvbench.checkpoints.before_runs import check_folder
    from tvbench.data.media.decoders import require_decoder
    from tvbench.engines.open import require_engine
    from tvbench.runs.replicas.placement import require_ray

    require_engine(chosen.name)
    if decoder:
        require_decoder(decoder)
    require_ray(placement)
    checks.installed()
    check_folder(card, trusted=bool(chosen.arguments.get("trust_remote_code")))


def _of_the_model(card: ModelCard, options: Options) -> dict[str, Any]:
    """What was given for the model's engine: of what a judge shares with it, what the engine has, or both lack."""
    from tvbench.engines.open import choose_engine
    from tvbench.engines.registry import engine
    from tvbench.registry.catalog import resolve_model

    given, judge = options.engine_arguments, options.judge
    if judge is None:
        return given
    other_card = judge if isinstance(judge, ModelCard) else resolve_model(judge)
    own, other = engine(choose_engine(card, options.engine)), engine(choose_engine(other_card))
    return {
        name: value for name, value in given.items() if name not in SHARED or own.option(name) or not other.option(name)
    }


def make_plan(
    card: ModelCard,
    engine: str,
    asked: Sequence[tuple[Task, BuildOptions]],
    options: Options,
    *,
    here_first: bool = False,
    shared: SharedItems | None = None,
) -> Plan:
    """Build every task. `here_first`: it is only an estimate, so that the hub is asked only for data that are not here,
    and a shard plans its own share. Raises UsageError for unusable data."""
    shared = shared or SharedItems()
    planned = [_planned(task, how, card, options, shared, here_first=here_first) for task, how in asked]
    plan = Plan(card, tuple(planned), make_ask(card, planned, options.sampling, engine_ask(card, engine)))
    return plan.share(options.own_shard.owns) if here_first and options.own_shard else plan


def _planned(
    task: Task, asked: BuildOptions, card: ModelCard, options: Options, shared: SharedItems, *, here_first: bool
) -> PlannedTask:
    by = options.other_decoder
    if here_first and not asked.offline:
        with suppress(TvbenchError):  # not here, or not whole; whatever else is wrong is said again below
            return plan_task(task, replace(asked, offline=True), card, options.sampling, options.bos, shared, by)
    return plan_task(task, asked, card, options.sampling, options.bos, shared, by)


def answer(
    ready: Ready,
    watch: Callable[[Callable[[], str]], AbstractContextManager[Watch]],
    score: Callable[[RunFolder], T],
    say: Say,
    lend: Lend | None = None,
) -> tuple[Outcome, T | None]:
    """Ask what is missing, and `score` what is there, whatever ends the asking; of several shards only the last, which
    finds everything answered. `watch` is made when it begins, and is told by whom the rest was
    answered before; `lend` gives an engine that serves other runs too. See RunSession.answer for what is raised."""
    from tvbench.runs.aside import set_aside
    from tvbench.runs.manifest import now
    from tvbench.runs.serving import refuse_another
    from tvbench.runs.session import RunSession

    plan, options, who = ready.plan, ready.options, ready.who
    folder = RunFolder(ready.folder)
    answered = folder.index().without_failures
    begun = bool(answered)
    if options.fresh or _wanted(ready, answered):
        who.require()
    del answered  # of very many, nothing is held twice while they are asked
    if not (begun or options.fresh or options.label or options.revision):
        refuse_another(who, plan.ask, (run.path for run in find_runs(ready.results)))
    if options.fresh and (place := set_aside(ready.folder, now())):
        say(f"the earlier run lies in {place} now; without --fresh, this command goes on with the new one")
    with RunSession(ready.folder, plan, ready.chosen.name, session_options(ready), say) as session:
        try:
            with watch(session.answered_before) as watching:
                outcome = session.answer(watching, lend)
        finally:
            end = shard_end(folder, plan, options.own_shard)
            plan.let_go()
            scored = score(folder) if end is None or end.left == end.failed else None
    return replace(outcome, shard=end), scored


def _wanted(ready: Ready, answered: Collection[str]) -> bool:
    """Whether there is something to ask, of its own questions where it is a shard."""
    shard = ready.options.own_shard
    return any(shard is None or shard.owns(key) for key in ready.plan.questions.missing(answered))


def shard_end(folder: RunFolder, plan: Plan, shard: Shard | None) -> ShardEnd | None:
    """How the whole run stands when a shard has ended, whatever the others do; None for who asks it alone."""
    if shard is None:
        return None
    index = folder.index()
    open_keys = [key for key in plan.questions if not index.answered(key)]
    own = sum(map(shard.owns, plan.questions))
    missing = sum(map(shard.owns, open_keys))
    return ShardEnd(str(shard), own, missing, len(open_keys), sum(map(index.failed, open_keys)))


def session_options(ready: Ready) -> SessionOptions:
    """The engine's and the session's options as they were given."""
    from tvbench.engines.open import EngineOptions
    from tvbench.runs.session import SessionOptions

    options = ready.options
    made = SessionOptions(
        EngineOptions(ready.chosen.arguments, options.offline),
        options.max_failures,
        options.video_timeout,
        reuse=options.reuse and not options.fresh,
        same_model=options.same_model,
        budget=options.own_budget,
        facts=ready.who.facts,
        shard=options.own_shard,
        placement=options.placement,
    )
    return replace(made, command=ready.command) if ready.command else made


# ── What a person writes ──────────────────────────────────────────────────────────────────────────


def selected(tasks: Tasks, metric: str = "") -> list[tuple[Task, tuple[str, ...]]]:
    """Each task with the languages that were named with it: texts as `--tasks` takes them, and tasks themselves.
    `metric` is the one by which data of one's own are ranked.

    Raises UsageError for unknown ones, and for two tasks of one name."""
    from tvbench.registry.selection import select

    found: dict[str, tuple[Task, tuple[str, ...]]] = {}
    check_kind("tasks", tasks, Tasks)
    for given in [tasks] if isinstance(tasks, str | Path | Task) else list(tasks) or [""]:
        some = [(_sound(given), ())] if isinstance(given, Task) else select(_typed(given), metric)
        for task, codes in some:
            if task.name in found and found[task.name][0] is not task:
                raise UsageError(f"two tasks are called {task.name}", "give one of them another name")
            before = found.get(task.name, (task, codes))[1]
            found[task.name] = task, tuple(dict.fromkeys((*before, *codes))) if before and codes else ()
    return list(found.values())


def _typed(given: str | Path) -> str:
    """What somebody would type for it: the name of a folder is no task's."""
    return str(given) if isinstance(given, str) or given.is_absolute() else f"./{given}"


def _sound(task: Task) -> Task:
    """A task that came from Python, as a file's are looked at. Raises UsageError."""
    from tvbench.registry.task_files import tasks_in

    try:
        (found,) = tasks_in(task)
    except ValueError as error:
        raise UsageError(f"the task cannot be used: {error}") from error
    return found


def _languages(given: Sequence[str], tasks: Sequence[Task]) -> list[tuple[str, ...]]:
    """The codes of `--languages` by which each task knows them; one that no task has is an error, not silence."""
    found: list[dict[str, None]] = [{} for _ in tasks]
    for name in given:
        refusals = []
        for task, codes in zip(tasks, found, strict=True):
            try:
                codes.update(dict.fromkeys(codes_in(task, name)))
            except UsageError as error:
                refusals.append(error)
        if tasks and len(refusals) == len(tasks):
            raise refusals[0] if len(tasks) == 1 else _nowhere(name, tasks)
    return [tuple(codes) for codes in found]


def _nowhere(name: str, tasks: Sequence[Task]) -> UsageError:
    from tvbench.languages import lacking, of_country

    known = {code for task in tasks for code in task.languages}
    shown = f"for the tasks {', '.join(task.name for task in tasks)}"
    return lacking("language", name, known, of_country(name) or shown)
