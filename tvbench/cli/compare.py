"""`tvbench compare A B`: is the second run better than the first, where, and is that certain?"""

from __future__ import annotations

import argparse
from dataclasses import asdict

from tvbench.cli.arguments import add_results, names, not_negative, positive
from tvbench.cli.output import print_json
from tvbench.errors import EXIT_GOOD

EPILOG = """\
examples:
  tvbench compare RUN_A RUN_B                     # names, or their beginnings, as `tvbench leaderboard` has them
  tvbench compare RUN_A RUN_B --metric strict
  tvbench compare RUN_A RUN_B --format latex > table.tex
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("first", help="a run's folder, its name below --results, or the beginning of that name")
    parser.add_argument("second", help="the run that is set against it")
    parser.add_argument("--metric", metavar="NAME", help="default: each task's headline metric")
    parser.add_argument("--tasks", metavar="NAMES", help="only these tasks")
    parser.add_argument("--languages", metavar="CODES", help="only these languages; the mean is then over them")
    parser.add_argument("--resamples", type=positive, default=10_000, metavar="N", help="default: 10,000")
    parser.add_argument("--seed", type=not_negative, default=0, help="of the resampling")
    parser.add_argument("--format", choices=("table", "markdown", "latex", "csv", "json"), default="table")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench.analysis.compare import Selection, compare_runs
    from tvbench.languages import code_of
    from tvbench.report.comparison import comparison_table
    from tvbench.report.table import show
    from tvbench.runs.store import find_run

    first, second = find_run(args.results, args.first), find_run(args.results, args.second)
    chosen = Selection(names(args.tasks), tuple(code_of(name) for name in names(args.languages)), args.metric)
    found = compare_runs(first, second, chosen, resamples=args.resamples, seed=args.seed)
    if args.format == "json":
        asked = {"first": first.name, "second": second.name, "resamples": args.resamples, "seed": args.seed}
        print_json({**asked, "tasks": [asdict(one) for one in found]})
    else:
        show([comparison_table(found, first.name, second.name, args.resamples)], args.format)
    return EXIT_GOOD
