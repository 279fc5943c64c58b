"""`tvbench comet RUN`: score the translations of a run by COMET, in its own environment, and show the run."""

from __future__ import annotations

import argparse
import signal
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import add_format, add_results, names, positive, seconds
from tvbench.cli.output import print_json, remark
from tvbench.cli.progress import Showing
from tvbench.cli.typed import stop_cleanly
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE
from tvbench.runs.listening import PhaseWatch

if TYPE_CHECKING:
    from tvbench.graders.comet.session import CometSummary

DEFAULT_CHECKPOINT = "xcomet-xl"


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
    parser.add_argument("--languages", metavar="CODES", help="show only these languages; all are scored")
    parser.add_argument("--offline", action="store_true", help="do not ask the hub (so does HF_HUB_OFFLINE=1)")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    add_results(parser)
    add_format(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench import api
    from tvbench.analysis.assess import assess
    from tvbench.cli.end_of_run import print_run
    from tvbench.graders.comet.session import score_run, summary_lines
    from tvbench.report.run_table import run_table
    from tvbench.report.table import show
    from tvbench.runs import codec
    from tvbench.runs.answered import languages_called
    from tvbench.runs.store import find_run
    from tvbench.scoring.metrics import label

    signal.signal(signal.SIGTERM, stop_cleanly)
    run = find_run(args.results, args.run)
    shown = names(args.languages)
    languages_called(shown, {item.language for _, item in run.requests()})
    with PhaseWatch(Showing(quiet=args.quiet), "comet") as watch:
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
    for line, detail in summary_lines(summary, label(summary.metric)):
        if not (detail and args.quiet):
            remark(line)
    if args.format == "json":
        print_json(
            {
                "run": run.name,
                "path": str(run.path),
                "comet": as_json(summary),
                "tasks": [codec.result_to_json(result) for result in results],
            }
        )
    elif shown:
        print_run(api.load(run), languages=shown, whole=True)
    else:
        show([run_table(results, run.manifest().model.revision)], "table")
    return EXIT_GOOD if summary.complete else EXIT_INCOMPLETE


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
