"""What may stand where the cursor is, for a shell that asks by argcomplete's protocol: names of tasks, models, runs.

Imported only while a shell completes. Every value is found by its argument's name, so that no command knows of this.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import chdir
from pathlib import Path
from typing import NoReturn

from argcomplete.completers import FilesCompleter
from argcomplete.finders import CompletionFinder
from argcomplete.lexers import split_line

from tvbench.cli.listing import Record, model_records, task_records
from tvbench.errors import TvbenchError
from tvbench.registry.places import include, included, nearby_folder, results_name

Names = Mapping[str, str]
"""What can be typed, and what it is."""
Known = Callable[[argparse.Namespace], Names]


def typed_words() -> list[str]:
    """The whole words before the one at the cursor, without the program's own."""
    line, point = os.environ["COMP_LINE"], int(os.environ.get("COMP_POINT") or len(os.environ["COMP_LINE"]))
    _, _, _, words, _ = split_line(line, point)
    return list(words[1:])


def complete(parser: argparse.ArgumentParser) -> NoReturn:
    """Print what fits, and leave."""
    attach(parser)
    _Finder()(parser)
    raise SystemExit(1)


class _Finder(CompletionFinder):
    """Options are shown where one begins, or where nothing else fits."""

    def collect_completions(
        self, active_parsers: list[argparse.ArgumentParser], parsed_args: argparse.Namespace, cword_prefix: str
    ) -> list[str]:
        self.always_complete_options = False
        found = super().collect_completions(active_parsers, parsed_args, cword_prefix)
        if not found and not cword_prefix:
            self.always_complete_options = "long"
            found = super().collect_completions(active_parsers, parsed_args, cword_prefix)
        return found


# ── What there is ─────────────────────────────────────────────────────────────────────────────────


def _tasks(_: argparse.Namespace) -> Names:
    records = _records()
    near = nearby_folder("tasks")
    mine = {path.stem: "in ./tasks" for path in sorted(near.glob("[!_]*.py"))} if near is not None else {}
    groups = {str(task["group"]): f"all of {task['group']}" for task in records if task["group"]}
    return mine | groups | {str(task["name"]): str(task["title"]) for task in records}


def _records() -> list[Record]:
    """The tasks, without running what lies in the working directory's `tasks/`: nobody would see it named first."""
    include(included())
    with chdir(Path(__file__).parent):
        return task_records()


def _models(_: argparse.Namespace) -> Names:
    return {str(card["name"]): str(card["title"]) for card in model_records()}


def _languages(_: argparse.Namespace) -> Names:
    from tvbench.languages import all_languages

    return {known.code: known.name for known in all_languages()}


def _engines(_: argparse.Namespace) -> Names:
    from tvbench.engines.registry import known_names

    return dict.fromkeys(known_names(), "")


def _suites(_: argparse.Namespace) -> Names:
    from tvbench.suites.shelf import suite_files

    return {name: file.suite.about if file.suite is not None else file.problem for name, file in suite_files().items()}


def _runs(typed: argparse.Namespace) -> Names:
    from tvbench.runs.store import find_runs

    return dict.fromkeys((run.name for run in find_runs(_results(typed))), "")


def _results(typed: argparse.Namespace) -> Path:
    return Path(getattr(typed, "results", None) or results_name()).expanduser()


# ── Which argument takes which ────────────────────────────────────────────────────────────────────


class Values:
    """A completer: the names that are known, or files where a path begins. `several` are separated by commas."""

    def __init__(self, *known: Known, several: bool = False, files: bool = True) -> None:
        self.known, self.several, self.files = known, several, files

    def __call__(self, *, prefix: str, parsed_args: argparse.Namespace, **_: object) -> Names | Iterable[str]:
        if self.files and prefix.startswith((".", "/", "~")):
            return FilesCompleter()(prefix)
        before, comma, last = prefix.rpartition(",") if self.several else ("", "", prefix)
        include(getattr(parsed_args, "include_path", None) or ())
        try:
            found = self.names(last, parsed_args)
        except TvbenchError:
            return {}
        fitting = {
            name: text for name, text in found.items() if name.startswith(last) and name not in before.split(",")
        }
        if not fitting and last and self.files and not before:
            return FilesCompleter()(prefix)
        return {f"{before}{comma}{name}": text for name, text in fitting.items()}

    def names(self, last: str, typed: argparse.Namespace) -> Names:
        """What can stand in place of `last`."""
        return {name: text for known in self.known for name, text in known(typed).items()}


class TaskValues(Values):
    """Tasks as `run --tasks` takes them: `alm:de+fr`."""

    def names(self, last: str, typed: argparse.Namespace) -> Names:
        task, colon, codes = last.partition(":")
        if not colon:
            return super().names(last, typed)
        spelled = _languages(typed)
        done = codes.split("+")[:-1]
        head = f"{task}:{codes[: codes.rfind('+') + 1]}"
        mine = {code for known in _records() if task in (known["name"], known["group"]) for code in known["languages"]}
        return {f"{head}{code}": spelled.get(code, "") for code in sorted(mine.difference(done))}


TASKS, MODEL, RUN = TaskValues(_tasks, several=True), Values(_models, several=True), Values(_runs)
SUITE, ENGINE = Values(_suites), Values(_engines)
BY_NAME: dict[str, Values] = {
    "tasks": TASKS,
    "task": Values(_tasks),
    "model": MODEL,
    "judge": MODEL,
    "source": MODEL,
    "languages": Values(_languages, several=True, files=False),
    "language": Values(_languages, files=False),
    "run": RUN,
    "first": RUN,
    "second": RUN,
    "more": RUN,
    "blind": RUN,
    "without_image": RUN,
    "against": RUN,
    "engine": ENGINE,
    "suite": SUITE,
    "suite_named": SUITE,
}
"""By an argument's `dest`, in every command."""
BY_PLACE: dict[tuple[str, str], Values] = {
    ("status", "what"): Values(_suites, _runs),
    ("audit", "what"): TaskValues(_tasks, _runs, several=True),
    ("tasks", "action"): Values(_tasks),
    ("models", "action"): Values(_models),
    ("engines", "action"): ENGINE,
    ("engines show", "name"): ENGINE,
}
"""By command and `dest`, where the name alone does not tell."""


def attach(parser: argparse.ArgumentParser, place: str = "") -> None:
    """Give every argument below `parser` its completer."""
    for action in parser._actions:
        nested = isinstance(action, argparse._SubParsersAction)
        found = BY_PLACE.get((place, action.dest)) or BY_NAME.get(action.dest)
        if found is not None and (nested or not action.choices):
            action.completer = found  # type: ignore[attr-defined] # as argcomplete has it
        if isinstance(action, argparse._SubParsersAction):
            for name in list(action.choices):
                attach(action.choices[name], f"{place} {name}".strip())
