"""`tvbench merge RUN...`: one run out of folders of several machines, or out of the parts of one folder."""

from __future__ import annotations

import argparse
from dataclasses import asdict
from pathlib import Path

from tvbench.cli.arguments import add_format, add_include, add_results, add_shown
from tvbench.cli.end_of_run import print_run
from tvbench.cli.output import print_json, remark
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE

EXAMPLES = """examples:
  tvbench merge RUN                                  the parts of one folder, when all shards have ended
  tvbench merge disk1/RUN disk2/RUN disk3/RUN        folders of one run: written to RUN below --results
  tvbench merge disk1/RUN disk2/RUN --into all/RUN

An answer beats a failure. Two different answers to one question, or manifests that contradict each other, are named,
and nothing is written; --prefer says whose holds. Folders that are merged stay as they are; the same command again
changes nothing.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's folder, or its name below --results")
    parser.add_argument(
        "--into",
        type=Path,
        metavar="FOLDER",
        help="the folder to write (default: of one RUN that folder, of several their name below --results)",
    )
    parser.add_argument("--prefer", metavar="RUN", help="which of these holds where they contradict each other")
    parser.add_argument("--no-score", action="store_true", help="leave the scores to `tvbench score`")
    add_results(parser)
    add_include(parser)
    add_shown(parser)
    add_format(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench import api
    from tvbench.runs import codec

    merged = api.merge_folders(args.runs, into=args.into, results=args.results, prefer=args.prefer)
    for line in (*merged.remarks, merged.said):
        remark(line)
    run = None if args.no_score else api.score(merged.folder)
    if args.format == "json":
        facts = {name: value for name, value in asdict(merged).items() if name not in ("folder", "remarks")}
        tasks = [] if run is None else [codec.result_to_json(result) for result in run.results.values()]
        path = merged.folder.path
        print_json({"run": path.name, "path": str(path), "complete": merged.complete, **facts, "tasks": tasks})
    elif run is not None:
        print_run(run, whole=args.all)
    return EXIT_GOOD if merged.complete and (run is None or run.complete) else EXIT_INCOMPLETE
