"""`tvbench score RUN`: score the stored answers again. Needs no engine, no model and no data."""

from __future__ import annotations

import argparse

from tvbench.cli.arguments import add_format, add_results
from tvbench.cli.output import print_json
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run's folder, its name below --results, or the beginning of that name")
    add_results(parser)
    add_format(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench.analysis.assess import assess
    from tvbench.report.run_table import run_table
    from tvbench.report.table import show
    from tvbench.runs import codec
    from tvbench.runs.store import find_run

    run = find_run(args.results, args.run)
    results = assess(run)
    if args.format == "json":
        print_json({"run": run.name, "path": str(run.path), "tasks": [codec.result_to_json(r) for r in results]})
    else:
        show([run_table(results, run.manifest().model.revision)], "table")
    sound = bool(results) and all(result.counts.all_answered or result.copied for result in results)
    return EXIT_GOOD if sound else EXIT_INCOMPLETE
