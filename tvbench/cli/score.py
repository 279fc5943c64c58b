"""`tvbench score RUN`: score the stored answers again. Needs no engine, no model and no data."""

from __future__ import annotations

import argparse

from tvbench.cli.arguments import add_format, add_include, add_results, add_shown, names
from tvbench.cli.end_of_run import print_run
from tvbench.cli.output import print_csv, print_json
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run's folder, its name below --results, or the beginning of that name")
    add_results(parser)
    add_include(parser)
    add_shown(parser)
    parser.add_argument("--languages", metavar="CODES", help="show only these languages, such as de,hi,ar")
    add_format(parser, ("table", "json", "csv"))


def main(args: argparse.Namespace) -> int:
    from tvbench import api
    from tvbench.runs import codec

    run = api.score(args.run, results=args.results)
    results = list(run.results.values())
    if args.format == "json":
        print_json(
            {"run": run.name, "path": str(run.path), "tasks": [codec.result_to_json(result) for result in results]}
        )
    elif args.format == "csv":
        print_csv(run.table().csv())
    else:
        print_run(run, languages=names(args.languages), whole=args.all)
    return EXIT_GOOD if run.complete else EXIT_INCOMPLETE
