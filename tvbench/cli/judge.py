"""`tvbench judge RUN`: have a model grade the open answers of a run, and say how far that model can be believed.

Without `--judge` it reports on the judges that were asked before, and asks nobody.
"""

from __future__ import annotations

import argparse
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_format, add_results, dollars, names, not_negative, positive
from tvbench.cli.engine_arguments import add_engine, given_arguments
from tvbench.cli.judge_labels import add_labels, check_labels, label_reports, take_labels, write_label_sheet
from tvbench.cli.output import fitted, print_json, say
from tvbench.cli.progress import Showing
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, UsageError

if TYPE_CHECKING:
    from tvbench.graders.judge.asking import JudgeAsk
    from tvbench.graders.judge.record import Judge, JudgeVerdict
    from tvbench.graders.judge.session import Judging
    from tvbench.runs.answered import Answered
    from tvbench.runs.store import RunFolder

EPILOG = """\
examples:
  tvbench judge RUN --judge openai:gpt-4o@https://api.openai.com/v1 --price 2.5,10 --budget 5
  tvbench judge RUN --judge openai:judge@http://127.0.0.1:8000 --rubric tvbench
  tvbench judge RUN --judge openai:judge@http://127.0.0.1:8000 --dry-run
  tvbench judge RUN --label-sheet 40             # 40 answers a language for people to label, and then
  tvbench judge RUN --labels RUN-labels.csv      # what they say, with and without the judge
  tvbench judge RUN                              # how good were the judges that were asked before?
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run", help="a run's folder, its name below --results, or the beginning of that name")
    add_judging(parser)
    add_labels(parser)
    parser.add_argument("--tasks", metavar="NAMES", help="only these tasks of the run")
    parser.add_argument("--languages", metavar="CODES", help="only answers in these languages")
    add_engine(parser, ("dtype", "batch_size", "max_model_len", "concurrency", "timeout"))
    parser.add_argument("--offline", action="store_true", help="never ask the hub")
    parser.add_argument("--dry-run", action="store_true", help="say what would be asked and what it may cost, and stop")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_results(parser)
    add_format(parser, ("table", "markdown", "latex", "csv", "json"))


PRICE = "dollars for a million tokens in and out (default: the card's)"
OF_RUN = f"{PRICE}, or for an hour of a rented machine (2/h): of the model; with --judge, of the judge"


def add_judging(parser: argparse.ArgumentParser, price: str = PRICE) -> None:
    """The arguments that `tvbench run` has too; `price` says whose that is."""
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
        "--planted",
        type=not_negative,
        metavar="N",
        help="open answers of known worth (right, wrong, half) that are put to the judge in each language, "
        "to learn where it is loose; they cost like others and count for nothing "
        "(default 40, but no more than there are open answers; 0: none)",
    )
    judging.add_argument(
        "--asks",
        type=positive,
        metavar="N",
        help="how often an answer is asked about until the reply can be read (default 5)",
    )
    judging.add_argument("--price", metavar="IN,OUT", help=price)
    judging.add_argument("--budget", type=dollars, metavar="DOLLARS", help="stop before this is spent; needs a price")
    judging.add_argument(
        "--judge-thinking-tokens",
        type=positive,
        metavar="N",
        help="for a judge that thinks aloud: tokens for that, along with those of its reply",
    )


def main(args: argparse.Namespace) -> int:
    from tvbench.analysis.assess import assess
    from tvbench.graders.judge.asking import ask_judge, plan_judging
    from tvbench.runs.store import find_run

    check_labels(args)
    run = find_run(args.results, args.run)
    if args.label_sheet is not None:
        return write_label_sheet(run, args)
    if args.labels:
        take_labels(run, args)
    if args.judge is None:
        return report(run, args)
    asked = judge_ask(args)
    chosen = {"tasks": names(args.tasks), "languages": names(args.languages)}
    sessions = plan_judging(run, asked, dry=args.dry_run, **chosen)
    if args.dry_run:
        return _estimate(sessions, args)
    try:
        outcomes = ask_judge(sessions, asked, Showing(quiet=args.quiet))
    finally:
        assess(run)
    code = report(run, args)
    return code if all(outcome.complete for outcome in outcomes) else EXIT_INCOMPLETE


def judge_ask(args: argparse.Namespace) -> JudgeAsk:
    """What was typed, as what a judge is asked."""
    from tvbench.graders.judge.asking import JudgeAsk

    named = ("judge", "rubric", "check", "planted", "asks", "price", "budget", "engine", "offline")
    given = {name: value for name in named if (value := getattr(args, name)) is not None}
    given |= {"thinking_tokens": args.judge_thinking_tokens}
    return JudgeAsk(**given, arguments=given_arguments(args))


def _estimate(sessions: list[Judging], args: argparse.Namespace) -> int:
    """`--dry-run`: calls, tokens and money of a first round."""
    from tvbench.graders.judge.spend import estimate

    records = []
    for session in sessions:
        missing = session.missing()
        guess = estimate([planned.item for planned in missing], session.options.prices, session.thinking)
        records.append(
            {
                "rubric": session.rubric.label,
                "answers": len(session.cases),
                "planted": sum(case.planted is not None for case in session.cases),
                "calls": len(missing),
                "tokens_in": guess.tokens_in,
                "tokens_out": guess.tokens_out,
                "dollars": guess.dollars,
            }
        )
        if args.format != "json":
            count = sum(case.planted is not None for case in session.cases)
            planted = f" ({count} of them planted)" if count else ""
            cost = "no prices known: add --price IN,OUT" if guess.dollars is None else f"about ${guess.dollars:.2f}"
            line = (
                f"{session.rubric.label}: {len(session.cases)} answers{planted}, {len(missing)} calls to make, about "
                f"{guess.tokens_in:,} tokens in and {guess.tokens_out:,} out, {cost}"
            )
            say(*fitted([line]))
    if args.format == "json":
        print_json({"sittings": records})
    return EXIT_GOOD


# ── Reporting ─────────────────────────────────────────────────────────────────────────────────────


def said_by(
    judges: Sequence[Judge], tasks: Mapping[str, Answered], shown: Mapping[str, Collection[str]]
) -> list[tuple[Judge, dict[str, list[JudgeVerdict]]]]:
    """The verdicts of each judge, by task, of those and in the languages that are `shown`. `tasks` are all of the run:
    what was put to a judge beside the open answers was drawn among all answers."""
    pairs = []
    for judge in judges:
        replies = judge.store.responses()
        by_task = {
            name: [
                verdict
                for verdict in judge.verdicts(tasks[name].replies, replies)
                if verdict.asked and verdict.case.item.language in shown[name]
            ]
            for name in judge.tasks
            if name in shown
        }
        pairs.append((judge, {task: verdicts for task, verdicts in by_task.items() if verdicts}))
    return pairs


def report(run: RunFolder, args: argparse.Namespace) -> int:
    """What the run's judges have said, and how right they are. Raises UsageError where nobody was asked."""
    from tvbench.analysis.judges import qualities
    from tvbench.graders.judge.labels import kept_labels
    from tvbench.graders.judge.looseness import planted_qualities
    from tvbench.graders.judge.record import find_judges
    from tvbench.report.judges import as_json, between_table, quality_table
    from tvbench.report.planted import planted_tables
    from tvbench.report.table import show
    from tvbench.runs.answered import answered

    judges, labels = find_judges(run), kept_labels(run)
    if not judges and labels is None:
        raise UsageError(f"nobody has judged {run.name} yet", f"tvbench judge {run.name} --judge openai:NAME@URL")
    tasks = answered(run, names(args.tasks), names(args.languages))
    languages = {name: {item.language for item in task.items.values()} for name, task in tasks.items()}
    pairs = said_by(judges, answered(run), languages)
    found = [(judge, qualities(by_task), planted_qualities(by_task)) for judge, by_task in pairs]
    people = label_reports(tasks, labels, [(judge.name, by_task) for judge, by_task in pairs] or [(None, {})])
    if args.format == "json":
        print_json(
            {
                "run": run.name,
                "judges": [as_json(judge, checked, planted) for judge, checked, planted in found],
                "labels": [record for _, record in people],
                "between": between.as_json() if (between := between_table(pairs)) else None,
            }
        )
        return EXIT_GOOD
    tables = [
        table
        for judge, checked, planted in found
        for table in (quality_table(judge, checked), *planted_tables(judge, planted))
    ]
    between = between_table(pairs)
    show([*tables, *(table for table, _ in people), *([between] if between else [])], args.format)
    return EXIT_GOOD
