"""`tvbench`: finds the command and hands over. Only the chosen command's module is imported."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence
from functools import cache
from typing import NoReturn

from tvbench import __version__
from tvbench.cli.output import prepare_streams, remark
from tvbench.errors import EXIT_INCOMPLETE, TvbenchError, unknown_name
from tvbench.safety.visible import visible

COMMANDS: dict[str, tuple[str, str]] = {
    "run": ("tvbench.cli.run", "run a model over tasks, and score it"),
    "suites": ("tvbench.cli.suites", "list the suites that ship and your own, or explain one"),
    "status": ("tvbench.cli.status", "what is done, failed and missing of a run or a suite"),
    "score": ("tvbench.cli.score", "score the stored answers of a run again (no model needed)"),
    "import": ("tvbench.cli.import_logs", "turn logs of another harness into runs"),
    "comet": ("tvbench.cli.comet", "score the translations of a run by COMET"),
    "leaderboard": ("tvbench.cli.leaderboard", "models x tasks, next to the published numbers"),
    "judge": ("tvbench.cli.judge", "have a model grade open answers, and check that judge"),
    "compare": ("tvbench.cli.compare", "is one run better than another, and is that certain?"),
    "check": ("tvbench.cli.check", "did a run get worse than a baseline? (exit code 3 where it certainly did)"),
    "baseline": ("tvbench.cli.baseline", "write a run as a small file that later runs are checked against"),
    "grounding": ("tvbench.cli.grounding", "what do the scores of a run owe to its pictures?"),
    "explain": ("tvbench.cli.explain", "why are the scores of a run what they are?"),
    "audit": ("tvbench.cli.audit", "what is wrong with a benchmark, whatever the model?"),
    "reproduce": ("tvbench.cli.reproduce", "our figures next to the published tables, and why they differ"),
    "tasks": ("tvbench.cli.tasks", "list the tasks, or explain one"),
    "models": ("tvbench.cli.models", "list the model cards, show one, or correct a published checkpoint"),
    "engines": ("tvbench.cli.engines", "list the engines, or explain one and its options"),
    "doctor": ("tvbench.cli.doctor", "what is wrong with a checkpoint, and the fix for each"),
    "train": ("tvbench.cli.train", "train a model by a recipe, or say what that takes"),
    "languages": ("tvbench.cli.languages", "list the languages, or show one"),
    "fetch": ("tvbench.cli.fetch", "download models and data for an offline run"),
    "setup": ("tvbench.cli.setup", "make the environment that COMET needs"),
}


LISTS = frozenset({"tasks", "models", "languages"})
"""Commands that are over before `logging` would be imported: they prepare it where they need it (listing.py)."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong without repeating what would steer a terminal."""

    def error(self, message: str) -> NoReturn:
        super().error(visible(message))

    def _get_formatter(self) -> argparse.HelpFormatter:
        """argparse makes one for each argument, and imports `shutil` to learn the terminal's width."""
        return self.formatter_class(prog=self.prog, width=_width())  # type: ignore[call-arg] # all of argparse's have it


@cache
def _width() -> int:
    """As argparse has it: the terminal's, or COLUMNS, without two."""
    asked = os.environ.get("COLUMNS", "")
    if asked.isdecimal() and int(asked):
        return int(asked) - 2
    try:
        return (os.get_terminal_size(sys.__stdout__.fileno() if sys.__stdout__ else 1).columns or 80) - 2
    except (OSError, ValueError):
        return 78


def build_parser(chosen: str | None, *, alone: bool = False) -> argparse.ArgumentParser:
    """The parser; only `chosen`'s own arguments are built, the others are names and help lines. `alone`: the words
    begin with `chosen`, so that nothing is asked of the others."""
    parser = Parser(
        prog="tvbench",
        description="How good is a multilingual vision-language model, in your language?",
        epilog="exit codes: 0 good, 1 incomplete or failed items, 2 usage, 3 regression found",
    )
    parser.add_argument("--version", action="version", version=f"tvbench {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True, prog="tvbench")
    for name in [chosen] if alone and chosen else COMMANDS:
        module, summary = COMMANDS[name]
        command = commands.add_parser(name, help=summary, description=summary, add_help=True)
        if name == chosen:
            importlib.import_module(module).configure(command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Errors that a person can fix are printed without a traceback."""
    prepare_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in words if not word.startswith("-")), None)
    try:
        if chosen is not None and chosen not in COMMANDS:
            raise unknown_name("command", chosen, COMMANDS, "`tvbench --help` lists them")
        args = build_parser(chosen, alone=words[:1] == [chosen]).parse_args(words)
        _include(args)
        if args.command not in LISTS:
            _prepare_logging()
        return int(importlib.import_module(COMMANDS[args.command][0]).main(args))
    except TvbenchError as error:
        remark(f"tvbench: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        remark("tvbench: stopped by Ctrl-C; what was answered is stored, and the same command goes on")
        return EXIT_INCOMPLETE
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_INCOMPLETE


def _include(args: argparse.Namespace) -> None:
    if hasattr(args, "include_path"):
        from tvbench.registry.places import include

        include(args.include_path or ())


def _prepare_logging() -> None:
    from tvbench.cli.logs import prepare_logging

    prepare_logging()


if __name__ == "__main__":
    sys.exit(main())
