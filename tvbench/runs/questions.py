"""What is asked, each key once: how many questions, where they belong, which are to be asked yet.

Items are gone over again where they themselves are needed; of the rest about 60 bytes a question are held. Knows
planned items; knows no engine and no store.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence

from tvbench.runs.key_table import KeyTable
from tvbench.runs.listening import TaskLanguage
from tvbench.runs.planned import PlannedItem, PlannedItems, columns
from tvbench.runs.side_by_side import side_by_side
from tvbench.types import Request


class Questions(Collection[str]):
    """The keys of the items of `tasks`, each once, in the order in which they come; of those only that `owns` takes."""

    def __init__(self, tasks: Iterable[PlannedItems], owns: Callable[[str], bool] | None = None) -> None:
        self._tasks = tuple(tasks)
        self._keys = KeyTable()
        self._problems = bytearray()
        self.places = _Places(self._keys)
        for items in self._tasks:
            for key, problem, place in columns(items):
                if owns is None or owns(key):
                    self._note(key, problem, place)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._keys

    def only(self, owns: Callable[[str], bool]) -> Questions:
        """Those of them that `owns` takes."""
        return Questions(self._tasks, lambda key: key in self._keys and owns(key))

    def missing(self, without: Container[str] = ()) -> LeftToAsk:
        """Those that can be asked, and are not in `without`."""
        return LeftToAsk(self, without)

    def known(self, answers: Container[str]) -> int:
        """How many of them are in `answers`."""
        return sum(key in answers for key in self._keys)

    def can_be_asked(self, key: str) -> bool:
        """Whether it is one of them, and nothing is wrong with it."""
        number = self._keys.number(key)
        return number is not None and not self._problems[number]

    def items(self) -> Iterator[PlannedItem]:
        """The first item of each key, made for this pass."""
        following = 0
        for items in self._tasks:
            for planned in items:
                if self._keys.number(planned.key) == following:
                    following += 1
                    yield planned

    def problems(self) -> Iterator[tuple[str, str]]:
        """The keys that cannot be asked, each with the reason."""
        if any(self._problems):
            for planned in self.items():
                if planned.item.problem is not None:
                    yield planned.key, planned.item.problem

    def _note(self, key: str, problem: bool, place: TaskLanguage) -> None:
        new = len(self._keys)
        number = self._keys.add(key)
        if number == new:
            self._problems.append(problem)
        self.places.note(number, place)


class LeftToAsk(Collection[str]):
    """The keys of questions that are to be asked yet; `requests` are made for whoever goes over them."""

    def __init__(self, questions: Questions, without: Container[str]) -> None:
        self._questions = questions
        self._without = without
        self._count: int | None = None

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self._questions.can_be_asked(key) and key not in self._without

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._questions if key in self)

    def __len__(self) -> int:
        if self._count is None:
            self._count = sum(1 for _ in self)
        return self._count

    def __bool__(self) -> bool:
        return bool(self._count) if self._count is not None else next(iter(self), None) is not None

    def but(self, others: Container[str]) -> LeftToAsk:
        """The same without `others`."""
        return LeftToAsk(self._questions, EitherOf(self._without, others))

    @property
    def requests(self) -> Iterator[Request]:
        """What an engine has to answer, questions about one picture next to each other."""
        asked = (
            planned
            for planned in self._questions.items()
            if planned.item.problem is None and planned.key not in self._without
        )
        return (planned.request for planned in side_by_side(asked))


class EitherOf(Container[str]):
    """Keys that one or the other holds."""

    def __init__(self, one: Container[str], other: Container[str]) -> None:
        self._one, self._other = one, other

    def __contains__(self, key: object) -> bool:
        return key in self._one or key in self._other


class _Places(Mapping[str, Sequence[TaskLanguage]]):
    """The tasks and languages of each question, by its key."""

    def __init__(self, keys: KeyTable) -> None:
        self._keys = keys
        self._names: dict[TaskLanguage, int] = {}
        self._list: list[TaskLanguage] = []
        self._first = array("I")
        self._more: dict[int, array[int]] = {}
        self.counts: Counter[TaskLanguage] = Counter()
        """How many items each has; of several with one key every one."""

    def note(self, number: int, place: TaskLanguage) -> None:
        """One more item with the key of that number."""
        name = self._names.setdefault(place, len(self._names))
        if name == len(self._list):
            self._list.append(place)
        if number == len(self._first):
            self._first.append(name)
        else:
            self._more.setdefault(number, array("I")).append(name)
        self.counts[place] += 1

    def __getitem__(self, key: str) -> Sequence[TaskLanguage]:
        number = self._keys.number(key)
        if number is None:
            raise KeyError(key)
        names = (self._first[number], *self._more.get(number, ()))
        return [self._list[name] for name in names]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)
