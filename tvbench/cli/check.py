"""`tvbench check RUN --against BASELINE`: did anything get worse? Exit code 3 where something certainly did."""

from __future__ import annotations

import argparse
import importlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_results, not_negative, path, positive
from tvbench.cli.output import print_text, remark

if TYPE_CHECKING:
    from tvbench.analysis.regression.verdict import Check

EPILOG = """\
examples:
  tvbench check NEW --against OLD                           # two runs, by their names
  tvbench check NEW --against baselines/main.json           # a file by `tvbench baseline write`
  tvbench check NEW --against results                       # the newest runs there of the same tasks
  tvbench check NEW --against FILE --policy policy.yaml --strict

verdicts: FAIL (exit code 3): something is certainly worse, not there or asked otherwise; PASS: a fall beyond
--resolution is ruled out everywhere; CANNOT TELL: neither, with how many items would do (--strict: exit code 3)
exit codes: 0 pass or cannot tell, 1 answers are missing or failed, 2 usage, 3 regression
"""
FORMATS: dict[str, str] = {
    "table": "tvbench.cli.check:people",
    "json": "tvbench.cli.check:as_json",
    "junit": "tvbench.report.check_junit:junit_xml",
    "github": "tvbench.report.check_github:annotation_text",
    "markdown": "tvbench.report.check_markdown:markdown",
}
"""How a check is written, by name: `module:function`, of a check to text."""
WIDEST, PIPE = 160, 100


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument(
        "run", nargs="?", help="a run's folder, its name below --results, or the beginning of that name"
    )
    parser.add_argument("--against", metavar="BASELINE", help="a run, a folder of runs, or a baseline file")
    parser.add_argument("--margin", type=points, metavar="POINTS", help="a fall of so much passes (default 1)")
    parser.add_argument(
        "--resolution", type=points, metavar="POINTS", help="a larger fall must be ruled out to pass (default 5)"
    )
    parser.add_argument(
        "--policy", type=path, metavar="FILE", help="margins by task and language, and more (docs/gate.md)"
    )
    parser.add_argument("--strict", action="store_true", help="what cannot be told fails")
    parser.add_argument("--tasks", metavar="NAMES", help="only these tasks of the baseline")
    parser.add_argument("--languages", metavar="CODES", help="only these languages of the baseline")
    parser.add_argument("--resamples", type=positive, default=10_000, metavar="N", help="default: 10,000")
    parser.add_argument("--seed", type=not_negative, default=0, help="of the resampling")
    parser.add_argument("--format", choices=tuple(FORMATS), default="table", help="how to print (default %(default)s)")
    parser.add_argument("--output", type=path, metavar="FILE", help="write there instead, and the table to stdout")
    parser.add_argument(
        "--write",
        type=report,
        action="append",
        default=[],
        metavar="FORMAT=FILE",
        help="write a report too, such as junit=report.xml; repeatable (docs/ci.md)",
    )
    parser.add_argument(
        "--schema", choices=("policy", "check"), help="print the JSON schema of policy files, or of --format json"
    )
    add_results(parser)


def points(text: str) -> float:
    """An argparse type: 0 or more."""
    from tvbench.cli.arguments import temperature

    return temperature(text)


def report(text: str) -> tuple[str, Path]:
    """An argparse type: `FORMAT=FILE`."""
    form, sign, file = text.partition("=")
    if not sign or not file or form not in FORMATS:
        raise argparse.ArgumentTypeError(f"'{text}' is not FORMAT=FILE, with FORMAT one of {', '.join(FORMATS)}")
    return form, Path(file)


def main(args: argparse.Namespace) -> int:
    from tvbench import api
    from tvbench.errors import UsageError

    if args.schema:
        return _print_schema(args.schema)
    if not args.run or not args.against:
        raise UsageError(
            "a run and a baseline are needed" if not args.run else "there is nothing to check it against",
            "tvbench check RUN --against BASELINE (a run, a folder of runs, or a file by `tvbench baseline write`)",
        )
    found = api.check(
        args.run,
        against=args.against,
        policy=args.policy,
        margin=args.margin,
        resolution=args.resolution,
        strict=args.strict or None,
        tasks=args.tasks or (),
        languages=args.languages or (),
        results=args.results,
        resamples=args.resamples,
        seed=args.seed,
    )
    text = written(found, args.format)
    if args.output is not None:
        _write(args.output, text)
        remark(f"{args.output} written")
        text = people(found) if args.format != "table" else ""
    print_text(text)
    for form, file in args.write:
        _write(file, written(found, form))
    if "github" in (args.format, *(form for form, _ in args.write)):
        from tvbench.report.check_github import append_summary

        append_summary(found)
    return found.exit_code


def written(check: Check, form: str) -> str:
    """A check in one of FORMATS."""
    module, _, name = FORMATS[form].partition(":")
    make: Callable[[Check], str] = getattr(importlib.import_module(module), name)
    return make(check)


def people(check: Check) -> str:
    """For a terminal, as wide as it is."""
    from tvbench.report.check import check_lines, command_lines

    width = min(WIDEST, shutil.get_terminal_size((PIPE, 24)).columns)
    return "".join(f"{line}\n" for line in [*check_lines(check, width), *command_lines(check.next)])


def as_json(check: Check) -> str:
    """For scripts."""
    from tvbench.report.check import check_records
    from tvbench.safety.visible import json_text

    return json_text(check_records(check), ascii_only=False) + "\n"


def _write(target: Path, text: str) -> None:
    from tvbench.runs.disk import write_report

    write_report(target, text)


def _print_schema(name: str) -> int:
    from tvbench.analysis.regression.policy import policy_schema
    from tvbench.cli.output import print_json
    from tvbench.errors import EXIT_GOOD
    from tvbench.report.check import check_schema

    print_json(policy_schema() if name == "policy" else check_schema())
    return EXIT_GOOD
