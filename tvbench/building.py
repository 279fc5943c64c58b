"""What task files share: checking what was asked of them, picking languages and limiting items.

Knows the vocabulary, the languages and what a cell with a picture is; no benchmark, no prompt, no metric.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

from tvbench.errors import MediaError, UsageError, unknown_name
from tvbench.languages import code_of
from tvbench.sources import Rows, media_from
from tvbench.types import Build, BuildOptions, Choice, Item, Media, Message


def check_settings(task: str, settings: Mapping[str, str], known: Collection[str]) -> None:
    """Raises UsageError, with the nearest known one, for a `--set task.key=value` that the task does not have."""
    for key in settings:
        if key not in known:
            hint = f"as in --set {task}.KEY=VALUE" if known else f"{task} has no settings"
            raise unknown_name(f"setting of {task}", key, known, hint)


def whole_number(task: str, settings: Mapping[str, str], key: str, default: int) -> int:
    """The setting `key` as a number of at least 1. Raises UsageError for anything else."""
    text = settings.get(key, str(default)).strip()
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise UsageError(f"--set {task}.{key}={text}: not a whole number above 0", f"such as {task}.{key}={default}")
    return int(text)


def choose_languages(task: str, wanted: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Codes of the `wanted` languages (codes or names), each once, in the order of the `known` ones whatever order they
    were named in; all `known` ones where none is wanted.

    Raises UsageError, with the nearest known ones, for a language that nobody has or that the task has not.
    """
    codes = tuple(dict.fromkeys(code_of(name) for name in wanted)) or tuple(known)
    for code in codes:
        if code not in known:
            raise unknown_name(f"language of {task}", code, known, f"`tvbench tasks show {task}` lists its languages")
    return tuple(code for code in known if code in codes)


def choose_split(task: str, wanted: str | None, known: Sequence[str], aliases: Mapping[str, str] | None = None) -> str:
    """The split that is meant; the first known one where none is wanted. Raises UsageError for an unknown one."""
    if wanted is None:
        return known[0]
    split = (aliases or {}).get(wanted, wanted)
    if split not in known:
        raise unknown_name(f"split of {task}", wanted, (*known, *(aliases or {})))
    return split


def require_columns(task: str, columns: Collection[str], needed: Iterable[str], where: str) -> None:
    """Raises UsageError that names the missing columns and those found."""
    missing = [name for name in needed if name not in columns]
    if missing:
        raise UsageError(
            f"{where} does not look like the data of {task}: no column {', '.join(missing)}",
            f"columns found: {', '.join(columns) or 'none'}",
        )


def made(items: Iterable[Item], options: BuildOptions, dataset: str, warnings: Iterable[str] = ()) -> Build:
    """The finished Build: the first `limit` items of each language."""
    return Build(tuple(_first_of_each(items, options.limit)), dataset, tuple(warnings))


def picture_in(cell: Any, rows: Rows, name: str) -> tuple[Media | None, str | None]:
    """(the picture in a cell, None), or (None, what is wrong with it). Its bytes are not read."""
    try:
        return media_from(cell, "image", rows, name=name), None
    except MediaError as error:
        return None, f"no picture: {error}"


def user_message(text: str, media: Media | None = None) -> tuple[Message, ...]:
    """One turn of the user: the picture or clip, where there is one, and then the text."""
    return (Message("user", (text,) if media is None else (media, text)),)


def shuffled(count: int, item_id: str, seed: int) -> list[int]:
    """An order of 0..count-1 that depends on the item and the seed only: the same on every machine and limit."""
    order = list(range(count))
    random.Random(f"{seed}/{item_id}").shuffle(order)
    return order


def lettered(options: Sequence[str]) -> str:
    """`A. Dirndl`, `B. Kimono`, ... one option a line."""
    return "\n".join(f"{chr(ord('A') + place)}. {option}" for place, option in enumerate(options))


def shuffled_choice(options: Sequence[str], gold: int, item_id: str, seed: int) -> Choice:
    """The options in a seeded order, with letters; the target of the strict metric is the right option's letter."""
    order = shuffled(len(options), item_id, seed)
    place = order.index(gold)
    return Choice(tuple(options[i] for i in order), place, target=chr(ord("A") + place), letters=True)


def text_of(value: object) -> str:
    """A cell as text, "" for an empty one. Nothing is stripped: prompts of published protocols keep their blanks."""
    return "" if value is None else str(value)


def logged_prompt(row: Mapping[str, object]) -> tuple[Message, ...]:
    """The prompt as an lmms-eval sample log has it: text only, the picture is not in the log."""
    return user_message(text_of(row.get("input")))


def _first_of_each(items: Iterable[Item], limit: int | None) -> Iterator[Item]:
    taken: Counter[str] = Counter()
    for item in items:
        taken[item.language] += 1
        if limit is None or taken[item.language] <= limit:
            yield item
