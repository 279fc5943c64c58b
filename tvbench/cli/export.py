"""`tvbench export batch`: what is missing of a run, or of one that it begins, as files for a service of batches."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import add_format, add_include, add_naming, add_results, path, positive, results_option
from tvbench.cli.export_run import ExportedRun, run_that_begins, run_that_was_begun
from tvbench.cli.output import print_json, remark, say
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, UsageError

if TYPE_CHECKING:
    from tvbench.interop.batch_export import Exported, WaveOptions

EXAMPLES = """examples:
  tvbench export batch --model openai:gpt-4o-mini@https://api.openai.com/v1 --tasks alm:de --to waves
  tvbench export batch --model ./my-checkpoint --tasks mini        # for vLLM's run-batch
  tvbench export batch RUN                                         # what that run still lacks
  tvbench import batch RUN results.jsonl errors.jsonl
"""
MEGABYTE = 1_000_000
SHOWN = 5


def configure(parser: argparse.ArgumentParser) -> None:
    from tvbench.cli.run import add_answering, add_asked

    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("form", choices=("batch",), help="OpenAI's batch: one request a line")
    parser.add_argument("run", nargs="?", metavar="RUN", help="a run that was begun; or --model and --tasks begin one")
    parser.add_argument("--model", help="a server's model, openai:NAME@URL; or a checkpoint, for vLLM's run-batch")
    add_naming(parser)
    parser.add_argument("--tasks", help="as `tvbench run` takes them")
    add_include(parser)
    _add_waves(parser.add_argument_group("the waves"))
    add_asked(parser.add_argument_group("what is asked"))
    add_answering(parser.add_argument_group("how it is answered"))
    parser.add_argument("--price", metavar="IN,OUT", help="what the model costs when it is asked at once")
    parser.add_argument("--no-reuse", action="store_true", help="ask what other runs of this model have answered")
    add_results(parser)
    add_format(parser)


def _add_waves(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--to", type=path, metavar="DIR", help="where the files go (default: the run's folder `waves`)")
    group.add_argument("--wave", type=positive, metavar="N", help="requests in a file, at most (default 50,000)")
    group.add_argument("--wave-mb", type=positive, metavar="MB", help="megabytes in a file, at most (default 200)")
    group.add_argument("--most", type=positive, metavar="N", help="write at most N waves now")
    group.add_argument("--again", action="store_true", help="write what is out too: waves before this are given up")
    group.add_argument("--lost", metavar="N,M|all", help="these waves will not come back; write nothing")


def main(args: argparse.Namespace) -> int:
    from tvbench.interop.batch_export import export
    from tvbench.runs.session import RunSession

    if args.lost is not None:
        return _give_up(args)
    what = run_that_begins(args) if args.run is None else run_that_was_begun(args)
    with RunSession(what.folder, what.plan, "openai", what.options, remark) as session:
        done = export(session, what.server, _wave_options(args))
    if args.format == "json":
        print_json(_record(what, done))
    else:
        _report(args, what, done)
    return EXIT_GOOD if not done.unasked and not done.scored else EXIT_INCOMPLETE


def _wave_options(args: argparse.Namespace) -> WaveOptions:
    from tvbench.interop.batch_export import BYTES, REQUESTS, WaveOptions

    most_bytes = args.wave_mb * MEGABYTE if args.wave_mb else BYTES
    return WaveOptions(args.wave or REQUESTS, most_bytes, args.most, args.to, args.again)


def _give_up(args: argparse.Namespace) -> int:
    """`--lost`: note that waves will not come back. Raises UsageError."""
    from tvbench.interop.batch_export import give_up
    from tvbench.runs.store import find_run
    from tvbench.runs.writer import RunWriter

    if args.run is None:
        raise UsageError("--lost: no run is named", "tvbench export batch RUN --lost 2,3")
    run = find_run(args.results, args.run)
    with RunWriter(run.path):
        lost = give_up(run, args.lost)
    say(
        f"given up: wave{'s' if len(lost) > 1 else ''} {', '.join(map(str, lost))}; what was in them can be asked again"
    )
    return EXIT_GOOD


def _report(args: argparse.Namespace, what: ExportedRun, done: Exported) -> None:
    for wave in done.waves:
        say(f"{wave.file}  {wave.requests:,} requests, {wave.bytes / MEGABYTE:,.1f} MB")
    name = f"{what.folder.name}{results_option(args)}"
    for line in _remarks(done, name):
        remark(line)
    if done.waves and what.checkpoint:
        file = done.waves[0].file
        served = f"--model {what.checkpoint} --served-model-name {what.plan.card.location}"
        remark(f"next: vllm run-batch -i {file} -o {file.removesuffix('.jsonl')}-results.jsonl {served}")
    elif done.waves:
        remark(f"next: send each file to {shown(what.plan.card.url)} as a batch for /v1/chat/completions")
    if done.waves:
        remark(f"then: tvbench import batch {name} RESULTS.jsonl ...")


def _remarks(done: Exported, name: str) -> Iterator[str]:
    if done.out.out:
        yield (
            f"{done.out.said}, and left out here: `tvbench import batch {name} FILE` takes in what came back; "
            "--again writes all of them again, --lost N gives a wave up"
        )
    if not done.waves and not done.out.out:
        yield "nothing is missing" if not (done.unasked or done.scored) else "nothing else is missing"
    if done.left:
        yield f"{done.left:,} more questions are left for later waves (--most)"
    for task, count in done.scored.items():
        yield (
            f"{count:,} questions of {task} ask for log-probabilities of given texts, which no batch gives: "
            "`tvbench run` asks them"
        )
    for key, reason in list(done.unasked.items())[:SHOWN]:
        yield f"in no wave: {key[:12]}: {reason}"
    if len(done.unasked) > SHOWN:
        yield f"in no wave: {len(done.unasked) - SHOWN:,} more"


def _record(what: ExportedRun, done: Exported) -> dict[str, Any]:
    waves = [{"wave": one.wave, "file": one.file, "requests": one.requests, "bytes": one.bytes} for one in done.waves]
    return {
        "run": what.folder.name,
        "path": str(what.folder),
        "waves": waves,
        "requests": done.requests,
        "answered": done.answered,
        "out": len(done.out.out),
        "waves_out": [wave.wave for wave in done.out.open],
        "left": done.left,
        "in_no_wave": done.unasked,
        "log_probabilities": done.scored,
        "checkpoint": what.checkpoint or None,
    }


def shown(url: str) -> str:
    """Where the model is."""
    from tvbench.registry.addresses import shown_address

    return shown_address(url) or "its service"
