"""`tvbench tasks`: what can be measured, and how each task asks and scores."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from shlex import quote
from typing import Any

from tvbench.cli import tasks_check
from tvbench.cli.actions import add_actions
from tvbench.cli.arguments import add_format, add_include, names
from tvbench.cli.fields import field
from tvbench.cli.listing import Record, task_records, tasks_called
from tvbench.cli.output import print_json, say
from tvbench.errors import EXIT_GOOD, UsageError


def configure(parser: argparse.ArgumentParser) -> None:
    add_format(parser)
    add_include(parser)
    parser.add_argument("--languages", metavar="NAMES", help="what can be measured in these, such as de,hi,ar")
    actions = add_actions(parser)
    show = actions.add_parser("show", help="explain one task, or every task of a group; `show` may be left out")
    show.add_argument("task", help="a task's or a group's name, or the path of a task file")
    # No defaults here: they would overwrite what was given before `show`.
    show.add_argument("--format", choices=("table", "json"), default=argparse.SUPPRESS, help="how to print")
    add_include(show, default=argparse.SUPPRESS)
    tasks_check.configure(actions.add_parser("check", help="try everything that a task declares, one's own too"))


def main(args: argparse.Namespace) -> int:
    if args.action == "check":
        return tasks_check.main(args)
    if args.action == "show":
        chosen = tasks_called(args.task)
        if args.format == "json":
            print_json(chosen if len(chosen) > 1 else chosen[0])
        else:
            say(*(line for number, task in enumerate(chosen) for line in ([""] * bool(number) + list(explained(task)))))
        return EXIT_GOOD
    found = task_records()
    if args.languages is not None:
        return _measurable(found, args)
    if args.format == "json":
        print_json(found)
    else:
        _print_table(found)
    return EXIT_GOOD


def _measurable(found: Sequence[Record], args: argparse.Namespace) -> int:
    """The tasks that have one of the wanted languages, and by which of their codes."""
    from tvbench.languages import code_of

    wanted = list({code_of(name): name for name in reversed(names(args.languages))}.values())[::-1]
    if not wanted:
        raise UsageError("--languages names none", "give codes or names, as in --languages de,hi,ar")
    having = [(task, codes) for task in found if any((codes := _codes(task, wanted)).values())]
    if args.format == "json":
        print_json([task | {"asked": codes} for task, codes in having])
    else:
        _print_measurable(having, wanted)
    return EXIT_GOOD


def _codes(task: Record, wanted: Sequence[str]) -> dict[str, list[str]]:
    """The codes of the task that each wanted language means; of a task that takes what its data has, its own."""
    from tvbench.languages import chosen_among, code_of

    known = task["languages"]
    return {name: list(chosen_among(name, known).codes) if known else [code_of(name)] for name in wanted}


def explained(task: Record) -> Iterator[str]:
    """The lines of `tvbench tasks show`."""
    yield f"{task['name']} {task['version']}: {task['title']}"
    yield from field("shows", task["modality"])
    if task["group"]:
        yield from field("group", task["group"])
    for name, sentence in task["protocols"].items():
        default = " (default)" if name == task["default_protocol"] else ""
        yield from field(f"protocol {name}{default}", sentence)
    others = [metric for metric in task["metrics"] if metric != task["primary"]]
    yield from field("metrics", ", ".join((f"{task['primary']} (first)", *others)))
    for protocol, metric in task["primaries"].items():
        yield from field(f"first in protocol {protocol}", metric)
    yield from field(f"languages ({len(task['languages'])})", language_list(task["languages"]))
    if task["splits"]:
        yield from field("splits", ", ".join(task["splits"]))
    for key, setting in task["settings"].items():
        yield from field(f"setting {key}", f"{setting['help']} ({setting['takes']})")
    for data in task["data"]:
        yield from field("data", data_text(data))
    if task.get("place"):
        yield from field("data", f"{task['place']}, on this machine")
    elif not task["data"]:
        yield from field("data", "generated here; nothing is downloaded")
    if task["paper"]:
        yield from field("paper", task["paper"])
    if task["import_names"]:
        yield from field("imported from", ", ".join(task["import_names"]))
    if task["notes"]:
        yield from field("notes", task["notes"])
    yield from field("run it", f"tvbench run --model MODEL --tasks {example(task)}")


def data_text(data: Mapping[str, Any]) -> str:
    """`org/name@revision (licence): note`."""
    text = str(data["repo"]) + (f"@{data['revision']}" if data["revision"] else "")
    text += f" ({data['licence']})" if data["licence"] else ""
    return text + (f": {data['note']}" if data["note"] else "")


def example(task: Record) -> str:
    """A selection of this task that is worth typing."""
    if task.get("place"):
        return quote(task["place"])
    others = [code for code in task["languages"] if code != "en"]
    return f"{task['name']}:{'+'.join(others[:2])}" if len(others) > 2 else str(task["name"])


def language_list(codes: Sequence[str]) -> str:
    """`de German, fr French`, or that the data decides. A code that the language table lacks stands alone."""
    from tvbench.errors import UsageError
    from tvbench.languages import language

    named = []
    for code in codes:
        try:
            named.append(f"{code} {language(code).name}")
        except UsageError:
            named.append(code)
    return ", ".join(named) or "whatever the data has"


def _print_table(found: list[Record]) -> None:
    from tvbench.report.table import Cell, Column, Table, show

    columns = tuple(
        Column(key, key, "left") for key in ("task", "group", "shows", "languages", "protocols", "metric", "title")
    )
    rows = tuple(tuple(map(Cell, _line(task))) for task in found)
    explains = "`tvbench tasks TASK` explains one"
    asks = "`tvbench run --model MODEL --tasks TASK:de+fr` asks two languages of it"
    show([Table(columns, rows, notes=(f"{explains}; {asks}",))], "table")


def _print_measurable(having: Sequence[tuple[Record, Mapping[str, Sequence[str]]]], wanted: Sequence[str]) -> None:
    from tvbench.languages import language
    from tvbench.report.table import Cell, Column, Table, show

    titles = {name: language(name).name for name in wanted}
    columns = (
        Column("task", "task", "left"),
        *(Column(name, title, "left") for name, title in titles.items()),
        Column("metric", "metric", "left"),
        Column("title", "title", "left"),
    )
    rows = tuple(
        (
            Cell(task["name"]),
            *(Cell(" ".join(codes[name]) or "–", faint=not codes[name]) for name in wanted),
            Cell(task["primary"]),
            Cell(task["title"]),
        )
        for task, codes in having
    )
    lacking = [name for name in wanted if not any(codes[name] for _, codes in having)]
    notes = [f"{titles[name]}: no task has it; docs/extend.md shows how to add one" for name in lacking]
    measured = ",".join(name for name in wanted if name not in lacking)
    if having:
        named = ",".join(task["name"] for task, _ in having)
        notes.append(f"measure: tvbench run --model MODEL --tasks {named} --languages {quote(measured)}")
    show([Table(columns, rows, notes=tuple(notes))], "table")


def _line(task: Record) -> tuple[str, ...]:
    protocols = ", ".join(task["protocols"])
    return task["name"], task["group"], task["modality"], _languages(task), protocols, task["primary"], task["title"]


def _languages(task: Record) -> str:
    if not task["languages"]:
        return "any"
    return ", ".join(task["languages"]) if len(task["languages"]) <= 4 else str(len(task["languages"]))
