"""`tvbench baseline write RUN FILE`: a run as one small file that later runs are held against; `show` reads it."""

from __future__ import annotations

import argparse

from tvbench.cli.arguments import add_results, path
from tvbench.cli.output import print_json, remark, say
from tvbench.errors import EXIT_GOOD

EPILOG = """\
examples:
  tvbench baseline write RUN baselines/main.json            # commit the file: 160 kB for 20,000 items
  tvbench baseline show baselines/main.json
  tvbench check NEW --against baselines/main.json
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    write = actions.add_parser("write", help="write a run's scores by item into one file")
    write.add_argument("run", help="a run's folder, its name below --results, or the beginning of that name")
    write.add_argument("file", type=path, help="where to; a file that is there is replaced")
    write.add_argument("--policy", type=path, metavar="FILE", help="a policy that checks against this baseline follow")
    write.add_argument("--incomplete", action="store_true", help="also a run with missing or failed answers")
    add_results(write)
    show = actions.add_parser("show", help="what a baseline file holds")
    show.add_argument("file", type=path)
    show.add_argument("--format", choices=("table", "json"), default="table")


def main(args: argparse.Namespace) -> int:
    return _write(args) if args.action == "write" else _show(args)


def _write(args: argparse.Namespace) -> int:
    from tvbench import api

    api.write_baseline(args.run, args.file, policy=args.policy, incomplete=args.incomplete, results=args.results)
    remark(f"{args.file} written, {args.file.stat().st_size:,} bytes")
    say(f"tvbench check RUN --against {args.file}")
    return EXIT_GOOD


def _show(args: argparse.Namespace) -> int:
    from tvbench.analysis.regression.file import read_file
    from tvbench.report.baseline import baseline_records, baseline_tables
    from tvbench.report.table import show

    baseline = read_file(args.file)
    if args.format == "json":
        print_json(baseline_records(baseline))
    else:
        show(baseline_tables(baseline), "table")
    return EXIT_GOOD
