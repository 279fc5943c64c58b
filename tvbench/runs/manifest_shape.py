"""What manifest.json must look like before anybody reads it: which fields there are, and of which type; and whether the
items beside it are as many as it says.

A file that was cut, mixed up or edited is told here, in one sentence, instead of by whoever stumbles over it. Fields
that are not named here are free. Knows no file.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

TEXT, NUMBER, LIST, OBJECT = (str,), (int,), (list,), (dict,)
NAMES = {str: "text", int: "a whole number", list: "a list", dict: "an object", type(None): "null"}
OPTIONAL = (dict, type(None))

FIELDS: dict[str, tuple[type, ...]] = {
    "tasks": LIST,
    "model": OBJECT,
    "engine": OBJECT,
    "ask": OPTIONAL,
    "speed": OPTIONAL,
    "created": TEXT,
    "updated": TEXT,
    "judging": OBJECT,
    "sessions": LIST,
    "run": TEXT,
    "source": TEXT,
    "command": LIST,
    "decoder": OPTIONAL,
    "hardware": OPTIONAL,
    "packages": OPTIONAL,
}
TASK_FIELDS: dict[str, tuple[type, ...]] = {
    "task": TEXT,
    "protocol": TEXT,
    "primary": TEXT,
    "signature": TEXT,
    "items": NUMBER,
    "warnings": LIST,
    "metrics": LIST,
    "logged": OBJECT,
    "declared": OBJECT,
    "dataset": TEXT,
}
NEEDED = ("task", "protocol", "primary", "signature")
MODEL_FIELDS: dict[str, tuple[type, ...]] = {
    **dict.fromkeys(("name", "kind", "location", "revision", "url", "title"), TEXT),
    **dict.fromkeys(("languages", "modalities", "aliases"), LIST),
    **dict.fromkeys(("chat", "numerics", "engine", "prices"), OBJECT),
}
ENGINE_FIELDS: dict[str, tuple[type, ...]] = {"name": TEXT, "version": TEXT, "settings": OBJECT}
ASK_FIELDS: dict[str, tuple[type, ...]] = {"tasks": LIST, "engine": OBJECT}
JUDGING_FIELDS: dict[str, tuple[type, ...]] = {
    "run": TEXT,
    "rubric": OBJECT,
    "tasks": LIST,
    "checked": (int, type(None)),
    "seed": NUMBER,
    "engine": TEXT,
    "chat": (str, type(None)),
    "planted": (int, type(None)),
}
JUDGING_NEEDED = ("rubric", "tasks", "checked", "seed", "engine")


def shape_problem(data: Mapping[str, Any]) -> str | None:
    """What is wrong with a manifest, in words; None where it can be read."""
    if "tasks" not in data:
        return "it does not say which tasks were asked"
    problem = _wrong(data, FIELDS, "")
    if problem is None and "engine" in data and not {"name", "version"} <= data["engine"].keys():
        return "it does not say which engine answered"
    for name, fields in (
        ("model", MODEL_FIELDS),
        ("engine", ENGINE_FIELDS),
        ("ask", ASK_FIELDS),
        ("judging", JUDGING_FIELDS),
    ):
        problem = problem or _wrong(data.get(name) or {}, fields, f"{name}.")
    if problem is None and "judging" in data and (missing := [n for n in JUDGING_NEEDED if n not in data["judging"]]):
        return f"judging has no {missing[0]}"
    problem = problem or _wrong_entries(data["tasks"], "tasks", NEEDED, TASK_FIELDS)
    asked = (data.get("ask") or {}).get("tasks", []) if problem is None else []
    return problem or _wrong_entries(asked, "ask.tasks", ("task",), {"task": TEXT, "settings": OBJECT})


def count_problem(asked: Mapping[str, int | None], items: Iterable[tuple[str, str]]) -> str | None:
    """Where `items` (task, id) are not as many as were `asked` of each task (None: of before they were counted), each
    once: what there is instead."""
    found = list(items)
    lines = Counter(task for task, _ in found)
    held = Counter(task for task, _ in set(found))
    for task, number in asked.items():
        if number is not None and not lines[task] == held[task] == number:
            twice = f", {lines[task] - held[task]} of them twice" if lines[task] > held[task] else ""
            return f"holds {held[task]} of the {number} items of {task} that were asked{twice}"
    return None


def _wrong_entries(
    entries: list[Any], place: str, needed: tuple[str, ...], fields: Mapping[str, tuple[type, ...]]
) -> str | None:
    for number, entry in enumerate(entries):
        if not isinstance(entry, dict):
            return f"{place}[{number}] is not an object"
        missing = [name for name in needed if name not in entry]
        if missing:
            return f"{place}[{number}] has no {missing[0]}"
        if problem := _wrong(entry, fields, f"{place}[{number}]."):
            return problem
        if entry.get("items", 0) < 0:
            return f"{place}[{number}].items is below 0"
    return None


def _wrong(data: Mapping[str, Any], fields: Mapping[str, tuple[type, ...]], place: str) -> str | None:
    for name, types in fields.items():
        if name in data and type(data[name]) not in types:
            return f"{place}{name} is not {' or '.join(NAMES[kind] for kind in types)}"
    return None
