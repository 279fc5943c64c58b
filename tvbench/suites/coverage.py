"""Which tasks of a suite have which of its languages, and what no task has. Reads no data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tvbench.errors import UsageError
from tvbench.languages import code_of, language
from tvbench.registry.declared import codes_in
from tvbench.runs.asking import selected
from tvbench.suites.declaration import Suite


@dataclass(frozen=True, slots=True)
class SuiteLanguages:
    """`tasks` with the codes of the suite's languages by which they know them; `lacking` are names of languages."""

    tasks: Mapping[str, tuple[str, ...]]
    lacking: tuple[str, ...]


def coverage(suite: Suite) -> SuiteLanguages:
    """What can be measured of a suite. Raises UsageError for a task or a language that there is not."""
    tasks: dict[str, tuple[str, ...]] = {}
    met: set[str] = set()
    for name in suite.languages:
        code_of(name)
    for task, own in selected(list(suite.tasks)) if suite.tasks else ():
        found: list[str] = list(own) if own else [] if suite.languages else list(task.languages)
        for name in suite.languages:
            try:
                codes = codes_in(task, name)
            except UsageError:
                continue
            met.add(name)
            found += [] if own else codes
        tasks[task.name] = tuple(dict.fromkeys(found))
    return SuiteLanguages(tasks, tuple(language(name).name for name in suite.languages if name not in met))
