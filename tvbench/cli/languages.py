"""`tvbench languages`: the table of languages, or all that it says of one."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import Any

from tvbench.cli.arguments import add_format
from tvbench.cli.fields import field
from tvbench.cli.listing import task_records, tasks_called
from tvbench.cli.output import print_json, say
from tvbench.errors import EXIT_GOOD, UsageError
from tvbench.languages import Language, all_languages, language

EXAMPLES = """examples:
  tvbench languages
  tvbench languages Deutsch
  tvbench languages --task alm
  tvbench languages --format json | jq '.[] | select(.resource_class == 5) | .code'
"""
RESOURCE_CLASSES = (
    "hardly any data at all",
    "some unlabelled data, hardly any labelled",
    "few labelled data, but a start",
    "much unlabelled data, few labelled",
    "much unlabelled data, fewer labelled",
    "much of both",
)
"""Joshi et al. 2020, in our own words: 0 `left-behinds` to 5 `winners`."""


def configure(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = EXAMPLES
    parser.add_argument("language", nargs="?", metavar="CODE", help="a code or a name, such as de, German or Deutsch")
    parser.add_argument("--task", help="only the languages of this task")
    add_format(parser, ("table", "markdown", "csv", "json"))


def main(args: argparse.Namespace) -> int:
    if args.language is not None:
        one = language(args.language)
        if args.format == "json":
            print_json(record(one))
        elif args.format == "table":
            say(*explained(one))
        else:
            _show([one], args.format)
        return EXIT_GOOD
    chosen = list(all_languages()) if args.task is None else _languages_of(args.task)
    if args.format == "json":
        print_json([record(known) for known in chosen])
    else:
        _show(chosen, args.format)
    return EXIT_GOOD


def record(known: Language) -> dict[str, Any]:
    """A language as JSON; null where nobody says."""
    return known._asdict()


def explained(known: Language) -> Iterator[str]:
    """The lines of `tvbench languages CODE`."""
    yield (
        f"{known.code}: {known.name} ({known.own_name})"
        if known.own_name != known.name
        else f"{known.code}: {known.name}"
    )
    yield from field("script", known.script)
    family = f"{known.family}, {known.branch}" if known.branch else known.family
    yield from field("family", family or "not in tvbench's table (docs/languages.md)")
    yield from field(
        "speakers",
        "no figure" if known.speakers is None else f"{known.speakers:g} million, first and second language (CLDR 40)",
    )
    yield from field(
        "resources",
        "not classed"
        if known.resource_class is None
        else f"class {known.resource_class} of 0..5: {RESOURCE_CLASSES[known.resource_class]} (Joshi et al. 2020)",
    )
    yield from field("TowerVision", known.towervision)
    if known.aliases:
        yield from field("also", ", ".join(known.aliases))
    tasks = _tasks_with(known.code)
    yield from field("tasks", ", ".join(tasks) or "none")


def _tasks_with(code: str) -> list[str]:
    return [task["name"] for task in task_records() if code in task["languages"]]


def _languages_of(name: str) -> list[Language]:
    """The languages that a task knows. Raises UsageError for an unknown task, and one that has no list of its own."""
    codes = list(dict.fromkeys(code for task in tasks_called(name) for code in task["languages"]))
    if not codes:
        raise UsageError(f"{name} has no list of languages: it takes those that its data has")
    return [language(code) for code in codes]


def _show(chosen: list[Language], form: str) -> None:
    from tvbench.report.table import Cell, Column, Table, show

    def optional(value: float | None) -> Cell:
        return Cell("–", value="", faint=True) if value is None else Cell(f"{value:g}", value=value)

    columns = (
        Column("code", "code", "left"),
        Column("name", "name", "left"),
        Column("own_name", "own name", "left"),
        Column("script", "script", "left"),
        Column("family", "family", "left"),
        Column("branch", "branch", "left"),
        Column("speakers", "speakers\n(million)"),
        Column("resource_class", "resource\nclass"),
        Column("towervision", "Tower-\nVision", "left"),
    )
    rows = tuple(
        (
            Cell(known.code),
            Cell(known.name),
            Cell(known.own_name),
            Cell(known.script),
            Cell(known.family),
            Cell(known.branch),
            optional(known.speakers),
            optional(known.resource_class),
            Cell(known.towervision),
        )
        for known in chosen
    )
    notes = (
        "speakers: first and second language, CLDR 40; resource class: Joshi et al. 2020, 0 (none) to 5; "
        "docs/languages.md tells what is uncertain",
    )
    show([Table(columns, rows, notes=notes, labels=2)], form)
