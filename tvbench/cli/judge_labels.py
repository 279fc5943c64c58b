"""The part of `tvbench judge` where people grade: a sheet is written, and read back with their labels."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import names, not_negative, path, positive
from tvbench.cli.output import print_json, remark, say
from tvbench.errors import EXIT_GOOD, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tvbench.analysis.labels import Labelled
    from tvbench.graders.judge.labels import HumanLabels, Scale
    from tvbench.graders.judge.record import JudgeVerdict
    from tvbench.runs.answered import Answered
    from tvbench.runs.store import RunFolder


def add_labels(parser: argparse.ArgumentParser) -> None:
    """The options for human labels."""
    people = parser.add_argument_group("human labels")
    people.add_argument(
        "--label-sheet",
        type=positive,
        metavar="N",
        help="write a sheet (CSV) of N open answers a language, drawn at random, for people to label, and stop",
    )
    people.add_argument(
        "--sheet-out", type=path, metavar="FILE", help="where the sheet is written (default RUN-labels.csv, here)"
    )
    people.add_argument("--seed", type=not_negative, metavar="N", help="which sheet is drawn (default 0)")
    people.add_argument(
        "--labels",
        type=path,
        action="append",
        metavar="FILE",
        help="read the labelled sheet, and report what the labels say with and without the judge (more than once: "
        "several people)",
    )


def check_labels(args: argparse.Namespace) -> None:
    """Raises UsageError for options that do not go together."""
    if args.label_sheet is not None and (args.judge is not None or args.labels):
        raise UsageError("--label-sheet writes a sheet and stops", "give --judge or --labels in a command of its own")
    if args.sheet_out is not None and args.label_sheet is None:
        raise UsageError("--sheet-out needs --label-sheet", "add --label-sheet 40: forty answers of each language")
    if args.seed is not None and args.label_sheet is None:
        raise UsageError(
            "--seed says which sheet is drawn, and needs --label-sheet",
            f"add --label-sheet 40 (forty answers of each language): tvbench judge {args.run} --label-sheet 40 "
            f"--seed {args.seed}",
        )


def write_label_sheet(run: RunFolder, args: argparse.Namespace) -> int:
    """`--label-sheet N`. Raises UsageError where there is nothing to label."""
    from collections import Counter
    from pathlib import Path

    from tvbench.graders.judge.labels import kept_labels
    from tvbench.graders.judge.sheet import sheet_rows, sheet_text, write_sheet
    from tvbench.runs.answered import answered

    tasks = answered(run, names(args.tasks), names(args.languages))
    seed = args.seed or 0
    rows = sheet_rows({name: task.replies for name, task in tasks.items()}, args.label_sheet, seed)
    if not rows:
        raise UsageError(f"{run.name} has no open answers", "only open-ended answers need labels: docs/judges.md")
    kept = kept_labels(run)
    texts = {key: found[0] for key, found in kept.texts.items()} if kept else {}
    scales = {name: f"{low:g} to {high:g}, or yes / no" for name, (low, high) in _scales(tasks).items()}
    target = args.sheet_out or Path(f"{run.name}-labels.csv")
    write_sheet(run, target, sheet_text(rows, scales, texts), rows, seed)
    groups = Counter((row.answer.item.task, row.answer.item.language) for row in rows)
    if args.format == "json":
        print_json({"sheet": str(target), "rows": len(rows), "seed": seed, "languages": _counted(groups)})
        return EXIT_GOOD
    say(f"{len(rows)} answers in {len({language for _, language in groups})} languages: {target}")
    short = [f"{task} {language} ({count})" for (task, language), count in groups.items() if count < args.label_sheet]
    if short:
        remark(f"fewer than {args.label_sheet} open answers, all of them on the sheet: {', '.join(short)}")
    remark(
        f"fill the column `label` (yes or no, or a number of the scale), then: tvbench judge {run.name} --labels FILE"
    )
    return EXIT_GOOD


def _counted(groups: Mapping[tuple[str, str], int]) -> list[dict[str, Any]]:
    return [{"task": task, "language": language, "rows": count} for (task, language), count in groups.items()]


def _scales(tasks: Mapping[str, Answered]) -> dict[str, Scale]:
    """What a label may be, by task: the scale of the rubric that is made for it."""
    from tvbench.graders.judge.rubric import choose_rubric

    rubrics = {name: choose_rubric(None, name, task.entry.protocol) for name, task in tasks.items()}
    return {name: (rubric.lowest, rubric.highest) for name, rubric in rubrics.items()}


def take_labels(run: RunFolder, args: argparse.Namespace) -> None:
    """`--labels FILE`: read and kept in the run. Raises UsageError."""
    from tvbench.graders.judge.labels import joined, keep_labels, read_label_file
    from tvbench.graders.judge.sheet import open_answers
    from tvbench.runs.answered import answered

    files = [read_label_file(path) for path in args.labels]
    tasks = answered(run)
    scales = _scales(tasks)
    by_key = {
        answer.key: scales[name]
        for name, task in tasks.items()
        for answers in open_answers(task.replies).values()
        for answer in answers
    }
    labels = joined(files, by_key)
    for note in labels.notes:
        remark(note)
    if not labels.shares:
        raise UsageError(
            f"no labels of {run.name} in {', '.join(map(str, args.labels))}",
            f"fill the column `label` of a sheet: tvbench judge {run.name} --label-sheet 40",
        )
    keep_labels(run, labels)


def labelled(
    tasks: Mapping[str, Answered], labels: HumanLabels, verdicts: Mapping[str, Sequence[JudgeVerdict]]
) -> Labelled:
    """What the run's labels say with one judge's verdicts."""
    from tvbench.analysis.labels import labelled_means
    from tvbench.graders.judge.sheet import open_answers

    return labelled_means({name: open_answers(task.replies) for name, task in tasks.items()}, labels, verdicts)


def label_reports(
    tasks: Mapping[str, Answered],
    labels: HumanLabels | None,
    judges: Sequence[tuple[str | None, Mapping[str, Sequence[JudgeVerdict]]]],
) -> list[tuple[Any, Any]]:
    """(table, record) of the labels with each judge; nothing without labels."""
    from tvbench.report.labels import label_records, label_table

    if labels is None:
        return []
    found = [(name, labelled(tasks, labels, verdicts)) for name, verdicts in judges]
    return [(label_table(part, name), label_records(part, name)) for name, part in found]
