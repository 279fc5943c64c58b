"""`tvbench suites`: the suites that are known by name, and what one of them asks in which languages."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from tvbench.cli.arguments import add_format, add_include
from tvbench.cli.output import print_json, say
from tvbench.errors import EXIT_GOOD

if TYPE_CHECKING:
    from tvbench.suites.declaration import Suite


def configure(parser: argparse.ArgumentParser) -> None:
    add_format(parser)
    add_include(parser)
    parser.add_argument("suite", nargs="?", help="explain this one: its name, or its file")
    parser.add_argument("--schema", action="store_true", help="the JSON schema of a suite, for editors")


def main(args: argparse.Namespace) -> int:
    if args.schema:
        from tvbench.suites.declaration import suite_schema

        print_json(suite_schema())
        return EXIT_GOOD
    return _show(args) if args.suite else _list(args)


def _list(args: argparse.Namespace) -> int:
    from tvbench.report.table import Cell, Column, Table, show
    from tvbench.suites.shelf import suite_files

    files = suite_files()
    if args.format == "json":
        print_json([{"name": name, "path": str(file.path), **_facts(file.suite), "problem": file.problem or None}
                    for name, file in files.items()])  # fmt: skip
        return EXIT_GOOD
    columns = tuple(Column(name, name, "left") for name in ("suite", "tasks", "languages", "models", "about"))
    rows = []
    for name, file in files.items():
        texts = _texts(file.suite) if file.suite is not None else ("", "", "", file.problem)
        rows.append(tuple(map(Cell, (name, *texts))))
    notes = (
        "`tvbench suites NAME` explains one; `tvbench run NAME --model a,b` runs it",
        "a suite of your own is a file: `tvbench run ./suite.yaml` (docs/suites.md)",
    )
    show([Table(columns, tuple(rows), notes=notes)], "table")
    return EXIT_GOOD


def _texts(suite: Suite) -> tuple[str, ...]:
    own = any(":" in task for task in suite.tasks)
    languages = str(len(suite.languages) or ("each its own" if own else "all"))
    tasks = ", ".join(task.partition(":")[0] for task in suite.tasks)
    return tasks, languages, str(len(suite.models) or "--model"), suite.about


def _facts(suite: Suite | None) -> dict[str, Any]:
    from dataclasses import asdict

    if suite is None:
        return {}
    return {name: value for name, value in asdict(suite).items() if name not in ("name", "path", "nearby")}


def _show(args: argparse.Namespace) -> int:
    from tvbench.report.table import Cell, Column, Table, show
    from tvbench.suites.coverage import coverage
    from tvbench.suites.shelf import find_suite

    suite = find_suite(args.suite)
    found = coverage(suite)
    if args.format == "json":
        tasks = {name: list(codes) for name, codes in found.tasks.items()}
        print_json(
            {"name": suite.name, "path": str(suite.path), **_facts(suite), "has": tasks, "lacking": found.lacking}
        )
        return EXIT_GOOD
    say(f"{suite.name}: {suite.about}".rstrip(": "), *([f"source: {suite.source}"] if suite.source else []))
    for name in ("options", "matrix"):
        if given := getattr(suite, name):
            say(f"{name}: " + ", ".join(f"{key}={_text(value)}" for key, value in given.items()))
    if suite.models:
        say("models: " + ", ".join(str(model.get("label") or model["model"]) for model in suite.models))
    columns = (Column("task", "task", "left"), Column("count", "languages"), Column("languages", "which", "left"))
    rows = tuple((Cell(name), Cell(str(len(codes))), Cell(" ".join(codes))) for name, codes in found.tasks.items())
    notes = [f"no task has: {', '.join(found.lacking)}"] if found.lacking else []
    models = "" if suite.models else " --model MODEL"
    notes.append(f"run it: tvbench run {args.suite}{models}; what it would ask: add --dry-run")
    show([Table(columns, rows, notes=tuple(notes))], "table")
    return EXIT_GOOD


def _text(value: Any) -> str:
    return "|".join(map(str, value)) if isinstance(value, tuple) else str(value)
