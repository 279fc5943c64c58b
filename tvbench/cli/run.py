"""`tvbench run`: from a model and tasks to answers, scores and a table.

The same command, given again, continues where it stopped.
"""

from __future__ import annotations

import argparse
import signal
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from tvbench.cli import judge
from tvbench.cli.arguments import (
    add_format,
    add_image_scale,
    add_include,
    add_naming,
    add_results,
    add_shown,
    not_negative,
    positive,
    seconds,
    temperature,
    top_p,
)
from tvbench.cli.end_of_run import print_run
from tvbench.cli.engine_arguments import add_engine, add_placement
from tvbench.cli.metrics import address, metered
from tvbench.cli.output import fitted, print_json, remark, say
from tvbench.cli.progress import Progressing, Showing
from tvbench.cli.typed import options_of, stop_cleanly
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, UsageError
from tvbench.registry.thinking import TOKENS

if TYPE_CHECKING:
    from tvbench.api import Run

EXAMPLES = """examples:
  tvbench run --model tower-mini --tasks mini
  tvbench run --model towervision-9b --tasks alm,multi30k:de --protocol paper
  tvbench run --model openai:NAME@http://127.0.0.1:8000 --tasks multi30k:de --no-image --limit 50
  tvbench run eu24 --model towervision-2b,qwen2.5-vl-3b
  tvbench run ./suite.yaml --dry-run
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument(
        "suite", nargs="?", help="a suite: its file or name (`tvbench suites` lists them), in place of --tasks"
    )
    parser.add_argument("--suite", dest="suite_named", metavar="SUITE", help="the same")
    parser.add_argument(
        "--model", help="a card's name, a folder, a hub id, or openai:NAME@URL; for a suite also several, as in a,b"
    )
    add_naming(parser)
    parser.add_argument(
        "--tasks",
        help="such as alm,multi30k:de+fr,mini,./mine.py, or a folder with a table and pictures: ./mybench "
        "(`tvbench tasks` lists them)",
    )
    add_include(parser)
    add_asked(parser.add_argument_group("what is asked"))
    add_answering(parser.add_argument_group("how it is answered"))
    _add_before(parser.add_argument_group("what was answered before"))
    _add_jobs(parser.add_argument_group("several jobs at once"))
    judge.add_judging(parser, judge.OF_RUN)
    parser.add_argument("--model-price", metavar="IN,OUT", help="of the model, where --price is the judge's")
    parser.add_argument(
        "--comet",
        metavar="NAME|PATH",
        help="score translations by this COMET checkpoint too, such as xcomet-xl (see `tvbench comet --help`)",
    )
    parser.add_argument("--dry-run", action="store_true", help="say what would be asked, and stop")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument(
        "--metrics-port",
        type=address,
        metavar="[HOST:]PORT",
        help="tell Prometheus how it goes, at http://127.0.0.1:PORT/metrics unless a host is named (docs/cluster.md)",
    )
    add_results(parser)
    add_shown(parser)
    add_format(parser)


def add_asked(what: argparse._ArgumentGroup) -> None:
    """What of the tasks is asked."""
    what.add_argument("--languages", metavar="CODES", help="only these languages, such as de,fr")
    what.add_argument("--limit", type=positive, metavar="N", help="only the first N items of each language")
    what.add_argument("--split", help="another split than the task's own")
    what.add_argument("--protocol", help="tvbench (default), paper or official: see `tvbench tasks TASK`")
    what.add_argument("--metric", metavar="NAME", help="of data of your own: how they are scored (docs/own_data.md)")
    what.add_argument("--data", type=Path, metavar="DIR", help="a local copy of the data, in the hub's layout")
    what.add_argument("--no-image", action="store_true", help="leave pictures and clips out (text-only ablation)")
    what.add_argument("--set", action="append", default=[], metavar="TASK.KEY=VALUE", help="a setting of one task")
    what.add_argument("--seed", type=not_negative, help="for option shuffling and generated data")
    what.add_argument(
        "--bos",
        choices=("one", "two"),
        help="how a prompt begins where template and tokenizer each add "
        "<bos>: two is what lmms-eval's llava_hf does (default: two in protocol paper, else one)",
    )


def add_answering(how: argparse._ArgumentGroup) -> None:
    """By which engine, with which sampling."""
    add_engine(how)
    add_placement(how)
    how.add_argument("--max-new-tokens", type=positive, metavar="N")
    how.add_argument("--temperature", type=temperature, metavar="T")
    how.add_argument("--top-p", type=top_p, metavar="P")
    how.add_argument("--top-k", type=not_negative, metavar="K")
    how.add_argument("--sampling-seed", type=not_negative, metavar="SEED")
    how.add_argument("--repeats", type=positive, metavar="N", help="ask each item N times")
    how.add_argument(
        "--thinking",
        action=argparse.BooleanOptionalAction,
        help="tell the chat template to let the model think aloud, or not to (default: the model card's, else the "
        "template's own way)",
    )
    how.add_argument(
        "--thinking-tokens",
        type=positive,
        metavar="N",
        help="the model thinks aloud: tokens for that, along with those of its answer "
        f"(default {TOKENS:,} where it is known to)",
    )
    how.add_argument("--video-timeout", type=seconds, metavar="SECONDS", help="for decoding one clip")
    how.add_argument(
        "--decoder",
        choices=("pyav", "decord", "torchcodec"),
        help="what decodes clips (default pyav); decord shows the frames that the authors' code does",
    )
    add_image_scale(how)
    how.add_argument("--offline", action="store_true", help="never ask the hub (see `tvbench fetch`)")
    how.add_argument("--max-failures", type=not_negative, metavar="N", help="stop when more than N items failed")


def _add_before(before: argparse._ArgumentGroup) -> None:
    before.add_argument(
        "--fresh",
        action="store_true",
        help="start over, and ask everything; the earlier run is moved to aside/ below the results",
    )
    before.add_argument("--no-reuse", action="store_true", help="ask also what other runs of this model have answered")
    before.add_argument(
        "--same-model",
        action="store_true",
        help="go on without asking some stored questions again to see that the model is the same",
    )


def _add_jobs(jobs: argparse._ArgumentGroup) -> None:
    jobs.add_argument(
        "--shard",
        metavar="I/N",
        help="this is the Ith of N jobs that answer the run together, in one folder: it asks its own share of what is "
        "missing. The same command again goes on; N may be another when all have ended. Folders on several disks are "
        "joined by `tvbench merge`",
    )


def main(args: argparse.Namespace) -> int:
    if args.suite is not None or args.suite_named is not None:
        from tvbench.cli.suite import run_suite

        return run_suite(args)
    _check_asked(args)
    from tvbench import api

    listener = Showing(quiet=args.quiet)
    options = options_of(args)
    if args.dry_run:
        from tvbench.report.estimate import print_estimate

        plan = api.plan(args.model, args.tasks, args.results, options, listener, dry=True).plan
        as_json = args.format == "json"
        if not as_json:
            from tvbench.report.own_data import understood_lines

            say(*fitted(understood_lines(plan)))
        return print_estimate(plan, args.results, as_json=as_json, fresh=args.fresh, reuse=not args.no_reuse)
    signal.signal(signal.SIGTERM, stop_cleanly)
    with metered(args.metrics_port, listener) as told:
        run = api.ask(args.model, args.tasks, args.results, options, told, ("tvbench", *sys.argv[1:]))
    _report(args, run, listener.asked)
    return EXIT_GOOD if run.complete or (run.shard is not None and run.shard.done) else EXIT_INCOMPLETE


def _check_asked(args: argparse.Namespace) -> None:
    missing = [name for name in ("model", "tasks") if getattr(args, name) is None]
    if missing:
        raise UsageError(
            f"--{' and --'.join(missing)}: {'it is' if len(missing) == 1 else 'they are'} missing",
            "tvbench run --model tower-mini --tasks mini, or a suite: tvbench run SUITE (`tvbench suites`)",
        )


def _report(args: argparse.Namespace, run: Run, watch: Progressing) -> None:
    from tvbench.report.cost import cost_lines
    from tvbench.runs import codec

    results = list(run.results.values())
    if args.format == "json":
        print_json(
            {
                "run": run.name,
                "path": str(run.path),
                "complete": run.complete,
                **({"shard": asdict(run.shard) | {"done": run.shard.done}} if run.shard is not None else {}),
                "cost": run.cost().as_json(),
                "tasks": [codec.result_to_json(result) for result in results],
            }
        )
    elif results or run.shard is None:
        print_run(run, whole=args.all, more=cost_lines(run.cost()))
    if run.shard is not None:
        remark(run.shard.said)
    if not args.quiet:
        remark(f"{watch.summary()}; stored in {run.path}")
    for reason, count in sorted(watch.failures.items(), key=lambda pair: -pair[1])[:5]:
        remark(f"failed {count}x: {reason}")
    if watch.failures:
        remark("the same command again asks only what failed")
