"""`tvbench import lmms-eval DIR`: logs of another harness become runs that score and rank like native ones.

`tvbench import batch RUN FILE...` is import_batch.py's.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import add_format, add_include, add_results, add_shown
from tvbench.cli.output import print_json, remark
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, UsageError

if TYPE_CHECKING:
    from tvbench.interop.runs import ImportedLogs
    from tvbench.report.table import Cell, Table
    from tvbench.types import TaskResult

SHOWN_TROUBLES = 20
MOST_FACTOR = 10.0
LMMS_EVAL, BATCH = "lmms-eval", "batch"
EXAMPLES = """examples:
  tvbench import lmms-eval DIR
  tvbench import batch RUN results.jsonl errors.jsonl    # what came back of `tvbench export batch`
"""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("harness", choices=(LMMS_EVAL, BATCH), help="whose logs they are; or results of a batch")
    parser.add_argument(
        "dir", type=Path, metavar="DIR|RUN", help="the folder that it wrote to, searched to the bottom; or the run"
    )
    parser.add_argument("files", type=Path, nargs="*", metavar="FILE", help="batch: the files of results and errors")
    add_results(parser)
    add_include(parser)
    parser.add_argument("--name", metavar="MODEL", help="what to call the model (when the logs hold one)")
    parser.add_argument(
        "--price-factor",
        type=price_factor,
        metavar="F",
        help="batch: what it cost of the usual price (default 0.5; 1 for a checkpoint of one's own)",
    )
    add_shown(parser)
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="a local copy of the data, to join rows that were logged without their document",
    )
    add_format(parser)


def price_factor(text: str) -> float:
    """An argparse type: a share of the price, from 0 to 10."""
    from tvbench.cli.arguments import number

    value = number(text)
    if not 0 <= value <= MOST_FACTOR:
        raise argparse.ArgumentTypeError(f"must be 0 or more, and at most {MOST_FACTOR:g}")
    return value


def main(args: argparse.Namespace) -> int:
    if args.harness == BATCH:
        from tvbench.cli.import_batch import main as import_batch

        return import_batch(args)
    return _import_logs(args)


def _import_logs(args: argparse.Namespace) -> int:
    from tvbench.interop.lmms_logs import read_logs
    from tvbench.interop.runs import import_logs
    from tvbench.registry.catalog import tasks
    from tvbench.report.table import show
    from tvbench.runs.store import check_results

    check_results(args.results)
    if args.files:
        raise UsageError(f"{args.files[0]}: one folder of logs at a time", "tvbench import lmms-eval DIR")
    if args.price_factor is not None:
        raise UsageError("--price-factor is for a batch", "leave it out")
    if args.data is not None and not args.data.is_dir():
        raise UsageError(f"the data folder {args.data} does not exist", "--data DIR names a local copy of the data")
    imported = import_logs(read_logs(args.dir), args.results, tasks(), name=args.name, data=args.data)
    if args.format == "json":
        print_json(_record(imported))
    else:
        show([_table(imported)], "table")
    _remarks(imported, everything=args.format == "json")
    return EXIT_GOOD if imported.complete else EXIT_INCOMPLETE


def _remarks(imported: ImportedLogs, *, everything: bool) -> None:
    """What was lost or odd, on stderr; a long list is cut short (the JSON form has all of it)."""
    if everything:
        return
    lost = [trouble for trouble in imported.troubles if trouble.lost]
    notes = [trouble for trouble in imported.troubles if not trouble.lost]
    for trouble in notes:
        remark(f"note: {trouble}")
    for trouble in lost[:SHOWN_TROUBLES]:
        remark(f"not joined: {trouble}")
    if len(lost) > SHOWN_TROUBLES:
        remark(f"not joined: {len(lost) - SHOWN_TROUBLES} more (--format json lists them)")
    for run in imported.runs:
        remark(f"wrote {run.folder}")


def _row(model: str, result: TaskResult) -> tuple[Cell, ...]:
    from tvbench.analysis.entries import metric_of
    from tvbench.report.run_table import figure_cell
    from tvbench.report.table import Cell

    copied, expected = result.copied, result.counts.expected
    lost = expected - result.counts.answered
    primary = metric_of(result, result.primary)
    return (
        Cell(model),
        Cell(result.task),
        Cell("" if copied else str(expected), value=expected),
        Cell("" if copied else str(lost), value=lost),
        Cell("log only" if copied else primary.label, faint=copied),
        figure_cell(primary, result.metrics.get(primary.id)),
        Cell(_logged_text(primary.counterpart, result.logged)),
    )


def _table(imported: ImportedLogs) -> Table:
    from tvbench.report.table import Column, Table

    columns = (
        Column("model", "model", "left"),
        Column("task", "task", "left"),
        Column("items", "items"),
        Column("lost", "lost"),
        Column("metric", "metric", "left"),
        Column("ours", "ours"),
        Column("logged", "logged", "left"),
    )
    rows: list[tuple[Cell, ...]] = []
    rules: list[int] = []
    for run in imported.runs:
        rules.append(len(rows))
        rows += [_row(run.model, result) for result in run.results]
    return Table(columns, tuple(rows), labels=2, rules=tuple(rules[1:]))


def _logged_text(counterpart: str, logged: Mapping[str, Any]) -> str:
    """What the harness itself would show, averaged over the logs of the task: the counterpart of ours, if any."""
    values: dict[str, list[float]] = {}
    for log in logged.values():
        for name, value in log["metrics"].items():
            if "stderr" not in name:
                values.setdefault(name, []).append(value)
    if not values:
        return "nothing"
    name = next((name for name in values if name == counterpart), next(iter(values)))
    return f"{name} {sum(values[name]) / len(values[name]):.4f}"


def _record(imported: ImportedLogs) -> dict[str, Any]:
    from tvbench.runs import codec

    return {
        "complete": imported.complete,
        "runs": [
            {
                "model": run.model,
                "run": run.folder.name,
                "path": str(run.folder),
                "tasks": [codec.result_to_json(result) for result in run.results],
            }
            for run in imported.runs
        ],
        "not_joined": [{"where": trouble.where, "what": trouble.what} for trouble in imported.troubles if trouble.lost],
        "notes": [{"where": trouble.where, "what": trouble.what} for trouble in imported.troubles if not trouble.lost],
    }
