"""`tvbench judge RUN`: have a model grade the open answers of a run, and say how far that model can be believed.

Without `--judge` it reports on the judges that were asked before, and asks nobody.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_format, add_results, dollars, names, not_negative, positive
from tvbench.cli.engine_arguments import add_engine, given_arguments
from tvbench.cli.output import print_json, remark, say
from tvbench.cli.progress import Progressing
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, UsageError

if TYPE_CHECKING:
    from tvbench.engines.open import Chosen
    from tvbench.graders.judge.rubric import Rubric
    from tvbench.graders.judge.session import Judged, JudgeOptions, Judging
    from tvbench.graders.judge.spend import Spend
    from tvbench.runs.store import RunFolder
    from tvbench.types import Item, ModelCard, Response

SHARED = ("concurrency", "timeout")
"""Flags of `run` that count for the model and for its judge, whichever of them has such an option."""
EPILOG = """\
examples:
  tvbench judge RUN --judge openai:gpt-4o@https://api.openai.com/v1 --price 2.5,10 --budget 5
  tvbench judge RUN --judge openai:judge@http://127.0.0.1:8000 --rubric tvbench
  tvbench judge RUN --judge openai:judge@http://127.0.0.1:8000 --dry-run
  tvbench judge RUN                              # how good were the judges that were asked before?
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run", help="a run's folder, its name below --results, or the beginning of that name")
    add_judging(parser)
    parser.add_argument("--tasks", metavar="NAMES", help="only these tasks of the run")
    parser.add_argument("--languages", metavar="CODES", help="only answers in these languages")
    add_engine(parser, ("dtype", "batch_size", "max_model_len", "concurrency", "timeout"))
    parser.add_argument("--offline", action="store_true", help="never ask the hub")
    parser.add_argument("--dry-run", action="store_true", help="say what would be asked and what it may cost, and stop")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_results(parser)
    add_format(parser, ("table", "markdown", "latex", "csv", "json"))


def add_judging(parser: argparse.ArgumentParser) -> None:
    """The arguments that `tvbench run` has too."""
    judging = parser.add_argument_group("the judge")
    judging.add_argument("--judge", metavar="MODEL", help="who grades: openai:NAME@URL, or any model")
    judging.add_argument(
        "--rubric",
        metavar="NAME|FILE",
        help="tvbench, alm-official, vimul or a YAML file (default: the one for the task and protocol, else tvbench)",
    )
    judging.add_argument(
        "--check",
        metavar="N",
        default=None,
        help="exact items of each language that are judged too, "
        "to learn how right the judge is (default 20; all; 0: none)",
    )
    judging.add_argument(
        "--asks",
        type=positive,
        default=5,
        metavar="N",
        help="how often an answer is asked about until the reply can be read (default 5)",
    )
    judging.add_argument("--price", metavar="IN,OUT", help="dollars for a million tokens (default: the card's)")
    judging.add_argument("--budget", type=dollars, metavar="DOLLARS", help="stop before this is spent; needs prices")


def main(args: argparse.Namespace) -> int:
    from tvbench.runs.store import find_run

    run = find_run(args.results, args.run)
    if args.judge is None:
        return report(run, args)
    sittings = plan_judging(run, args, tasks=names(args.tasks), languages=names(args.languages))
    if args.dry_run:
        return _estimate(sittings, args)
    outcomes = ask(sittings, args)
    code = report(run, args)
    return code if all(one.complete for one in outcomes) else EXIT_INCOMPLETE


# ── Asking ────────────────────────────────────────────────────────────────────────────────────────


def judge_options(args: argparse.Namespace, card: ModelCard) -> JudgeOptions:
    """What the command line says of the judging. Raises UsageError."""
    from tvbench.graders.judge.cases import CHECKED
    from tvbench.graders.judge.session import JudgeOptions
    from tvbench.graders.judge.spend import prices_of

    checked: int | None = CHECKED
    if args.check is not None:
        try:
            checked = None if args.check == "all" else not_negative(args.check)
        except argparse.ArgumentTypeError as error:
            raise UsageError(f"--check {args.check}: {error}", "a number of items of each language, or all") from error
    return JudgeOptions(checked=checked, asks=args.asks, prices=prices_of(args.price, card), budget=args.budget)


def chosen_judge(card: ModelCard, args: argparse.Namespace) -> Chosen:
    """The judge's engine and its arguments. Raises UsageError for those that it does not have; of what it shares with
    the model that it judges, what it does not have is the model's."""
    from tvbench.engines.open import choose, choose_engine
    from tvbench.engines.registry import engine

    given = given_arguments(args)
    if getattr(args, "shared", False):
        spec = engine(choose_engine(card, args.engine))
        given = {name: value for name, value in given.items() if spec.option(name)}
    return choose(card, args.engine, given)


def plan_judging(
    run: RunFolder, args: argparse.Namespace, *, tasks: tuple[str, ...] = (), languages: tuple[str, ...] = ()
) -> list[Judging]:
    """A sitting for each rubric that the run's tasks need. Raises UsageError where there is nothing to judge."""
    from tvbench.engines.open import require_engine
    from tvbench.graders.judge.record import judge_folders
    from tvbench.graders.judge.rubric import choose_rubric
    from tvbench.graders.judge.session import Judging
    from tvbench.languages import code_of
    from tvbench.registry.catalog import resolve_model
    from tvbench.registry.hub import pinned, pinned_if_here
    from tvbench.runs.answered import answered
    from tvbench.runs.serving import identified

    chosen = chosen_judge(resolve_model(args.judge), args)
    card = pinned_if_here(chosen.card) if args.dry_run else pinned(chosen.card, offline=args.offline)
    who = identified(card, judge_folders(run))
    codes = {code_of(name) for name in languages}
    by_rubric: dict[str, tuple[Rubric, dict[str, list[tuple[Item, Response]]]]] = {}
    for name, task in answered(run, tasks).items():
        rubric = choose_rubric(args.rubric, name, task.entry.protocol)
        replies = [(item, reply) for item, reply in task.replies if not codes or item.language in codes]
        by_rubric.setdefault(rubric.label, (rubric, {}))[1][name] = replies
    options = judge_options(args, card)
    sittings = [
        made
        for rubric, answers in by_rubric.values()
        if (made := Judging(run, answers, who.card, rubric, chosen.name, options, chosen.arguments)).cases
    ]
    if not sittings:
        raise UsageError(
            f"{run.name} has no answers that a judge could grade",
            "open-ended, multiple-choice and short answers can be judged; translations have COMET",
        )
    if not args.dry_run and any(one.missing() for one in sittings):
        require_engine(chosen.name)
        who.require()
    return sittings


def ask(sittings: list[Judging], args: argparse.Namespace) -> list[Judged]:
    """Sit, score the run again, and say what it took."""
    from tvbench.analysis.assess import assess
    from tvbench.engines.open import EngineOptions, open_engine

    outcomes: list[Judged] = []
    try:
        for one in sittings:
            with Progressing(quiet=args.quiet) as watch:
                options = EngineOptions(one.arguments, args.offline)
                outcome = one.ask(partial(open_engine, one.engine, one.card, options=options), watch)
            outcomes.append(outcome)
            _say(outcome, args)
    finally:
        assess(sittings[0].run)
    return outcomes


def _say(outcome: Judged, args: argparse.Namespace) -> None:
    if not args.quiet:
        remark(f"judged {outcome.scored} of {outcome.cases}; {_spend_text(outcome.spend)}; stored in {outcome.folder}")
    for reason, count in sorted(outcome.problems.items(), key=lambda pair: -pair[1]):
        remark(f"unscored {count}x: {REASONS.get(reason, reason)}")
    if outcome.budget_spent:
        remark("the budget is used up; the same command with a higher --budget goes on")


REASONS = {
    "refusal": "the judge refused",
    "unparsable": "the judge's reply could not be read",
    "empty": "the judge's reply was empty",
    "failed": "no reply came; the same command asks again",
    "not asked": "not asked",
}


def _spend_text(spend: Spend) -> str:
    text = f"{spend.replies} replies in {spend.tries} tries, {spend.tokens_in:,} tokens in, {spend.tokens_out:,} out"
    if spend.guessed:
        text += f" ({spend.guessed} without a count: estimated)"
    return text + ("" if spend.dollars is None else f", ${spend.dollars:.4f}")


def _estimate(sittings: list[Judging], args: argparse.Namespace) -> int:
    """`--dry-run`: calls, tokens and money of a first round."""
    from tvbench.graders.judge.spend import estimate

    records = []
    for one in sittings:
        missing = one.missing()
        guess = estimate([planned.item for planned in missing], one.options.prices)
        records.append(
            {
                "rubric": one.rubric.label,
                "answers": len(one.cases),
                "calls": len(missing),
                "tokens_in": guess.tokens_in,
                "tokens_out": guess.tokens_out,
                "dollars": guess.dollars,
            }
        )
        if args.format != "json":
            cost = "no prices known: add --price IN,OUT" if guess.dollars is None else f"about ${guess.dollars:.2f}"
            say(
                f"{one.rubric.label}: {len(one.cases)} answers, {len(missing)} calls to make, about "
                f"{guess.tokens_in:,} tokens in and {guess.tokens_out:,} out, {cost}"
            )
    if args.format == "json":
        print_json({"sittings": records})
    return EXIT_GOOD


# ── Reporting ─────────────────────────────────────────────────────────────────────────────────────


def report(run: RunFolder, args: argparse.Namespace) -> int:
    """What the run's judges have said, and how right they are. Raises UsageError where nobody was asked."""
    from tvbench.graders.judge.record import find_judges
    from tvbench.report.judges import as_json, between_table, qualities, quality_table
    from tvbench.report.table import show
    from tvbench.runs.answered import answered

    judges = find_judges(run)
    if not judges:
        raise UsageError(f"nobody has judged {run.name} yet", f"tvbench judge {run.name} --judge openai:NAME@URL")
    answers = {name: task.replies for name, task in answered(run).items()}
    pairs = []
    for judge in judges:
        replies = judge.store.responses()
        by_task = {
            task: [one for one in judge.verdicts(answers.get(task, ()), replies) if one.asked] for task in judge.tasks
        }
        pairs.append((judge, {task: some for task, some in by_task.items() if some}))
    found = [(judge, qualities(by_task)) for judge, by_task in pairs]
    if args.format == "json":
        print_json(
            {
                "run": run.name,
                "judges": [as_json(judge, some) for judge, some in found],
                "between": between.as_json() if (between := between_table(pairs)) else None,
            }
        )
        return EXIT_GOOD
    tables = [quality_table(judge, some) for judge, some in found]
    between = between_table(pairs)
    show([*tables, *([between] if between else [])], args.format)
    return EXIT_GOOD
