"""`tvbench doctor`: what is wrong with a checkpoint, and the fix for each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from tvbench.cli.arguments import add_format, add_image_scale
from tvbench.cli.engine_arguments import add_engine_arg, parsed
from tvbench.cli.fields import field
from tvbench.cli.output import print_json, remark, say
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, EXIT_USAGE, TvbenchError, UsageError

if TYPE_CHECKING:
    from tvbench.doctor.findings import Examination


def configure(parser: argparse.ArgumentParser) -> None:
    parser.epilog = "exit codes: 0 nothing that makes answers wrong, 1 something does, 2 the model cannot be read"
    parser.add_argument("model", help="a card's name, a checkpoint folder, or a hub id")
    parser.add_argument(
        "--engine",
        choices=("transformers", "vllm"),
        help="whose numbers are measured (default: transformers, and vllm where it is installed)",
    )
    add_engine_arg(parser)
    parser.add_argument("--dtype", choices=("float32", "bfloat16"), help="to measure in (default: the stored one)")
    add_image_scale(parser)
    parser.add_argument("--quick", action="store_true", help="look at files and weights only: load no whole model")
    parser.add_argument("--offline", action="store_true", help="never ask the hub")
    add_format(parser)


def main(args: argparse.Namespace) -> int:
    from tvbench.engines.open import choose, choose_engine, local_checkpoint, require_engine
    from tvbench.registry import catalog

    card = catalog.resolve_model(args.model)
    if card.kind == "server":
        raise UsageError(f"{card.name} is served elsewhere; the doctor looks at files", "name the checkpoint itself")
    choose_engine(card, "transformers")
    given = parsed(args.engine_arg)
    if "dtype" in given:
        raise UsageError("the doctor measures in the dtype of --dtype", "say it there: float32 or bfloat16")
    chosen = choose(card, args.engine or "transformers", given)
    require_engine("transformers")  # everything is measured against it: says what to install
    require_engine(chosen.name)
    card = replace(card, engine={**card.engine, chosen.name: chosen.arguments}) if given else card
    if args.image_scale:
        from tvbench.checkpoints.image_scale import with_image_scale

        card = with_image_scale(card, args.image_scale)
    from tvbench.doctor.examine import examine

    try:
        folder = local_checkpoint(card, offline=args.offline)
        found = examine(folder, card, engine=args.engine, dtype=args.dtype, quick=args.quick)
    except UsageError:
        raise
    except TvbenchError as error:
        remark(f"tvbench: {card.name} cannot be read: {error}")
        return EXIT_USAGE
    if args.format == "json":
        print_json(asdict(found) | {"folder": str(found.folder), "wrong": found.wrong})
    else:
        _show(found)
    return EXIT_INCOMPLETE if found.wrong else EXIT_GOOD


def _show(found: Examination) -> None:
    say(f"{found.model} ({found.folder})")
    if not found.findings:
        say("  no findings")
    say(*lines_of(found))


def lines_of(found: Examination) -> Iterator[str]:
    """Findings with their fixes, then remarks."""
    for finding in found.findings:
        yield from field(f"{finding.severity} {finding.code}", finding.message)
        if finding.fix:
            yield from field("fix", finding.fix)
    for note in found.remarks:
        yield from field("note", note)
