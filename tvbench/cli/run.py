"""`tvbench run`: from a model and tasks to answers, scores and a table.

The same command, given again, continues where it stopped.
"""

from __future__ import annotations

import argparse
import signal
from collections.abc import Mapping
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from tvbench.cli import judge
from tvbench.cli.arguments import (
    add_format,
    add_image_scale,
    add_naming,
    add_results,
    check_results,
    names,
    not_negative,
    positive,
    seconds,
    settings_of,
    temperature,
    top_p,
)
from tvbench.cli.checkpoints import check_folder, measured_refusals
from tvbench.cli.engine_arguments import add_engine, given_arguments
from tvbench.cli.output import print_json, remark
from tvbench.cli.progress import Progressing
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, unknown_name
from tvbench.runs.plan import Overrides, Plan, PlannedTask, engine_ask, make_ask, plan_task
from tvbench.types import BuildOptions, ModelCard, TaskResult

if TYPE_CHECKING:
    from tvbench.engines.open import Chosen
    from tvbench.runs.serving import Identified
    from tvbench.runs.session import SessionOptions
    from tvbench.runs.store import RunFolder

NOT_THE_JUDGES: Mapping[str, Any] = {
    "engine": None,
    "engine_arg": [],
    "dtype": None,
    "batch_size": None,
    "max_model_len": None,
    "send_video": None,
    "trust_remote_code": None,
    "shared": True,
}
"""What `run` is told of the model's engine, taken away for its judge."""
EXAMPLES = """examples:
  tvbench run --model tower-mini --tasks mini
  tvbench run --model towervision-9b --tasks alm,multi30k:de --protocol paper
  tvbench run --model openai:NAME@http://127.0.0.1:8000 --tasks multi30k:de --no-image --limit 50
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("--model", required=True, help="a card's name, a folder, a hub id, or openai:NAME@URL")
    add_naming(parser)
    parser.add_argument("--tasks", required=True, help="such as alm,multi30k:de+fr,mini (`tvbench tasks` lists them)")
    _add_asked(parser.add_argument_group("what is asked"))
    _add_answering(parser.add_argument_group("how it is answered"))
    _add_before(parser.add_argument_group("what was answered before"))
    judge.add_judging(parser)
    parser.add_argument(
        "--comet",
        metavar="NAME|PATH",
        help="score translations by this COMET checkpoint too, such as xcomet-xl (see `tvbench comet --help`)",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be asked, and stop")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_results(parser)
    add_format(parser)


def _add_asked(what: argparse._ArgumentGroup) -> None:
    what.add_argument("--languages", metavar="CODES", help="only these languages, such as de,fr")
    what.add_argument("--limit", type=positive, metavar="N", help="only the first N items of each language")
    what.add_argument("--split", help="another split than the task's own")
    what.add_argument("--protocol", help="tvbench (default), paper or official: see `tvbench tasks show TASK`")
    what.add_argument("--data", type=Path, metavar="DIR", help="a local copy of the data, in the hub's layout")
    what.add_argument("--no-image", action="store_true", help="leave pictures and clips out (text-only ablation)")
    what.add_argument("--set", action="append", default=[], metavar="TASK.KEY=VALUE", help="a setting of one task")
    what.add_argument("--seed", type=not_negative, default=0, help="for option shuffling and generated data")
    what.add_argument(
        "--bos",
        choices=("one", "two"),
        help="how a prompt begins where template and tokenizer each add "
        "<bos>: two is what lmms-eval's llava_hf does (default: two in protocol paper, else one)",
    )


def _add_answering(how: argparse._ArgumentGroup) -> None:
    add_engine(how)
    how.add_argument("--max-new-tokens", type=positive, metavar="N")
    how.add_argument("--temperature", type=temperature, metavar="T")
    how.add_argument("--top-p", type=top_p, metavar="P")
    how.add_argument("--top-k", type=not_negative, metavar="K")
    how.add_argument("--sampling-seed", type=not_negative, metavar="SEED")
    how.add_argument("--repeats", type=positive, default=1, metavar="N", help="ask each item N times")
    how.add_argument("--video-timeout", type=seconds, default=60.0, metavar="SECONDS", help="for decoding one clip")
    add_image_scale(how)
    how.add_argument("--offline", action="store_true", help="never ask the hub (see `tvbench fetch`)")
    how.add_argument("--max-failures", type=not_negative, metavar="N", help="stop when more than N items failed")


def _add_before(before: argparse._ArgumentGroup) -> None:
    before.add_argument(
        "--fresh",
        action="store_true",
        help="start over, and ask everything; the earlier run is moved to aside/ below the results",
    )
    before.add_argument("--no-reuse", action="store_true", help="ask also what other runs of this model have answered")
    before.add_argument(
        "--same-model",
        action="store_true",
        help="go on without asking some stored questions again to see that the model is the same",
    )


def main(args: argparse.Namespace) -> int:
    from tvbench.engines.open import choose
    from tvbench.registry.catalog import resolve_model
    from tvbench.registry.hub import pinned, pinned_if_here
    from tvbench.runs.serving import identified, named
    from tvbench.runs.store import find_runs

    check_results(args.results)
    check_asked(args)
    given = given_arguments(args)
    card = named(resolve_model(args.model), args.label, args.revision)
    chosen = choose(card, args.engine, _of_the_model(args, card, given))
    _check_scorers(args)
    card = pinned_if_here(chosen.card) if args.dry_run else pinned(chosen.card, offline=args.offline)
    if args.image_scale:
        from tvbench.checkpoints.image_scale import with_image_scale

        card = with_image_scale(card, args.image_scale)
    who = identified(card, (run.path for run in find_runs(args.results)))
    plan = make_plan(args, who.card, chosen.name)
    for planned in plan.tasks:
        for warning in planned.warnings:
            remark(f"warning: {planned.task.name}: {warning}")
    if args.dry_run:
        from tvbench.report.estimate import print_estimate

        if who.problem is not None:
            remark(f"warning: {who.problem.message}: taken for the model that was met there last")
        return print_estimate(
            plan, args.results, as_json=args.format == "json", fresh=args.fresh, reuse=not args.no_reuse
        )
    _require(args, chosen)
    check_folder(card, trusted=bool(chosen.arguments.get("trust_remote_code")))
    with measured_refusals():
        return _run(args, plan, chosen, who)


def check_asked(args: argparse.Namespace) -> None:
    """Tasks, languages, protocol and settings, before a model is looked for. Raises UsageError."""
    from tvbench.registry import catalog

    selection = [name for name, _ in catalog.parse_selection(args.tasks)]
    settings_of(args.set, selection)
    _languages(args.languages, selection)
    for task in map(catalog.task, selection):
        if args.protocol is not None and args.protocol not in task.protocols:
            raise unknown_name("protocol", args.protocol, task.protocols, f"`tvbench tasks show {task.name}` explains")


def make_plan(args: argparse.Namespace, card: ModelCard, engine: str) -> Plan:
    """Build every selected task. Raises UsageError for unknown tasks, languages, protocols or unusable data."""
    from tvbench.registry import catalog

    selection = catalog.parse_selection(args.tasks)
    settings = settings_of(args.set, [name for name, _ in selection])
    overrides = Overrides(
        args.max_new_tokens, args.temperature, args.top_p, args.top_k, args.sampling_seed, args.repeats
    )
    languages = _languages(args.languages, [name for name, _ in selection])
    planned: list[PlannedTask] = []
    for name, own in selection:
        task = catalog.task(name)
        wanted = own or tuple(code for code in languages if not task.languages or code in task.languages)
        if languages and not wanted:
            remark(f"warning: {name} has none of {', '.join(languages)}: left out")
            continue
        options = BuildOptions(
            protocol=args.protocol or task.default_protocol,
            languages=wanted,
            limit=args.limit,
            split=args.split,
            data=args.data,
            with_media=not args.no_image,
            seed=args.seed,
            offline=args.offline,
            settings=settings[name],
        )
        planned.append(plan_task(task, options, card, overrides, args.bos))
    return Plan(card, tuple(planned), make_ask(card, planned, overrides, engine_ask(card, engine)))


def _run(args: argparse.Namespace, plan: Plan, chosen: Chosen, who: Identified) -> int:
    from tvbench.analysis.assess import assess
    from tvbench.runs.aside import set_aside
    from tvbench.runs.manifest import now
    from tvbench.runs.serving import refuse_another
    from tvbench.runs.session import RunSession
    from tvbench.runs.store import RunFolder, find_runs

    signal.signal(signal.SIGTERM, _stop_cleanly)
    folder = args.results / plan.run_name
    answered = RunFolder(folder).answered_keys()
    if args.fresh or plan.requests(without=answered):
        who.require()
    if not (answered or args.fresh or args.label or args.revision):
        refuse_another(who, plan.ask, (run.path for run in find_runs(args.results)))
    if args.fresh and (place := set_aside(folder, now())):
        remark(f"the earlier run lies in {place} now; without --fresh, this command goes on with the new one")
    with (
        Progressing(quiet=args.quiet) as watch,
        RunSession(folder, plan, chosen.name, session_options(args, chosen.arguments, who.facts), remark) as session,
    ):
        watch.answered_before = session.answered_before
        try:
            outcome = session.answer(watch)
        finally:
            results = assess(RunFolder(folder), [planned.task for planned in plan.tasks])
    graded = True
    if args.judge is not None:
        graded, results = _judge(args, RunFolder(folder), results)
    if args.comet is not None:
        scored, results = _comet(args, RunFolder(folder), results)
        graded = graded and scored
    sound = bool(results) and all(result.counts.all_answered for result in results)
    complete = graded and outcome.complete and sound
    _report(args, folder, results, watch, complete, plan.card.revision)
    return EXIT_GOOD if complete else EXIT_INCOMPLETE


def _check_scorers(args: argparse.Namespace) -> None:
    """A judge or a rubric that is not known is found before anything is read. Raises UsageError."""
    from tvbench.graders.judge.rubric import choose_rubric
    from tvbench.registry.catalog import resolve_model

    if args.judge is not None:
        card = resolve_model(args.judge)
        judge.chosen_judge(card, _of_the_judge(args))
        judge.judge_options(args, card)
        choose_rubric(args.rubric, "", "")


def _require(args: argparse.Namespace, chosen: Chosen) -> None:
    """An engine, a judge's engine or a COMET that is not installed is found before the first answer, not after the
    last. Raises UsageError."""
    from tvbench.engines.open import require_engine
    from tvbench.registry.catalog import resolve_model

    require_engine(chosen.name)
    if args.judge is not None:
        require_engine(judge.chosen_judge(resolve_model(args.judge), _of_the_judge(args)).name)
    if args.comet is not None:
        from tvbench.registry.environments import comet_python

        comet_python()


def _of_the_model(args: argparse.Namespace, card: ModelCard, given: Mapping[str, Any]) -> dict[str, Any]:
    """What of `given` is for the model's engine: of what a judge shares with it, what the engine has, or both lack."""
    from tvbench.engines.open import choose_engine
    from tvbench.engines.registry import engine
    from tvbench.registry.catalog import resolve_model

    if args.judge is None:
        return dict(given)
    own, other = (
        engine(choose_engine(one, asked)) for one, asked in ((card, args.engine), (resolve_model(args.judge), None))
    )
    return {
        name: value
        for name, value in given.items()
        if name not in judge.SHARED or own.option(name) or not other.option(name)
    }


def _of_the_judge(args: argparse.Namespace) -> argparse.Namespace:
    """The engine's settings are the judged model's; its judge gets its own defaults, and what both share."""
    return argparse.Namespace(**{**vars(args), **NOT_THE_JUDGES})


def _judge(args: argparse.Namespace, run: RunFolder, results: list[TaskResult]) -> tuple[bool, list[TaskResult]]:
    """Have the answers graded."""
    own = _of_the_judge(args)
    sittings = [one for one in judge.plan_judging(run, own) if any(case.counts for case in one.cases)]
    if not sittings:
        remark("no open answers, so nothing needs a judge (`tvbench judge RUN` checks one on exact items)")
        return True, results
    outcomes = judge.ask(sittings, own)
    return all(one.complete for one in outcomes), run.result() or results


def _comet(args: argparse.Namespace, run: RunFolder, results: list[TaskResult]) -> tuple[bool, list[TaskResult]]:
    """Have the translations scored by COMET, where the run has any."""
    from tvbench.analysis.assess import assess
    from tvbench.cli.comet import Scoring, say
    from tvbench.graders.comet.session import score_run
    from tvbench.types import Translation

    if not any(isinstance(item.target, Translation) for _, item in run.requests()):
        remark("no translations: nothing for COMET to score")
        return True, results
    with Scoring(quiet=args.quiet) as watch:
        summary = score_run(run, args.comet, offline=args.offline, watch=watch)
    say(summary, quiet=args.quiet)
    return summary.complete, assess(run)


def session_options(args: argparse.Namespace, arguments: Mapping[str, Any], facts: Mapping[str, Any]) -> SessionOptions:
    """The engine's and the sitting's options as they were given."""
    from tvbench.engines.open import EngineOptions
    from tvbench.runs.session import SessionOptions

    return SessionOptions(
        EngineOptions(arguments, args.offline),
        args.max_failures,
        args.video_timeout,
        reuse=not (args.no_reuse or args.fresh),
        same_model=args.same_model,
        facts=facts,
    )


def _report(
    args: argparse.Namespace, folder: Path, results: list[TaskResult], watch: Progressing, complete: bool, revision: str
) -> None:
    from tvbench.report.run_table import run_table
    from tvbench.report.table import show
    from tvbench.runs import codec

    if args.format == "json":
        print_json(
            {
                "run": folder.name,
                "path": str(folder),
                "complete": complete,
                "tasks": [codec.result_to_json(result) for result in results],
            }
        )
    else:
        show([run_table(results, revision)], "table")
    if not args.quiet:
        remark(f"{watch.summary()}; stored in {folder}")
    for reason, count in sorted(watch.failures.items(), key=lambda pair: -pair[1])[:5]:
        remark(f"failed {count}x: {reason}")
    if watch.failures:
        remark("the same command again asks only what failed")


def _languages(text: str | None, tasks: list[str]) -> tuple[str, ...]:
    """Codes of `--languages`; a language that no selected task has is an error, not silence."""
    from tvbench import languages
    from tvbench.registry import catalog

    codes = tuple(languages.code_of(name) for name in names(text))
    declared = [catalog.task(name).languages for name in tasks]
    if all(declared):
        known = {code for some in declared for code in some}
        for code in codes:
            if code not in known:
                raise unknown_name("language", code, known, f"for the tasks {', '.join(tasks)}")
    return codes


def _stop_cleanly(signum: int, frame: FrameType | None) -> None:
    """A job scheduler's SIGTERM ends a run as Ctrl-C does: engine closed, store whole."""
    raise KeyboardInterrupt
