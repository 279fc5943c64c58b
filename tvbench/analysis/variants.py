"""What sets one run of a model apart from another, in words: `without pictures`, `blank pictures`, `paper protocol`.

    what was typed (settings, limit, split, seed, pictures) stands always;
    protocol, sampling, thinking, repeats and <bos> stand where they are not what most of a task's are

Knows runs' entries; no figure, no table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from tvbench.analysis.entries import RunEntry
from tvbench.runs.signature import comparable, read_signature

SAMPLING = {
    "t": "temperature",
    "p": "top-p",
    "k": "top-k",
    "seed": "sampling seed",
    "max": "at most",
    "rep": "repetition penalty",
}
USUAL = "tvbench"
"""The protocol that is meant where none is said."""


def variants(entries: Sequence[RunEntry]) -> dict[tuple[str, str], tuple[str, ...]]:
    """The words for each result, by run and task."""
    tasks: dict[str, list[RunEntry]] = {}
    for entry in entries:
        tasks.setdefault(entry.result.task, []).append(entry)
    usual = {task: _usual(some) for task, some in tasks.items()}
    return {
        (entry.run, entry.result.task): (*_typed(entry), *_otherwise(entry, usual[entry.result.task]))
        for entry in entries
    }


def row_words(tasks: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The words of a row, by those of its tasks; with the tasks' names where not all share them."""
    having: dict[str, list[str]] = {}
    for task, words in tasks.items():
        for word in words:
            having.setdefault(word, []).append(task)
    return tuple(word if len(some) == len(tasks) else f"{' and '.join(some)} {word}" for word, some in having.items())


def _typed(entry: RunEntry) -> Iterator[str]:
    asked = entry.asked
    if not asked.media:
        yield "without pictures"
    for key, value in asked.settings.items():
        yield setting_words(str(key), value)
    if asked.limit:
        yield f"first {asked.limit}"
    if asked.split:
        yield f"split {asked.split}"
    if asked.seed:
        yield f"seed {asked.seed}"


def setting_words(key: str, value: Any) -> str:
    """`blank pictures`, `level 2`, `without hints`."""
    name = key.replace("_", " ").replace("-", " ")
    if isinstance(value, bool):
        return name if value else f"without {name}"
    if isinstance(value, list | tuple):
        return f"{'+'.join(map(str, value))} {name}"
    text = str(value)
    return f"{text} {name}" if text.isalpha() else f"{name} {text}"


def _fields(entry: RunEntry) -> dict[str, str]:
    return {"protocol": entry.result.protocol, **_signed(comparable(entry.result.signature))}


@lru_cache(maxsize=1024)
def _signed(signature: str) -> dict[str, str]:
    fields = read_signature(signature)
    return {name: fields.get(name, "") for name in WORDS if name != "protocol"}


def _usual(entries: Iterable[RunEntry]) -> dict[str, str]:
    """What most results of a task are; of equals what is usual elsewhere."""
    counts: dict[str, Counter[str]] = {}
    for entry in entries:
        for name, value in _fields(entry).items():
            counts.setdefault(name, Counter())[value] += 1
    return {name: min(found, key=lambda value: (-found[value], value not in ("", USUAL), value))
            for name, found in counts.items()}  # fmt: skip


def _otherwise(entry: RunEntry, usual: Mapping[str, str]) -> Iterator[str]:
    for name, value in _fields(entry).items():
        if value != usual.get(name, value):
            yield WORDS[name](value, usual[name])


def _protocol(value: str, usual: str) -> str:
    return f"{value} protocol"


def _sampling(value: str, usual: str) -> str:
    """What of `greedy,max=128` is not as usual."""
    parts, others = _parts(value), _parts(usual)
    said = [
        f"{SAMPLING.get(name, name)} {part}{' tokens' if name == 'max' else ''}".strip()
        for name, part in parts.items()
        if others.get(name) != part and (name not in ("p", "k", "seed") or others.get("t") == parts.get("t"))
    ]
    return ", ".join(said) or f"sampling {value}"


def _parts(text: str) -> dict[str, str]:
    pairs = (part.partition("=") for part in text.split(";")[0].split(","))
    return {name: value for name, _, value in pairs}


def _thinking(value: str, usual: str) -> str:
    tokens = value.removeprefix("on").strip("()")
    if value == "off":
        return "without thinking"
    return "thinking" + (f" {tokens} tokens" if tokens else "") if value else "thinking not set"


def _repeats(value: str, usual: str) -> str:
    return f"asked {value} times" if value else "asked once"


def _bos(value: str, usual: str) -> str:
    return f"{value or 'one'} <bos>"


WORDS: dict[str, Callable[[str, str], str]] = {
    "protocol": _protocol,
    "sampling": _sampling,
    "thinking": _thinking,
    "repeats": _repeats,
    "bos": _bos,
}
