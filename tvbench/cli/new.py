"""`tvbench new task NAME`: a commented start for a benchmark of one's own, which runs at once."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping
from pathlib import Path

from tvbench.cli.arguments import path
from tvbench.cli.output import print_json, say
from tvbench.errors import EXIT_GOOD, UsageError

EPILOG = """\
examples:
  tvbench new task mybench              # a folder: metadata.csv, two pictures, task.yaml, scorers.py, README.md
  tvbench new task mybench --python     # one Python file, where a table is not enough
  tvbench new task --schema > task.schema.json    # the keys of task.yaml, for editors
"""
NAME = re.compile(r"[A-Za-z0-9][\w.-]*")


def configure(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="WHAT", prog=parser.prog, required=True)
    task = actions.add_parser("task", help="a benchmark of your own")
    task.epilog = EPILOG
    task.formatter_class = argparse.RawDescriptionHelpFormatter
    task.add_argument("name", nargs="?", type=path, metavar="NAME", help="its name, or the path of its folder")
    task.add_argument("--python", action="store_true", help="one Python file in place of a folder")
    task.add_argument("--schema", action="store_true", help="print the JSON schema of task.yaml instead")


def main(args: argparse.Namespace) -> int:
    if args.schema:
        from tvbench.registry.own_data import own_schema

        print_json(own_schema())
        return EXIT_GOOD
    if args.name is None:
        raise UsageError("a name is missing", "for example tvbench new task mybench")
    if not NAME.fullmatch(args.name.name):
        raise UsageError(
            f"the name {args.name.name!r} cannot be typed", "letters, digits, - _ and . only, such as mybench"
        )
    target = args.name.with_name(f"{args.name.name.removesuffix('.py')}.py") if args.python else args.name
    if target.exists() or target.is_symlink():
        raise UsageError(f"{target} is there already, and nothing is overwritten", "give another name, or remove it")
    _write(target, args.python)
    return EXIT_GOOD


def _write(target: Path, python: bool) -> None:
    from tvbench.cli.new_files import folder_files, python_file

    shown = str(target) if target.is_absolute() else f"./{target}"
    name = target.name.removesuffix(".py") if python else target.name
    try:
        if python:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(python_file(name), encoding="utf-8")
        else:
            _write_folder(target, folder_files(name, shown))
    except OSError as error:
        raise UsageError(f"{target} cannot be written: {error.strerror or error}") from error
    files = [target.name] if python else list(folder_files(name, shown))
    say(
        f"written: {shown} ({', '.join(files)})",
        f"look at it   tvbench run --model tower-mini --tasks {shown} --dry-run",
        f"run it       tvbench run --model tower-mini --tasks {shown}",
        f"check it     tvbench tasks check {shown}",
    )


def _write_folder(target: Path, files: Mapping[str, bytes]) -> None:
    target.mkdir(parents=True)
    for name, content in files.items():
        (target / name).write_bytes(content)
