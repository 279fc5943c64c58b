"""What a run will ask: tasks built, media hashed, keys made, the run folder's name decided.

Touches no engine and writes nothing, so that `--dry-run` is this module and a table.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tvbench.errors import UsageError
from tvbench.registry.declared import codes_in
from tvbench.registry.influence import argument_labels, prompt_label, score_arguments
from tvbench.registry.thinking import thinking_of
from tvbench.runs.gone_over import GoneOver
from tvbench.runs.key_table import TextSet
from tvbench.runs.keys import media_of
from tvbench.runs.manifest import TaskEntry
from tvbench.runs.planned import Keys, PlannedItems, plan_items, share_of
from tvbench.runs.planned import PlannedItem as PlannedItem  # where they are looked for
from tvbench.runs.planned import model_identity as model_identity
from tvbench.runs.questions import Questions
from tvbench.runs.shared_items import SharedItems
from tvbench.runs.signature import TWO_BOS, ItemFacts, facts_of, task_signature
from tvbench.runs.task_ask import asked_words, media_left_out
from tvbench.scoring.task_metrics import declared_facts
from tvbench.types import Build, BuildOptions, Item, Media, Message, ModelCard, Request, Sampling, Task


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task, how it is asked, and everything that it asks; `told` is what a signature says of its items."""

    task: Task
    options: BuildOptions
    dataset: str
    items: PlannedItems
    warnings: tuple[str, ...] = ()
    told: ItemFacts | None = None

    @property
    def facts(self) -> ItemFacts:
        """What a signature says of its items."""
        return self.told or facts_of(planned.item for planned in self.items)

    def entry(self, card: ModelCard, engine: str) -> TaskEntry:
        """The task's entry in manifest.json; `engine` as in the signature."""
        facts = self.facts
        signature = task_signature(
            self.task,
            self.options.protocol,
            Build((), self.dataset),
            facts,
            card,
            engine,
            with_media=not media_left_out(self.task, facts, self.options.with_media),
            asked=asked_words(self.task, self.options),
        )
        return TaskEntry(
            self.task.name,
            self.options.protocol,
            self.task.primary_of(self.options.protocol),
            signature,
            version=self.task.version,
            metrics=tuple(self.task.metrics),
            dataset=self.dataset,
            items=facts.count,
            warnings=tuple(self.warnings),
            declared=declared_facts(self.task),
        )


@dataclass(frozen=True, slots=True)
class Overrides:
    """Sampling fields set on the command line; None leaves the task's own value."""

    max_new_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    seed: int | None = None
    repeats: int = 1

    def apply(self, sampling: Sampling) -> Sampling:
        """`sampling` with the overridden fields."""
        changed = {
            name: value
            for name in ("max_new_tokens", "temperature", "top_p", "top_k", "seed")
            if (value := getattr(self, name)) is not None
        }
        return replace(sampling, **changed) if changed else sampling


@dataclass(frozen=True, slots=True)
class Plan:
    """A model and everything that it will be asked. `ask` names the run: equal asks share a folder."""

    card: ModelCard
    tasks: tuple[PlannedTask, ...]
    ask: Mapping[str, Any] = field(default_factory=dict)
    _questions: list[Questions] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def run_name(self) -> str:
        """`model--task+task--protocol-1a2b3c4d`: readable, and one for each different ask."""
        canonical = json.dumps(self.ask, sort_keys=True, ensure_ascii=False, default=str)
        names = "+".join(sorted(planned.task.name for planned in self.tasks))
        protocols = "+".join(sorted({planned.options.protocol for planned in self.tasks}))
        readable = f"{_file_name(self.card.name)[-60:]}--{_file_name(names)[:60]}--{_file_name(protocols)}"
        return f"{readable}-{hashlib.sha256(canonical.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"

    def share(self, owns: Callable[[str], bool]) -> Plan:
        """The same run with those questions alone whose keys somebody owns."""
        tasks = tuple(replace(task, items=share_of(task.items, owns)) for task in self.tasks)
        return replace(self, tasks=tasks)

    def planned_items(self) -> Iterator[PlannedItem]:
        """All items of all tasks, in order."""
        for planned in self.tasks:
            yield from planned.items

    @property
    def questions(self) -> Questions:
        """What is asked of all tasks, each key once."""
        if not self._questions:
            self._questions.append(Questions(planned.items for planned in self.tasks))
        return self._questions[0]

    def let_go(self) -> None:
        """Hold `questions` no longer: whoever wants them again waits until they are gathered anew."""
        self._questions.clear()

    def requests(self, *, without: Iterable[str] = ()) -> list[Request]:
        """What an engine has to answer: each key once, problems left out, and the keys `without`. All of them are held:
        `questions.missing` is for very many."""
        return requests_of(self.planned_items(), without=without)


def requests_of(items: Iterable[PlannedItem], *, without: Iterable[str] = ()) -> list[Request]:
    """What an engine has to answer of `items`: each key once, problems left out, and the keys `without`."""
    seen = set(without)
    requests: list[Request] = []
    for planned in items:
        if planned.key not in seen and planned.item.problem is None:
            seen.add(planned.key)
            requests.append(planned.request)
    return requests


def plan_task(
    task: Task,
    options: BuildOptions,
    card: ModelCard,
    overrides: Overrides,
    bos: str | None = None,
    shared: SharedItems | None = None,
    decoder: str | None = None,
) -> PlannedTask:
    """Build one task for one model. `bos`: `one` or `two` at the beginning of a prompt; None: as the protocol has it.
    `shared` holds what other models are asked too; clips are decoded by `decoder` (None: the default).

    Raises UsageError for what the task does not declare (gate.py), unusable data, and `two` where a server renders the
    prompt."""
    codes = {code for name in options.languages for code in codes_in(task, name)}
    options = replace(options, languages=tuple(sorted(codes)))
    shared = shared or SharedItems()
    found = shared.gated(task, options)
    second, more = _second_bos(task, options.protocol, card, bos)
    asked = _Asked(found.items, second, overrides, decoder)
    asked.check_ids()
    planned, facts = plan_items(task.name, asked, card, shared.digest(found))
    return PlannedTask(task, options, found.dataset, planned, (*found.warnings, *more), facts)


class _Asked(GoneOver[Item]):
    """The items of a task as they are asked of a model: sampled as a person wants it, repeated so often."""

    def __init__(self, items: Sequence[Item], second_bos: bool, overrides: Overrides, decoder: str | None) -> None:
        self._items = items
        self._second_bos = second_bos
        self._overrides = overrides
        self._decoder = decoder

    def __len__(self) -> int:
        return len(self._items) * self._overrides.repeats

    def __iter__(self) -> Iterator[Item]:
        for item in self._items:
            sampling = self._overrides.apply(item.sampling)
            messages = decoded_by(item.messages, self._decoder)
            same = sampling is item.sampling and messages is item.messages and item.second_bos is self._second_bos
            if same and item.repeat == 0 and self._overrides.repeats == 1:
                yield item
                continue
            for repeat in range(self._overrides.repeats):
                yield replace(
                    item,
                    messages=messages,
                    second_bos=self._second_bos,
                    sampling=sampling,
                    repeat=repeat,
                    id=f"{item.id}@{repeat}" if repeat else item.id,
                )

    def check_ids(self) -> None:
        """Raises UsageError where an item's own id is that of another's repeat."""
        if self._overrides.repeats == 1:
            return  # the gate's ids are each item's own
        names = TextSet()
        for count, item in enumerate(self, 1):
            names.add(item.id)
            if len(names) < count:
                said = f"the id {item.id} of one item is that of another's repeat"
                raise UsageError(said, "leave --repeats out, or rename it")


def decoded_by(messages: tuple[Message, ...], decoder: str | None) -> tuple[Message, ...]:
    """The messages with clips that name their decoder, unless it is the default."""
    if decoder is None or not any(media.kind == "video" for media in media_of(messages)):
        return messages
    return tuple(
        replace(
            message,
            parts=tuple(
                replace(part, decoder=decoder) if isinstance(part, Media) and part.kind == "video" else part
                for part in message.parts
            ),
        )
        for message in messages
    )


def _second_bos(task: Task, protocol: str, card: ModelCard, bos: str | None) -> tuple[bool, list[str]]:
    """Whether prompts begin with a second `<bos>`, and what to warn of. A server renders its prompts itself."""
    wanted = protocol in task.second_bos if bos is None else bos == "two"
    if not wanted or card.kind != "server":
        return wanted, []
    if bos is not None:
        raise UsageError(
            "--bos two: a server renders the prompt itself, and cannot be told to begin it with two <bos>",
            "leave it out, or use --engine transformers or vllm with the checkpoint",
        )
    return False, [
        f"the software of protocol {protocol} begins prompts with two <bos> where the template and the "
        "tokenizer each add one; a server renders them in its own way, mostly with one"
    ]


def key_of(item: Item, card: ModelCard, digests: Sequence[str] = ()) -> str:
    """The item's key for the model of `card`."""
    return Keys(card).key(item, digests)


def engine_ask(
    card: ModelCard, engine: str, *, dtype: str | None = None, max_model_len: int | None = None, **more: Any
) -> dict[str, Any]:
    """The part of an ask that says how it is computed: everything that can move a score, from the command line and,
    where that is silent, from the card. Arguments without a value leave no trace, but for the two by name."""
    given = argument_labels(score_arguments(card, engine))
    how = {
        "name": engine,
        "dtype": dtype or given.pop("dtype", None),
        "max_model_len": max_model_len or given.pop("max_model_len", None),
    }
    video = {"video": given.pop("video", None)}
    arguments = {name: value for name, value in given.items() if name not in how}
    found = {"arguments": arguments, "numerics": dict(card.numerics), **video, **more}
    return how | {name: value for name, value in found.items() if value}


def make_ask(
    card: ModelCard, tasks: Sequence[PlannedTask], overrides: Overrides, engine: Mapping[str, Any]
) -> dict[str, Any]:
    """Everything that makes one run differ from another. Paths are left out: data count by their revision."""
    decoder = next((planned.facts.decoder for planned in tasks if planned.facts.decoder), "")
    return {
        "model": [model_identity(card), card.name, card.revision, *_said_of_the_model(card)],
        "engine": dict(engine),
        "tasks": [
            {
                "task": planned.task.name,
                "version": planned.task.version,
                "dataset": planned.dataset,
                "protocol": planned.options.protocol,
                "languages": sorted(planned.options.languages),
                "limit": planned.options.limit,
                "split": planned.options.split,
                "media": planned.options.with_media,
                "seed": planned.options.seed,
                "settings": dict(planned.options.settings),
            }
            | ({"bos": TWO_BOS} if planned.facts.second_bos else {})
            | ({"code": planned.task.code} if planned.task.code else {})
            for planned in sorted(tasks, key=lambda planned: planned.task.name)
        ],
        "sampling": {name: getattr(overrides, name) for name in Overrides.__slots__},
        **({"decoder": decoder} if decoder else {}),
    }


def _said_of_the_model(card: ModelCard) -> list[str]:
    thinking = thinking_of(card).label
    return [*filter(None, [prompt_label(card), f"thinking:{thinking}" if thinking else ""])]


def _file_name(text: str) -> str:
    return re.sub(r"[^\w.+-]+", "-", text).strip("-.") or "model"
