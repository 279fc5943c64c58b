"""`tvbench status`: what is done, failed and missing of a run, a suite or a whole results folder; and what goes on."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_format, add_include, add_results, names, results_option, seconds
from tvbench.cli.output import fitted, print_json, remark, say
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from tvbench.suites.states import SuiteState

EXAMPLES = """examples:
  tvbench status                       # every run and suite of the results folder
  tvbench status suite.yaml            # or eu24: one suite
  tvbench status RUN --languages de
  tvbench status RUN --watch           # also from another machine that sees the folder; Ctrl-C ends the watching alone
exit codes: 0 complete, 1 something is missing
"""
SECONDS = 2.0
"""Between two looks."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("what", nargs="?", metavar="RUN|SUITE", help="a run, or a suite by its name or file")
    parser.add_argument("--languages", metavar="CODES", help="only these languages, such as de,hi")
    parser.add_argument(
        "--watch",
        type=seconds,
        nargs="?",
        const=SECONDS,
        metavar="SECONDS",
        help=f"look again every so many (default {SECONDS:g}), until everything is complete",
    )
    add_results(parser)
    add_include(parser)
    add_format(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench.suites.states import all_complete

    if args.watch is not None:
        from tvbench.cli.watching import watch

        return watch(Looking(args), partial(show_states, args), args.watch, args.format)
    states = looked_at(args)
    if args.format == "json":
        print_json([state.as_json() for state in states])
    else:
        show_states(args, states)
    return EXIT_GOOD if all_complete(states) else EXIT_INCOMPLETE


def looked_at(args: argparse.Namespace) -> list[SuiteState]:
    """What was asked for, as it stands now. Raises UsageError."""
    from tvbench.report.suites import narrowed

    return [narrowed(state, codes(args.languages)) for state in states_of(args.results, args.what)]


class Looking:
    """Looks again and again. Raises UsageError where what was there is gone."""

    def __init__(self, args: argparse.Namespace) -> None:
        self._args = args
        self._seen = False

    def __call__(self) -> list[SuiteState]:
        states = looked_at(self._args)
        if self._seen and not self._args.results.is_dir():
            raise UsageError(f"{self._args.results} is gone", "it was moved or deleted while it was watched")
        self._seen = self._seen or any(state.runs for state in states)
        return states


def show_states(args: argparse.Namespace, states: Sequence[SuiteState]) -> None:
    """Tables and lines on stdout."""
    from tvbench.report.live import live_table
    from tvbench.report.suites import status_lines, status_table
    from tvbench.report.table import show

    for state in filter(lambda state: state.runs, states):
        show([status_table(state)], "table")
        if len(state.runs) == 1 and (table := live_table(state.runs[0])) is not None:
            show([table], "table")
        say(*fitted(status_lines(state, results_option(args))))
    if not any(state.runs for state in states):
        where = f" in {', '.join(names(args.languages))}" if args.languages else ""
        remark(f"no runs{where} in {args.results} yet; `tvbench run --model MODEL --tasks TASKS` makes one")


def codes(text: str | None) -> set[str]:
    """The codes of the languages that were typed. Raises UsageError."""
    from tvbench.languages import code_of

    return {code_of(name) for name in names(text)} | set(names(text))


def states_of(results: Path, what: str | None) -> list[SuiteState]:
    """A suite, a run, or everything: suites first, then the runs that are no suite's. Raises UsageError."""
    from tvbench.runs.store import find_run
    from tvbench.suites.missing import run_state, run_states, suite_state
    from tvbench.suites.record import find_records, read_record, record_path
    from tvbench.suites.shelf import ENDINGS, suite_files
    from tvbench.suites.states import SuiteState

    if what is None:
        states: list[SuiteState] = []
        for path in find_records(results):
            try:
                states.append(suite_state(results, read_record(path)))
            except UsageError as error:  # the others are shown all the same
                remark(f"tvbench: {error}")
        known = {run.run for state in states for run in state.runs}
        alone = tuple(run_states(results, known))
        return [*states, *([SuiteState("", alone)] if alone else [])]
    name = _suite_name(what) if what.endswith(ENDINGS) else what
    if record_path(results, name).is_file():
        return [suite_state(results, read_record(record_path(results, name)))]
    if what.endswith(ENDINGS) or (what in suite_files() and not (results / what).is_dir()):
        raise UsageError(f"suite {name} is not begun in {results}", f"tvbench run {what}")
    return [SuiteState("", (run_state(find_run(results, what)),))]


def _suite_name(path: str) -> str:
    from tvbench.suites.shelf import find_suite

    return find_suite(path).name
