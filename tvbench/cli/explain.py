"""`tvbench explain RUN`: why the scores of a run are what they are: a screen first, tables and examples on demand."""

from __future__ import annotations

import argparse
from shutil import get_terminal_size

from tvbench.cli.arguments import add_format, add_results, names, not_negative, results_option
from tvbench.cli.output import remark
from tvbench.errors import EXIT_GOOD

EPILOG = """\
examples:
  tvbench explain RUN                             # a name, or its beginning, as `tvbench leaderboard` has it
  tvbench explain RUN --all                       # every table
  tvbench explain RUN --tasks cc-ocr --languages ko,ru --examples 20
  tvbench explain RUN --format markdown > why.md
"""
EXAMPLES = 10


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run", help="a run's folder, its name below --results, or the beginning of that name")
    parser.add_argument("--tasks", metavar="NAMES", help="only these tasks of the run")
    parser.add_argument("--languages", metavar="CODES", help="only these languages, such as de,fr")
    parser.add_argument(
        "--examples",
        type=not_negative,
        nargs="?",
        const=EXAMPLES,
        metavar="N",
        help=f"show N answers of each language, the costliest causes first (default {EXAMPLES}; "
        "on a terminal none without this option)",
    )
    parser.add_argument("--all", action="store_true", help="show every table: answers, losses, positions, languages")
    parser.add_argument(
        "--without-image", metavar="RUN", help="the run without pictures (default: the newest of this model and tasks)"
    )
    add_format(parser, ("table", "markdown", "json"))
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench.analysis.conclusions import blind_of, check_without, conclude
    from tvbench.analysis.diagnosis import language_id
    from tvbench.cli.grounding import languages_of
    from tvbench.cli.output import say
    from tvbench.report.conclusions import NARROW, WIDTH, conclusions
    from tvbench.report.explained import explained_records, explained_tables
    from tvbench.report.table import show
    from tvbench.runs.store import find_run, find_runs

    run = find_run(args.results, args.run)
    identifiers = language_id.load()
    without = find_run(args.results, args.without_image) if args.without_image else None
    if without is not None:
        check_without(run, without, names(args.tasks))
    found = conclude(
        run,
        identifiers,
        tasks=names(args.tasks),
        languages=names(args.languages),
        examples=_examples(args),
        blind=without or blind_of(run, find_runs(args.results)),
        listed=languages_of(run.manifest().label),
    )
    if not found.tasks and args.format != "json":
        remark(f"{run.name} has no tasks: there is nothing to explain")
    if found.tasks and args.format == "table":
        width = max(NARROW, min(WIDTH, get_terminal_size().columns))
        lines = conclusions(found, width=width, whole=args.all, where=results_option(args))
        say(*lines, *([""] if args.all or args.examples else []))
    show(
        explained_tables(found, identified=identifiers is not None, form=args.format, whole=args.all),
        args.format,
        explained_records(found, identified=identifiers is not None),
    )
    return EXIT_GOOD


def _examples(args: argparse.Namespace) -> int:
    """A screen has examples where they are asked for; a file has room for them."""
    if args.examples is not None:
        return int(args.examples)
    return 0 if args.format == "table" else EXAMPLES
