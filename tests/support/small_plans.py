"""A small item, and a task around such."""

from __future__ import annotations

from collections.abc import Iterable

from tvbench.types import Build, Item, Media, Message, Short, Task

PICTURE = Media("image", "p.png", lambda: b"picture")


def item(number: str = "1", text: str = "What?", media: tuple[Media, ...] = (PICTURE,)) -> Item:
    return Item(number, "t", "de", (Message("user", (*media, text)),), Short(("x",)))


def task_of(items: Iterable[Item]) -> Task:
    return Task("t", "1", "T", lambda options: Build(list(items), "data@1"), {"tvbench": "ours"}, "accuracy", ())
