"""`tvbench run SUITE`: every model of a suite, checked as a whole, asked one after the other, shown together."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import names, results_option
from tvbench.cli.metrics import metered
from tvbench.cli.output import print_json, remark, say
from tvbench.cli.progress import Showing
from tvbench.cli.typed import stop_cleanly, typed_options
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, UsageError

if TYPE_CHECKING:
    from tvbench.api import Run
    from tvbench.suites.asking import PlannedSuite, SuiteOutcome
    from tvbench.suites.combining import Given


def run_suite(args: argparse.Namespace) -> int:
    """`tvbench run` with a suite. Returns the exit code."""
    from tvbench import api

    if args.suite is not None and args.suite_named is not None:
        raise UsageError(f"two suites: {args.suite} and {args.suite_named}", "give one of them")
    name, listener = args.suite or args.suite_named, Showing(quiet=args.quiet)
    command = ("tvbench", *sys.argv[1:])
    with metered(None if args.dry_run else args.metrics_port, listener) as told:
        begun = api.begin_suite(name, given_of(args), args.results, told, command, dry=args.dry_run)
        if args.dry_run:
            return _estimate(begun, args)
        signal.signal(signal.SIGTERM, stop_cleanly)
        outcome = api.ask_suite(begun, told)
    return _report(begun, outcome, args)


def given_of(args: argparse.Namespace) -> Given:
    """What was typed next to the suite. Raises UsageError for a name that several models would get."""
    from tvbench.suites.combining import Given

    models = _models(args.model)
    for name in ("label", "revision"):
        if getattr(args, name) is not None and len(models) != 1:
            raise UsageError(
                f"--{name} is for one model",
                f"in a suite's file: models: [{{model: NAME, {name}: {getattr(args, name)}}}]",
            )
    tasks = (args.tasks,) if args.tasks else ()
    return Given(models, tasks, names(args.languages), typed_options(args))


def _models(text: str | None) -> tuple[str, ...]:
    """`a,b`; the path of a folder that is there is one, whatever is in it."""
    if text is not None and Path(text).expanduser().exists():
        return (text,)
    return tuple(dict.fromkeys(names(text)))


def _estimate(begun: PlannedSuite, args: argparse.Namespace) -> int:
    from dataclasses import asdict

    from tvbench.report.suites import estimate_table, total
    from tvbench.report.table import show
    from tvbench.runs.estimate import estimate

    found = [
        (run.combination.called, estimate(run.ready.plan, args.results, fresh=args.fresh, reuse=not args.no_reuse))
        for run in begun.runs
        if run.ready is not None
    ]
    for run in begun.runs:
        if run.ready is None:
            remark(f"warning: {run.combination.called}: {run.problem}")
    records: dict[str, Any] = {"suite": begun.suite.name, **total([guess for _, guess in found])}
    records["runs"] = [{"called": called, **asdict(guess)} for called, guess in found]
    show([estimate_table(begun.suite.name, found)], "json" if args.format == "json" else "table", records)
    return EXIT_GOOD


def _report(begun: PlannedSuite, outcome: SuiteOutcome[Run], args: argparse.Namespace) -> int:
    """The leaderboard of these runs, then what failed and what is missing."""
    from tvbench.report.board_page import print_board
    from tvbench.report.suites import status_lines, suite_board
    from tvbench.suites.missing import suite_state

    state = suite_state(args.results, outcome.record)
    if args.format == "json":
        print_json(
            {
                "suite": begun.suite.name,
                "complete": outcome.complete and state.complete,
                "runs": [{"run": run.name, "complete": run.complete} for run in outcome.runs],
                "failures": outcome.failures,
                "status": state.as_json(),
            }
        )
    else:
        print_board(suite_board(args.results, outcome.record).sheets(), args.results, say)
        say(*status_lines(state, results_option(args)))
    for called, error in outcome.failures.items():
        remark(f"failed: {called}: {error}")
    shards = [run.shard for run in outcome.runs if run.shard is not None]
    for shard in shards:
        remark(shard.said)
    own = bool(shards) and not outcome.failures and all(run.complete or _done(run) for run in outcome.runs)
    return EXIT_GOOD if outcome.complete or own else EXIT_INCOMPLETE


def _done(run: Run) -> bool:
    """Whether it is one of several jobs, and has answered what is its own."""
    return run.shard is not None and run.shard.done
