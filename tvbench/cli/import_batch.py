"""`tvbench import batch RUN FILE...`: what came back of a run's waves; anything else is said, and left out."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import results_option
from tvbench.cli.output import print_json, remark
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, UsageError

if TYPE_CHECKING:
    from tvbench.interop.batch_import import Imported, Troubles
    from tvbench.runs.store import RunFolder

SHOWN = 5


def main(args: argparse.Namespace) -> int:
    from tvbench.interop.batch_import import import_batch
    from tvbench.runs.store import find_run

    given = [f"--{name}" for name in ("name", "data") if getattr(args, name) is not None]
    if given:
        raise UsageError(f"{given[0]} is for logs of another harness", "leave it out")
    if not args.files:
        raise UsageError("no file of results is named", "tvbench import batch RUN RESULTS.jsonl [ERRORS.jsonl ...]")
    run = find_run(args.results, str(args.dir))
    done = import_batch(run, args.files, ("tvbench", *sys.argv[1:]), args.price_factor)
    _scored(args, run, done)
    for line in _lines(done, f"{run.name}{results_option(args)}"):
        remark(line)
    return EXIT_GOOD if done.complete else EXIT_INCOMPLETE


def _scored(args: argparse.Namespace, run: RunFolder, done: Imported) -> None:
    """Score what there is by now, and show it."""
    from tvbench import api

    scored = api.score(run) if run.answered_keys() else None
    if args.format == "json":
        from tvbench.runs import codec

        results = [] if scored is None else [codec.result_to_json(result) for result in scored.results.values()]
        print_json({"run": run.name, "path": str(run.path), **_record(done), "tasks": results})
    elif scored is not None:
        from tvbench.cli.end_of_run import print_run
        from tvbench.report.cost import cost_lines

        print_run(scored, whole=args.all, more=cost_lines(scored.cost()))


def _lines(done: Imported, name: str) -> list[str]:
    left = f"; {done.missing:,} without an answer" if done.missing else ""
    answers = "answer" if done.answered == 1 else "answers"
    lines = [f"{done.answered:,} {answers} taken in, {done.known:,} known before, {done.failed:,} failed{left}"]
    lines += [f"failed {count:,}x: {reason}" for reason, count in _most(done.reasons)]
    for troubles, what in (
        (done.unknown, "not a question of this run"),
        (done.conflicts, "kept out"),
        (done.unreadable, "not readable"),
    ):
        lines += _named(troubles, what)
    if done.refused:
        lines.append(f"the service refuses {', '.join(done.refused)}: the next waves leave that out")
    if done.state.out:
        lines.append(f"{done.state.said}")
    if done.missing > len(done.state.out):
        lines.append(f"tvbench export batch {name} writes what can be asked again")
    return lines


def _named(troubles: Troubles, what: str) -> list[str]:
    named = [f"{what}: {where}" for where in troubles.named[:SHOWN]]
    return [*named, f"{what}: {troubles.count - SHOWN:,} more"] if troubles.count > SHOWN else named


def _most(reasons: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(reasons.items(), key=lambda pair: -pair[1])[:SHOWN]


def _record(done: Imported) -> dict[str, Any]:
    troubles = {name: getattr(done, name) for name in ("unknown", "conflicts", "unreadable")}
    return {
        "complete": done.complete,
        "answered": done.answered,
        "failed": done.failed,
        "known": done.known,
        "missing": done.missing,
        "out": len(done.state.out),
        "waves_out": [wave.wave for wave in done.state.open],
        "refused": list(done.refused),
        **{name: {"count": one.count, "first": one.named} for name, one in troubles.items()},
    }
