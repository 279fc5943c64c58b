"""The one gate between what a person asks and what a model is asked, for every task: ours, generated ones, strangers'.

    BuildOptions ──ask_of──▶ Ask ──source, item──▶ items ──gated──▶ wanted languages, first N of each, media or none

A task declares and makes items; here it is seen to that they are what was asked for: the options (task_ask.py), each
item (gated_item.py), the limits, and that an option that was given is looked at. What a task's code gets wrong is
corrected where that is certain, and else refused with what to change in the task file: never asked as something else.
Knows tasks and languages; no model, no key, no store.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any

from tvbench.data.authoring import Row
from tvbench.errors import MediaError, TvbenchError, UsageError
from tvbench.runs.gated_item import an_item, as_asked
from tvbench.runs.streamed import found, gone_over_again
from tvbench.runs.task_ask import ask_of
from tvbench.runs.task_faults import fault, in_words
from tvbench.types import Ask, Build, BuildOptions, Contrast, Item, Open, Opened, Task

log = logging.getLogger(__name__)

MANY = 50_000
"""Items that are looked at to see whether a task looks at an option at all."""


@dataclass(frozen=True, slots=True)
class Gated:
    """What one task asks. `dataset` is the data's name and revision. Very many items are made again each time that
    somebody goes over them (streamed.py)."""

    items: Sequence[Item]
    dataset: str
    warnings: tuple[str, ...] = ()


# ── From rows to items ────────────────────────────────────────────────────────────────────────────


def gated(task: Task, options: BuildOptions) -> Gated:
    """The items of `task` that were asked for, and nothing else.

    Raises UsageError for what is not declared, for data that cannot be read, and for a task file that does not do what
    it declares, naming what to change there.
    """
    ask = ask_of(task, options)
    opened = _open(task, ask)
    passes = count()

    def made() -> Iterator[Item]:
        items = _asked_items(task, opened.rows, ask, look=next(passes) == 0)
        return _first_of_each(items, options.limit, ask.languages)

    asked = found(task.name, made, again=lambda: gone_over_again(opened.rows))
    if not asked.items:
        raise UsageError(
            f"task {task.name} has no items for languages {', '.join(options.languages) or 'all'}"
            f" and split {options.split or 'default'}",
            f"`tvbench tasks {task.name}` lists what there is",
        )
    _check_obeyed(task, options, ask)
    empty = sorted(set(ask.languages) - asked.languages) if "languages" in ask.named else []
    said = [f"no items in {', '.join(empty)}"] if empty else []
    return Gated(asked.items, opened.dataset, (*opened.warnings, *said, *asked.warnings))


def _open(task: Task, ask: Ask) -> Opened:
    make: Any = task.source or task.build
    try:
        opened = make(ask)
    except (TvbenchError, OSError) as error:
        if isinstance(error, TvbenchError):
            raise
        raise UsageError(f"the data of {task.name} cannot be read: {error}") from error
    except Exception as error:
        raise fault(task, f"opening its data ends in {in_words(error)}", "correct the task file") from error
    if isinstance(opened, Build):
        opened = Opened(opened.items, opened.dataset, tuple(opened.warnings))
    if not isinstance(opened, Opened) or not isinstance(opened.dataset, str):
        raise fault(
            task, f"its source gives a {type(opened).__name__}", 'return tvbench.types.Opened(rows, "name@revision")'
        )
    return opened


def _asked_items(task: Task, rows: Iterable[Any], ask: Ask, *, look: bool = True) -> Iterator[Item]:
    """Items of the wanted languages, with or without their media; `look`: each is looked at, which is done once."""
    for number, row in enumerate(_rows(task, rows)):
        for item in _items_of(task, row, number, ask):
            asked = as_asked(task, item, number, ask, look=look)
            if asked is not None:
                yield asked


def _rows(task: Task, rows: Iterable[Any]) -> Iterator[Any]:
    """The rows; what fails between two of them is said with the number of the last one."""
    count = 0
    try:
        for row in rows:
            count += 1
            yield row
    except TvbenchError:
        raise
    except OSError as error:
        raise UsageError(f"the data of {task.name} cannot be read: {error}") from error
    except Exception as error:
        raise fault(
            task, f"its rows end after {count} in {in_words(error)}", "correct the task file, or the data"
        ) from error


def _items_of(task: Task, row: Any, number: int, ask: Ask) -> Iterator[Item]:
    """The items that the task makes of one row; a ValueError becomes the problem of one that stands for the row."""
    if task.item is None:
        yield an_item(task, row, number)
        return
    try:
        made = task.item(row, ask)
        for item in (made,) if made is None or isinstance(made, Item | str | Mapping) else made:
            if item is not None:
                yield an_item(task, item, number)
    except UsageError:
        raise
    except (ValueError, MediaError) as error:
        yield _failed(task, row, number, str(error) or type(error).__name__)
    except Exception as error:
        raise fault(
            task,
            f"row {number} ends in {in_words(error)}",
            "correct the task file; for a row that cannot be asked, raise a ValueError with the reason",
        ) from error


def _failed(task: Task, row: Any, number: int, problem: str) -> Item:
    """Stands for a row that cannot be asked, so that it is counted."""
    code = row.language if isinstance(row, Row) else ""
    if not code:
        if len(task.languages) != 1:
            raise fault(
                task,
                f"row {number} cannot be asked ({problem}), and nothing says what language it is in",
                "rows of HubRows: name its column, language=COLUMN; rows of a function: correct the task file, or give "
                "an Item with a `problem`",
            )
        (code,) = task.languages
    own = row.number if isinstance(row, Row) else number
    return Item(f"{code}/row-{own}", task.name, code, (), Open("", ""), problem=problem)


# ── Limits ───────────────────────────────────────────────────────────────────────────────────────


def _first_of_each(items: Iterable[Item], limit: int | None, languages: tuple[str, ...]) -> Iterator[Item]:
    """The first `limit` items of each language; the two of a pair count as one, and stay together."""
    if limit is None:
        yield from items
        return
    taken: Counter[str] = Counter()
    pairs: dict[str, set[str]] = {}
    full: set[str] = set()
    halves: set[tuple[str, str]] = set()
    for item in items:
        known = pairs.setdefault(item.language, set())
        pair = item.target.pair if isinstance(item.target, Contrast) else None
        if pair in known or taken[item.language] < limit:
            taken[item.language] += pair not in known
            if pair is not None:
                known.add(pair)
                halves ^= {(item.language, pair)}
            yield item
            continue
        full.add(item.language)
        # Of a pair that was begun, the other half may still come.
        if languages and full.issuperset(languages) and not halves:
            return


# ── Whether the task has looked at what was asked ─────────────────────────────────────────────────


def _check_obeyed(task: Task, options: BuildOptions, ask: Ask) -> None:
    """Raises UsageError for an option that was given and that the task's code never looks at: it cannot have obeyed."""
    if not (unread := _unread(task, ask, ask.read)):
        return
    # The rows that were asked may just not have needed it.
    unread = unread & _unread(task, ask, _read_of_all(task, options))
    for name in sorted(unread):
        what, _, key = name.partition(".")
        if what == "settings":
            said = (
                f"--set {task.name}.{key} changes nothing under protocol {options.protocol}: the task never looks at it"
            )
            raise UsageError(said, "leave it out")
        value = options.split if what == "split" else options.protocol
        said = f"it never looks at the {what}, and so cannot be asked for '{value}'"
        raise fault(task, said, f"follow `ask.{what}` in the task file, or declare one {what} only")


def _unread(task: Task, ask: Ask, read: set[str]) -> set[str]:
    """What was named, is not the default, and is not among what was `read`."""
    read = set(read)
    named = {f"settings.{key}" for key, setting in task.settings.items() if ask.settings[key] != setting.default}
    if ask.split is not None and ask.split != task.splits[0]:
        named.add("split")
    named &= ask.named
    if ask.protocol not in (task.default_protocol, *task.second_bos, *task.primaries):
        named.add("protocol")
    return named - read


def _read_of_all(task: Task, options: BuildOptions) -> set[str]:
    """What the task looks at when it is asked in all languages and without a limit."""
    ask = ask_of(task, replace(options, limit=None, languages=()))
    try:
        for _ in islice(_asked_items(task, _open(task, ask).rows, ask), MANY):
            continue
    except UsageError:
        log.debug("%s could not be built whole", task.name)
    return set(ask.read)
