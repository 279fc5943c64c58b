"""`tvbench leaderboard`: who is better, in which language, and whether that is certain."""

from __future__ import annotations

import argparse
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from shutil import get_terminal_size
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_format, add_results, names
from tvbench.cli.output import print_csv, remark, say
from tvbench.errors import EXIT_GOOD, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tvbench.analysis.board_lines import BoardSheet
    from tvbench.report.board import Board
    from tvbench.report.cost_table import About, CostRow

EXAMPLES = """examples:
  tvbench leaderboard
  tvbench leaderboard --languages de,hi,ar
  tvbench leaderboard --all --published all
  tvbench leaderboard --languages --tasks alm --metric aligned
  tvbench leaderboard --by support --tasks alm
  tvbench leaderboard --by category-kind --metric aligned
  tvbench leaderboard --sort multi30k --format markdown
  tvbench leaderboard --cost --price my-vlm=2/h
  tvbench leaderboard --published none --format json | jq '.[] | {model, task, languages}'
"""
RUN = "run"
SCREENS = ("table", "markdown")
NOTHING = "nothing to show{by} for this choice of tasks, protocol and metric"
BY = ("family", "branch", "script", "resource", "support", "english", "category-kind")


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    add_results(parser)
    parser.add_argument("--tasks", metavar="TASKS", help="only these tasks (or groups of tasks), such as alm,mini")
    parser.add_argument(
        "--languages",
        nargs="?",
        const="",
        metavar="CODES",
        help="only these languages, such as de,hi,ar; alone: a table a task of all languages",
    )
    parser.add_argument("--all", action="store_true", help="every row, column, mark and remark")
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
    parser.add_argument(
        "--published",
        choices=(RUN, "all", "none"),
        help=f"figures printed in papers: of tasks that were {RUN} (default; csv and json have all), all, or none",
    )
    parser.add_argument("--no-published", dest="published", action="store_const", const="none", help=argparse.SUPPRESS)
    parser.add_argument("--cost", action="store_true", help="what a thousand questions cost: dollars, time; a chart")
    parser.add_argument(
        "--price",
        action="append",
        metavar="[NAME=]IN,OUT",
        help="dollars for a million tokens in and out, or for an hour of a rented machine (2/h): of the model or run "
        "NAME, or of all that have no price yet",
    )
    add_format(parser, ("table", "markdown", "csv", "json"))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the search for circles: there are none, and among the results of very many runs it takes longer than
    everything else."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


@_uncollected()
def main(args: argparse.Namespace) -> int:
    from tvbench import api
    from tvbench.registry.prices import prices_typed
    from tvbench.runs.store import find_runs

    if args.by is not None and args.languages == "":
        raise UsageError("--by and --languages are two different tables", "give only one")
    if args.by is not None and (args.cost or args.price):
        raise UsageError("--cost goes with the table of tasks", "leave --by out")
    published = args.published or (RUN if args.format in SCREENS else "all")
    board = api.leaderboard(
        args.results,
        tasks=args.tasks or (),
        protocol=args.protocol,
        metric=args.metric,
        published={"all": True, "none": False}.get(published, RUN),
        cost=args.cost,
        price={name: price.typed for name, price in prices_typed(args.price).items()} if args.price else None,
    )
    for warning in board.warnings:
        remark(f"tvbench: {warning}")
    if board.empty and not find_runs(args.results):
        remark(f"no scored runs in {args.results} yet; `tvbench run --model MODEL --tasks TASKS` makes one")
    if args.all or args.by is not None or args.languages == "" or args.format not in SCREENS:
        _print_whole(args, board)
        if args.format in SCREENS:
            _show_cost(args, board)
    else:
        _print_first(args, board)
    for problem in board.costs.problems if board.costs is not None else ():
        remark(f"tvbench: {problem}")
    return EXIT_GOOD


def _print_first(args: argparse.Namespace, board: Board) -> None:
    """The screen: languages first, and how each model stands in words."""
    from tvbench.report.board_page import print_board

    alone = args.published == "all"
    sheets = board.sheets(languages=names(args.languages), sort=args.sort, printed_alone=alone)
    if sheets and board.costs is not None:
        _print_with_costs(args, board, sheets)
    elif sheets:
        print_board(sheets, args.results, say, args.format)
    elif not (board.empty and board.warnings):
        remark(NOTHING.format(by=""))
        remark("figures that papers print: `tvbench leaderboard --published all`")


def _print_with_costs(args: argparse.Namespace, board: Board, sheets: Sequence[BoardSheet]) -> None:
    """The same with what a thousand questions cost at the right, and below what that means."""
    from tvbench.report.board_cost import beside, sheet_costs
    from tvbench.report.board_page import print_board
    from tvbench.report.cost_table import shared_notes, task_notes
    from tvbench.report.screens import folded, room

    assert board.costs is not None
    found = [sheet_costs(sheet, board.costs, names(args.languages), board.metric) for sheet in sheets]
    width = room() if args.format == "table" else None

    def then() -> None:
        for rows, about in found:
            say(*folded(task_notes(list(rows.values()), about), width), "")
            _chart(args, list(rows.values()), about)
        say(*folded(shared_notes(list(rows.values()) for rows, _ in found), width), "")

    print_board(sheets, args.results, say, args.format, [beside(sheets, [rows for rows, _ in found])], then)


def _chart(args: argparse.Namespace, rows: Sequence[CostRow], about: About) -> None:
    from tvbench.report.cost_table import cost_chart

    width = get_terminal_size((72, 24)).columns
    chart = cost_chart(rows, about, width=width, encoding=sys.stdout.encoding) if args.format == "table" else []
    say(*chart, *[""] * bool(chart))


def _print_whole(args: argparse.Namespace, board: Board) -> None:
    """Everything that there is."""
    from tvbench.report.table import show

    languages = args.languages is not None
    if args.languages:
        board = board.among(names(args.languages))
    records = None
    if args.by is not None:
        tables, records = board.grouped(args.by, sort=args.sort)
    else:
        tables = board.tables(languages=languages, sort=args.sort)
        records = board.records() if args.format == "json" else None
    if not tables and args.format != "json":
        if board.empty and board.warnings:
            return
        remark(NOTHING.format(by=f" by {args.by}" if args.by is not None else ""))
    elif args.format == "csv" and args.by is None:
        print_csv(board.table(sort=args.sort, languages=languages).csv())
    else:
        show(tables, args.format, records)


def _show_cost(args: argparse.Namespace, board: Board) -> None:
    """Below the table, where it was asked for: what the rows cost, and a chart."""
    from tvbench.report.cost_table import cost_table
    from tvbench.report.table import show

    languages = names(args.languages)
    try:
        found = board.costed(sort=args.sort, languages=languages)
    except UsageError:  # sorted by a language, which the table of tasks does not have
        found = board.costed(languages=languages)
    if found is None:
        return
    show([cost_table(*found)], args.format)
    _chart(args, *found)
