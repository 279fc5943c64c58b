"""One sheet of the leaderboard's first screen: its rows by name, their fields, and how each stands in words.

Figures, ranks and marks are the matrix's (matrix.py). Knows matrices; chooses nothing, and knows no layout.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from tvbench.analysis.entries import RunEntry, shown_figure
from tvbench.analysis.grid import Field, Remark
from tvbench.analysis.matrix import Matrix
from tvbench.analysis.ranks import Ranker, ranks_text
from tvbench.analysis.references import references
from tvbench.analysis.row_words import row_standing
from tvbench.analysis.rows import ModelRow
from tvbench.analysis.variants import row_words


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """`key` is what `--sort` calls it, `name` what people read; `whole`: a mean over languages; `members`: the
    varieties that are taken together."""

    key: str
    name: str
    whole: bool = False
    members: str = ""


@dataclass(frozen=True, slots=True)
class BoardLine:
    """Who answered, as people call it (`tower-mini, without pictures`), with its fields, and how it stands in words.
    `runs` are their names; none: published."""

    name: str
    rank: str
    fields: tuple[Field, ...]
    words: str = ""
    runs: tuple[str, ...] = ()
    entries: tuple[RunEntry, ...] = ()

    @property
    def published(self) -> bool:
        return not self.runs


@dataclass(frozen=True, slots=True)
class BoardSheet:
    """`ranked` names the column of the ranks. `references` are figures of the data; `told` says what would tell the
    first two apart, `left_out` which languages are not
    shown, `more` how many rows of ours, `joint` which varieties are taken together; `remarks` stand below."""

    title: str
    columns: tuple[BoardColumn, ...]
    lines: tuple[BoardLine, ...]
    ranked: str
    references: Mapping[str, float]
    told: str = ""
    joint: tuple[str, ...] = ()
    remarks: tuple[Remark, ...] = ()
    left_out: str = ""
    more: int = 0


def sheet_of(
    title: str,
    matrix: Matrix,
    heads: Sequence[BoardColumn],
    told_apart: Mapping[tuple[str, str], tuple[str, ...]],
    ranker: Ranker,
) -> BoardSheet:
    """The sheet of a matrix; `told_apart` are the words of variants.py."""
    at = matrix.places.index(matrix.by)
    words = [
        row_words({task: told_apart[entry.run, task] for task, entry in row.entries.items()}) for row in matrix.rows
    ]
    shared = _shared(matrix.rows, words)
    words = [tuple(word for word in some if word not in shared) for some in words]
    names, titles = _names(matrix.rows, words), [head.name for head in heads]
    lines = tuple(
        BoardLine(
            names[number],
            ranks_text(fields[at].rank),
            tuple(replace(field, number=0) if words[number] else field for field in fields),
            "" if row.published else row_standing(matrix, number, names, titles, at, otherwise=bool(words[number])),
            tuple(dict.fromkeys(entry.run for entry in row.entries.values())),
            tuple(row.entries.values()),
        )
        for number, (row, fields) in enumerate(zip(matrix.rows, matrix.fields, strict=True))
    )
    numbers = {field.number for line in lines for field in line.fields if field.number}
    remarks = [remark for remark in matrix.numbered if remark.number in numbers]
    own = next((row for row in matrix.rows if not row.published), None)
    entry = own.entries.get(matrix.places[at].task) if own is not None else None
    return BoardSheet(
        ", ".join([title, *shared]),
        tuple(heads),
        lines,
        heads[at].name.partition("\n")[0],
        references(entry.result) if entry is not None else {},
        _told(matrix, lines, heads, at, ranker),
        tuple(f"{head.name}: {head.members} taken together" for head in heads if head.members),
        (*remarks, *_problems(matrix, heads), *matrix.about_papers()),
        more=matrix.more,
    )


def _shared(rows: Sequence[ModelRow], words: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """What is said of each of several rows of ours: it is said once, above them."""
    own = [some for row, some in zip(rows, words, strict=True) if not row.published]
    return tuple(word for word in own[0] if all(word in some for some in own)) if len(own) > 1 else ()


def _problems(matrix: Matrix, heads: Sequence[BoardColumn]) -> Iterator[Remark]:
    """Why there are no ranks, or less certain ones; of which columns, where not of all."""
    for text, places in matrix.problems.items():
        names = [
            head.name.partition("\n")[0] for head, place in zip(heads, matrix.places, strict=True) if place in places
        ]
        yield Remark(text if len(names) == len(heads) else f"{', '.join(names)}: {text}")


def _names(rows: Sequence[ModelRow], words: Sequence[Sequence[str]]) -> list[str]:
    """What people call each row; twins are told apart by engine, revision or run."""
    names = [", ".join([row.model, *some]) for row, some in zip(rows, words, strict=True)]
    known = Counter(names)
    twins = [known[name] > 1 for name in names]
    sources = [row.source if row.published else row.source.removeprefix("run").strip() for row in rows]
    named = [
        f"{name}, {source}" if source and (twin or row.published) else name
        for name, source, twin, row in zip(names, sources, twins, rows, strict=True)
    ]
    known = Counter(named)
    return [
        f"{name}, …{next(iter(row.entries.values())).run[-8:]}" if known[name] > 1 and not row.published else name
        for name, row in zip(named, rows, strict=True)
    ]


def _told(matrix: Matrix, lines: Sequence[BoardLine], heads: Sequence[BoardColumn], at: int, ranker: Ranker) -> str:
    """`to tell A from B in Hindi you need about 2,900 more questions`, where the first two cannot be told apart."""
    held = matrix.ranked.get(matrix.places[at], ())
    ranked = [number for number, line in enumerate(lines) if not line.published and number in held]
    if len(ranked) < 2 or ranks_text(matrix.fields[ranked[0]][at].rank) == "1":
        return ""
    first, second = ranked[:2]
    alone = all(head.whole for head in heads)
    found: list[tuple[int, str]] = []
    for place, head in zip(matrix.places, heads, strict=True):
        one, other = (matrix.rows[number].entries.get(place.task) for number in (first, second))
        if one is None or other is None or (head.whole and not alone):
            continue
        shown = shown_figure(one.result, place.part, place.kind, matrix.metric)
        more = None if shown is None else ranker.more_items(one, other, shown.metric.id, place.part)
        found += [(more, head.name.partition("\n")[0])] if more else []
    if not found:
        return ""
    more, where = min(found)
    both = f"{lines[first].name} from {lines[second].name}"
    return f"to tell {both} in {where} you need about {_rounded(more)} more questions"


def _rounded(count: int) -> str:
    """To two digits."""
    digits = max(0, len(str(count)) - 2)
    return f"{round(count, -digits):,}"
