"""`tvbench explain RUN`: why the scores of a run are what they are, per task and language, with examples."""

from __future__ import annotations

import argparse

from tvbench.cli.arguments import add_format, add_results, names, not_negative
from tvbench.cli.output import remark
from tvbench.errors import EXIT_GOOD

EPILOG = """\
examples:
  tvbench explain RUN                             # a name, or its beginning, as `tvbench leaderboard` has it
  tvbench explain RUN --tasks cc-ocr --languages ko,ru --examples 20
  tvbench explain RUN --format markdown > why.md
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("run", help="a run's folder, its name below --results, or the beginning of that name")
    parser.add_argument("--tasks", metavar="NAMES", help="only these tasks of the run")
    parser.add_argument("--languages", metavar="CODES", help="only these languages, such as de,fr")
    parser.add_argument(
        "--examples",
        type=not_negative,
        default=10,
        metavar="N",
        help="answers shown of each language, the costliest causes first (default 10)",
    )
    add_format(parser, ("table", "markdown", "json"))
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench.analysis.diagnosis import language_id
    from tvbench.analysis.explain import explain_run
    from tvbench.report.explanation import explanation_records, explanation_tables
    from tvbench.report.table import show
    from tvbench.runs.store import find_run

    run = find_run(args.results, args.run)
    identifiers = language_id.load()
    chosen = {"tasks": names(args.tasks), "languages": names(args.languages)}
    found = explain_run(run, identifiers, **chosen, examples=args.examples)
    if not found and args.format != "json":
        remark(f"{run.name} has no tasks: there is nothing to explain")
    show(
        explanation_tables(found, identified=identifiers is not None, stacked=args.format == "table"),
        args.format,
        explanation_records(found, identified=identifiers is not None),
    )
    return EXIT_GOOD
