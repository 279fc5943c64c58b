"""What is wrong with an item as a task file made it: a field of another kind than `types.py` declares, or values that
contradict each other. `Short("red")` for `Short(("red",))` would be scored letter by letter, without a word.

Knows the vocabulary; no task, no data and no file.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from tvbench.safety.misfits import fits, misfits
from tvbench.types import Choice, Contrast, Item, Media, Message, Sampling, Target

TARGETS, PARTS = get_args(Target), (str, Media)


def item_faults(item: Item) -> Iterator[str]:
    """Each thing that is wrong with it, as the rest of a sentence on the item."""
    if not isinstance(item.id, str) or not item.id.strip():
        yield "its id is no text"
    if not isinstance(item.language, str) or not item.language.strip():
        yield "its language is no text"
    if not isinstance(item.target, TARGETS):
        yield f"its target is a {type(item.target).__name__}"
    if not isinstance(item.sampling, Sampling):
        yield f"its sampling is a {type(item.sampling).__name__}"
    if not isinstance(item.messages, tuple) or not _all_are(item.messages, Message):
        yield 'its messages are no tuple of Message, as in (Message("user", ("text",)),)'
        return
    if not item.messages and item.problem is None:
        yield "it has no messages"
    for message in item.messages:
        if not isinstance(message.parts, tuple) or not _all_are(message.parts, PARTS):
            yield 'the parts of a message are no tuple of texts and Media, as in (picture, "text")'
            return
    found = [] if fits(item, Item) else list(misfits(item, Item, ""))
    yield from found or _contradictions(item)


def _all_are(values: tuple[Any, ...], kinds: type | tuple[type, ...]) -> bool:
    for value in values:  # noqa: SIM110 - the same as `all`, in a third of the time
        if not isinstance(value, kinds):
            return False
    return True


def _contradictions(item: Item) -> Iterator[str]:
    """What no field shows by itself."""
    target = item.target
    if isinstance(target, Choice) and target.gold is not None and not 0 <= target.gold < len(target.options):
        yield f"target.gold is {target.gold}, and there are {len(target.options)} options (the first is 0)"
    if isinstance(target, Contrast) and item.continuation is None and item.problem is None:
        yield "its target is a Contrast, and it has no `continuation` to be scored"
    if item.sampling.max_new_tokens < 1:
        yield f"sampling.max_new_tokens is {item.sampling.max_new_tokens}: nothing could be answered"
