"""One item on its way through the gate: is it one, is it the task's, in a language that the task declares, and with
which media. Knows the task's declaration and what was asked; no rows, no data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tvbench.data.authoring import Missing
from tvbench.runs.item_faults import item_faults
from tvbench.runs.keys import media_of
from tvbench.runs.task_faults import fault
from tvbench.types import Ask, Item, Media, Task


def an_item(task: Task, item: Any, number: int) -> Item:
    """The item, where it is one."""
    if not isinstance(item, Item):
        raise fault(task, f"row {number} gives a {type(item).__name__}", "give an Item, several, or None")
    return item


def as_asked(task: Task, item: Item, number: int, ask: Ask, *, look: bool) -> Item | None:
    """The item of row `number` as it is asked; None where it is in a language that nobody wants. `look`: it is looked
    at first. Raises UsageError for what the task file gets wrong."""
    if look:
        _check(task, item, number)
    item = _own_language(task, _own_task(task, item, number), ask)
    if ask.languages and item.language not in ask.languages:
        return None
    return _without_absent_media(item) if ask.with_media else _without_media(item)


def _check(task: Task, item: Item, number: int) -> None:
    """Raises UsageError that names what is wrong with the item."""
    wrong = next(item_faults(item), None)
    if wrong is not None:
        raise fault(
            task,
            f"row {number}, item {item.id!r}: {wrong}",
            "see tvbench/types.py, Item; for a row that cannot be asked, raise a ValueError",
        )
    if task.modality == "text" and any(media_of(item.messages)):
        raise fault(
            task,
            f'item {item.id} shows a picture or clip, but the task declares modality "text"',
            'declare modality="image" or "video"',
        )


def _own_task(task: Task, item: Item, number: int) -> Item:
    if item.task != task.name:
        raise fault(
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
        raise fault(
            task,
            f"item {item.id} is in '{item.language}', which the task does not declare",
            f"declare it in `languages`, or give no item for such rows; declared: {', '.join(task.languages)}",
        )
    return item if code == item.language or task.more_languages else replace(item, language=code)


def _without_absent_media(item: Item) -> Item:
    """The item without media that are not there: they are its problem."""
    absent = [part.load.problem for part in media_of(item.messages) if isinstance(part.load, Missing)]
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


def _without_media(item: Item) -> Item:
    """The item without pictures and clips, wherever they stand. A turn that was nothing else goes with them."""
    if not any(media_of(item.messages)):
        return item
    texts = [
        replace(message, parts=tuple(part for part in message.parts if isinstance(part, str)))
        for message in item.messages
    ]
    messages = tuple(message for message in texts if message.parts)
    nothing = None if messages else "without its picture or clip there is nothing to ask"
    return replace(item, messages=messages, problem=item.problem or nothing)
