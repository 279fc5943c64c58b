"""`tvbench tasks check`: tries everything that a task declares, and says what does not hold and what to change."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import add_include, path, positive
from tvbench.cli.output import print_json, say
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE

if TYPE_CHECKING:
    from tvbench.analysis.conformance import Checked, Trial

MARKS = {"ok": "ok        ", "failed": "FAILED    ", "not tried": "not tried "}


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("tasks", nargs="+", metavar="FILE|TASK", help="task files, or names of tasks or groups")
    parser.add_argument("--data", type=path, metavar="DIR", help="a local copy of the data, in the hub's layout")
    parser.add_argument("--offline", action="store_true", help="never ask the hub (see `tvbench fetch`)")
    parser.add_argument(
        "--limit", type=positive, default=8, metavar="N", help="items of each language to look at (default %(default)s)"
    )
    parser.add_argument("--format", choices=("table", "json"), default=argparse.SUPPRESS, help="how to print")
    add_include(parser)


def main(args: argparse.Namespace) -> int:
    found = [checked for name in args.tasks for checked in _checked(name, args)]
    if args.format == "json":
        print_json([_record(checked) for checked in found])
    else:
        say(*(line for checked in found for line in _lines(checked)))
    return EXIT_GOOD if all(checked.good for checked in found) else EXIT_INCOMPLETE


def _checked(name: str, args: argparse.Namespace) -> Iterator[Checked]:
    """What is found about each task called `name`. A file that cannot be used is a finding as well."""
    from pathlib import Path

    from tvbench.analysis.conformance import Checked, Circumstances, Trial, check
    from tvbench.registry.catalog import BrokenTask
    from tvbench.registry.selection import is_path, named_tasks

    try:
        tasks = named_tasks(name)
    except BrokenTask as error:
        yield Checked(name, (Trial("declaration", "failed", error.message, "fix the task file"),))
        return
    for task in tasks:
        # The file's own path, wherever the other process starts; or a name.
        named = str(Path(name).expanduser().resolve()) if is_path(name) else task.name
        yield check(task, Circumstances(args.data, args.offline, args.limit, named))


def _record(found: Checked) -> dict[str, Any]:
    return {
        "task": found.task,
        "good": found.good,
        "findings": [
            {"check": finding.check, "outcome": finding.outcome, "said": finding.said, "hint": finding.hint}
            for finding in found.findings
        ],
        "prompts": found.prompts,
    }


def _lines(found: Checked) -> Iterator[str]:
    yield f"{found.task}"
    for finding in found.findings:
        yield from _finding_lines(finding)
    for protocol, prompt in found.prompts.items():
        yield f"  first prompt of protocol {protocol}:"
        yield from (f"    | {line}" for line in prompt.split("\n"))
    yield _verdict(found.task, found.findings)


def _finding_lines(finding: Trial) -> Iterator[str]:
    yield f"  {MARKS[finding.outcome]}{finding.check}" + (f": {finding.said}" if finding.said else "")
    if finding.hint and finding.outcome != "ok":
        yield f"              {finding.hint}"


def _verdict(task: str, findings: Iterable[Trial]) -> str:
    outcomes = [finding.outcome for finding in findings]
    failed, open_ones = outcomes.count("failed"), outcomes.count("not tried")
    tail = f", {open_ones} could not be tried" if open_ones else ""
    return f"{task}: {failed} of {len(outcomes)} checks failed{tail}" if failed else f"{task}: nothing failed{tail}"
