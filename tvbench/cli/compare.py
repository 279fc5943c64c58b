"""`tvbench compare A B [C ...]`: is a run better than the first one, where, and is that certain?"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from shlex import join
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import add_results, not_negative, positive, results_option
from tvbench.cli.output import print_csv, print_json
from tvbench.errors import EXIT_GOOD

if TYPE_CHECKING:
    from tvbench.analysis.damage import Breakage
    from tvbench.api import RunComparison
    from tvbench.runs.store import RunFolder

EPILOG = """\
examples:
  tvbench compare RUN_A RUN_B                     # names, or their beginnings, as `tvbench leaderboard` has them
  tvbench compare RUN_A RUN_B RUN_C               # each of the others against the first, corrected for all
  tvbench compare RUN_A RUN_B --languages de,hi --all
  tvbench compare RUN_A RUN_B --metric strict --format latex > table.tex
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("first", help="a run's folder, its name below --results, or the beginning of that name")
    parser.add_argument("second", help="the run that is set against it")
    parser.add_argument("more", nargs="*", help="more runs that are set against the first")
    parser.add_argument("--metric", metavar="NAME", help="default: each task's headline metric")
    parser.add_argument("--tasks", metavar="NAMES", help="only these tasks")
    parser.add_argument("--languages", metavar="CODES", help="only these languages; the mean is then over them")
    parser.add_argument("--all", action="store_true", help="show p, items and the smallest detectable difference too")
    parser.add_argument("--resamples", type=positive, default=10_000, metavar="N", help="default: 10,000")
    parser.add_argument("--seed", type=not_negative, default=0, help="of the resampling")
    parser.add_argument("--format", choices=("table", "markdown", "latex", "csv", "json"), default="table")
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench import api
    from tvbench.runs.store import find_run

    runs = [find_run(args.results, name) for name in (args.first, args.second, *args.more)]
    found = api.compare(
        *runs,
        results=args.results,
        tasks=args.tasks or (),
        languages=args.languages or (),
        metric=args.metric,
        resamples=args.resamples,
        seed=args.seed,
    )
    if args.format == "csv":
        print_csv(found.table().csv())
        return EXIT_GOOD
    broken = [_damage(args, runs[0], run, pair) for run, pair in zip(runs[1:], found.pairs, strict=True)]
    if args.format == "json":
        print_json(_record(found, broken))
    else:
        _show(args, runs, found, broken)
    return EXIT_GOOD


def _record(found: RunComparison, broken: Sequence[Breakage]) -> dict[str, Any]:
    """Of two runs; of more, the others stand in `more`, each in the same form."""
    from tvbench.report.comparison import comparison_records
    from tvbench.scoring.student import LEVEL

    record = {
        "first": found.first,
        "second": found.second,
        "resamples": found.resamples,
        "seed": found.seed,
        "level": LEVEL,
        "tasks": comparison_records(found.tasks),
        "damage": asdict(broken[0]),
    }
    more = [_record(pair, [damage]) for pair, damage in zip(found.more, broken[1:], strict=True)]
    return record | ({"more": more} if more else {})


def _show(
    args: argparse.Namespace, runs: Sequence[RunFolder], found: RunComparison, broken: Sequence[Breakage]
) -> None:
    """The table, and below it what is broken and what to type next; in a file of LaTeX as comments."""
    from tvbench.analysis.run_names import run_names
    from tvbench.cli.output import fitted, say
    from tvbench.report.comparison import comparison_screen, comparison_table
    from tvbench.report.comparison_notes import next_steps, summary, unseen
    from tvbench.report.damage import damage_lines
    from tvbench.report.table import show

    names, pairs = run_names(runs), [pair.tasks for pair in found.pairs]
    screen = args.format == "table"
    if screen:
        say(*fitted([*summary(pairs, names), ""]))
        show([comparison_screen(pairs, names, found.resamples, whole=args.all)], args.format)
    else:
        show([comparison_table(pairs, names, found.resamples)], args.format)
    for run, name, damage in zip(runs[1:], names[1:], broken, strict=True):
        lines = list(damage_lines(damage, runs[0].name, run.name))
        head = [f"broken in {name}, and not in {names[0]}"] if lines else []
        say(*(fitted([*head, *lines]) if screen else _below(args.format, [*head, *lines])))
    if screen:
        steps = next_steps(
            pairs, [run.name for run in runs], whole=args.all, chosen=_options(args), where=results_option(args)
        )
        say(*fitted([*unseen(pairs, names), *steps]))


def _below(form: str, lines: Sequence[str]) -> list[str]:
    """Lines below a table in a file."""
    return [f"% {line}" if form == "latex" else line for line in lines]


def _options(args: argparse.Namespace) -> str:
    """The options that choose what is compared, as they were typed."""
    given = [(f"--{name}", getattr(args, name)) for name in ("metric", "tasks", "languages")]
    return "".join(f" {join((option, value))}" for option, value in given if value)


def _damage(args: argparse.Namespace, first: RunFolder, second: RunFolder, found: RunComparison) -> Breakage:
    """What is broken in the second run and was not in the first."""
    from tvbench.analysis.damage import damage_between

    return damage_between(
        first,
        second,
        [task.task for task in found.tasks],
        sorted({part.language for task in found.tasks for part in task.languages}) if args.languages else (),
    )
