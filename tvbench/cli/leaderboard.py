"""`tvbench leaderboard`: models x tasks, or by language, beside the published numbers."""

from __future__ import annotations

import argparse
import sys
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_format, add_results
from tvbench.cli.output import print_csv, remark, say
from tvbench.errors import EXIT_GOOD, UsageError

if TYPE_CHECKING:
    from tvbench.report.board import Board

EXAMPLES = """examples:
  tvbench leaderboard
  tvbench leaderboard --languages --tasks alm --metric aligned
  tvbench leaderboard --by support --tasks alm
  tvbench leaderboard --by category-kind --metric aligned
  tvbench leaderboard --sort multi30k --format markdown
  tvbench leaderboard --cost --price my-vlm=2/h
  tvbench leaderboard --no-published --format json | jq '.[] | {model, task, languages}'
"""
BY = ("family", "branch", "script", "resource", "support", "english", "category-kind")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    add_results(parser)
    parser.add_argument("--tasks", metavar="TASKS", help="only these tasks (or groups of tasks), such as alm,mini")
    parser.add_argument("--languages", action="store_true", help="a table a task, by language")
    parser.add_argument(
        "--by",
        choices=BY,
        help="a table a task: the mean over the languages of each family, branch, "
        "script, resource class or support by TowerVision; the gap to English; or cultural against "
        "generic categories",
    )
    parser.add_argument("--protocol", help="only results of this protocol (tvbench, paper, official, ...)")
    parser.add_argument("--metric", help="this metric instead of each task's primary one")
    parser.add_argument("--sort", metavar="COL", help="model, or a column such as alm or alm:en (default: the first)")
    parser.add_argument("--no-published", action="store_true", help="without the rows printed in papers")
    parser.add_argument("--cost", action="store_true", help="what a thousand questions cost: dollars, time; a chart")
    parser.add_argument(
        "--price",
        action="append",
        metavar="[NAME=]IN,OUT",
        help="dollars for a million tokens in and out, or for an hour of a rented machine (2/h): of the model or run "
        "NAME, or of all that have no price yet",
    )
    add_format(parser, ("table", "markdown", "csv", "json"))


def main(args: argparse.Namespace) -> int:
    from tvbench import api
    from tvbench.registry.prices import prices_typed
    from tvbench.report.table import show

    if args.by is not None and (args.cost or args.price):
        raise UsageError("--cost goes with the table of tasks", "leave --by out")
    board = api.leaderboard(
        args.results,
        tasks=args.tasks or (),
        protocol=args.protocol,
        metric=args.metric,
        published=not args.no_published,
        cost=args.cost,
        price={name: price.typed for name, price in prices_typed(args.price).items()} if args.price else None,
    )
    for warning in board.warnings:
        remark(f"tvbench: {warning}")
    if board.empty:
        remark(f"no scored runs in {args.results} yet; `tvbench run --model MODEL --tasks TASKS` makes one")
    if args.by is not None and args.languages:
        raise UsageError("--by and --languages are two different tables", "give only one")
    records = None
    if args.by is not None:
        tables, records = board.grouped(args.by, sort=args.sort)
    else:
        tables = board.tables(languages=args.languages, sort=args.sort)
        records = board.records() if args.format == "json" else None
    if not tables and args.format != "json":
        by = f" by {args.by}" if args.by is not None else ""
        remark(f"nothing to show{by} for this choice of tasks, protocol and metric")
    elif args.format == "csv" and args.by is None:
        print_csv(board.table(sort=args.sort, languages=args.languages).csv())
    else:
        show(tables, args.format, records)
        if args.format != "json":
            _show_cost(board, args)
    for problem in board.costs.problems if board.costs is not None else ():
        remark(f"tvbench: {problem}")
    return EXIT_GOOD


def _show_cost(board: Board, args: argparse.Namespace) -> None:
    """Below the table, where it was asked for: what the rows cost, and a chart."""
    from tvbench.report.cost_table import cost_chart, cost_table
    from tvbench.report.table import show

    found = board.costed(sort=args.sort)
    if found is None:
        return
    show([cost_table(*found)], args.format)
    if args.format == "table":
        width = get_terminal_size((72, 24)).columns
        say(*cost_chart(*found, width=width, encoding=sys.stdout.encoding))
