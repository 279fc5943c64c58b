"""`tvbench reproduce`: our figures beside the published tables, cell by cell, and why they differ."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_results, names
from tvbench.cli.output import print_json, remark
from tvbench.errors import EXIT_GOOD, UsageError, unknown_name

if TYPE_CHECKING:
    from tvbench.analysis.published import PublishedFigure
    from tvbench.analysis.reproduction import Reproduced

EPILOG = """\
examples:
  tvbench reproduce                               # every published row that a run here is about
  tvbench reproduce --tables 1,2 --format markdown
  tvbench reproduce --as my-checkpoint=TowerVision-9B
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--tables", metavar="NUMBERS", help="only these tables of the paper, such as 1,2")
    parser.add_argument("--tasks", metavar="NAMES", help="only these tasks")
    parser.add_argument("--languages", metavar="CODES", help="only cells of these languages, such as de,fr")
    parser.add_argument(
        "--as",
        dest="named",
        action="append",
        default=[],
        metavar="MODEL=ROW",
        help="the row of the paper that a model here stands for (may be repeated)",
    )
    parser.add_argument("--all", action="store_true", help="cells without a figure of ours too")
    parser.add_argument("--format", choices=("table", "markdown", "latex", "csv", "json"), default="table")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench.analysis.entries import load_entries
    from tvbench.analysis.published import published_figures
    from tvbench.analysis.reproduction import reproduce
    from tvbench.report.reproduction import records, reproduction_table
    from tvbench.report.table import show

    entries, warnings = load_entries(args.results)
    figures, _ = published_figures(args.results)
    rows = {figure.model for figure in figures}
    named = _named(args.named, {entry.model for entry in entries}, rows)
    for warning in warnings:
        remark(f"tvbench: {warning}")
    cells = reproduce(entries, args.results, named=named, everything=args.all)
    cells = _chosen(cells, figures, args)
    if not cells and args.format != "json":
        models = ", ".join(sorted({entry.model for entry in entries})) or "none"
        chosen = " of these" if args.tables or args.tasks or args.languages else ""
        remark(
            f"no run here has a figure for a published cell{chosen} (models here: {models}); say which row a model "
            "stands for with --as MODEL=ROW, or see every cell with --all"
        )
        return EXIT_GOOD
    if args.format == "json":
        print_json(records(cells))
    else:
        show([reproduction_table(cells)], args.format)
    return EXIT_GOOD


def _chosen(
    cells: Sequence[Reproduced], figures: Sequence[PublishedFigure], args: argparse.Namespace
) -> list[Reproduced]:
    """The cells of these tables, tasks and languages. Raises UsageError for a name that no published figure has."""
    from tvbench.languages import is_language
    from tvbench.runs.answered import languages_called

    for wanted, known, what in (
        (names(args.tables), {figure.table.number for figure in figures}, "table"),
        (names(args.tasks), {figure.task for figure in figures}, "task"),
    ):
        for name in wanted:
            if name not in known:
                raise unknown_name(what, name, known, "with published figures")
    printed = {figure.part for figure in figures if is_language(figure.part)}
    codes = languages_called(names(args.languages), printed, "the published figures")
    return [
        cell
        for cell in cells
        if (not codes or cell.figure.part in codes)
        and (not args.tables or cell.figure.table.number in names(args.tables))
        and (not args.tasks or cell.figure.task in names(args.tasks))
    ]


def _named(pairs: list[str], models: set[str], rows: set[str]) -> dict[str, str]:
    """`MODEL=ROW` pairs. Raises UsageError for a form or a name that is not known."""
    named: dict[str, str] = {}
    for pair in pairs:
        model, equals, row = pair.partition("=")
        if not equals:
            raise UsageError(f"--as {pair} is not of the form MODEL=ROW", "for example --as my-model=TowerVision-9B")
        if model not in models:
            raise unknown_name("model", model, models, "among the runs here")
        if row not in rows:
            raise unknown_name("row", row, rows, "`tvbench reproduce --all` lists them")
        named[model] = row
    return named
