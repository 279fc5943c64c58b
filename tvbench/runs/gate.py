"""The one gate between what a person asks and what a model is asked, for every task: ours, generated ones, strangers'.

    BuildOptions ──ask_of──▶ Ask ──source, item──▶ items ──gated──▶ wanted languages, first N of each, media or none

A task declares and makes items; here it is seen to that they are what was asked for. What a task's code gets wrong is
corrected where that is certain, and else refused with what to change in the task file: never asked as something else.
Knows tasks and languages; no model, no key, no store.
"""

from __future__ import annotations

import logging
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice
from pathlib import Path
from typing import Any

from tvbench.data.authoring import Missing, Row
from tvbench.errors import MediaError, TvbenchError, UsageError, unknown_name
from tvbench.registry.declared import codes_in, read_settings, settings_word
from tvbench.runs.item_faults import item_faults
from tvbench.runs.signature import ItemFacts
from tvbench.runs.streamed import found, gone_over_again
from tvbench.types import Ask, Build, BuildOptions, Contrast, Item, Media, Message, Open, Opened, Task

log = logging.getLogger(__name__)

MANY = 50_000
"""Items that are looked at to see whether a task looks at an option at all."""
PACKAGE = Path(__file__).resolve().parents[1]


class TaskFault(UsageError):
    """A task file does not do what it declares."""


@dataclass(frozen=True, slots=True)
class Gated:
    """What one task asks. `dataset` is the data's name and revision. Very many items are made again each time that
    somebody goes over them (streamed.py)."""

    items: Sequence[Item]
    dataset: str
    warnings: tuple[str, ...] = ()


# ── What was asked, held against what is declared ─────────────────────────────────────────────────


def ask_of(task: Task, options: BuildOptions) -> Ask:
    """What the task's own code is told. Raises UsageError, with the nearest names, for what the task does not declare;
    no data are read."""
    if options.protocol not in task.protocols:
        raise unknown_name("protocol", options.protocol, task.protocols, f"`tvbench tasks {task.name}` explains")
    if options.limit is not None and options.limit < 1:
        raise UsageError(f"a limit of {options.limit} asks nothing", "give 1 or more")
    split = chosen_split(task, options.split)
    languages = wanted_languages(task, options.languages, split)
    settings = read_settings(task, options.settings)
    named = {f"settings.{key}" for key in options.settings}
    named |= {name for name, given in (("split", options.split), ("languages", options.languages)) if given}
    return Ask(
        task.name,
        options.protocol,
        split=split,
        languages=languages,
        settings=settings,
        seed=options.seed,
        data=options.data,
        offline=options.offline,
        with_media=options.with_media,
        named=named,
    )


def chosen_split(task: Task, wanted: str | None) -> str | None:
    """The split that is meant, by its name or an alias; the first one where none is wanted."""
    if wanted is None:
        return task.splits[0] if task.splits else None
    if not task.splits:
        languages = f", or choose languages, as in --tasks {task.name}:{'+'.join(task.languages[:2])}"
        raise UsageError(
            f"task {task.name} has no splits to choose from, and cannot be asked for '{wanted}'",
            "leave --split out" + (languages if task.languages else ""),
        )
    split = task.split_aliases.get(wanted, wanted)
    if split not in task.splits:
        raise unknown_name(
            f"split of {task.name}",
            wanted,
            (*task.splits, *task.split_aliases),
            f"`tvbench tasks {task.name}` lists them",
        )
    return split


def wanted_languages(task: Task, wanted: Iterable[str], split: str | None) -> tuple[str, ...]:
    """The codes that are asked, in the order in which the task declares them. Empty: all, whatever they are."""
    codes = dict.fromkeys(code for name in wanted for code in codes_in(task, name))
    known = task.split_languages.get(split or "", task.languages)
    missing = [code for code in codes if known and code not in known]
    if missing:
        others = [name for name in task.splits if missing[0] in task.split_languages.get(name, task.languages)]
        from tvbench.languages import language

        raise UsageError(
            f"{task.name} has no {language(missing[0]).name} for {split}",
            f"languages of {split}: {', '.join(known)}; splits with it: {', '.join(others)}",
        )
    if not known or (task.more_languages and not codes):
        return tuple(codes)
    return tuple(code for code in known if not codes or code in codes)


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
        raise _fault(
            task, f"opening its data ends in {_named(error)}{_place(error)}", "correct the task file"
        ) from error
    if isinstance(opened, Build):
        opened = Opened(opened.items, opened.dataset, tuple(opened.warnings))
    if not isinstance(opened, Opened) or not isinstance(opened.dataset, str):
        raise _fault(
            task, f"its source gives a {type(opened).__name__}", 'return tvbench.types.Opened(rows, "name@revision")'
        )
    return opened


def _asked_items(task: Task, rows: Iterable[Any], ask: Ask, *, look: bool = True) -> Iterator[Item]:
    """Items of the wanted languages, with or without their media; `look`: each is looked at, which is done once."""
    for number, row in enumerate(_rows(task, rows)):
        for item in _items_of(task, row, number, ask):
            if look:
                _check(task, item, number)
            item = _own_language(task, _own_task(task, item, number), ask)
            if not ask.languages or item.language in ask.languages:
                yield _with_problem(item) if ask.with_media else _blind(item)


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
        raise _fault(
            task, f"its rows end after {count} in {_named(error)}{_place(error)}", "correct the task file, or the data"
        ) from error


def _items_of(task: Task, row: Any, number: int, ask: Ask) -> Iterator[Item]:
    """The items that the task makes of one row; a ValueError becomes the problem of one that stands for the row."""
    if task.item is None:
        yield _item(task, row, number)
        return
    try:
        made = task.item(row, ask)
        for item in (made,) if made is None or isinstance(made, Item | str | Mapping) else made:
            if item is not None:
                yield _item(task, item, number)
    except UsageError:
        raise
    except (ValueError, MediaError) as error:
        yield _failed(task, row, number, str(error) or type(error).__name__)
    except Exception as error:
        raise _fault(
            task,
            f"row {number} ends in {_named(error)}{_place(error)}",
            "correct the task file; for a row that cannot be asked, raise a ValueError with the reason",
        ) from error


def _failed(task: Task, row: Any, number: int, problem: str) -> Item:
    """Stands for a row that cannot be asked, so that it is counted."""
    code = row.language if isinstance(row, Row) else ""
    if not code:
        if len(task.languages) != 1:
            raise _fault(
                task,
                f"row {number} cannot be asked ({problem}), and nothing says what language it is in",
                "rows of HubRows: name its column, language=COLUMN; rows of a function: correct the task file, or give "
                "an Item with a `problem`",
            )
        (code,) = task.languages
    own = row.number if isinstance(row, Row) else number
    return Item(f"{code}/row-{own}", task.name, code, (), Open("", ""), problem=problem)


# ── One item, as it has to be ─────────────────────────────────────────────────────────────────────


def _item(task: Task, item: Any, number: int) -> Item:
    """The item, where it is one."""
    if not isinstance(item, Item):
        raise _fault(task, f"row {number} gives a {type(item).__name__}", "give an Item, several, or None")
    return item


def _check(task: Task, item: Item, number: int) -> None:
    """Raises UsageError that names what is wrong with the item."""
    wrong = next(item_faults(item), None)
    if wrong is not None:
        raise _fault(
            task,
            f"row {number}, item {item.id!r}: {wrong}",
            "see tvbench/types.py, Item; for a row that cannot be asked, raise a ValueError",
        )
    if task.modality == "text" and any(_media(item.messages)):
        raise _fault(
            task,
            f'item {item.id} shows a picture or clip, but the task declares modality "text"',
            'declare modality="image" or "video"',
        )


def _own_task(task: Task, item: Item, number: int) -> Item:
    if item.task != task.name:
        raise _fault(
            task,
            f"row {number}, item {item.id}: it says that it is of task {item.task!r}",
            f'give task="{task.name}", or ask.task',
        )
    return item


def _own_language(task: Task, item: Item, ask: Ask) -> Item:
    """The item under a code that the task declares. Raises UsageError for a language that it does not."""
    if item.language in task.languages or (not task.languages and item.language in ask.languages):
        return item
    from tvbench.languages import code_of, is_language

    code = code_of(item.language) if is_language(item.language) else item.language
    if task.languages and code not in task.languages and not task.more_languages:
        raise _fault(
            task,
            f"item {item.id} is in '{item.language}', which the task does not declare",
            f"declare it in `languages`, or give no item for such rows; declared: {', '.join(task.languages)}",
        )
    return item if code == item.language or task.more_languages else replace(item, language=code)


def _with_problem(item: Item) -> Item:
    """The item without media that are not there: they are its problem."""
    absent = [part.load.problem for part in _media(item.messages) if isinstance(part.load, Missing)]
    if not absent:
        return item
    messages = tuple(
        replace(
            message,
            parts=tuple(
                part for part in message.parts if not (isinstance(part, Media) and isinstance(part.load, Missing))
            ),
        )
        for message in item.messages
    )
    return replace(item, messages=messages, problem=item.problem or absent[0])


def _blind(item: Item) -> Item:
    """The item without pictures and clips, wherever they stand. A turn that was nothing else goes with them."""
    if not any(_media(item.messages)):
        return item
    texts = [
        replace(message, parts=tuple(part for part in message.parts if isinstance(part, str)))
        for message in item.messages
    ]
    messages = tuple(message for message in texts if message.parts)
    nothing = None if messages else "without its picture or clip there is nothing to ask"
    return replace(item, messages=messages, problem=item.problem or nothing)


def _media(messages: Iterable[Message]) -> Iterator[Media]:
    return (part for message in messages for part in message.parts if isinstance(part, Media))


def media_left_out(task: Task, facts: ItemFacts, with_media: bool) -> bool:
    """Whether a signature says `media:none`: no item that is asked shows a picture or clip, in a task of such."""
    if task.modality == "text":
        return False
    return not facts.shown if facts.asked else not with_media


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


# ── What a signature says of it ───────────────────────────────────────────────────────────────────


def asked_words(task: Task, options: BuildOptions) -> dict[str, str]:
    """The fields `split`, `settings` and `code` of a signature, as far as nothing else in it tells them. What a
    stranger's task says of that is not believed."""
    split = chosen_split(task, options.split)
    told = len(task.splits) < 2 or (task.split_shown and not task.code)
    settings = settings_word(task, read_settings(task, options.settings))
    words = {"split": "" if told else split or "", "settings": settings, "code": task.code}
    return {name: word for name, word in words.items() if word}


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
        raise _fault(task, said, f"follow `ask.{what}` in the task file, or declare one {what} only")


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


def _fault(task: Task, what: str, hint: str) -> TaskFault:
    return TaskFault(f"task {task.name} cannot be asked as it is written: {what}", hint)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"


def _place(error: BaseException) -> str:
    """` (mine.py, line 12)`: the last place outside of tvbench where the error passed."""
    places = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not Path(frame.filename).resolve().is_relative_to(PACKAGE)
    ]
    return f" ({Path(places[-1].filename).name}, line {places[-1].lineno})" if places else ""
