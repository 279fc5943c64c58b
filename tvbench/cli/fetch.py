"""`tvbench fetch`: download what a run needs, so that it works offline afterwards (`tvbench run --offline`)."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tvbench.cli.arguments import add_format, add_include, names
from tvbench.cli.output import fitted, print_json, remark, say
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, TvbenchError, UsageError
from tvbench.types import HubData, ModelCard, Task

HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")
BYTES_PER_PARAMETER = 2


@dataclass(frozen=True, slots=True)
class Want:
    """One thing to fetch. `get` downloads it; None means that there is nothing to download, and `note` says why."""

    kind: str
    name: str
    note: str
    get: Callable[[], Path] | None = None


def configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tasks", help="tasks whose data are wanted, such as alm,multi30k")
    add_include(parser)
    parser.add_argument("--model", metavar="MODELS", help="models, separated by commas (cards or hub ids)")
    parser.add_argument("--comet", metavar="NAMES", help="COMET checkpoints with their encoders, such as xcomet-xl")
    parser.add_argument("--data-only", action="store_true", help="leave the models out")
    parser.add_argument("--dry-run", action="store_true", help="say what would be fetched, and stop")
    add_format(parser)


def main(args: argparse.Namespace) -> int:
    wants = wanted(args)
    if args.dry_run:
        _print(args, [(want, "", "would be fetched" if want.get else "") for want in wants])
        return EXIT_GOOD
    done = [(want, *_fetch(want)) for want in wants]
    _print(args, done)
    return EXIT_INCOMPLETE if any(outcome == "failed" for _, _, outcome in done) else EXIT_GOOD


def wanted(args: argparse.Namespace) -> list[Want]:
    """What was asked for, each thing once. Raises UsageError for unknown names, and when nothing is asked for."""
    from tvbench.registry.catalog import resolve_model
    from tvbench.registry.selection import select

    wants: list[Want] = []
    if args.tasks:
        for task, _ in select(args.tasks):
            wants.extend(_task_wants(task))
    if not args.data_only:
        wants.extend(_model_want(resolve_model(name)) for name in names(args.model))
        wants.extend(_comet_want(name) for name in names(args.comet))
    if not wants:
        raise UsageError(
            "nothing to fetch",
            "name --tasks, --model or --comet: tvbench fetch --tasks alm --model towervision-2b --comet xcomet-xl",
        )
    return list({(want.kind, want.name): want for want in wants}.values())


def _task_wants(task: Task) -> list[Want]:
    if not task.hub_data:
        return [Want("data", task.name, "generated here; nothing to fetch")]
    return [_data_want(data) for data in task.hub_data]


def _data_want(data: HubData) -> Want:
    from tvbench.registry.hub import snapshot

    note = "; ".join(filter(None, (data.licence, data.note)))
    if not HUB_ID.fullmatch(data.repo):
        return Want("data", data.repo, f"not on the hub: get it yourself and use --data DIR ({note})")
    return Want("data", data.repo, note, lambda: snapshot(data.repo, kind="dataset", revision=data.revision))


def _model_want(card: ModelCard) -> Want:
    from tvbench.registry.hub import model_folder

    if card.kind != "hub":
        why = {"folder": "is here already", "server": "is served elsewhere", "builtin": "is built when it is needed"}
        return Want("model", card.name, f"{why[card.kind]}; nothing to fetch")
    disk = f"about {card.parameters * BYTES_PER_PARAMETER / 1e9:.1f} GB" if card.parameters else "size unknown"
    return Want(
        "model",
        f"{card.location}@{card.revision}",
        "; ".join(filter(None, (disk, card.licence))),
        lambda: model_folder(card),
    )


def _comet_want(name: str) -> Want:
    from tvbench.graders.comet.checkpoints import KNOWN, find_checkpoint

    repo = KNOWN[name.casefold()][0] if name.casefold() in KNOWN else name
    return Want(
        "comet",
        repo,
        "with its encoder's tokenizer; the environment: tvbench setup comet",
        lambda: find_checkpoint(name).path,
    )


def _fetch(want: Want) -> tuple[str, str]:
    """Where it lies now, and what became of it. A failure is said at once and the rest goes on."""
    if want.get is None:
        return "", ""
    remark(f"fetching {want.kind} {want.name} ...")
    try:
        return str(want.get()), "here"
    except TvbenchError as error:
        remark(f"tvbench: {error}")
        return "", "failed"


def _print(args: argparse.Namespace, done: list[tuple[Want, str, str]]) -> None:
    if args.format == "json":
        print_json(
            [
                {"kind": want.kind, "name": want.name, "note": want.note, "path": path, "outcome": outcome}
                for want, path, outcome in done
            ]
        )
        return
    for want, path, outcome in done:
        say(*_lines(want, path, outcome))


def _lines(want: Want, path: str, outcome: str) -> list[str]:
    """One line; on a narrow terminal several, with the path on one of its own."""
    head = f"{want.kind:<6} {want.name}"
    line = head + "".join(f"  {text}" for text in (outcome, path, want.note) if text)
    if fitted([line]) == [line]:
        return [line]
    return fitted([head + f"  {outcome}" * bool(outcome)]) + [f"  {path}"] * bool(path) + fitted([f"  {want.note}"])
