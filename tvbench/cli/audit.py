"""`tvbench audit TASK|RUN`: what a benchmark is like before any model sees it."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_format, add_include, add_results, names, not_negative, positive
from tvbench.errors import EXIT_GOOD, UsageError, unknown_name

if TYPE_CHECKING:
    from tvbench.analysis.audit import TaskAudit

EPILOG = """\
examples:
  tvbench audit mini                              # a task, a group of tasks, or some of them: alm:de+fr,mini-text
  tvbench audit alm --data DIR --protocol paper   # a local copy of the data, in the hub's layout
  tvbench audit RUN                               # the items that a run asked, or that a log held
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = EPILOG
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("what", metavar="TASK|RUN", help="tasks as in `tvbench run --tasks`, or a run's folder or name")
    add_include(parser)
    parser.add_argument("--tasks", metavar="NAMES", help="of a run: only these of its tasks")
    parser.add_argument("--languages", metavar="CODES", help="only these languages, such as de,fr")
    parser.add_argument("--protocol", help="of a task: tvbench (default), paper or official")
    parser.add_argument("--data", type=Path, metavar="DIR", help="of a task: a local copy of the data")
    parser.add_argument("--split", help="of a task: another split than its own")
    parser.add_argument("--limit", type=positive, metavar="N", help="of a task: the first N items of each language")
    parser.add_argument("--offline", action="store_true", help="never ask the hub (see `tvbench fetch`)")
    parser.add_argument(
        "--examples",
        type=not_negative,
        default=5,
        metavar="N",
        help="findings shown of each kind and language (default 5; JSON has all)",
    )
    add_format(parser, ("table", "markdown", "json"))
    add_results(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench.report.audit import audit_records, audit_tables
    from tvbench.report.table import show

    found = _audit_run(args) if _names_a_run(args) else _audit_tasks(args)
    show(audit_tables(found, args.examples), args.format, audit_records(found))
    return EXIT_GOOD


def _names_a_run(args: argparse.Namespace) -> bool:
    """Whether `what` is a run. A task's name goes first. Raises UsageError where it is neither."""
    from tvbench.registry import catalog
    from tvbench.registry.selection import is_data
    from tvbench.runs.store import MANIFEST, find_runs

    first = args.what.split(",")[0].partition(":")[0].strip()
    tasks = [*catalog.tasks(), *catalog.groups()]
    if first in tasks or first.endswith(".py"):
        return False
    if not (Path(args.what) / MANIFEST).is_file() and is_data(args.what):
        return False
    runs = [run.name for run in find_runs(args.results)]
    if (Path(args.what) / MANIFEST).is_file() or any(run.startswith(args.what) for run in runs if args.what):
        return True
    raise unknown_name(
        "task or run",
        first,
        [*tasks, *runs],
        f"`tvbench tasks` lists the tasks; runs were looked for in {args.results} (--results DIR)",
    )


def _audit_run(args: argparse.Namespace) -> list[TaskAudit]:
    from tvbench.analysis.audit import audit
    from tvbench.runs.answered import answered
    from tvbench.runs.store import find_run

    run = find_run(args.results, args.what)
    for option in ("protocol", "data", "split", "limit"):
        if getattr(args, option) is not None:
            raise UsageError(
                f"--{option} is for a task, and {args.what} is a run",
                "a run's items are as they were asked; name the task to build it again",
            )
    found = [
        audit(task.entry.task, task.entry.protocol, task.entry.dataset, task.pairs, task.entry.warnings)
        for task in answered(run, names(args.tasks), names(args.languages)).values()
        if task.items
    ]
    if not found:
        raise UsageError(f"{run.name} holds no items", "its figures were copied from a log, or the run is empty")
    return found


def _audit_tasks(args: argparse.Namespace) -> list[TaskAudit]:
    from tvbench.analysis.audit import audit
    from tvbench.registry.declared import codes_in
    from tvbench.registry.selection import select
    from tvbench.runs.plan import Overrides, plan_task
    from tvbench.types import BuildOptions, ModelCard

    if args.tasks is not None:
        raise UsageError(
            f"--tasks is for a run, and {args.what} names tasks", f"tvbench audit {args.tasks} audits these"
        )
    nobody = ModelCard(name="audit", kind="builtin", location="audit")
    found = []
    for task, own in select(args.what):
        wanted = own or tuple(code for name in names(args.languages) for code in codes_in(task, name))
        options = BuildOptions(
            args.protocol or task.default_protocol, wanted, args.limit, args.split, args.data, offline=args.offline
        )
        planned = plan_task(task, options, nobody, Overrides())
        pairs = [(item.key, item.item) for item in planned.items]
        found.append(audit(task.name, options.protocol, planned.dataset, pairs, planned.warnings))
    return found
