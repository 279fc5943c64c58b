"""Open answers of known worth, put to a judge among the real ones: what does it make of them?

    reference    the right answer itself: it must get the most
    other        the right answer to another question about another picture, far from this one: it must get little
    changed      the right answer with one fact changed (alterations.py): it must get little
    language     the right answer in another language, where the benchmark has the question in both
    truncated    the first half of the right answer

They are made of the task's references alone, look to the judge like any answer, and count for nothing. Which items
they are planted at follows from a hash, so that more of them never change the first ones. Knows items; no judge.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple, TypeAlias

from tvbench.graders.judge.alterations import Neighbours, changed, likeness, truncated
from tvbench.languages import is_language, language
from tvbench.scoring.normalise import contains_words, is_blank, normalise, words, written_without_blanks
from tvbench.types import Item, Open

Kind: TypeAlias = Literal["reference", "other", "changed", "language", "truncated"]
KINDS: tuple[Kind, ...] = ("reference", "other", "changed", "language", "truncated")
WRONG: frozenset[str] = frozenset(("other", "changed"))
"""Kinds that are wrong for certain; half an answer or one in another language is worth something."""
TURNS: tuple[Kind, ...] = (
    *("other", "changed", "reference", "other", "changed"),
    *("language", "other", "changed", "reference", "truncated"),
)
"""In which order kinds are planted: 40 are 12 other, 12 changed, 8 references, 4 in another language, 4 truncated."""
PLANTED = 40
"""In each language, where nothing else is asked for; but no more than it has open answers."""
FAR, TOO_NEAR = 0.2, 0.4
"""Another answer is far enough below the first, and never used above the second."""
LOOKED_AT = 200
EVASIVE = re.compile(r"\w+[,.!،。，！]")


class Plant(NamedTuple):
    """One planted answer. `rule` is how it was made, where there are several ways."""

    item: Item
    kind: Kind
    answer: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class _Bed:
    """The open items of one task: in each language in the order in which they are planted at, and by what they share
    with their likes in other languages."""

    by_language: Mapping[str, Sequence[Item]]
    twins: Mapping[tuple[str, str], Sequence[Item]]
    neighbours: dict[str, Neighbours] = field(default_factory=dict)
    seed: int = 0


def plant(items: Sequence[Item], most: int | None, *, answers: Mapping[str, int], seed: int = 0) -> list[Plant]:
    """`most` planted answers for each language of one task's `items` (None: PLANTED, but no more than the `answers`
    that the language has); fewer where the references do not give them."""
    bed = _bed(items, seed)
    found: list[Plant] = []
    for code in bed.by_language:
        size = min(PLANTED, answers.get(code, 0)) if most is None else most
        found += _take({kind: MAKERS[kind](code, bed) for kind in KINDS}, size) if size else []
    return found


def _take(makers: dict[Kind, Iterator[Plant]], size: int) -> list[Plant]:
    """The first `size`, kind by kind in turns; a kind that has no more is passed over."""
    taken: list[Plant] = []
    while makers and len(taken) < size:
        for kind in TURNS:
            made = next(makers[kind], None) if kind in makers and len(taken) < size else None
            if made is not None:
                taken.append(made)
            elif len(taken) < size:
                makers.pop(kind, None)
    return taken


def _bed(items: Sequence[Item], seed: int) -> _Bed:
    opened = [item for item in items if item.problem is None and not is_blank(reference(item))]
    by_language: defaultdict[str, list[Item]] = defaultdict(list)
    twins: defaultdict[tuple[str, str], list[Item]] = defaultdict(list)
    for item in sorted(opened, key=lambda item: _rank(seed, item)):
        by_language[item.language].append(item)
        if item.cluster:
            twins[item.cluster, _without_language(item)].append(item)
    return _Bed(dict(sorted(by_language.items())), twins, {}, seed)


def reference(item: Item) -> str:
    """The right answer to an open question; "" of any other."""
    return item.target.reference if isinstance(item.target, Open) else ""


def question(item: Item) -> str:
    """An open question; "" of any other."""
    return item.target.question if isinstance(item.target, Open) else ""


def _rank(seed: int, item: Item) -> bytes:
    told = f"planted:{seed}:{item.task}:{item.id}"
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).digest()


def _without_language(item: Item) -> str:
    """An item's id without the name of its language: what it shares with the same question in another one."""
    code = item.language
    names = {code, code.partition("-")[0], *([language(code).name.casefold()] if is_language(code) else [])}
    parts = re.split(r"([^\w]|_)", item.id)
    return "".join(part for part in parts if part.casefold() not in {name.casefold() for name in names})


# ── Kinds ─────────────────────────────────────────────────────────────────────────────────────────


def _references(code: str, bed: _Bed) -> Iterator[Plant]:
    for item in bed.by_language[code]:
        yield Plant(item, "reference", reference(item))


def _others(code: str, bed: _Bed) -> Iterator[Plant]:
    items = bed.by_language[code]
    for place, item in enumerate(items):
        found = _far_from(item, [*items[place + 1 :], *items[:place]])
        if found is not None:
            yield Plant(item, "other", found)


def _far_from(item: Item, others: Sequence[Item]) -> str | None:
    """Another item's answer that cannot be right here too: of another picture, in other words, and to another question
    where there is one."""
    nearest: list[tuple[bool, float, str]] = []
    for other in others[:LOOKED_AT]:
        answer = reference(other)
        if _may_be_right(answer, item) or other.cluster == item.cluster != "":
            continue
        near, same = likeness(reference(item), answer), _same_question(item, other)
        if near < FAR and not same:
            return answer
        if near < TOO_NEAR or _digits(answer) != _digits(reference(item)):
            nearest.append((same, near, answer))
    return min(nearest)[2] if nearest else None


def _digits(text: str) -> list[str]:
    return re.findall(r"\d+", text)


def _same_question(item: Item, other: Item) -> bool:
    return normalise(question(item)) == normalise(question(other))


def _may_be_right(answer: str, item: Item) -> bool:
    """Whether `answer` says the same as the item's reference, holds it or is held by it, or begins with the same yes
    or no."""
    one, two = words(answer), words(reference(item))
    if one == two or contains_words(one, two) or contains_words(two, one) or set(one.split()) <= set(two.split()):
        return True
    starts = [match[0].casefold() for text in (answer, reference(item)) if (match := EVASIVE.match(text.strip()))]
    return len(starts) == 2 and starts[0] == starts[1]


def _changed(code: str, bed: _Bed) -> Iterator[Plant]:
    items = bed.by_language[code]
    neighbours = bed.neighbours.setdefault(code, Neighbours.of([reference(item) for item in items]))
    for item in items:
        made = changed(reference(item), question(item), code, neighbours, _rank(bed.seed, item).hex())
        if made is not None:
            yield Plant(item, "changed", *made)


def _translated(code: str, bed: _Bed) -> Iterator[Plant]:
    """The answer to the same question on the same picture in the language that comes next."""
    codes = list(bed.by_language)
    order = [*codes[codes.index(code) + 1 :], *codes[: codes.index(code)]]
    for item in bed.by_language[code]:
        same = [twin for twin in bed.twins.get((item.cluster, _without_language(item)), ()) if twin.language in order]
        for twin in sorted(same, key=lambda twin: order.index(twin.language)):
            if _in_other_words(reference(twin), reference(item)):
                yield Plant(item, "language", reference(twin), twin.language)
                break


def _in_other_words(one: str, other: str) -> bool:
    """Whether a text can be told from its translation: names and numbers are often the same in both."""
    long_enough = len(words(one).split()) > 1 or (written_without_blanks(one) and len(one) > 3)
    return long_enough and likeness(one, other) < TOO_NEAR


def _truncated(code: str, bed: _Bed) -> Iterator[Plant]:
    for item in bed.by_language[code]:
        made = truncated(reference(item))
        if made is not None:
            yield Plant(item, "truncated", made)


MAKERS: dict[Kind, Callable[[str, _Bed], Iterator[Plant]]] = {
    "reference": _references,
    "other": _others,
    "changed": _changed,
    "language": _translated,
    "truncated": _truncated,
}
