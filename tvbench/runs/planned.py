"""Items with their keys: what a task asks of a model, a few held as they are, many made again with each pass.

Of very many only their keys, the digests of their media and what went wrong with these are held, about 50 bytes an
item; each later pass is held against them, so that nothing else can be asked or stored than what was planned. Knows
items, keys and cards; knows no task and no store.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TypeAlias

from tvbench.errors import TvbenchError
from tvbench.registry.influence import prompt_settings
from tvbench.registry.thinking import thinking_key
from tvbench.runs.gone_over import GoneOver
from tvbench.runs.key_table import SIZE, KeyTable, digest_of
from tvbench.runs.keys import content_key, media_digest, media_of
from tvbench.runs.listening import TaskLanguage
from tvbench.runs.signature import Facts, ItemFacts
from tvbench.runs.streamed import HELD, ChangedError
from tvbench.types import Item, Media, ModelCard, Request

HASHING_THREADS = 4
AT_ONCE = 256
"""Items whose media are hashed at the same time."""
HASH = (1 << 32) - 1

Digest: TypeAlias = Callable[[Media], str]
PlannedItems: TypeAlias = "Sequence[PlannedItem]"


@dataclass(frozen=True, slots=True)
class PlannedItem:
    """An item with its content key and the digests of its media, in order."""

    key: str
    item: Item
    digests: tuple[str, ...]

    @property
    def request(self) -> Request:
        """What an engine is asked."""
        item = self.item
        return Request(self.key, item.messages, item.sampling, item.continuation, item.reply_schema, item.second_bos)

    @property
    def place(self) -> TaskLanguage:
        return TaskLanguage(self.item.task, self.item.language)


class Keys:
    """Makes the keys of items for one model."""

    def __init__(self, card: ModelCard) -> None:
        self._model, self._revision = model_identity(card), card.revision
        self._said = dict(prompt_settings(card))
        if thinking := thinking_key(card):
            self._said["reasoning"] = thinking

    def key(self, item: Item, digests: Sequence[str] = ()) -> str:
        """The key of an item; `digests` are those of its media."""
        return content_key(item, self._model, self._revision, digests, self._said)

    def planned(self, item: Item, digest: Digest = media_digest) -> PlannedItem:
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
        return PlannedItem(self.key(item, digests), item, digests)


def model_identity(card: ModelCard) -> str:
    """What a key calls the model: its hub id or served name. A folder is its content, wherever it lies."""
    return "folder" if card.kind == "folder" else f"{card.kind}:{card.location}"


def plan_items(name: str, items: Sequence[Item], card: ModelCard, digest: Digest) -> tuple[PlannedItems, ItemFacts]:
    """Every item of the task `name` with its key, and what a signature says of them. `items` can be gone over again."""
    keys, facts = Keys(card), Facts()
    asked = _hashed(items, keys, digest)
    if len(items) <= HELD:
        held = tuple(asked)
        for planned in held:
            facts.add(planned.item)
        return held, facts.all()
    made = ManyPlanned(name, items, keys)
    for planned in asked:
        made.note(planned)
        facts.add(planned.item)
    return made, facts.all()


def _hashed(items: Iterable[Item], keys: Keys, digest: Digest) -> Iterator[PlannedItem]:
    """The items with their keys, in their order; media of several are read at the same time."""
    with ThreadPoolExecutor(HASHING_THREADS) as pool:
        for some in _pieces(items):
            if any(media_of(item.messages) for item in some):
                yield from pool.map(lambda item: keys.planned(item, digest), some)
            else:
                yield from (keys.planned(item, digest) for item in some)


def _pieces(items: Iterable[Item]) -> Iterator[list[Item]]:
    some: list[Item] = []
    for item in items:
        some.append(item)
        if len(some) == AT_ONCE:
            yield some
            some = []
    yield some


class ManyPlanned(GoneOver[PlannedItem]):
    """Items that are made again with each pass, and held against what was noted of them the first time. Raises
    ChangedError where they are others."""

    def __init__(self, name: str, items: Sequence[Item], keys: Keys) -> None:
        self._name = name
        self._items = items
        self._maker = keys
        self._keys = bytearray()
        self._ids = array("I")
        self._places: dict[TaskLanguage, int] = {}
        self._place = array("I")
        self._problem = bytearray()
        self._unread: dict[int, str] = {}
        self._media = KeyTable()
        self._digests = array("I")

    def note(self, planned: PlannedItem) -> None:
        """One more, as it was made the first time."""
        item = planned.item
        if item.problem is not None and media_of(item.messages):
            self._unread[len(self)] = item.problem
        self._keys += digest_of(planned.key)
        self._ids.append(_id(item))
        self._place.append(self._places.setdefault(planned.place, len(self._places)))
        self._problem.append(item.problem is not None)
        self._digests.extend(map(self._media.add, planned.digests))

    def __len__(self) -> int:
        return len(self._ids)

    def __iter__(self) -> Iterator[PlannedItem]:
        following = map(self._media.key, self._digests)
        number = 0
        for number, item in enumerate(self._items, 1):
            problem = self._unread.get(number - 1)
            item = item if problem is None else replace(item, problem=problem)
            media = media_of(item.messages) if item.problem is None else ()
            digests = tuple(digest for _, digest in zip(media, following, strict=False))
            planned = PlannedItem(self._maker.key(item, digests), item, digests)
            if number > len(self) or not self._is(number - 1, planned):
                raise ChangedError(self._name)
            yield planned
        if number != len(self):
            raise ChangedError(self._name)

    def columns(self) -> Iterator[tuple[str, bool, TaskLanguage]]:
        """Of each item its key, whether it cannot be asked, and its place; no item is made."""
        places = list(self._places)
        for number, (place, problem) in enumerate(zip(self._place, self._problem, strict=True)):
            yield self._keys[SIZE * number : SIZE * number + SIZE].hex(), bool(problem), places[place]

    def _is(self, number: int, planned: PlannedItem) -> bool:
        key = self._keys[SIZE * number : SIZE * number + SIZE]
        return digest_of(planned.key) == key and self._ids[number] == _id(planned.item)


def _id(item: Item) -> int:
    return hash((item.language, item.id)) & HASH


class _Share(GoneOver[PlannedItem]):
    """Those of very many items whose keys somebody owns."""

    def __init__(self, items: ManyPlanned, owns: Callable[[str], bool]) -> None:
        self._items = items
        self._owns = owns

    def __len__(self) -> int:
        return sum(1 for _ in self.columns())

    def __iter__(self) -> Iterator[PlannedItem]:
        return (planned for planned in self._items if self._owns(planned.key))

    def columns(self) -> Iterator[tuple[str, bool, TaskLanguage]]:
        """As ManyPlanned has them."""
        return (row for row in self._items.columns() if self._owns(row[0]))


def share_of(items: PlannedItems, owns: Callable[[str], bool]) -> PlannedItems:
    """Those of the items whose keys somebody owns."""
    if isinstance(items, ManyPlanned):
        return _Share(items, owns)
    return tuple(planned for planned in items if owns(planned.key))


def columns(items: PlannedItems) -> Iterator[tuple[str, bool, TaskLanguage]]:
    """Of each item its key, whether it cannot be asked, and its place."""
    if isinstance(items, ManyPlanned | _Share):
        return items.columns()
    return ((planned.key, planned.item.problem is not None, planned.place) for planned in items)
