"""`tvbench comet RUN`: score the translations of a run by COMET, in its own environment, and show the run."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import add_format, add_results, positive, seconds
from tvbench.cli.output import print_json, remark
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE
from tvbench.safety.visible import visible_lines

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from tvbench.graders.comet.session import CometSummary

DEFAULT_CHECKPOINT = "xcomet-xl"
SECONDS_BETWEEN_LINES = 15.0


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", help="a run's folder, its name below --results, or the beginning of that name")
    parser.add_argument(
        "--checkpoint",
        default=DEFAULT_CHECKPOINT,
        metavar="NAME|PATH",
        help="xcomet-xl, xcomet-xxl, wmt22-comet-da, cometkiwi (needs no reference), another model's id on the hub, or "
        "the path of a .ckpt file or of its folder (default %(default)s)",
    )
    parser.add_argument("--batch-size", type=positive, default=16, metavar="N", help="segments (default %(default)s)")
    parser.add_argument(
        "--precision",
        choices=["fp16", "fp32"],
        default="fp16",
        help="fp16 is what the command comet-score of 2.2.7 computes in, fp32 what the Python library does, and with "
        "it lmms-eval (default %(default)s)",
    )
    parser.add_argument(
        "--silence",
        type=seconds,
        default=600,
        metavar="SECONDS",
        help="stop a worker that says nothing for so long (default %(default)s)",
    )
    parser.add_argument("--offline", action="store_true", help="do not ask the hub (so does HF_HUB_OFFLINE=1)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_results(parser)
    add_format(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench.analysis.assess import assess
    from tvbench.graders.comet.session import score_run
    from tvbench.report.run_table import run_table
    from tvbench.report.table import show
    from tvbench.runs import codec
    from tvbench.runs.store import find_run

    signal.signal(signal.SIGTERM, _stop_cleanly)
    run = find_run(args.results, args.run)
    with Scoring(quiet=args.quiet) as watch:
        summary = score_run(
            run,
            args.checkpoint,
            batch_size=args.batch_size,
            precision=args.precision,
            silence_s=args.silence,
            offline=args.offline,
            watch=watch,
        )
    results = assess(run)
    say(summary, quiet=args.quiet)
    if args.format == "json":
        print_json(
            {
                "run": run.name,
                "path": str(run.path),
                "comet": as_json(summary),
                "tasks": [codec.result_to_json(result) for result in results],
            }
        )
    else:
        show([run_table(results, run.manifest().model.revision)], "table")
    return EXIT_GOOD if summary.complete else EXIT_INCOMPLETE


def say(summary: CometSummary, *, quiet: bool) -> None:
    """The session in a few lines on stderr; failures and unscored items even when `quiet`."""
    from tvbench.scoring.metrics import label

    if not quiet:
        kept = summary.segments - summary.new - len(summary.failures)
        remark(f"{label(summary.metric)}: {summary.new} segments scored, {kept} scored before")
        if summary.system is not None:
            remark(f"  system score {summary.system:.4f} (the mean of {len(summary.scores)} items)")
    for note in summary.notes:
        remark(f"  {note}")
    if summary.failures:
        first = next(iter(summary.failures.values())).splitlines()[0]
        remark(f"  {len(summary.failures)} segments could not be scored, the first: {first}")


def as_json(summary: CometSummary) -> dict[str, Any]:
    """The session for scripts; the segments' scores lie in RUN/scores.jsonl and RUN/comet/."""
    return {
        "metric": summary.metric,
        "definition": summary.definition,
        "system": summary.system,
        "segments": summary.segments,
        "new": summary.new,
        "failed": len(summary.failures),
        "notes": list(summary.notes),
    }


def _stop_cleanly(signum: int, frame: FrameType | None) -> None:
    """A job scheduler's SIGTERM ends the scoring as Ctrl-C does: the worker gone, what was scored stored."""
    raise KeyboardInterrupt


class Scoring:
    """A Watch (graders/comet/session.py) on stderr: a live line on a terminal, a plain line now and then in a log."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._total = self._done = self._kept = 0
        self._doing = "starting"
        self._started = self._last_line = time.monotonic()
        self._progress: Progress | None = None
        self._bar: TaskID | None = None

    def begin(self, total: int, kept: int) -> None:
        """See Watch."""
        self._total, self._kept = total, kept
        self._started = self._last_line = time.monotonic()
        if self.quiet:
            return
        remark(f"{total} segments" + (f", {kept} scored before" if kept else ""))
        if sys.stderr.isatty() and kept < total:
            self._start_bar()

    def scored(self) -> None:
        """See Watch."""
        self._done += 1
        if self._progress is not None and self._bar is not None:
            self._progress.update(self._bar, completed=self._kept + self._done)

    def doing(self, text: str) -> None:
        """See Watch."""
        self._doing = text
        if self._progress is not None and self._bar is not None:
            self._progress.update(self._bar, doing=text)
        elif not self.quiet and time.monotonic() - self._last_line > SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            remark(f"{self._kept + self._done}/{self._total}, {self._last_line - self._started:.0f} s, {text}")

    def note(self, text: str) -> None:
        """See Watch. Said even when quiet: something went wrong."""
        if self._progress is not None:
            self._progress.console.print(visible_lines(text), highlight=False, markup=False)
        else:
            remark(text)

    def __enter__(self) -> Scoring:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()

    def _start_bar(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self._progress = Progress(
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[doing]}", markup=False),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._bar = self._progress.add_task("", total=self._total, completed=self._kept, doing=self._doing)
        self._progress.start()
