"""Whether a run folder still holds what was asked and answered: what is missing from it, stands in it twice, is damaged
or came from elsewhere, in words for whoever scores it.

Reads; mends nothing. The manifest is believed: it says how many items there are, and its signature which prompts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tvbench.lines import Damage, in_words, read_lines
from tvbench.signature import PROMPTS_FORMAT, current, prompts_hash, read_signature
from tvbench.store import REQUESTS, RunFolder
from tvbench.types import Item, Response

AGAIN = "run the same `tvbench run` command again: answers are kept"
IMPORTED = "import the logs again"
ASKED_AGAIN = "the same command asks it again"

Pairs = list[tuple[str, Item]]


@dataclass(frozen=True, slots=True)
class Asked:
    """The items of one task as they lie there, each once. `expected` were asked; `damaged` counts lines that make the
    task incomplete, and `warnings` say what they are."""

    pairs: Pairs
    expected: int
    damaged: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Contents:
    """A run folder's items by task, and its answers. `damaged` lines of requests.jsonl are of no known task; `warnings`
    speak of those, and of lines of answers."""

    tasks: Mapping[str, Asked]
    responses: Mapping[str, Response]
    damaged: int = 0
    warnings: tuple[str, ...] = ()


def read_contents(run: RunFolder) -> Contents:
    """Everything that scoring needs. Raises UsageError where the manifest, or the file of the requests, is gone."""
    manifest = run.manifest()
    entries = {str(entry["task"]): entry for entry in manifest["tasks"]}
    imported = manifest.get("source") == "lmms-eval"
    again = IMPORTED if imported else AGAIN
    faults: list[Damage] = []
    by_task: dict[str, Pairs] = {name: [] for name in entries}
    foreign: Counter[str] = Counter()
    for key, item in run.requests(faults):
        if item.task in entries:
            by_task[item.task].append((key, item))
        else:
            foreign[item.task] += 1
    told = [f"{text}; {again}" for text in in_words(faults)]
    told += [f"requests.jsonl holds {count} items of {name}, which this run did not ask: left out; {again}"
             for name, count in foreign.items()]
    tasks = {name: _asked(entries[name], some, len(faults), again) for name, some in by_task.items()}
    broken: list[Damage] = []
    responses = run.responses(broken)
    if not told and not any(asked.warnings for asked in tasks.values()):
        keys = {key for asked in tasks.values() for key, _ in asked.pairs}
        unknown = sum(key not in keys for key in responses)
        told += [f"{unknown} answers belong to none of the items: not used"] * (unknown > 0)
    told += _answers_told(broken, IMPORTED if imported else ASKED_AGAIN)
    told += _answers_told(_damaged_below(run), ASKED_AGAIN)
    return Contents(tasks, responses, len(faults) + foreign.total(), tuple(told))


def _asked(entry: Mapping[str, Any], pairs: Pairs, faults: int, again: str) -> Asked:
    """One task's items against its entry in the manifest; `faults` lines may have been its own."""
    kept: dict[str, tuple[str, Item]] = {}
    for key, item in pairs:
        kept.setdefault(item.id, (key, item))
    items = [item for _, item in kept.values()]
    wanted = int(entry.get("items", len(kept) + faults))
    twice, more = len(pairs) - len(kept), max(0, len(kept) - wanted)
    other = len(kept) == wanted and not _as_signed(str(entry["signature"]), items)
    told = {
        f"requests.jsonl holds {len(kept)} of the {wanted} items that were asked": len(kept) < wanted,
        f"requests.jsonl holds {twice} items a second time: the first of each counts": twice > 0,
        f"requests.jsonl holds {len(kept)} items, and {wanted} were asked": more > 0,
        "requests.jsonl holds other prompts than the signature stands for": other,
    }
    warnings = tuple(f"{text}; {again}" for text, so in told.items() if so)
    return Asked(list(kept.values()), max(wanted, len(kept)), twice + more + other, warnings)


def _as_signed(signature: str, items: Sequence[Item]) -> bool:
    """Whether the items are those of the signature; one without a hash, or with an earlier format's, cannot tell."""
    signed = read_signature(current(signature, items)).get("prompts", "")
    return signed == prompts_hash(items) or not signed.startswith(PROMPTS_FORMAT)


def _answers_told(faults: Sequence[Damage], again: str) -> list[str]:
    lost = in_words(one for one in faults if one.lost)
    twice = in_words(one for one in faults if not one.lost)
    return [f"{text}: counted as missing; {again}" for text in lost] + [f"{text}: the later counts" for text in twice]


def _damaged_below(run: RunFolder) -> list[Damage]:
    """Damaged lines of what judges and COMET said."""
    faults: list[Damage] = []
    for path in sorted(run.path.glob("*/**/*.jsonl")):
        if path.name != REQUESTS:
            for _ in read_lines(path, faults):
                pass
    return faults
