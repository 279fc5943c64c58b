"""Whether a run folder still holds what was asked and answered: what is missing from it, stands in it twice, is damaged
or came from elsewhere, in words for whoever scores it.

Reads; corrects nothing. The manifest is believed: it says how many items there are, and its signature which prompts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tvbench.runs.answered import Answered, Pairs, join
from tvbench.runs.lines import Damage, in_words, read_lines
from tvbench.runs.manifest import TaskEntry
from tvbench.runs.signature import PROMPTS_FORMAT, current, prompts_hash, read_signature
from tvbench.runs.store import REQUESTS, RunFolder
from tvbench.types import Item, Response

AGAIN = "run the same `tvbench run` command again: answers are kept"
IMPORTED = "import the logs again"
ASKED_AGAIN = "the same command asks it again"


@dataclass(frozen=True, slots=True)
class Contents:
    """A run folder's tasks with their items and answers. `damaged` lines of requests.jsonl are of no known task;
    `warnings` speak of those, and of lines of answers."""

    tasks: Mapping[str, Answered]
    damaged: int = 0
    warnings: tuple[str, ...] = ()


def read_contents(run: RunFolder) -> Contents:
    """Everything that scoring needs. Raises UsageError where the manifest, or the file of the requests, is gone."""
    manifest = run.manifest()
    entries = manifest.entries
    again = IMPORTED if manifest.imported else AGAIN
    faults: list[Damage] = []
    by_task: dict[str, Pairs] = {name: [] for name in entries}
    foreign: Counter[str] = Counter()
    for key, item in run.requests(faults):
        if item.task in entries:
            by_task[item.task].append((key, item))
        else:
            foreign[item.task] += 1
    told = [f"{text}; {again}" for text in in_words(faults)]
    told += [
        f"requests.jsonl holds {count} items of {name}, which this run did not ask: left out; {again}"
        for name, count in foreign.items()
    ]
    broken: list[Damage] = []
    responses = run.responses(broken)
    tasks = {name: _checked(entries[name], pairs, responses, len(faults), again) for name, pairs in by_task.items()}
    if not told and not any(asked.warnings for asked in tasks.values()):
        keys = {key for asked in tasks.values() for key in asked.keys.values()}
        unknown = sum(key not in keys for key in responses)
        told += [f"{unknown} answers belong to none of the items: not used"] * (unknown > 0)
    told += _answers_told(broken, IMPORTED if manifest.imported else ASKED_AGAIN)
    told += _answers_told(_damaged_below(run), ASKED_AGAIN)
    return Contents(tasks, len(faults) + foreign.total(), tuple(told))


def _checked(entry: TaskEntry, pairs: Pairs, responses: Mapping[str, Response], faults: int, again: str) -> Answered:
    """One task's items against its entry in the manifest; `faults` lines may have been its own."""
    found = join(entry, pairs, responses)
    kept = found.items
    wanted = len(kept) + faults if entry.items is None else entry.items
    twice, more = len(pairs) - len(kept), max(0, len(kept) - wanted)
    other = len(kept) == wanted and not _as_signed(entry.signature, list(kept.values()))
    told = {
        f"requests.jsonl holds {len(kept)} of the {wanted} items that were asked": len(kept) < wanted,
        f"requests.jsonl holds {twice} items a second time: the first of each counts": twice > 0,
        f"requests.jsonl holds {len(kept)} items, and {wanted} were asked": more > 0,
        "requests.jsonl holds other prompts than the signature stands for": other,
    }
    warnings = tuple(f"{text}; {again}" for text, so in told.items() if so)
    return replace(found, expected=max(wanted, len(kept)), damaged=twice + more + other, warnings=warnings)


def _as_signed(signature: str, items: Sequence[Item]) -> bool:
    """Whether the items are those of the signature; one without a hash, or with an earlier format's, cannot tell."""
    signed = read_signature(current(signature, items)).get("prompts", "")
    return signed == prompts_hash(items) or not signed.startswith(PROMPTS_FORMAT)


def _answers_told(faults: Sequence[Damage], again: str) -> list[str]:
    lost = in_words(fault for fault in faults if fault.lost)
    twice = in_words(fault for fault in faults if not fault.lost)
    return [f"{text}: counted as missing; {again}" for text in lost] + [f"{text}: the later counts" for text in twice]


def _damaged_below(run: RunFolder) -> list[Damage]:
    """Damaged lines of what judges and COMET said."""
    faults: list[Damage] = []
    for path in sorted(run.path.glob("*/**/*.jsonl")):
        if path.name != REQUESTS:
            for _ in read_lines(path, faults):
                pass
    return faults
