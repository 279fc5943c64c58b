"""`tvbench compare A B`: is the second run better than the first, where, and is that certain?"""

from __future__ import annotations

import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_results, not_negative, positive
from tvbench.cli.output import print_csv, print_json
from tvbench.errors import EXIT_GOOD

if TYPE_CHECKING:
    from tvbench.analysis.damage import Breakage
    from tvbench.api import RunComparison

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
    from tvbench import api
    from tvbench.cli.output import say
    from tvbench.report.comparison import comparison_records, comparison_table
    from tvbench.report.damage import damage_lines
    from tvbench.report.table import show
    from tvbench.scoring.intervals import LEVEL

    found = api.compare(
        args.first,
        args.second,
        results=args.results,
        tasks=args.tasks or (),
        languages=args.languages or (),
        metric=args.metric,
        resamples=args.resamples,
        seed=args.seed,
    )
    if args.format == "json":
        print_json(
            {
                "first": found.first,
                "second": found.second,
                "resamples": found.resamples,
                "seed": found.seed,
                "level": LEVEL,
                "tasks": comparison_records(found.tasks),
                "damage": asdict(_damage(args, found)),
            }
        )
    elif args.format == "csv":
        print_csv(found.table().csv())
    else:
        show([comparison_table(found.tasks, found.first, found.second, found.resamples)], args.format)
        lines = list(damage_lines(_damage(args, found), found.first, found.second))
        comment = "% " if args.format == "latex" else ""
        head = ["broken in the second run, and not in the first"] if lines else []
        say(*(f"{comment}{line}" for line in (*head, *lines)))
    return EXIT_GOOD


def _damage(args: argparse.Namespace, found: RunComparison) -> Breakage:
    """What is broken in the second run and was not in the first."""
    from tvbench.analysis.damage import damage_between
    from tvbench.runs.store import find_run

    return damage_between(
        find_run(args.results, args.first),
        find_run(args.results, args.second),
        [task.task for task in found.tasks],
        sorted({part.language for task in found.tasks for part in task.languages}) if args.languages else (),
    )
