"""A run's items joined with their answers, task by task: what every question to a run begins with.

Several items may share a key, and so an answer. An answer may be a failure; an item without one is in `items` alone.
`answered` reads whole folders only; a damaged one is read by checking.py, which says what is wrong with it. Knows the
store; scores nothing.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tvbench.errors import UsageError, unknown_name
from tvbench.runs.manifest import TaskEntry
from tvbench.runs.signature import current
from tvbench.runs.store import RunFolder
from tvbench.types import Item, Response

log = logging.getLogger(__name__)

Pairs = list[tuple[str, Item]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One task of a run. `items` and their `keys` by item id, in the order in which they were asked, each once;
    `answers` by item id, failures too. `expected` were asked; `damaged` counts lines that make the task incomplete,
    and `warnings` say what they are."""

    entry: TaskEntry
    items: Mapping[str, Item]
    keys: Mapping[str, str]
    answers: Mapping[str, Response]
    expected: int
    damaged: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def pairs(self) -> Pairs:
        """(key, item) as they lie in the folder."""
        return [(self.keys[name], item) for name, item in self.items.items()]

    @property
    def replies(self) -> list[tuple[Item, Response]]:
        """The items that have an answer, or failed, with it."""
        return [(item, self.answers[name]) for name, item in self.items.items() if name in self.answers]

    def text(self, name: str) -> str | None:
        """What was answered in words to the item of that id; None where nothing was."""
        return self.answers[name].text if name in self.answers else None

    @property
    def signature(self) -> str:
        """The task's signature; one of an earlier version with its prompts hashed as today."""
        return current(self.entry.signature, list(self.items.values()))


def answered(run: RunFolder, tasks: Iterable[str] = (), languages: Iterable[str] = ()) -> dict[str, Answered]:
    """Every task of the run by name; of those named the tasks (none: all), and of their items the languages, by any of
    their codes and names.

    With languages, a task without such items is left out. Raises UsageError for a damaged folder, and for a task or
    language that the run has not.
    """
    entries = run.manifest().entries
    pairs = run.requests()
    check_names("task in this run", tasks, entries)
    codes = set(languages_called(languages, {item.language for _, item in pairs}))
    chosen = set(tasks) or set(entries)
    by_task: defaultdict[str, Pairs] = defaultdict(list)
    for key, item in pairs:
        if not codes or item.language in codes:
            by_task[item.task].append((key, item))
    responses = run.responses()
    return {
        name: join(entry, by_task[name], responses)
        for name, entry in entries.items()
        if name in chosen and (by_task[name] or not codes)
    }


def join(
    entry: TaskEntry,
    pairs: Sequence[tuple[str, Item]],
    responses: Mapping[str, Response],
    *,
    expected: int | None = None,
    damaged: int = 0,
    warnings: tuple[str, ...] = (),
) -> Answered:
    """The items of one task with their answers. Of two items with one id the first counts."""
    items: dict[str, Item] = {}
    keys: dict[str, str] = {}
    for key, item in pairs:
        if item.id not in items:
            items[item.id], keys[item.id] = item, key
    answers = {name: responses[key] for name, key in keys.items() if key in responses}
    return Answered(
        entry=entry,
        items=items,
        keys=keys,
        answers=answers,
        damaged=damaged,
        warnings=warnings,
        expected=len(items) if expected is None else expected,
    )


def languages_called(names: Iterable[str], known: Collection[str], where: str = "this run") -> tuple[str, ...]:
    """The codes of a run's own languages that `names` mean; says where that is not plain. Raises UsageError."""
    from tvbench.languages import chosen_among, lacking

    found: dict[str, None] = {}
    for name in names:
        try:
            chosen = chosen_among(name, known)
        except UsageError:
            raise lacking(f"language in {where}", name, known) from None
        if not chosen.codes:
            raise lacking(f"language in {where}", name, known)
        if chosen.note:
            log.warning("note: %s", chosen.note)
        found.update(dict.fromkeys(chosen.codes))
    return tuple(found)


def check_names(kind: str, wanted: Iterable[str], known: Iterable[str]) -> None:
    """Raises UsageError for the first of `wanted` that is not `known`, with the nearest names."""
    names = set(known)
    for name in wanted:
        if name not in names:
            raise unknown_name(kind, name, names)
