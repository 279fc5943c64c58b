"""What a run will ask: tasks built, media hashed, keys made, the run folder's name decided.

Touches no engine and writes nothing, so that `--dry-run` is this module and a table.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Any

from tvbench.errors import TvbenchError, UsageError
from tvbench.registry.declared import codes_in
from tvbench.registry.influence import argument_labels, prompt_label, prompt_settings, score_arguments
from tvbench.registry.thinking import thinking_key, thinking_of
from tvbench.runs.gate import asked_words, media_left_out
from tvbench.runs.keys import content_key, media_digest, media_of
from tvbench.runs.manifest import TaskEntry
from tvbench.runs.shared_items import SharedItems
from tvbench.runs.signature import TWO_BOS, decoder_of, task_signature
from tvbench.scoring.task_metrics import declared_facts
from tvbench.types import Build, BuildOptions, Item, Media, Message, ModelCard, Request, Sampling, Task

HASHING_THREADS = 4


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """An item with its content key and the digests of its media, in order."""

    key: str
    item: Item
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PlannedTask:
    """A task, how it is asked, and everything that it asks."""

    task: Task
    options: BuildOptions
    dataset: str
    items: tuple[PlannedItem, ...]
    warnings: tuple[str, ...] = ()

    def entry(self, card: ModelCard, engine: str) -> TaskEntry:
        """The task's entry in manifest.json; `engine` as in the signature."""
        build = Build((), self.dataset)
        items = [planned.item for planned in self.items]
        signature = task_signature(
            self.task,
            self.options.protocol,
            build,
            items,
            card,
            engine,
            with_media=not media_left_out(self.task, items, self.options.with_media),
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
            items=len(items),
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
        return replace(sampling, **changed)


@dataclass(frozen=True, slots=True)
class Plan:
    """A model and everything that it will be asked. `ask` names the run: equal asks share a folder."""

    card: ModelCard
    tasks: tuple[PlannedTask, ...]
    ask: Mapping[str, Any] = field(default_factory=dict)

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
        tasks = tuple(
            replace(task, items=tuple(planned for planned in task.items if owns(planned.key))) for task in self.tasks
        )
        return replace(self, tasks=tasks)

    def planned_items(self) -> Iterator[PlannedItem]:
        """All items of all tasks, in order."""
        for planned in self.tasks:
            yield from planned.items

    def requests(self, *, without: Iterable[str] = ()) -> list[Request]:
        """What an engine has to answer: each key once, problems left out, and the keys `without`."""
        return requests_of(self.planned_items(), without=without)


def requests_of(items: Iterable[PlannedItem], *, without: Iterable[str] = ()) -> list[Request]:
    """What an engine has to answer of `items`: each key once, problems left out, and the keys `without`."""
    seen = set(without)
    requests: list[Request] = []
    for planned in items:
        if planned.key not in seen and planned.item.problem is None:
            seen.add(planned.key)
            item = planned.item
            requests.append(
                Request(
                    planned.key, item.messages, item.sampling, item.continuation, item.reply_schema, item.second_bos
                )
            )
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
    asked = [
        replace(
            item,
            messages=decoded_by(item.messages, decoder),
            second_bos=second,
            sampling=overrides.apply(item.sampling),
            repeat=repeat,
            id=item.id if not repeat else f"{item.id}@{repeat}",
        )
        for item in found.items
        for repeat in range(overrides.repeats)
    ]
    _check_repeated(asked)
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        planned = tuple(pool.map(lambda item: plan_item(item, card, shared.digest), asked))
    return PlannedTask(task, options, found.dataset, planned, (*found.warnings, *more))


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


def _check_repeated(items: Sequence[Item]) -> None:
    """Raises UsageError where an item's own id is that of another's repeat."""
    twice = next((name for name, count in Counter(item.id for item in items).items() if count > 1), None)
    if twice is not None:
        raise UsageError(f"the id {twice} of one item is that of another's repeat", "leave --repeats out, or rename it")


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


def plan_item(item: Item, card: ModelCard, digest: Callable[[Media], str] = media_digest) -> PlannedItem:
    """Hash the item's media and make its key. Media that cannot be read become the item's problem."""
    digests: tuple[str, ...] = ()
    if item.problem is None:
        try:
            digests = tuple(digest(media) for media in media_of(item.messages))
        except (TvbenchError, OSError) as error:
            item = replace(item, problem=str(error))
        except Exception as error:  # noqa: BLE001 - whatever a reader raises for one picture is that item's problem
            item = replace(item, problem=f"a picture or clip cannot be read ({type(error).__name__}: {error})")
    if item.problem is not None:
        digests = ()
    return PlannedItem(key_of(item, card, digests), item, digests)


def key_of(item: Item, card: ModelCard, digests: Sequence[str] = ()) -> str:
    """The item's key for the model of `card`."""
    said = prompt_settings(card)
    if thinking := thinking_key(card):
        said = {**said, "reasoning": thinking}
    return content_key(item, model_identity(card), card.revision, digests, said)


def model_identity(card: ModelCard) -> str:
    """What a key calls the model: its hub id or served name. A folder is its content, wherever it lies."""
    return "folder" if card.kind == "folder" else f"{card.kind}:{card.location}"


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
    decoder = decoder_of(chosen.item for planned in tasks for chosen in planned.items)
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
            | ({"bos": TWO_BOS} if any(chosen.item.second_bos for chosen in planned.items) else {})
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
