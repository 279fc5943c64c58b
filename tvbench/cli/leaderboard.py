"""`tvbench leaderboard`: models x tasks, or by language, beside the published numbers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_format, add_results, names
from tvbench.cli.output import remark
from tvbench.errors import EXIT_GOOD, UsageError, unknown_name

if TYPE_CHECKING:
    from tvbench.analysis.entries import RunEntry
    from tvbench.analysis.published import PublishedFigure

EXAMPLES = """examples:
  tvbench leaderboard
  tvbench leaderboard --languages --tasks alm --metric aligned
  tvbench leaderboard --by support --tasks alm
  tvbench leaderboard --by category-kind --metric aligned
  tvbench leaderboard --sort multi30k --format markdown
  tvbench leaderboard --no-published --format json | jq '.[] | {model, task, languages}'
"""
PROTOCOLS = ("tvbench", "paper", "official")
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
    add_format(parser, ("table", "markdown", "csv", "json"))


def main(args: argparse.Namespace) -> int:
    from tvbench.analysis.entries import load_entries
    from tvbench.analysis.published import published_figures
    from tvbench.report.leaderboard import View, leaderboard
    from tvbench.report.records import leaderboard_records
    from tvbench.report.table import show

    entries, warnings = load_entries(args.results)
    figures: list[PublishedFigure] = []
    if not args.no_published:
        figures, more = published_figures(args.results)
        warnings += more
    for warning in warnings:
        remark(f"tvbench: {warning}")
    if not entries:
        remark(f"no scored runs in {args.results} yet; `tvbench run --model MODEL --tasks TASKS` makes one")
    if args.protocol is not None:
        protocols = {entry.result.protocol for entry in entries}
        if args.protocol not in protocols | set(PROTOCOLS):
            raise unknown_name("protocol", args.protocol, protocols | set(PROTOCOLS))
        entries = [entry for entry in entries if entry.result.protocol == args.protocol]
    known = [entry.result.task for entry in entries] + [figure.task for figure in figures]
    view = View(chosen_tasks(names(args.tasks), known), args.metric, args.sort, args.languages)
    if args.by is not None:
        return show_groups(args, entries, figures, view.tasks)
    tables = leaderboard(entries, figures, view)
    records = leaderboard_records(entries, figures, view.tasks) if args.format == "json" else None
    if not tables and args.format != "json":
        remark("nothing to show for this choice of tasks, protocol and metric")
    else:
        show(tables, args.format, records)
    return EXIT_GOOD


def show_groups(
    args: argparse.Namespace, entries: Sequence[RunEntry], figures: Sequence[PublishedFigure], tasks: Sequence[str]
) -> int:
    """The tables of `--by`. Raises UsageError for what goes with the other tables only, or is unknown."""
    from tvbench.report.group_table import group_records, group_sheets, group_table
    from tvbench.report.table import show
    from tvbench.scoring.metrics import metric_id

    if args.languages:
        raise UsageError("--by and --languages are two different tables", "give only one")
    metric = args.metric
    if metric is not None and not any(metric in entry.result.metrics for entry in entries):
        metric = metric_id(metric)
    sheets = group_sheets(entries, figures, args.by, tasks=tasks, metric=metric, sort=args.sort)
    if not sheets and args.format != "json":
        remark(f"nothing to show by {args.by} for this choice of tasks, protocol and metric")
    else:
        show([group_table(sheet) for sheet in sheets], args.format, group_records(sheets))
    return EXIT_GOOD


def chosen_tasks(wanted: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    """Task names, groups spelled out. The catalog is only asked for names that no result has."""
    present = set(known)
    chosen: dict[str, None] = {}
    for name in wanted:
        if name in present:
            chosen[name] = None
            continue
        from tvbench.registry.catalog import groups, tasks

        if name in groups():
            chosen |= dict.fromkeys(groups()[name])
        elif name in tasks():
            chosen[name] = None
        else:
            raise unknown_name("task", name, present | set(tasks()) | set(groups()), "`tvbench tasks` lists them")
    return tuple(chosen)
