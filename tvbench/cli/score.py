"""`tvbench score RUN`: score the stored answers again. Needs no engine, no model and no data."""

from __future__ import annotations

import argparse

from tvbench.cli.arguments import add_format, add_include, add_results
from tvbench.cli.output import print_csv, print_json
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run's folder, its name below --results, or the beginning of that name")
    add_results(parser)
    add_include(parser)
    add_format(parser, ("table", "json", "csv"))


def main(args: argparse.Namespace) -> int:
    from tvbench import api
    from tvbench.report.run_table import run_table
    from tvbench.report.table import show
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
        show([run_table(results, run.manifest.model.revision)], "table")
    return EXIT_GOOD if run.complete else EXIT_INCOMPLETE
