"""Signatures: the line under a number that says how it was made, in the manner of sacreBLEU's.

`task:alm@1|protocol:tvbench|data:MBZUAI/ALM-Bench@4f…|prompts:9c2e…|sampling:greedy,max=128|model:…|engine:…|tvbench:0.1.0`

Two figures may stand in one column when their `comparable` parts are equal: who answered, and with what engine,
is what a leaderboard varies; everything else must be the same.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from tvbench import __version__
from tvbench.registry.influence import prompt_label
from tvbench.registry.thinking import thinking_of
from tvbench.runs.sorted_rows import SortedRows
from tvbench.types import Build, Item, Media, ModelCard, Sampling, Task

TWO_BOS = "two"
"""Field `bos` of a signature: the prompts begin with `<bos>` as lmms-eval's llava_hf makes it; no field: with one."""
WHO_ANSWERED = frozenset({"model", "chat", "engine", "tvbench"})
PROMPTS_FORMAT = "v2."
"""How a hash of prompts begins that no order of the items can change. Earlier ones have no such beginning."""


def sampling_text(sampling: Sampling) -> str:
    """`greedy,max=128` or `t=0.7,p=0.9,k=0,seed=3,max=128`; other fields only where they are not neutral."""
    if sampling.temperature == 0:
        text = f"greedy,max={sampling.max_new_tokens}"
    else:
        text = (
            f"t={sampling.temperature:g},p={sampling.top_p:g},k={sampling.top_k},"
            f"seed={sampling.seed},max={sampling.max_new_tokens}"
        )
    if sampling.repetition_penalty != 1:
        text += f",rep={sampling.repetition_penalty:g}"
    if sampling.stop:
        text += f",stop={len(sampling.stop)}:{short_hash(sampling.stop)}"
    return text


def short_hash(texts: Iterable[str]) -> str:
    """Twelve hex digits of a SHA-256 over texts and their boundaries."""
    digest = hashlib.sha256()
    for text in texts:
        digest.update(text.encode("utf-8", "surrogatepass"))
        digest.update(b"\x00")
    return digest.hexdigest()[:12]


def prompts_hash(items: Iterable[Item]) -> str:
    """A hash of every rendered prompt text of a task, and of the continuations that are scored: another prompt or
    another item set shows, another order of the same items does not. However many items there are, few are held."""
    rows = SortedRows()
    for item in items:
        rows.add(prompt_row(item))
    return PROMPTS_FORMAT + short_hash(rows.lines())


@dataclass(frozen=True, slots=True)
class ItemFacts:
    """What a signature says of a task's items: how many they are, the hash of their prompts, how they are sampled and
    how often repeated, whether their prompts begin with two `<bos>`, what their clips are decoded by; and how many can
    be `asked`, and are `shown` a picture or clip."""

    count: int
    prompts: str
    samplings: tuple[str, ...]
    repeats: int
    second_bos: bool
    decoder: str
    asked: int
    shown: int


class Facts:
    """Takes a task's items one by one, and holds none of them."""

    def __init__(self) -> None:
        self._rows = SortedRows()
        self._samplings: set[str] = set()
        self._count = self._asked = self._shown = 0
        self._repeats = 1
        self._second_bos = False
        self._decoder = ""

    def add(self, item: Item) -> None:
        """One more. Raises UsageError where there is no room on disk for very many."""
        self._count += 1
        self._rows.add(prompt_row(item))
        self._samplings.add(sampling_text(item.sampling))
        self._repeats = max(self._repeats, 1 + item.repeat)
        self._second_bos |= item.second_bos
        shown = False
        for message in item.messages:
            for part in message.parts:
                if isinstance(part, Media):
                    shown = True
                    self._decoder = self._decoder or part.decoder or ""
        self._asked += item.problem is None
        self._shown += shown and item.problem is None

    def all(self) -> ItemFacts:
        """What there is to say of all of them."""
        return ItemFacts(
            self._count,
            PROMPTS_FORMAT + short_hash(self._rows.lines()),
            tuple(sorted(self._samplings)),
            self._repeats,
            self._second_bos,
            self._decoder,
            self._asked,
            self._shown,
        )


def facts_of(items: Iterable[Item]) -> ItemFacts:
    """The same of items that are there."""
    facts = Facts()
    for item in items:
        facts.add(item)
    return facts.all()


def prompt_row(item: Item) -> tuple[str, ...]:
    """What of an item enters the hash of the prompts."""
    return item.language, item.id, *_texts(item)


def ordered_prompts_hash(items: Iterable[Item]) -> str:
    """The hash of runs before PROMPTS_FORMAT: over the texts in the order in which they were asked."""
    return short_hash(text for item in items for text in _texts(item))


def _texts(item: Item) -> list[str]:
    texts = [
        part if isinstance(part, str) else f"<{part.kind}:{part.frames}:{part.size}>"
        for message in item.messages
        for part in message.parts
    ]
    return texts if item.continuation is None else [*texts, item.continuation]


def write_signature(fields: Mapping[str, str]) -> str:
    """Fields in their order; `|` and line ends inside a value are replaced, so that a signature stays a line."""
    return "|".join(f"{name}:{' '.join(value.split()).replace('|', '/')}" for name, value in fields.items())


def read_signature(signature: str) -> dict[str, str]:
    """The fields of a signature; text without a colon is ignored."""
    return dict(part.split(":", 1) for part in signature.split("|") if ":" in part)


def is_current(signature: str) -> bool:
    """Whether the signature's hash of the prompts, if it has one, is of today's format."""
    if "prompts:" not in signature:
        return True
    return read_signature(signature).get("prompts", PROMPTS_FORMAT).startswith(PROMPTS_FORMAT)


def current(signature: str, items: Sequence[Item]) -> str:
    """A stored signature with today's hash of the prompts, so that it can be compared. `items` are the task's, in the
    order in which they were asked; where its earlier hash is not theirs, it stays as it is."""
    fields = read_signature(signature)
    if is_current(signature) or fields["prompts"] != ordered_prompts_hash(items):
        return signature
    return write_signature(fields | {"prompts": prompts_hash(items)})


@lru_cache(maxsize=16384)
def comparable(signature: str) -> str:
    """The part that two figures must share to stand in one column. Data of several parts are the same in any order."""
    fields = {k: v for k, v in read_signature(signature).items() if k not in WHO_ANSWERED}
    if "data" in fields:
        fields["data"] = "+".join(sorted(fields["data"].split("+")))
    return write_signature(fields)


def settings_apart(first: str, second: str) -> tuple[list[str], list[str]]:
    """The engine's settings that one signature has and the other has not, of each; none where model or engine differ,
    which is what figures are compared for."""
    one, other = read_signature(first), read_signature(second)
    if one.get("model") != other.get("model") or _engine_name(one) != _engine_name(other):
        return [], []
    settings, others = _engine_settings(one), _engine_settings(other)
    return sorted(settings - others), sorted(others - settings)


def _engine_name(fields: Mapping[str, str]) -> str:
    return fields.get("engine", "").partition("+")[0].partition("@")[0]


def _engine_settings(fields: Mapping[str, str]) -> set[str]:
    return set(filter(None, fields.get("engine", "").partition("+")[2].split(",")))


def task_signature(
    task: Task,
    protocol: str,
    build: Build,
    facts: ItemFacts,
    card: ModelCard,
    engine: str,
    *,
    with_media: bool,
    asked: Mapping[str, str] | None = None,
) -> str:
    """The signature of one task in one run. `engine` is `name@version+settings`, as the manifest has it; `asked` are
    the fields that the gate adds (split, settings, code)."""
    fields = {
        "task": f"{task.name}@{task.version}",
        "protocol": protocol,
        **(asked or {}),
        "data": build.dataset,
        "items": str(facts.count),
        "prompts": facts.prompts,
        "sampling": ";".join(facts.samplings) or "none",
    }
    if thinking := thinking_of(card).label:
        fields["thinking"] = thinking
    if facts.repeats > 1:
        fields["repeats"] = str(facts.repeats)
    if facts.second_bos:
        fields["bos"] = TWO_BOS
    if facts.decoder:
        fields["decoder"] = facts.decoder
    if not with_media:
        fields["media"] = "none"
    fields["model"] = f"{card.name}@{card.revision}"
    if chat := prompt_label(card):
        fields["chat"] = chat
    fields |= {"engine": engine, "tvbench": __version__}
    return write_signature(fields)
