"""`tvbench score RUN`: score the stored answers again. Needs no engine, no model and no data."""

from __future__ import annotations

import argparse
from dataclasses import replace

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
    from tvbench.analysis.among import results_among
    from tvbench.runs import codec

    run = api.score(args.run, results=args.results)
    languages = names(args.languages)
    among = replace(run, results=results_among(run.results, languages)) if languages else run
    results = list(among.results.values())
    if args.format == "json":
        print_json(
            {"run": run.name, "path": str(run.path), "tasks": [codec.result_to_json(result) for result in results]}
        )
    elif args.format == "csv":
        print_csv(among.table().csv())
    else:
        print_run(run, languages=languages, whole=args.all)
    return EXIT_GOOD if run.complete else EXIT_INCOMPLETE
