"""`tvbench`: finds the command and hands over. Only the chosen command's module is imported."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
import time
from collections.abc import Sequence
from functools import cache
from typing import NoReturn

from tvbench import __version__
from tvbench.cli.output import prepare_streams, remark, say
from tvbench.errors import EXIT_GOOD, EXIT_INCOMPLETE, TvbenchError, unknown_name
from tvbench.safety.visible import visible

GROUPS = {
    "measure": "measure a model",
    "read": "read what was measured",
    "prepare": "see what there is, and prepare it",
    "train": "train a model",
}
"""The groups of commands in `tvbench --help`, and their headings."""

COMMANDS: dict[str, tuple[str, str, str]] = {
    "run": ("measure", "tvbench.cli.run", "run a model over tasks, and score it"),
    "score": ("measure", "tvbench.cli.score", "score the stored answers of a run again (no model needed)"),
    "merge": ("measure", "tvbench.cli.merge", "make one run of folders of several machines, or of the parts of one"),
    "import": ("measure", "tvbench.cli.import_logs", "turn logs of another harness into runs, or take in a batch"),
    "export": ("measure", "tvbench.cli.export", "write what is missing of a run as files of a batch, asking nobody"),
    "comet": ("measure", "tvbench.cli.comet", "score the translations of a run by COMET"),
    "judge": ("measure", "tvbench.cli.judge", "have a model grade open answers, and check that judge"),
    "leaderboard": ("read", "tvbench.cli.leaderboard", "models x tasks, next to the published numbers"),
    "status": ("read", "tvbench.cli.status", "what is done, failed and missing of a run or a suite"),
    "compare": ("read", "tvbench.cli.compare", "is one run better than another, and is that certain?"),
    "check": ("read", "tvbench.cli.check", "did a run get worse than a baseline? (exit code 3 where it certainly did)"),
    "baseline": ("read", "tvbench.cli.baseline", "write a run as a small file that later runs are checked against"),
    "explain": ("read", "tvbench.cli.explain", "why are the scores of a run what they are?"),
    "grounding": ("read", "tvbench.cli.grounding", "what do the scores of a run owe to its pictures?"),
    "audit": ("read", "tvbench.cli.audit", "what is wrong with a benchmark, whatever the model?"),
    "reproduce": ("read", "tvbench.cli.reproduce", "our figures next to the published tables, and why they differ"),
    "tasks": ("prepare", "tvbench.cli.tasks", "list the tasks, or explain one"),
    "suites": ("prepare", "tvbench.cli.suites", "list the suites that ship and your own, or explain one"),
    "models": ("prepare", "tvbench.cli.models", "list the model cards, show one, or correct a published checkpoint"),
    "engines": ("prepare", "tvbench.cli.engines", "list the engines, or explain one and its options"),
    "languages": ("prepare", "tvbench.cli.languages", "list the languages, or show one"),
    "doctor": ("prepare", "tvbench.cli.doctor", "what is wrong with a checkpoint, and the fix for each"),
    "fetch": ("prepare", "tvbench.cli.fetch", "download models and data for an offline run"),
    "new": ("prepare", "tvbench.cli.new", "write a commented start for a benchmark of your own"),
    "setup": ("prepare", "tvbench.cli.setup", "make the environment that COMET needs"),
    "completion": ("prepare", "tvbench.cli.completion", "have your shell complete commands, options and names"),
    "train": ("train", "tvbench.cli.train", "train a model by a recipe, or say what that takes"),
}
"""Each command's group, module and help line."""

FIRST_STEPS = """tvbench: how good is a multilingual vision-language model, in your language?

try it (nothing is downloaded, half a minute)
  tvbench run --model tower-mini --tasks mini --limit 5
see models next to each other
  tvbench leaderboard
ask why the scores are what they are
  tvbench explain tower-mini

every command: tvbench --help     one command: tvbench run --help
"""

LAST_S = 10.0
"""Seconds that threads have to end when a command was interrupted."""
LISTS = frozenset({"tasks", "models", "languages"})
"""Commands that are over before `logging` would be imported: they prepare it where they need it (listing.py)."""


class Parser(argparse.ArgumentParser):
    """Says what is wrong without repeating what would steer a terminal."""

    def error(self, message: str) -> NoReturn:
        super().error(visible(message))

    def format_help(self) -> str:
        """The commands by group, where these are the commands."""
        listed = {choice.dest: choice for action in self._actions for choice in _commands_of(action)}
        if not listed.keys() >= COMMANDS.keys():
            return super().format_help()
        formatter = self._get_formatter()
        formatter.add_usage(self.usage, self._actions, self._mutually_exclusive_groups)
        formatter.add_text(self.description)
        for group, heading in GROUPS.items():
            formatter.start_section(heading)
            formatter.add_arguments([listed[name] for name, (of, _, _) in COMMANDS.items() if of == group])
            formatter.end_section()
        formatter.start_section("options")
        formatter.add_arguments([action for action in self._actions if action.option_strings])
        formatter.end_section()
        formatter.add_text(self.epilog)
        return formatter.format_help()

    def _get_formatter(self) -> argparse.HelpFormatter:
        """argparse makes one for each argument, and imports `shutil` to learn the terminal's width."""
        return self.formatter_class(prog=self.prog, width=_width())  # type: ignore[call-arg] # all of argparse's have it


def _commands_of(action: argparse.Action) -> list[argparse.Action]:
    """The lines of help of an action's sub-commands."""
    return action._choices_actions if isinstance(action, argparse._SubParsersAction) else []


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
        _, module, summary = COMMANDS[name]
        command = commands.add_parser(name, help=summary, description=summary, add_help=True)
        if name == chosen:
            importlib.import_module(module).configure(command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Errors that a person can fix are printed without a traceback."""
    if argv is None and "_ARGCOMPLETE" in os.environ and "COMP_LINE" in os.environ:
        _complete()
    prepare_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    if not words:
        say(*FIRST_STEPS.splitlines())
        return EXIT_GOOD
    chosen = next((word for word in words if not word.startswith("-")), None)
    try:
        if chosen is not None and chosen not in COMMANDS:
            raise unknown_name("command", chosen, COMMANDS, "`tvbench --help` lists them")
        args = build_parser(chosen, alone=words[:1] == [chosen]).parse_args(words)
        _include(args)
        if args.command not in LISTS:
            _prepare_logging()
        return int(importlib.import_module(COMMANDS[args.command][1]).main(args))
    except TvbenchError as error:
        remark(f"tvbench: {error}")
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        by = next(iter(interrupt.args), "Ctrl-C")
        remark(f"tvbench: stopped by {by}; what was answered is stored, and the same command goes on")
        # Where it came in code that was itself executed from a text (a dataclass in the making), `python -m` would end
        # by the signal whatever is returned here. Executing any text to its end takes that mark away.
        exec("")
        _end_for_certain()
        return EXIT_INCOMPLETE
    except BrokenPipeError:
        sys.stderr.close()
        return EXIT_INCOMPLETE


def _end_for_certain() -> None:
    """See to it that this process ends when its main thread has, though a thread that nobody ends is left: an interrupt
    that comes while an executor starts one leaves it unknown to the executor (CPython 3.11)."""

    def end() -> None:
        threading.main_thread().join()
        time.sleep(LAST_S)
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(EXIT_INCOMPLETE)

    threading.Thread(target=end, name="end", daemon=True).start()


def _complete() -> NoReturn:
    """Answer a shell that asks what fits at the cursor (`tvbench completion`)."""
    try:
        from tvbench.cli.completing import complete, typed_words
    except ImportError:  # argcomplete is missing in an environment of its own, such as vLLM's
        sys.exit(1)
    chosen = next((word for word in typed_words() if not word.startswith("-")), None)
    if chosen is not None and chosen not in COMMANDS:
        sys.exit(EXIT_GOOD)
    complete(build_parser(chosen))


def _include(args: argparse.Namespace) -> None:
    if hasattr(args, "include_path"):
        from tvbench.registry.places import include

        include(args.include_path or ())


def _prepare_logging() -> None:
    from tvbench.cli.logs import prepare_logging

    prepare_logging()


if __name__ == "__main__":
    sys.exit(main())
